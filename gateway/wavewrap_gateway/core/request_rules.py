"""Which requests are carried out and which are refused, and why. Pure: the message, the time and the rights are passed in.

Law: a request from which pressure may come is carried out once, soon after it was sent, or not at all; a stop is carried out always.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Generic, TypeVar

from pydantic import BaseModel, ValidationError

from wavewrap_protocol.requests import REQUEST_MAX_BYTES, REQUESTS, TTL_MAX_S, CommandName, Request, StopRequest, Transaction
from wavewrap_protocol.responses import Reason

__all__ = [
    "CLOCK_AHEAD_S",
    "DEFAULT_COMMANDS",
    "READING",
    "Incoming",
    "RefusedError",
    "TransactionMemory",
    "check_request",
    "check_response_topic",
    "read_transaction",
]

DEFAULT_COMMANDS = (CommandName.STOP, CommandName.PAUSE, CommandName.PROGRAMS, CommandName.HEALTH)
"""Allowed unless the configuration says otherwise. Choice: what only reads or releases, for nobody knows who else is on a broker."""

READING = frozenset({CommandName.PROGRAMS, CommandName.SESSIONS, CommandName.HEALTH})
"""They change nothing, so a repetition is carried out again, and however many there are, none crowds out another request."""

CLOCK_AHEAD_S = 5.0
"""A sender's clock may be so far ahead of ours. Choice: hosts with NTP agree far better; without it neither clock is any proof."""

KEPT_S = 2.0 * TTL_MAX_S
"""Transactions are remembered for so long. Choice: twice the longest expiry, after which a repetition is stale anyway."""

KEPT_MAX = 1000
"""Transactions remembered. Choice: eight a second for as long as they are kept; who asks more often is told to wait."""


