"""What a history keeps of a session, as plain records. Frames become chunks in :mod:`wavewrap_gateway.core.sample_chunks`.

Not responsible for where they are kept (the adapters) nor for what they mean (:mod:`wavewrap_gateway.core.dose`).
"""

from dataclasses import dataclass
from enum import StrEnum

from wavewrap_gateway.core.program import PROGRAM, Program
from wavewrap_gateway.core.timeline import ScheduledStep
from wavewrap_gateway.core.wave import WaveStep
from wavewrap_protocol.enums import StepOutcome
from wavewrap_protocol.payloads import BridgeEvent, Side, WrapEvent

__all__ = ["RecordState", "RecordedEvent", "RecordedFrame", "RecordedStep", "RecordedWrap", "SessionEnd", "SessionHead"]


class RecordState(StrEnum):
    """Where a recorded session is; the first three ends are those of :class:`wavewrap_protocol.payloads.EndedHow`."""

    RUNNING = "running"
    COMPLETED = "completed"
    STOPPED = "stopped"
    FAULTED = "faulted"
    INTERRUPTED = "interrupted"
    """The gateway was killed, or lost its power: nobody could write how it ended."""


@dataclass(frozen=True, slots=True)
class RecordedWrap:
    """One wrap of a session; its place among them is its number in the history."""

    name: str
    serial: str
    side: Side
    model: str
    firmware: str
    chambers: int
    boot_id: int


@dataclass(frozen=True, slots=True)
class SessionHead:
    """What is known of a session when it begins. ``session_id`` names it in the history, ``number`` on the wraps.

    ``pid`` and ``process_started_unix_s`` tell the process that writes the record from every other one.
    """

    session_id: str
    number: int
    gateway: str
    version: str
    pid: int
    process_started_unix_s: float
    program: Program
    planned_s: float
    ceiling_mmhg: float
    started_unix_s: float
    wraps: tuple[RecordedWrap, ...]

    def program_json(self) -> str:
        """The program as text that :meth:`read_program` takes back."""
        return self.program.model_dump_json(exclude_none=True)

    @staticmethod
    def read_program(text: str) -> Program:
        """The program in ``text``. Raises pydantic's ``ValidationError``."""
        return PROGRAM.validate_json(text)


@dataclass(frozen=True, slots=True)
class SessionEnd:
    """How a session ended. ``summary_json`` is the text of its :class:`wavewrap_protocol.payloads.SessionSummary`, where there is one."""

    session_id: str
    state: RecordState
    reason: str
    ended_unix_s: float
    summary_json: str | None


@dataclass(frozen=True, slots=True)
class RecordedFrame:
    """A telemetry frame of wrap number ``wrap``. ``tick`` is its first sample's, counted on from boot without wrapping."""

    session_id: str
    wrap: int
    epoch: int
    seq: int
    tick: int
    period_ms: int
    mask: int
    replay: bool
    unix_s: float | None
    samples_cmmhg: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class RecordedEvent:
    """An event as it was published; ``wrap`` is the name in its topic, empty for the gateway's own."""

    session_id: str
    wrap: str
    seq: int
    unix_s: float
    kind: str
    text: str
    boot_id: int | None = None
    tick: int | None = None

    @classmethod
    def of(cls, session_id: str, event: WrapEvent | BridgeEvent) -> "RecordedEvent":
        """``event`` of the session ``session_id``."""
        if isinstance(event, WrapEvent):
            return cls(session_id, event.wrap, event.seq, event.unix_s, event.kind, event.text, event.boot_id, event.tick)
        return cls(session_id, "", event.seq, event.unix_s, event.kind, event.text)


@dataclass(frozen=True, slots=True)
class RecordedStep:
    """A step that wrap number ``wrap`` has answered for. Ticks never wrap; ``answer`` numbers the answers, from 0."""

    session_id: str
    wrap: int
    answer: int
    seq: int
    chamber: int
    cycle: int
    wave_at_s: float
    wave_target_mmhg: float
    ramp_s: float
    at_s: float
    due_tick: int
    actual_tick: int | None
    outcome: int | None
    uncertainty_s: float
    boost_mmhg: float
    added: bool
    compression: int

    @classmethod
    def of(cls, session_id: str, wrap: int, answer: int, step: ScheduledStep) -> "RecordedStep":
        """``step`` as it is now."""
        wave = step.wave
        return cls(
            session_id,
            wrap,
            answer,
            step.seq,
            wave.chamber,
            wave.cycle,
            wave.at_s,
            wave.target_mmhg,
            wave.ramp_s,
            step.at_s,
            step.due_tick,
            step.actual_tick,
            None if step.outcome is None else step.outcome.value,
            step.uncertainty_s,
            step.boost_mmhg,
            step.added,
            step.compression,
        )

    def restore(self) -> ScheduledStep:
        """The step again; when it was due on the host is not kept."""
        return ScheduledStep(
            WaveStep(self.wave_at_s, self.chamber, self.wave_target_mmhg, self.ramp_s, self.cycle),
            self.at_s,
            self.seq,
            due_tick=self.due_tick,
            uncertainty_s=self.uncertainty_s,
            outcome=None if self.outcome is None else StepOutcome(self.outcome),
            actual_tick=self.actual_tick,
            boost_mmhg=self.boost_mmhg,
            added=self.added,
            compression=self.compression,
        )
