"""Sessions of short programs on virtual wraps, and a publisher that keeps what is published."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from tests.support.programs import make_program
from tests.support.virtual_wraps import VirtualWraps
from wavewrap_gateway.core.lateness import Lateness
from wavewrap_gateway.core.program import Program
from wavewrap_gateway.core.wave import compile_wave
from wavewrap_gateway.runtime.publishing import BrokerChange, BrokerDown, BrokerUp, encode_message
from wavewrap_gateway.runtime.session_runner import Outcome, SessionRunner
from wavewrap_gateway.runtime.wrap_run import WrapRun
from wavewrap_protocol.payloads import MqttCounts, OutboxHealth, Payload, SessionSummary

__all__ = ["NOTHING_PUBLISHED", "Published", "RecordingPublisher", "make_short_program", "prepare_session", "summarise"]

P = TypeVar("P", bound=Payload)

SESSION_ID = 0xBEEF

NOTHING_PUBLISHED = MqttCounts(published=0, acknowledged=0, dropped=0)


def make_short_program(**keys: object) -> Program:
    """A cycle of 9 s on two chambers, 40 mmHg; ``keys`` change it."""
    plain: dict[str, object] = {
        "pattern": "isolation",
        "chambers": [1, 3],
        "pressure_mmhg": 40,
        "inflate_s": 2,
        "hold_s": 1,
        "release_s": 2,
        "rest_s": 2,
    }
    return make_program(**{**plain, **keys})


def prepare_session(virtual: VirtualWraps, program: Program, duration_s: float, ceiling_mmhg: float = 80.0) -> SessionRunner:
    """A session of ``program`` on every wrap, as the gateway prepares it."""
    clock = asyncio.get_running_loop().time
    runs: list[WrapRun] = []
    for wrap in virtual.wraps:
        capabilities = wrap.link.capabilities
        assert capabilities is not None
        wave = compile_wave(program, wrap.side, capabilities.chambers, duration_s)
        runs.append(WrapRun(wrap, wave, SESSION_ID, ceiling_mmhg, clock))
    return SessionRunner(program.name, runs, clock, Lateness())


def summarise(runner: SessionRunner, outcome: Outcome) -> SessionSummary:
    """The record of a session that published nothing."""
    return runner.summary(outcome, NOTHING_PUBLISHED)


@dataclass(frozen=True, slots=True)
class Published:
    """One message; ``at_s`` is host time."""

    at_s: float
    topic: str
    path: str
    payload: Payload
    wrap: str | None


class RecordingPublisher:
    """Implements :class:`wavewrap_gateway.runtime.publishing.Publisher` with a broker that takes everything at once."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._listeners: list[Callable[[BrokerChange], None]] = []
        self.messages: list[Published] = []
        self.connected = True

    def publish(self, topic: str, payload: Payload, wrap: str | None = None) -> None:
        """Keep ``payload``; errors as in production."""
        message = encode_message("wavewrap", topic, payload, wrap)
        # What went through JSON is what a subscriber gets.
        self.messages.append(Published(self._clock(), topic, message.path, type(payload).model_validate_json(message.body), wrap))

    def counts(self) -> MqttCounts:
        """Everything is acknowledged."""
        return MqttCounts(published=len(self.messages), acknowledged=len(self.messages), dropped=0)

    def outbox(self) -> OutboxHealth:
        """Nothing ever waits."""
        return OutboxHealth(store="memory", rows=0, size_bytes=0, oldest_s=None, dropped={})

    def dropped_samples(self, wrap: str) -> int:
        """Nothing is ever dropped, of whatever ``wrap``."""
        return 0 * len(wrap)

    async def drain(self, timeout_s: float) -> bool:
        """Nothing ever waits, however short ``timeout_s``."""
        return timeout_s >= 0.0

    def add_listener(self, listener: Callable[[BrokerChange], None]) -> Callable[[], None]:
        """As the port says."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def lose_broker(self) -> None:
        """The broker goes."""
        self.connected = False
        for listener in list(self._listeners):
            listener(BrokerDown("gone"))

    def find_broker(self) -> None:
        """The broker is back."""
        self.connected = True
        for listener in list(self._listeners):
            listener(BrokerUp("here"))

    def of(self, kind: type[P], wrap: str | None = None) -> list[P]:
        """Payloads of ``kind``, in order, of ``wrap`` where one is named."""
        return [one.payload for one in self.messages if isinstance(one.payload, kind) and wrap in (None, one.wrap)]

    def times_of(self, kind: type[Payload], wrap: str) -> Sequence[float]:
        """When they were published."""
        return [one.at_s for one in self.messages if isinstance(one.payload, kind) and one.wrap == wrap]
