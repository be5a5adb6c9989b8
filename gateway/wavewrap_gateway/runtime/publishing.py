"""The port through which the gateway publishes, and the queues behind it; knows no broker, no socket and no clock.

Two classes of data. *Live* (telemetry, health): when the consumer stalls the oldest is dropped and counted. *Durable* (states, events,
sessions): it waits, in order; only at a bound far past any short outage is the oldest dropped, and that is counted and logged.

:class:`MessageQueues` is the place of a durable outbox: whatever offers ``put take put_back acknowledge refuse`` may stand there.
Not responsible for: connecting, retrying, the Last Will (the adapter's), or the numbers inside the payloads (the caller's).
"""

import logging
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from wavewrap_protocol.errors import UsageError
from wavewrap_protocol.payloads import TOPICS, MqttCounts, Payload

__all__ = [
    "BrokerChange",
    "BrokerDown",
    "BrokerUp",
    "DataClass",
    "Message",
    "MessageQueues",
    "Publisher",
    "encode_message",
]

LIVE_BOUND = 1000
"""Live messages kept while the consumer stalls. Choice: 50 s of two wraps at 10 batches a second each, under 1 MB."""

DURABLE_BOUND = 20_000
"""Durable messages kept. Choice: over an hour of two wraps at 2 states a second each, about 20 MB."""

LIVE_TOPICS = frozenset({"wrap_telemetry", "bridge_health"})
"""Rows of ``TOPICS`` that are live; every other row is durable."""

_log = logging.getLogger(__name__)


class DataClass(Enum):
    """What happens to a message when it cannot be sent now."""

    LIVE = "live"
    DURABLE = "durable"


@dataclass(frozen=True, slots=True)
class Message:
    """One encoded message. ``path`` is the full topic, ``body`` the JSON text in UTF-8."""

    path: str
    body: bytes
    qos: int
    retained: bool
    data_class: DataClass


@dataclass(frozen=True, slots=True)
class BrokerUp:
    """The broker accepts messages; ``broker`` names it without any secret."""

    broker: str


@dataclass(frozen=True, slots=True)
class BrokerDown:
    """The broker does not take messages now; ``reason`` is one line."""

    reason: str


BrokerChange = BrokerUp | BrokerDown


class Publisher(Protocol):
    """What the floors above need of a broker. Every method is called from the thread of the asyncio loop."""

    @property
    def connected(self) -> bool:
        """Whether the broker takes messages now."""
        ...

    def publish(self, topic: str, payload: Payload, wrap: str | None = None) -> None:
        """Queue ``payload`` for the row ``topic`` of ``TOPICS`` and return at once; errors as :func:`encode_message`."""
        ...

    def counts(self) -> MqttCounts:
        """Counts since start: ``published`` = ``acknowledged`` + ``dropped`` + what still waits."""
        ...

    async def drain(self, timeout_s: float) -> bool:
        """Wait until nothing waits for the broker any more; False when ``timeout_s`` ended first."""
        ...

    def add_listener(self, listener: Callable[[BrokerChange], None]) -> Callable[[], None]:
        """Call ``listener`` in the loop at every change of ``connected``; returns what removes it again."""
        ...


def encode_message(base_topic: str, topic: str, payload: Payload, wrap: str | None = None) -> Message:
    """Encode ``payload`` for the row ``topic`` of ``TOPICS`` under ``base_topic``.

    Raises UsageError when there is no such row, the payload is of another model, or ``wrap`` is missing or too much.
    """
    row = TOPICS.get(topic)
    if row is None:
        raise UsageError(f"topic {topic!r} is unknown: use one of {', '.join(TOPICS)}")
    if type(payload) is not row.model:
        raise UsageError(f"topic {topic!r} carries {row.model.__name__}, not {type(payload).__name__}: pass the right payload")
    if ("{wrap}" in row.path) is not (wrap is not None):
        raise UsageError(f"topic {topic!r} with wrap {wrap!r} makes no path: topics of a wrap, and only they, need its name")
    return Message(
        path=f"{base_topic}/{row.path.format(wrap=wrap)}",
        body=payload.model_dump_json().encode(),
        qos=row.qos,
        retained=row.retained,
        data_class=DataClass.LIVE if topic in LIVE_TOPICS else DataClass.DURABLE,
    )


class MessageQueues:
    """Messages that wait for the broker, in memory, with their counts. Durable ones leave first, each class in its order."""

    def __init__(self, live_bound: int = LIVE_BOUND, durable_bound: int = DURABLE_BOUND) -> None:
        self._live: deque[Message] = deque()
        self._durable: deque[Message] = deque()
        self._live_bound = live_bound
        self._durable_bound = durable_bound
        self._published = 0
        self._acknowledged = 0
        self._drops: Counter[str] = Counter()
        self._overflowing = False

    def __len__(self) -> int:
        """Messages that wait here; those taken and not settled are not among them."""
        return len(self._live) + len(self._durable)

    def put(self, message: Message) -> None:
        """Take a new message in."""
        self._published += 1
        (self._live if message.data_class is DataClass.LIVE else self._durable).append(message)
        self._enforce_bounds()

    def take(self) -> Message | None:
        """Hand out the next message; it is settled later by ``acknowledge``, ``refuse`` or ``put_back``."""
        if self._durable:
            return self._durable.popleft()
        if self._live:
            return self._live.popleft()
        self._overflowing = False
        return None

    def put_back(self, messages: Iterable[Message]) -> None:
        """Return messages that were taken and not settled, oldest first; they leave before everything else again."""
        for message in reversed(list(messages)):
            (self._live if message.data_class is DataClass.LIVE else self._durable).appendleft(message)
        self._enforce_bounds()

    def acknowledge(self, _message: Message) -> None:
        """The broker has the message."""
        self._acknowledged += 1

    def refuse(self, message: Message, reason: str) -> None:
        """The broker will not have the message: counted as dropped under ``reason``, logged the first time."""
        if not self._drops[reason]:
            _log.warning("message on %s dropped: %s", message.path, reason)
        self._drops[reason] += 1

    def discard(self, reason: str) -> None:
        """Give up what still waits: counted as dropped under ``reason``."""
        while (message := self.take()) is not None:
            self.refuse(message, reason)

    def counts(self) -> MqttCounts:
        """Counts since start."""
        return MqttCounts(published=self._published, acknowledged=self._acknowledged, dropped=self._drops.total())

    def drops(self) -> dict[str, int]:
        """Dropped messages by reason."""
        return dict(self._drops)

    def _enforce_bounds(self) -> None:
        while len(self._live) > self._live_bound:
            self._live.popleft()
            self._drops["live queue full"] += 1
        while len(self._durable) > self._durable_bound:
            oldest = self._durable.popleft()
            self._drops["durable queue full"] += 1
            if not self._overflowing:
                self._overflowing = True  # one line an outage; the count says how many
                _log.error("durable queue full (%d messages): dropping the oldest, first one on %s", self._durable_bound, oldest.path)