class RefusedError(Exception):
    """The request is not carried out."""

    def __init__(self, reason: Reason, text: str) -> None:
        super().__init__(text)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message on ``bridge/request/<command>`` as it came.

    ``expiry_s`` is what is left of the MQTT 5 message expiry, ``age_s`` how long it may have waited in this process unread.
    """

    command: str
    body: bytes
    retained: bool = False
    expiry_s: float | None = None
    age_s: float = 0.0
    response_topic: str | None = None
    correlation: bytes | None = None


def check_response_topic(topic: str, base_topic: str, reserved: Collection[str]) -> None:
    """Raises :class:`RefusedError` for a topic on which an answer of ours could be taken for something else.

    That is everything under ``base_topic`` besides its ``bridge/response/``, under a ``reserved`` prefix, and the broker's own ``$``.
    """
    inside = topic == base_topic or topic.startswith(f"{base_topic}/")
    taken = any(topic == prefix or topic.startswith(f"{prefix}/") for prefix in reserved)
    if topic.startswith("$") or "+" in topic or "#" in topic or not topic or taken:
        raise RefusedError(Reason.BAD_RESPONSE_TOPIC, f"response topic {topic!r} is not for answers: take one of your own")
    if inside and not topic.startswith(f"{base_topic}/bridge/response/"):
        raise RefusedError(Reason.BAD_RESPONSE_TOPIC, f"response topic {topic!r} is the gateway's own: take one of yours, or none")


def check_request(incoming: Incoming, allowed: Collection[CommandName], now_unix_s: float) -> Request | StopRequest:
    """The request in ``incoming``. Raises :class:`RefusedError`.

    For a stop the caller carries it out all the same: what is wrong with it is then only told.
    """
    if incoming.command not in set(CommandName):
        names = ", ".join(CommandName)
        raise RefusedError(Reason.UNKNOWN_COMMAND, f"command {incoming.command[:40]!r} is unknown: there are {names}")
    name = CommandName(incoming.command)
    if incoming.retained:
        raise RefusedError(
            Reason.RETAINED, f"{name} came retained, so it may be of any age: publish it without retain, and clear the topic"
        )
    if len(incoming.body) > REQUEST_MAX_BYTES:
        raise RefusedError(Reason.OVERSIZED, f"{name} has over {REQUEST_MAX_BYTES} bytes: send fewer")
    if name not in allowed and name is not CommandName.STOP:
        text = f"{name} is not allowed here: add it to commands.allow in the gateway's configuration, after a look at the broker's rights"
        raise RefusedError(Reason.NOT_ALLOWED, text)
    request = _parse(name, incoming.body)
    if REQUESTS[name].expires and isinstance(request, Request):
        _check_expiry(name, request, incoming, now_unix_s)
    return request


class _Tag(BaseModel):
    transaction: Transaction


def read_transaction(body: bytes) -> str | None:
    """The transaction in ``body``, whatever else is wrong with it, so that who asked finds the answer."""
    if len(body) > REQUEST_MAX_BYTES:
        return None
    try:
        return _Tag.model_validate_json(body).transaction
    except ValidationError:
        return None


def _parse(name: CommandName, body: bytes) -> Request | StopRequest:
    if name is CommandName.STOP and not body:
        return StopRequest()
    try:
        return REQUESTS[name].request.model_validate_json(body)
    except ValidationError as cause:
        detail = cause.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(map(str, detail["loc"]))
        text = f"{name} is malformed: {where + ': ' if where else ''}{detail['msg']}"
        raise RefusedError(Reason.MALFORMED, f"{text[:300]}: see the tables of section 11 of the protocol") from None


def _check_expiry(name: CommandName, request: Request, incoming: Incoming, now_unix_s: float) -> None:
    if (request.unix_s is None) is not (request.ttl_s is None):
        raise RefusedError(Reason.MALFORMED, f"{name}: unix_s and ttl_s belong together: give both or neither")
    if request.ttl_s is None and incoming.expiry_s is None:
        raise RefusedError(
            Reason.STALE, f"{name} has no expiry, so it may be of any age: give unix_s and ttl_s, or the MQTT 5 message expiry"
        )
    if incoming.expiry_s is not None:
        if incoming.expiry_s > TTL_MAX_S:
            raise RefusedError(Reason.STALE, f"{name} would be good for another {incoming.expiry_s:g} s: give at most {TTL_MAX_S:g} s")
        if incoming.age_s >= incoming.expiry_s:
            raise RefusedError(Reason.STALE, f"{name} may have waited here for {incoming.age_s:.1f} s and has expired: send it again")
    if request.ttl_s is not None and request.unix_s is not None:
        old_s = now_unix_s - request.unix_s
        if old_s > request.ttl_s:
            raise RefusedError(Reason.STALE, f"{name} is {old_s:.1f} s old and was good for {request.ttl_s:g} s: send it again")
        if old_s < -CLOCK_AHEAD_S:
            raise RefusedError(Reason.STALE, f"{name} was sent {-old_s:.1f} s from now by its sender's clock: set the clocks right (NTP)")


T = TypeVar("T")


class TransactionMemory(Generic[T]):
    """What was asked and what came of it, so that a repetition is answered again and not carried out again."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], tuple[float, bytes, T]] = {}

    def find(self, command: str, transaction: str, body: bytes) -> T | None:
        """What came of this very request, when it came before. Raises :class:`RefusedError` when its transaction stood for another one."""
        known = self._seen.get((command, transaction))
        if known is None:
            return None
        if known[1] != body:
            text = f"transaction {transaction!r} has been used for another {command}: give every request its own"
            raise RefusedError(Reason.DUPLICATE, text)
        return known[2]

    def add(self, command: str, transaction: str, body: bytes, now_s: float, outcome: T) -> None:
        """Remember a new request. Raises :class:`RefusedError` when there are too many."""
        for key, (seen_s, _, _) in list(self._seen.items()):
            if now_s - seen_s <= KEPT_S:
                break  # they stand in order of arrival
            del self._seen[key]
        if len(self._seen) >= KEPT_MAX:
            raise RefusedError(Reason.BUSY, f"over {KEPT_MAX} requests within {KEPT_S:g} s: ask less often")
        self._seen[command, transaction] = (now_s, body, outcome)
