"""The books of one wrap in one session: what was asked, what the chambers did, how well the steps kept time.

Samples and answered steps go in as they come; the numbers are worked out once, at the end, in numpy. The target is rebuilt from what
the device *executed*, so a slip or a refused step is judged against what was really asked of it.
"""

from array import array
from bisect import insort
from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from wavewrap_gateway.core.compressions import Compression, measure_compressions
from wavewrap_gateway.core.scheduler import ScheduledStep
from wavewrap_gateway.core.wave import Wave
from wavewrap_protocol.enums import StepOutcome
from wavewrap_protocol.payloads import Cycles, Quantiles, StepCounts
from wavewrap_protocol.reports import Telemetry
from wavewrap_protocol.units import CMMHG_PER_MMHG, TICKS_PER_S

__all__ = ["DELIVERED_WITHIN_MMHG", "SessionAccount", "quantiles", "skew_ms"]

DELIVERED_WITHIN_MMHG = 5.0
"""A chamber got its cycle when it came this close to its target. Choice: wider than the control band and the sensor's error together."""

SHORTFALL_MMHG = 3.0
"""A chamber further than this under its target is named in the summary."""

_CARRIED_OUT = (StepOutcome.EXECUTED, StepOutcome.RELEASED_LATE, StepOutcome.EASED)


