"""Keeps the queue of one wrap filled: session time to host time to device ticks, between guard and horizon, within the queue's credit.

The device executes on its own ticks, so the radio's jitter never reaches the valves. A wrap without a queue gets its steps one moment at a
time. Not responsible for sending (the runtime), for the clock (:mod:`wavewrap_gateway.core.clock_sync`) nor for what a slip or a command
does to the steps (:mod:`wavewrap_gateway.core.timeline`). Pure: time is passed in.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

from wavewrap_gateway.core.boost import Boost
from wavewrap_gateway.core.clock_sync import ClockEstimate
from wavewrap_gateway.core.safety import SafetyLimits, emit_step
from wavewrap_gateway.core.timeline import ScheduledStep, cut_short, lower, mark_releases, number_compressions, shift_risings
from wavewrap_gateway.core.wave import WaveStep
from wavewrap_protocol.commands import Step
from wavewrap_protocol.enums import StepOutcome
from wavewrap_protocol.limits import RAMP_MAX_MS
from wavewrap_protocol.reports import StepRecord

__all__ = ["COMMAND_AHEAD_S", "GUARD_S", "HORIZON_S", "QUEUELESS_LATE_S", "SLIP_AHEAD_S", "Batch", "ScheduledStep", "Scheduler"]

HORIZON_S = 5.0
"""How far ahead the queue is filled; the lease shortens it."""

GUARD_S = 0.25
"""No inflation is scheduled closer than this: more than four connection intervals of 50 ms."""

SLIP_AHEAD_S = 0.5
"""An inflation still unsent this close waits for a slip. Twice the guard, so that the same step of another wrap, sent long ago, can still
be taken back: otherwise one leg would go on and the other wait."""

COMMAND_AHEAD_S = 2 * GUARD_S
"""The earliest safe moment for a command: one guard to take the queue back, one to send it anew."""

QUEUELESS_LATE_S = 0.5
"""An inflation this late is not sent to a wrap without a queue, which would run it at once. Choice: longer than a stall of the radio."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Steps to send as one plan; the first has number ``first_seq``."""

    first_seq: int
    steps: tuple[Step, ...]


