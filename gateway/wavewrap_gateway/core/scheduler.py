"""Keeps the queue of one wrap filled: session time to host time to device ticks, between guard and horizon, within the queue's credit.

The device executes on its own ticks, so the radio's jitter never reaches the valves. Not responsible for sending (the runtime) nor for the
clock (:mod:`wavewrap_gateway.core.clock_sync`). Pure: time is passed in.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from wavewrap_gateway.core.clock_sync import ClockEstimate
from wavewrap_gateway.core.safety import SafetyLimits, emit_step
from wavewrap_gateway.core.wave import WaveStep
from wavewrap_protocol.commands import Step
from wavewrap_protocol.enums import StepOutcome
from wavewrap_protocol.reports import StepRecord

__all__ = ["GUARD_S", "HORIZON_S", "SLIP_AHEAD_S", "Batch", "ScheduledStep", "Scheduler"]

HORIZON_S = 5.0
"""How far ahead the queue is filled; the lease shortens it."""

GUARD_S = 0.25
"""No inflation is scheduled closer than this: more than four connection intervals of 50 ms."""

SLIP_AHEAD_S = 0.5
"""An inflation still unsent this close waits for a slip. Twice the guard, so that the same step of another wrap, sent long ago, can
still be taken back: otherwise one leg would go on and the other wait."""


@dataclass(slots=True)
class ScheduledStep:
    """One step on its way. Ticks are never wrapped; ``uncertainty_s`` is the clock's at the moment of planning."""

    wave: WaveStep
    at_s: float
    seq: int = -1
    due_s: float = 0.0
    due_tick: int = 0
    uncertainty_s: float = 0.0
    outcome: StepOutcome | None = None
    actual_tick: int | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """Steps to send as one plan; the first has number ``first_seq``."""

    first_seq: int
    steps: tuple[Step, ...]


class Scheduler:
    """The schedule of one wrap in one session."""

    def __init__(self, steps: Sequence[WaveStep], limits: SafetyLimits, queue_depth: int, batch_steps: int) -> None:
        self._limits = limits
        self._queue_depth = queue_depth
        self._batch_steps = batch_steps
        self._pending = [ScheduledStep(step, step.at_s) for step in steps]
        self._next_pending = 0
        self._sent: list[ScheduledStep] = []
        self._outstanding = 0
        self._start_s = 0.0

    def start(self, start_s: float) -> None:
        """Session second 0 is host second ``start_s``, for every wrap of the session alike."""
        self._start_s = start_s

    @property
    def planned(self) -> int:
        """Steps of the whole session."""
        return len(self._sent) + len(self._pending) - self._next_pending

    @property
    def sent(self) -> Sequence[ScheduledStep]:
        """Steps handed to the device, by number."""
        return self._sent

    @property
    def done(self) -> bool:
        """Whether every step was sent and answered for."""
        return self._next_pending == len(self._pending) and self._outstanding == 0

    def overdue_s(self, now_s: float) -> float:
        """How much too late the next unsent inflation would be planned now; 0 when it is in time. A slip of this much saves it."""
        for step in self._pending[self._next_pending :]:
            if step.wave.target_mmhg > 0.0:
                return max(0.0, now_s + SLIP_AHEAD_S - (self._start_s + step.at_s))
        return 0.0

    def next_batch(self, now_s: float, lease_end_s: float, clock: ClockEstimate) -> Batch | None:
        """The next steps to send, or ``None``. They count as sent: repeat a batch whose answer is lost, do not ask for another."""
        horizon_s = min(now_s + HORIZON_S, lease_end_s)
        room = min(self._batch_steps, self._queue_depth - self._outstanding)
        chosen: list[Step] = []
        first_seq = len(self._sent)
        while len(chosen) < room and self._next_pending < len(self._pending):
            step = self._pending[self._next_pending]
            due_s = self._start_s + step.at_s
            if due_s > horizon_s:
                break
            step.seq, step.due_s, step.due_tick = len(self._sent), due_s, clock.tick_at(due_s)
            step.uncertainty_s = clock.uncertainty_at(due_s)
            chosen.append(emit_step(step.wave, step.due_tick, self._limits))
            self._sent.append(step)
            self._next_pending += 1
        self._outstanding += len(chosen)
        return Batch(first_seq, tuple(chosen)) if chosen else None

    def record(self, records: Iterable[StepRecord], unwrapped_ticks: Iterable[int]) -> list[ScheduledStep]:
        """What the device did, with the actual tick of each record unwrapped. Returns the steps newly answered for."""
        news: list[ScheduledStep] = []
        for record, tick in zip(records, unwrapped_ticks, strict=True):
            if record.seq >= len(self._sent) or self._sent[record.seq].outcome is not None:
                continue  # sent again after a reconnect, or flushed since
            step = self._sent[record.seq]
            step.outcome, step.actual_tick = record.outcome, tick
            self._outstanding -= 1
            news.append(step)
        return news

    def flushable_from(self, now_s: float) -> int | None:
        """Tick of the first sent step that a flush now would still reach (guard away, unanswered), or ``None``."""
        for step in self._sent:
            if step.outcome is None and step.due_s >= now_s + GUARD_S:
                return step.due_tick
        return None

    def rewind(self, steps: int) -> None:
        """The device forgot the last ``steps`` that it was sent: they are unsent again. What it no longer reached stays sent."""
        kept = len(self._sent) - steps
        taken = self._sent[kept:]
        del self._sent[kept:]
        self._outstanding -= len(taken)
        self._pending = taken + self._pending[self._next_pending :]
        self._next_pending = 0

    def slip(self, shift_s: float) -> None:
        """Move everything unsent by ``shift_s``, except the releases of what is inflated now: no hold is lengthened, every rest may be."""
        level_mmhg: dict[int, float] = {}
        for step in self._sent:
            level_mmhg[step.wave.chamber] = step.wave.target_mmhg
        inflated = {chamber for chamber, level in level_mmhg.items() if level > 0.0}
        unsent = self._pending[self._next_pending :]
        for step in unsent:
            chamber, target_mmhg = step.wave.chamber, step.wave.target_mmhg
            if chamber in inflated and target_mmhg < level_mmhg[chamber]:
                level_mmhg[chamber] = target_mmhg
                if target_mmhg == 0.0:
                    inflated.discard(chamber)
                continue
            inflated.discard(chamber)
            step.at_s += shift_s
        self._pending = sorted(unsent, key=lambda step: step.at_s)
        self._next_pending = 0
