"""The port through which the gateway publishes, and what becomes of a payload on its way; knows no broker, no socket and no clock.

Three classes of data. *Latest* (states, health): only the newest of each topic counts, and only while this process lives: nobody is told
an old state as if it were new. *Event* (events, session records): never given up while there is room for anything. *Telemetry*: kept
like events, but the first to be dropped at a bound.

Not responsible for: waiting messages (``message_queues``), connecting, the Last Will (the adapter's), or the numbers inside the payloads
(the caller's).
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from typing import Protocol

from wavewrap_protocol.errors import UsageError
from wavewrap_protocol.payloads import TOPICS, MqttCounts, OutboxHealth, Payload, Telemetry

__all__ = [
    "BrokerChange",
    "BrokerDown",
    "BrokerUp",
    "DataClass",
    "Message",
    "Publisher",
    "SampleRun",
    "encode_message",
    "mark_historical",
]

TELEMETRY_TOPICS = frozenset({"wrap_telemetry"})
EVENT_TOPICS = frozenset({"bridge_event", "wrap_event", "wrap_session"})
"""Rows of ``TOPICS``; every row that is in neither set is a state, of which the latest counts."""


class DataClass(Enum):
    """What happens to a message that cannot be sent now."""

    LATEST = "latest"
    EVENT = "event"
    TELEMETRY = "telemetry"


@dataclass(frozen=True, slots=True)
class SampleRun:
    """Samples ``first`` to ``first + count - 1`` of the boot ``boot_id`` of a wrap."""

    wrap: str
    boot_id: int
    first: int
    count: int


@dataclass(frozen=True, slots=True)
class Message:
    """One encoded message. ``path`` is the full topic, ``body`` the JSON text in UTF-8; ``samples`` are those that telemetry carries."""

    path: str
    body: bytes
    qos: int
    retained: bool
    data_class: DataClass
    samples: SampleRun | None = None


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
        """Counts since start."""
        ...

    def outbox(self) -> OutboxHealth:
        """Where messages wait, and what was dropped why."""
        ...

    def dropped_samples(self, wrap: str) -> int:
        """Samples of ``wrap`` in telemetry that was given up."""
        ...

    async def drain(self, timeout_s: float) -> bool:
        """Wait until nothing waits that the broker would take; False when ``timeout_s`` ended first."""
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
    data_class, samples = DataClass.LATEST, None
    if topic in EVENT_TOPICS:
        data_class = DataClass.EVENT
    elif topic in TELEMETRY_TOPICS and isinstance(payload, Telemetry):
        data_class = DataClass.TELEMETRY
        samples = SampleRun(payload.wrap, payload.boot_id, payload.seq, len(payload.pressure_mmhg[0]) if payload.pressure_mmhg else 0)
    return Message(
        path=f"{base_topic}/{row.path.replace('{wrap}', wrap or '')}",
        body=payload.model_dump_json().encode(),
        qos=row.qos,
        retained=row.retained,
        data_class=data_class,
        samples=samples,
    )


def mark_historical(message: Message) -> Message:
    """``message`` with its ``historical`` set, where its payload has one."""
    fields = json.loads(message.body)
    if "historical" not in fields:
        return message
    return replace(message, body=json.dumps({**fields, "historical": True}, separators=(",", ":"), ensure_ascii=False).encode())