class Scheduler:
    """The schedule of one wrap in one session. A ``queue_depth`` of 0 is a wrap without a queue."""

    def __init__(self, steps: Sequence[WaveStep], limits: SafetyLimits, queue_depth: int, batch_steps: int) -> None:
        self._limits = limits
        self._queue_depth = queue_depth
        self._batch_steps = batch_steps
        self._pending = deque(ScheduledStep(step, step.at_s, compression=at) for step, at in number_compressions(steps))
        self._sent: list[ScheduledStep] = []
        self._dropped = 0
        self._outstanding = 0
        self._start_s = 0.0
        self._paused = False
        self._chambers = frozenset(step.chamber for step in steps)
        self._inflated: dict[int, ScheduledStep] = {}
        self.boost = Boost(steps, limits)

    def start(self, start_s: float) -> None:
        """Session second 0 is host second ``start_s``, for every wrap of the session alike."""
        self._start_s = start_s

    @property
    def queueless(self) -> bool:
        """Whether the wrap has no queue: :meth:`next_moment` is for it, :meth:`next_batch` for the others."""
        return self._queue_depth == 0

    @property
    def planned(self) -> int:
        """Steps of the whole session, as slips and commands have left it."""
        return len(self._sent) + len(self._pending) + self._dropped

    @property
    def sent(self) -> Sequence[ScheduledStep]:
        """Steps handed to the device, by number."""
        return self._sent

    @property
    def done(self) -> bool:
        """Whether every step was sent and answered for."""
        return not self._pending and self._outstanding == 0

    def next_rising_s(self) -> float | None:
        """Host time of the next unsent step that begins or raises a compression."""
        for step, lowers in mark_releases(self._inflated, self._pending):
            if step.wave.target_mmhg > 0.0 and not lowers:
                return self._start_s + step.at_s
        return None

    def overdue_s(self, now_s: float) -> float:
        """How much too late the next unsent inflation would be planned now; 0 when it is in time. A slip of this much saves it.

        Nothing is overdue in a pause, nor on a wrap without a queue, whose steps are never sent earlier.
        """
        rising_s = None if self._paused or self.queueless else self.next_rising_s()
        return 0.0 if rising_s is None else max(0.0, now_s + SLIP_AHEAD_S - rising_s)

    def next_batch(self, now_s: float, lease_end_s: float, clock: ClockEstimate, ahead_s: float = GUARD_S) -> Batch | None:
        """The next steps to send, or ``None``. They count as sent: repeat a batch whose answer is lost, do not ask for another.

        No inflation closer than ``ahead_s`` is among them; it waits for a slip, and all that comes after it too.
        """
        horizon_s = min(now_s + HORIZON_S, lease_end_s)
        room = min(self._batch_steps, self._queue_depth - self._outstanding)
        sendable = takewhile(lambda marked: self._is_sendable(*marked, now_s + ahead_s), mark_releases(self._inflated, self._pending))
        steps = list(takewhile(lambda step: self._start_s + step.at_s <= horizon_s, (step for step, _ in sendable))) if room > 0 else []
        return self._send(steps[:room], clock)

    def _is_sendable(self, step: ScheduledStep, lowers: bool, earliest_s: float) -> bool:
        if self._paused:
            return step.added
        return lowers or step.wave.target_mmhg == 0.0 or self._start_s + step.at_s >= earliest_s

    def _send(self, steps: Sequence[ScheduledStep], clock: ClockEstimate) -> Batch | None:
        first_seq = len(self._sent)
        chosen: list[Step] = []
        for step in steps:
            self._pending.popleft()
            step.seq, step.due_s = len(self._sent), self._start_s + step.at_s
            step.due_tick, step.uncertainty_s = clock.tick_at(step.due_s), clock.uncertainty_at(step.due_s)
            if self._sent:
                # The estimate moves from batch to batch; a device refuses a plan whose ticks run backwards by it.
                step.due_tick = max(step.due_tick, self._sent[-1].due_tick)
            # A device eases a chamber's first compressions; asked for no more than that, it has nothing to cut.
            eased_mmhg = self._limits.eased_mmhg(step.compression)
            step.boost_mmhg = min(step.wave.target_mmhg + self.boost.on(step.wave), eased_mmhg) - step.wave.target_mmhg
            chosen.append(emit_step(replace(step.wave, target_mmhg=step.target_mmhg), step.due_tick, self._limits))
            self._sent.append(step)
            self._follow(step)
        self._outstanding += len(chosen)
        return Batch(first_seq, tuple(chosen)) if chosen else None

    def next_due_s(self) -> float | None:
        """For a wrap without a queue: host time of the next step, ``None`` when none is left or the session is paused."""
        if not self._pending or (self._paused and not self._pending[0].added):
            return None
        return self._start_s + self._pending[0].at_s

    def next_moment(self, now_s: float, clock: ClockEstimate) -> tuple[Batch | None, list[ScheduledStep]]:
        """For a wrap without a queue: the steps of the next moment, and the inflations before it that are dropped as too late."""
        dropped: list[ScheduledStep] = []
        while (due_s := self.next_due_s()) is not None:
            together = list(takewhile(self._pending[0].shares_moment, self._pending))
            if now_s - due_s > QUEUELESS_LATE_S:
                marked = list(mark_releases(self._inflated, together))
                late = [step for step, lowers in marked if step.wave.target_mmhg > 0.0 and not lowers]
                for step in late:
                    self._pending.remove(step)
                    step.due_s, step.outcome = due_s, StepOutcome.TOO_LATE
                dropped += late
                self._dropped += len(late)
                together = [step for step in together if step.outcome is None]
            if together:
                return self._send(together[: self._batch_steps], clock), dropped
        return None, dropped

    def record(self, records: Iterable[StepRecord], unwrapped_ticks: Iterable[int]) -> list[ScheduledStep]:
        """What the device did, with the actual tick of each record unwrapped. Returns the steps newly answered for."""
        news: list[ScheduledStep] = []
        for record, tick in zip(records, unwrapped_ticks, strict=True):
            if record.seq >= len(self._sent) or self._sent[record.seq].outcome is not None:
                continue  # sent again after a reconnect, or flushed since
            step = self._sent[record.seq]
            step.outcome, step.actual_tick = record.outcome, tick
            if step.outcome is StepOutcome.EASED:
                # The device counts the compressions that it saw, which may be fewer than the wave's: the least it grants is sure.
                step.boost_mmhg = min(step.target_mmhg, self._limits.eased_mmhg(0)) - step.wave.target_mmhg
            self._outstanding -= 1
            news.append(step)
        return news

    def flushable_from(self, from_s: float) -> int | None:
        """Tick of the first sent step, not answered for yet, that is due at host second ``from_s`` or later; ``None`` without one."""
        return next((step.due_tick for step in self._sent if step.outcome is None and step.due_s >= from_s), None)

    def rewind(self, steps: int) -> None:
        """The device forgot the last ``steps`` that it was sent: they are unsent again. What it no longer reached stays sent."""
        kept = len(self._sent) - steps
        self._pending.extendleft(reversed(self._sent[kept:]))
        del self._sent[kept:]
        self._outstanding -= steps
        self._inflated.clear()
        for step in self._sent:
            self._follow(step)

    def _follow(self, step: ScheduledStep) -> None:
        """Keep the last step sent to each chamber that it leaves under pressure."""
        if step.wave.target_mmhg > 0.0:
            self._inflated[step.wave.chamber] = step
        else:
            self._inflated.pop(step.wave.chamber, None)

    def slip(self, shift_s: float) -> None:
        """Move everything unsent by ``shift_s``, except the releases of what is inflated now: no hold is lengthened, every rest may be."""
        self._pending = deque(shift_risings(self._inflated, self._pending, shift_s))

    def pause(self, cut_s: float) -> None:
        """Release at host second ``cut_s`` what is inflated then and hold everything else back. Take back first what is sent and due later.

        The rest of a compression that is cut short is dropped for good.
        """
        releases, left = cut_short(self._inflated, self._pending, cut_s - self._start_s)
        self._pending = deque([*releases, *left])
        self._paused = True

    def resume(self, shift_s: float) -> None:
        """Go on: what a pause held back moves by ``shift_s``, the same for every wrap, and at least 0, so that no rest shrinks."""
        for step in self._pending:
            step.at_s += 0.0 if step.added else shift_s
        self._paused = False

    def change_boost(self, mmhg: float, chamber: int | None, from_s: float) -> None:
        """Add ``mmhg`` to the boost of ``chamber`` (of all where None) for the steps not sent; lower what is inflated at ``from_s`` (host).

        A raise waits for the next inflation of a chamber. What is sent and due later is taken back first.
        """
        self.boost.change(mmhg, chamber)
        inflated = self._inflated
        above = {at for at, last in inflated.items() if last.target_mmhg > last.wave.target_mmhg + self.boost.on(last.wave)}
        self._pending = deque(lower(inflated, self._pending, above, from_s - self._start_s))

    def set_points_mmhg(self, now_s: float) -> tuple[float, ...]:
        """What each chamber has been told to be at host second ``now_s``, ramps counted in."""
        found: dict[int, list[ScheduledStep]] = {chamber: [] for chamber in self._chambers}
        missing = 2 * len(found)
        for step in reversed(self._sent):
            steps = found[step.wave.chamber]
            if step.due_s <= now_s and len(steps) < 2:
                steps.append(step)
                missing -= 1
            if missing == 0:
                break
        return tuple(self._ramped(found.get(chamber, []), now_s) for chamber in range(self._limits.chambers))

    def path_mmhg(self, from_s: float, to_s: float) -> list[tuple[float, tuple[float, ...]]]:
        """The set-points between two host seconds, as corners of straight lines; a jump is two corners, a tick of 0.1 ms apart."""
        corners = {from_s, to_s}
        for step in reversed(self._sent):
            if step.due_s < from_s - RAMP_MAX_MS / 1000.0:
                break
            corners.update(at_s for at_s in (step.due_s - 1e-4, step.due_s, step.due_s + step.wave.ramp_s) if from_s < at_s < to_s)
        return [(at_s, self.set_points_mmhg(at_s)) for at_s in sorted(corners)]

    def _ramped(self, steps: Sequence[ScheduledStep], now_s: float) -> float:
        """The set-point by a chamber's last step and the one before, newest first."""
        if not steps:
            return 0.0
        from_mmhg = steps[1].target_mmhg if len(steps) > 1 else 0.0
        ramp_s = steps[0].wave.ramp_s
        share = min(1.0, (now_s - steps[0].due_s) / ramp_s) if ramp_s > 0.0 else 1.0
        return min(from_mmhg + (steps[0].target_mmhg - from_mmhg) * share, self._limits.ceiling_mmhg)