class SessionAccount:
    """``wave`` is what was planned for this wrap. Chambers are counted from 0, distal."""

    def __init__(self, wave: Wave) -> None:
        self.wave = wave
        self._ticks: array[int] = array("q")
        self._samples: array[int] = array("h")
        self._steps: list[ScheduledStep] = []
        self._errors_ms: list[float] = []
        self._measured: list[list[Compression]] = [[] for _ in range(wave.chambers)]

    def add_frame(self, frame: Telemetry, first_tick: int) -> None:
        """A frame of the session; ``first_tick`` is its first sample's, never wrapped. Replays may come late and out of order."""
        for index, row in enumerate(frame.samples_cmmhg):
            self._ticks.append(first_tick + index * frame.period_ms * 10)
            self._samples.extend(row)

    def add_samples(self, ticks: NDArray[np.int64], samples_cmmhg: NDArray[np.int16]) -> None:
        """Many samples at once, as :meth:`add_frame` takes a few; ``samples_cmmhg`` has shape (samples, chambers)."""
        self._ticks.frombytes(ticks.astype(np.int64).tobytes())
        self._samples.frombytes(samples_cmmhg.astype(np.int16).tobytes())

    def add_steps(self, steps: Iterable[ScheduledStep]) -> None:
        """Steps that the device answered for."""
        for step in steps:
            self._steps.append(step)
            if _is_carried_out(step):
                insort(self._errors_ms, abs(_offset_ms(step)) + step.uncertainty_s * 1000.0)

    @property
    def last_tick(self) -> int:
        """Tick of the newest sample, never wrapped; 0 without one."""
        return max(self._ticks, default=0)

    @property
    def answered(self) -> int:
        """Steps that the device answered for, whatever it did with them."""
        return len(self._steps)

    @property
    def carried_out(self) -> Sequence[ScheduledStep]:
        """Steps that moved a set-point, in the order of their execution."""
        return sorted(filter(_is_carried_out, self._steps), key=lambda step: (step.actual_tick, step.seq))

    def step_counts(self, planned: int) -> StepCounts:
        """``planned`` is the schedule's; late are refused and late-released ones."""
        late = sum(step.outcome in (StepOutcome.TOO_LATE, StepOutcome.RELEASED_LATE) for step in self._steps)
        executed = sum(step.outcome in _CARRIED_OUT for step in self._steps)
        return StepCounts(planned=planned, executed=executed, late=late)

    def timing_errors_ms(self) -> list[float]:
        """What a gateway can claim for each step carried out: planned against actual tick, plus the clock's uncertainty when planned.

        Ascending, and kept so as steps come: a running session shows them every second.
        """
        return self._errors_ms.copy()

    def offsets_by_time(self) -> dict[float, tuple[float, float]]:
        """Session time of a step to its offset and uncertainty in ms, the largest offset where several share the time."""
        found: dict[float, tuple[float, float]] = {}
        for step in self.carried_out:
            offset_ms = _offset_ms(step)
            if step.at_s not in found or abs(offset_ms) > abs(found[step.at_s][0]):
                found[step.at_s] = (offset_ms, step.uncertainty_s * 1000.0)
        return found

    def samples(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Ticks, shape (samples,), ascending and unique; pressures in mmHg, shape (samples, chambers)."""
        ticks = np.array(self._ticks, dtype=np.int64)
        pressure = np.array(self._samples, dtype=np.float64).reshape(-1, self.wave.chambers) / CMMHG_PER_MMHG
        unique, first = np.unique(ticks, return_index=True)
        return unique, pressure[first]

    def set_points_mmhg(self, ticks: NDArray[np.int64], chamber: int) -> NDArray[np.float64]:
        """Set-point of ``chamber`` at ``ticks`` as executed, mmHg."""
        at: list[float] = [float("-inf")]
        level: list[float] = [0.0]
        for step in self.carried_out:
            if step.wave.chamber != chamber or step.actual_tick is None:
                continue
            begin = float(step.actual_tick)
            now_mmhg = _ramp_value(at, level, begin)
            while at and at[-1] >= begin:
                at.pop()
                level.pop()
            ramp = step.wave.ramp_s * TICKS_PER_S
            # A jump is a ramp that ends at the step, a thousandth of a tick long.
            at += [begin, begin + ramp] if ramp > 0.0 else [begin - 1e-3, begin]
            level += [now_mmhg, step.target_mmhg]
        return np.interp(ticks, [max(value, -1e18) for value in at], level)

    def compressions(self) -> list[Compression]:
        """Every released compression of every chamber. One that is over is measured once: what a replay brings of it later is too late."""
        ticks, pressure = self.samples()
        steps = self.carried_out
        last: list[Compression] = []
        for at, measured in enumerate(self._measured):
            found, over = measure_compressions(ticks, pressure[:, at], steps, at, len(measured))
            fresh = over - len(measured)
            measured += found[:fresh]
            last += found[fresh:]
        return [one for measured in self._measured for one in measured] + last

    def peaks_mmhg(self) -> list[float]:
        """Highest pressure of each chamber; 0 without a sample."""
        _, pressure = self.samples()
        return _rounded(pressure.max(axis=0)) if len(pressure) else [0.0] * self.wave.chambers

    def finals_mmhg(self) -> list[float]:
        """Last pressure of each chamber; 0 without a sample."""
        _, pressure = self.samples()
        return _rounded(pressure[-1]) if len(pressure) else [0.0] * self.wave.chambers

    def tracking_rms_mmhg(self) -> float:
        """Root mean square of measured minus target over all samples and chambers from the first to the last step carried out."""
        errors = self._errors_mmhg()
        return round(float(np.sqrt(np.mean(errors**2))), 2) if len(errors) else 0.0

    def chamber_tracking_rms_mmhg(self) -> list[float]:
        """The same for each chamber."""
        errors = self._errors_mmhg()
        return _rounded(np.sqrt(np.mean(errors**2, axis=0))) if len(errors) else [0.0] * self.wave.chambers

    def _errors_mmhg(self) -> NDArray[np.float64]:
        """Measured minus target from the first to the last step carried out, shape (samples, chambers)."""
        ticks, pressure = self.samples()
        steps = self.carried_out
        if not steps or steps[0].actual_tick is None or steps[-1].actual_tick is None:
            return np.zeros((0, self.wave.chambers))
        inside = (ticks >= steps[0].actual_tick) & (ticks <= steps[-1].actual_tick)
        targets = np.stack([self.set_points_mmhg(ticks[inside], chamber) for chamber in range(self.wave.chambers)], axis=1)
        return pressure[inside] - targets

    def cycles_and_shortfalls(self) -> tuple[Cycles, list[str]]:
        """Cycles delivered, and a sentence for every chamber that stayed under its target in a cycle that had begun."""
        ticks, pressure = self.samples()
        spans: dict[int, list[int]] = defaultdict(list)
        done: dict[int, set[int]] = defaultdict(set)
        boosts_mmhg: dict[tuple[int, int], float] = {}
        for step in self.carried_out:
            if step.target_mmhg > 0.0:
                # Lowered on the way, a chamber has to reach only what it was lowered to.
                key = step.wave.cycle, step.wave.chamber
                boosts_mmhg[key] = min(boosts_mmhg.get(key, step.boost_mmhg), step.boost_mmhg)
            if step.actual_tick is not None and not step.added:
                spans[step.wave.cycle].append(step.actual_tick)
                if step.wave.target_mmhg > 0.0:
                    done[step.wave.cycle].add(step.wave.chamber)
        delivered, shortfalls = 0, list[str]()
        # A stopped session says how far it came; the hour that it did not play would be a hundred sentences.
        begun = 1 + max((step.wave.cycle for step in self._steps if step.outcome is not StepOutcome.FLUSHED), default=-1)
        for cycle in range(begun):
            peaks_mmhg = self.wave.cycle_peaks_mmhg(cycle)
            targets_mmhg = [peak + boosts_mmhg.get((cycle, chamber), 0.0) if peak > 0.0 else 0.0 for chamber, peak in enumerate(peaks_mmhg)]
            wanted = {chamber for chamber, target in enumerate(targets_mmhg) if target > 0.0}
            cut_short = len(spans[cycle]) < sum(step.cycle == cycle for step in self.wave.steps)
            inside = np.zeros(len(ticks), dtype=bool)
            if spans[cycle]:
                inside = (ticks >= min(spans[cycle])) & (cut_short | (ticks <= max(spans[cycle])))
            reached = pressure[inside].max(axis=0) if inside.any() else np.zeros(self.wave.chambers)
            short_mmhg = {chamber: targets_mmhg[chamber] - float(reached[chamber]) for chamber in wanted}
            if not cut_short and wanted <= done[cycle] and all(short <= DELIVERED_WITHIN_MMHG for short in short_mmhg.values()):
                delivered += 1
            for chamber, short in sorted(short_mmhg.items()):
                if short > SHORTFALL_MMHG:
                    why = "the pump did not fill it in the time given"
                    if chamber not in done[cycle]:
                        why = "its step was not carried out"
                    elif cut_short:
                        why = "the cycle was not carried out to its end"
                    shortfalls.append(
                        f"cycle {cycle + 1}, chamber {chamber + 1}: {reached[chamber]:.1f} of {targets_mmhg[chamber]:.1f} mmHg, {why}"
                    )
        return Cycles(planned=self.wave.cycles, delivered=delivered), shortfalls

    def targets_mmhg(self) -> list[float]:
        """Highest target that each chamber was asked for, boosts and easing counted in; the wave's where it was asked for none."""
        highest_mmhg = list(self.wave.peaks_mmhg)
        for chamber in range(self.wave.chambers):
            asked_mmhg = [step.target_mmhg for step in self._steps if step.wave.chamber == chamber and step.wave.target_mmhg > 0.0]
            highest_mmhg[chamber] = max(asked_mmhg, default=highest_mmhg[chamber])
        return [round(target, 2) for target in highest_mmhg]


def _ramp_value(at: list[float], level: list[float], when: float) -> float:
    """Value of the polyline at ``when``, which is not before its last corner but one."""
    if when >= at[-1] or len(at) == 1:
        return level[-1]
    share = (when - at[-2]) / (at[-1] - at[-2])
    return level[-2] + (level[-1] - level[-2]) * max(0.0, share)


def _is_carried_out(step: ScheduledStep) -> bool:
    return step.outcome in _CARRIED_OUT and step.actual_tick is not None


def _offset_ms(step: ScheduledStep) -> float:
    """Actual minus planned in ms, device time."""
    return 0.0 if step.actual_tick is None else (step.actual_tick - step.due_tick) * 1000.0 / TICKS_PER_S


def _rounded(row: NDArray[np.float64]) -> list[float]:
    return [round(float(value), 2) for value in row]


def quantiles(values: Sequence[float], digits: int = 3) -> Quantiles:
    """p50, p99 and maximum, between two values linear in rank; all 0 for no values."""
    if not values:
        return Quantiles(p50=0.0, p99=0.0, max=0.0)
    # Not numpy's: for a few hundred values, once a second and wrap, its overhead was a fortieth of all that the gateway does.
    ordered = sorted(values)
    p50, p99 = _quantile(ordered, 0.5), _quantile(ordered, 0.99)
    return Quantiles(p50=round(p50, digits), p99=round(p99, digits), max=round(ordered[-1], digits))


def _quantile(ordered: Sequence[float], share: float) -> float:
    place = (len(ordered) - 1) * share
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def skew_ms(accounts: Sequence[SessionAccount]) -> list[float]:
    """For every session time that several wraps share: the largest spread between them, their uncertainties added."""
    by_time: dict[float, list[tuple[float, float]]] = defaultdict(list)
    for account in accounts:
        for at_s, pair in account.offsets_by_time().items():
            by_time[at_s].append(pair)
    spreads: list[float] = []
    for pairs in by_time.values():
        if len(pairs) > 1:
            values = [offset for offset, _ in pairs]
            spreads.append(max(values) - min(values) + sum(sorted((unc for _, unc in pairs), reverse=True)[:2]))
    return spreads
