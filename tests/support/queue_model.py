"""A device's queue on the session's own time line: what it is sent, it carries out at its tick. For tests of pure scheduling."""

from dataclasses import dataclass, field

from wavewrap_gateway.core.clock_sync import ClockEstimate
from wavewrap_gateway.core.safety import SafetyLimits
from wavewrap_gateway.core.scheduler import COMMAND_AHEAD_S, GUARD_S, SLIP_AHEAD_S, ScheduledStep, Scheduler
from wavewrap_gateway.core.wave import WaveStep
from wavewrap_protocol.commands import Step
from wavewrap_protocol.enums import StepOutcome
from wavewrap_protocol.limits import QUEUE_DEPTH_DEFAULT
from wavewrap_protocol.reports import StepRecord
from wavewrap_protocol.units import TICKS_PER_S

__all__ = ["CEILING_MMHG", "Leg"]

CEILING_MMHG = 80.0
CLOCK = ClockEstimate(boot_id=1, origin_s=0.0, origin_tick=0, rate=1.0, uncertainty_s=0.001, uncertainty_ahead_s=0.002)
BATCH_STEPS = 12


@dataclass(slots=True)
class Leg:
    """One wrap: its schedule and what its device holds and has done. ``done`` has steps in the order of their execution."""

    steps: list[WaveStep]
    scheduler: Scheduler = field(init=False)
    queue: list[tuple[int, Step]] = field(default_factory=list)
    done: list[ScheduledStep] = field(default_factory=list)
    asked: list[Step] = field(default_factory=list)

    def __post_init__(self) -> None:
        limits = SafetyLimits(CEILING_MMHG, 8)
        self.scheduler = Scheduler(self.steps, limits, QUEUE_DEPTH_DEFAULT, BATCH_STEPS)

    def fill(self, now_s: float, ahead_s: float = SLIP_AHEAD_S) -> None:
        """Send what fits, as a round of the session does."""
        while (batch := self.scheduler.next_batch(now_s, 1e9, CLOCK, ahead_s)) is not None:
            for offset, step in enumerate(batch.steps):
                assert not self.queue or step.due_tick >= self.queue[-1][1].due_tick, "due ticks run backwards"
                self.queue.append((batch.first_seq + offset, step))

    def take_back(self, from_s: float) -> None:
        """Flush, as a command and a slip do."""
        from_tick = self.scheduler.flushable_from(from_s)
        if from_tick is not None:
            kept = [(seq, step) for seq, step in self.queue if step.due_tick < from_tick]
            self.scheduler.rewind(len(self.queue) - len(kept))
            self.queue = kept

    def pause(self, now_s: float) -> None:
        self.take_back(now_s + COMMAND_AHEAD_S)
        self.scheduler.pause(now_s + COMMAND_AHEAD_S)
        self.fill(now_s, GUARD_S)

    def boost(self, now_s: float, mmhg: float, chamber: int | None) -> None:
        self.take_back(now_s + COMMAND_AHEAD_S)
        self.scheduler.change_boost(mmhg, chamber, now_s + COMMAND_AHEAD_S)
        self.fill(now_s, GUARD_S)

    def slip(self, now_s: float, shift_s: float) -> None:
        self.take_back(now_s + GUARD_S)
        self.scheduler.slip(shift_s)

    def execute(self, until_s: float) -> None:
        """Carry out what is due by ``until_s``."""
        while self.queue and self.queue[0][1].due_tick <= until_s * TICKS_PER_S:
            seq, step = self.queue.pop(0)
            self.asked.append(step)
            record = StepRecord(seq, step.due_tick, step.due_tick, StepOutcome.EXECUTED)
            self.done += self.scheduler.record([record], [step.due_tick])
