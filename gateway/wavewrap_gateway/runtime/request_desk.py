"""Takes requests in, has the rules judge them, hands them to whoever carries them out, and answers: each exactly once, a stop always.

Not responsible for how a request comes and an answer goes (:class:`RequestChannel`, an adapter), nor for what a command does.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Collection
from typing import Any, Protocol

from pydantic import BaseModel

from wavewrap_gateway.core.request_rules import (
    READING,
    Incoming,
    RefusedError,
    TransactionMemory,
    check_request,
    check_response_topic,
    read_transaction,
)
from wavewrap_protocol.errors import WavewrapError
from wavewrap_protocol.requests import REQUESTS, CommandName, Request, StopRequest
from wavewrap_protocol.responses import Reason, Response, StopData, StopResponse

__all__ = ["Handlers", "RequestChannel", "RequestDesk"]

PENDING_MAX = 16
"""Requests carried out at once; a stop is not counted. Choice: more than one person asks for."""

REFUSALS_TOLD = 20
REFUSALS_PERIOD_S = 60.0
"""So many refusals are told in each period; the others are only answered. Choice: enough to see what goes on, too few to fill an outbox."""

COMMAND_SHOWN = 64
"""So much of an unknown command's name goes into the topic of its answer."""

_log = logging.getLogger(__name__)

Handler = Callable[[Any], Awaitable[BaseModel]]


class RequestChannel(Protocol):
    """The way to whoever asks. Every method is called in the loop and returns at once; what cannot be sent now is given up."""

    def answer(self, topic: str, body: bytes, correlation: bytes | None, *, urgent: bool = False) -> None:
        """Publish an answer on the full topic ``topic``, before all others where it is ``urgent``."""


class Handlers(Protocol):
    """What carries requests out."""

    def stop(self, request: StopRequest, reason: str) -> StopData:
        """Stop what ``request`` names, everything where it names nothing that is known. At once, and whatever else goes on."""

    def table(self) -> dict[CommandName, Handler]:
        """Of every other command: what carries it out and returns its data. It may raise :class:`WavewrapError`."""


class RequestDesk:
    """``tell`` gets kind and text of what was asked; ``now_unix_s`` is the host's wall clock, ``clock`` its monotonic one."""

    def __init__(
        self,
        base_topic: str,
        allowed: Collection[CommandName],
        reserved: Collection[str],
        handlers: Handlers,
        channel: RequestChannel,
        clock: Callable[[], float],
        now_unix_s: Callable[[], float],
        tell: Callable[[str, str], None],
    ) -> None:
        self._base_topic = base_topic
        self._allowed = frozenset(allowed)
        self._reserved = tuple(reserved)
        self._handlers = handlers
        self._table = handlers.table()
        self._channel = channel
        self._clock = clock
        self._now_unix_s = now_unix_s
        self._tell = tell
        self._memory: TransactionMemory[asyncio.Future[Response]] = TransactionMemory()
        self._pending: set[asyncio.Task[None]] = set()
        self._refusals_s: deque[float] = deque(maxlen=REFUSALS_TOLD)

    def receive(self, incoming: Incoming) -> None:
        """A request came. A stop is answered before this returns."""
        if incoming.retained and not incoming.body and incoming.command != CommandName.STOP:
            return  # somebody clears the topic
        topic = f"{self._base_topic}/bridge/response/{incoming.command[:COMMAND_SHOWN]}"
        try:
            if incoming.response_topic is not None:
                check_response_topic(incoming.response_topic, self._base_topic, self._reserved)
                topic = incoming.response_topic
            request = check_request(incoming, self._allowed, self._now_unix_s())
        except RefusedError as refusal:
            self._refuse(incoming, topic, refusal)
            return
        if isinstance(request, StopRequest):
            self._answer(topic, incoming, self._stop(request, "an MQTT request"))
            return
        try:
            self._take(incoming, topic, request)
        except RefusedError as refusal:
            self._refuse(incoming, topic, refusal)

    async def close(self) -> None:
        """Give up what is still being carried out; what it began (a session) is not this class's to end."""
        for task in self._pending:
            task.cancel()
        await asyncio.gather(*self._pending, return_exceptions=True)

    def _refuse(self, incoming: Incoming, topic: str, refusal: RefusedError) -> None:
        text, transaction = str(refusal), read_transaction(incoming.body)
        if incoming.command == CommandName.STOP:
            # Whoever presses stop means it, however it is written: a vent too many harms nobody.
            stopped = self._handlers.stop(StopRequest(), f"an MQTT request ({refusal.reason})")
            text = f"{text}; everything was stopped all the same"
            self._answer(
                topic, incoming, StopResponse(status="error", transaction=transaction, reason=refusal.reason, error=text, data=stopped)
            )
        else:
            self._answer(topic, incoming, _refusal(incoming.command, transaction, refusal.reason, text))
        self._tell_refusal(f"{incoming.command[:COMMAND_SHOWN]}: {text}")

    def _tell_refusal(self, text: str) -> None:
        now_s = self._clock()
        if len(self._refusals_s) < REFUSALS_TOLD or now_s - self._refusals_s[0] > REFUSALS_PERIOD_S:
            self._refusals_s.append(now_s)
            self._tell("request_refused", text)

    def _stop(self, request: StopRequest, reason: str) -> StopResponse:
        data = self._handlers.stop(request, reason)
        self._tell("request", f"stop: {', '.join(data.stopping) or 'nothing runs'}")
        return StopResponse(status="ok", transaction=request.transaction, data=data)

    def _take(self, incoming: Incoming, topic: str, request: Request) -> None:
        name = CommandName(incoming.command)
        outcome = None if name in READING else self._memory.find(name, request.transaction, incoming.body)
        if outcome is None:
            if len(self._pending) >= PENDING_MAX:
                raise RefusedError(Reason.BUSY, f"{PENDING_MAX} requests are being carried out: wait for their answers")
            outcome = asyncio.get_running_loop().create_future()
            if name not in READING:
                self._memory.add(name, request.transaction, incoming.body, self._clock(), outcome)
            self._start(self._carry_out(name, request, outcome))
        # For one that is done already it is called at once.
        outcome.add_done_callback(lambda done: None if done.cancelled() else self._answer(topic, incoming, done.result()))

    def _start(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._pending.add(task)
        task.add_done_callback(self._pending.discard)

    async def _carry_out(self, name: CommandName, request: Request, outcome: asyncio.Future[Response]) -> None:
        try:
            data = await self._table[name](request)
        except RefusedError as refusal:
            response = _refusal(name, request.transaction, refusal.reason, str(refusal))
        except WavewrapError as cause:
            response = _refusal(name, request.transaction, Reason.FAILED, str(cause))
        except BaseException:
            outcome.cancel()
            raise
        else:
            response = REQUESTS[name].response.model_validate({"status": "ok", "transaction": request.transaction, "data": data})
        outcome.set_result(response)
        if response.error is None:
            if name not in READING:
                self._tell("request", f"{name}: carried out")
        else:
            self._tell_refusal(f"{name}: {response.error}")

    def _answer(self, topic: str, incoming: Incoming, response: Response) -> None:
        urgent = isinstance(response, StopResponse)
        self._channel.answer(topic, response.model_dump_json().encode(), incoming.correlation, urgent=urgent)


def _refusal(command: str, transaction: str | None, reason: Reason, text: str) -> Response:
    kind = REQUESTS[CommandName(command)].response if command in set(CommandName) else Response
    return kind.model_validate({"status": "error", "transaction": transaction, "reason": reason, "error": text})
