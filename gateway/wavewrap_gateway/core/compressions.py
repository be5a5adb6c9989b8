"""What each compression of a session looked like: filling, hold, vent, rest, measured from the samples and the steps carried out.

Not responsible for what it means (:mod:`wavewrap_gateway.core.diagnosis`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wavewrap_gateway.core.timeline import ScheduledStep
from wavewrap_protocol.limits import OVER_THRESHOLD_MMHG
from wavewrap_protocol.units import TICKS_PER_S

__all__ = ["Compression", "measure_compressions"]

ONSET_MMHG = 5.0
"""From here on a bladder is no longer slack: the pressure by which 63 % of the reference bladder's slack is unfolded."""

REACHED = 0.9
"""Share of the target at which a chamber counts as filled. Choice: over the control band at every preset's pressure."""

SETTLE_S, SLICE_S = 2.0, 3.0
"""A fall is measured over this slice of a hold, from so long after the fill on. A bladder creeps on for seconds, so falls compare only at
the same age of the hold. Choices: past the first half of the reference bladder's creep time, and what the shortest preset's hold has."""

JUMP_SAMPLES, JUMP_MMHG = 3, 0.5
"""That much between so many samples is a refill, a probe or a movement. Choice: 3.5 times the noise of a difference."""

CALM_S = 1.0
"""Choice: brings the noise of a rate to 0.2 mmHg/s, and the median of three to half of it."""

JERK_MMHG = 3.0
"""A sample this far from the hold's median is a movement. Choice: twice the control band."""

REST_S = 5.0
"""Sooner than this after a release no chamber is at rest."""

STILL_MMHG = 0.5
"""The two halves of a rest may differ by this; else it is still emptying."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Compression:
    """One compression of ``chamber`` (0 is distal); ``number`` counts that chamber's from 0. ``None``: it did not come to that.

    ``onset_s``: from the step until :data:`ONSET_MMHG`. ``lag_s``: how much later than the set-point the pressure passed
    :data:`REACHED` of the target. ``fall_mmhg_s``: rate at which the pressure falls between refills, over 0, at an age of the hold
    that is the same for all; ``None`` where the chamber was lowered on the way.
    ``moved_s``: time of the hold spent far from its median. ``vent_tau_s``: time constant of the fall to 15 mmHg.
    ``rest_mmhg``: median once at rest, if it came to rest. ``begin_tick``, ``release_tick``: of its first step and of its release.
    ``peak_mmhg``: highest pressure between them, 0 without a sample. ``rise_s``: from its first step until :data:`REACHED` of the target.
    ``vent_s``: from the release until 15 mmHg, where it was over that.
    """

    chamber: int
    number: int
    target_mmhg: float
    onset_s: float | None
    lag_s: float | None
    fall_mmhg_s: float | None
    moved_s: float
    vent_tau_s: float | None
    rest_mmhg: float | None
    cycle: int
    begin_tick: int
    release_tick: int
    peak_mmhg: float
    rise_s: float | None
    vent_s: float | None


def measure_compressions(
    ticks: NDArray[np.int64], pressure_mmhg: Floats, steps: Sequence[ScheduledStep], chamber: int, known: int = 0
) -> tuple[list[Compression], int]:
    """The compressions of ``chamber`` that have been released, but for the first ``known`` of them; and how many are over, rest included.

    ``ticks`` and ``pressure_mmhg``: shape (samples,), ticks ascending and never wrapped; ``steps``: carried out, in order.
    """
    own = [(step, step.actual_tick) for step in steps if step.wave.chamber == chamber and step.actual_tick is not None]
    found: list[Compression] = []
    number, rises = 0, list[tuple[ScheduledStep, int]]()
    for at, (step, tick) in enumerate(own):
        if step.target_mmhg > 0.0:
            rises.append((step, tick))
        elif rises:
            if number >= known:
                until_tick = own[at + 1][1] if at + 1 < len(own) else np.iinfo(np.int64).max
                span = slice(*np.searchsorted(ticks, (rises[0][1], until_tick)))
                found.append(_measure(number, chamber, rises, tick, ticks[span], pressure_mmhg[span]))
            number += 1
            rises = []
    # The rest of the last one goes on until its chamber is told something again.
    over = number if own and own[-1][0].target_mmhg > 0.0 else max(0, number - 1)
    return found, over


def _measure(
    number: int,
    chamber: int,
    rises: Sequence[tuple[ScheduledStep, int]],
    release_tick: int,
    ticks: NDArray[np.int64],
    pressure_mmhg: Floats,
) -> Compression:
    """From the samples between the first of ``rises`` and the step after the release."""
    time_s, begin_s, release_s = ticks / TICKS_PER_S, rises[0][1] / TICKS_PER_S, release_tick / TICKS_PER_S
    target_mmhg = max(step.target_mmhg for step, _ in rises)
    # Where a compression rises in two steps the last one sets the pace, the first one the beginning.
    last, last_tick = rises[-1]
    last_rise_s, ramp_s = last_tick / TICKS_PER_S, last.wave.ramp_s
    rising = time_s <= release_s
    onset_s = _first(time_s[rising], pressure_mmhg[rising] >= ONSET_MMHG, begin_s)
    lag_s = _first(time_s[rising], pressure_mmhg[rising] >= REACHED * target_mmhg, last_rise_s + REACHED * ramp_s)
    settled_s = last_rise_s + ramp_s + max(0.0, lag_s or 0.0) + SETTLE_S
    hold = (time_s >= settled_s) & rising
    aged = hold & (time_s <= settled_s + SLICE_S)
    # A bladder that was let down on the way creeps the other way: that hold compares with none that was not.
    lowered = last.target_mmhg < target_mmhg
    venting = time_s >= release_s
    resting = time_s >= release_s + REST_S
    return Compression(
        chamber,
        number,
        target_mmhg,
        onset_s,
        lag_s,
        _fall(time_s[aged], pressure_mmhg[aged]) if release_s >= settled_s + SLICE_S and not lowered else None,
        _moved_s(time_s[hold], pressure_mmhg[hold]),
        _vent_tau_s(time_s[venting], pressure_mmhg[venting]),
        _rest_mmhg(pressure_mmhg[resting]),
        rises[0][0].wave.cycle,
        rises[0][1],
        release_tick,
        float(pressure_mmhg[rising].max()) if rising.any() else 0.0,
        _first(time_s[rising], pressure_mmhg[rising] >= REACHED * target_mmhg, begin_s),
        _vent_s(time_s[venting], pressure_mmhg[venting], release_s),
    )


def _first(time_s: Floats, reached: NDArray[np.bool_], from_s: float) -> float | None:
    """Seconds from ``from_s`` until ``reached`` is first true."""
    return float(time_s[np.argmax(reached)] - from_s) if reached.any() else None


def _fall(time_s: Floats, pressure_mmhg: Floats) -> float | None:
    """Rate of the fall over all calm pieces of a hold; ``None`` where too little of it is calm to tell."""
    if len(time_s) <= JUMP_SAMPLES:
        return None
    jumps = np.abs(pressure_mmhg[JUMP_SAMPLES:] - pressure_mmhg[:-JUMP_SAMPLES]) > JUMP_MMHG
    # A jump makes every step between its two samples, and the one after, one of its own.
    steep = np.convolve(jumps, np.ones(JUMP_SAMPLES + 1), mode="full")[: len(time_s) - 1] > 0
    calm_s = float(np.diff(time_s)[~steep].sum())
    return max(0.0, -float(np.diff(pressure_mmhg)[~steep].sum()) / calm_s) if calm_s >= CALM_S else None


def _moved_s(time_s: Floats, pressure_mmhg: Floats) -> float:
    if len(time_s) < 2:
        return 0.0
    away = np.abs(pressure_mmhg - np.median(pressure_mmhg)) > JERK_MMHG
    return float(away.mean() * (time_s[-1] - time_s[0]))


def _rest_mmhg(pressure_mmhg: Floats) -> float | None:
    half = len(pressure_mmhg) // 2
    if half == 0 or abs(np.median(pressure_mmhg[:half]) - np.median(pressure_mmhg[half:])) > STILL_MMHG:
        return None
    return float(np.median(pressure_mmhg))


def _vent_tau_s(time_s: Floats, pressure_mmhg: Floats) -> float | None:
    """From the first to the last sample of the fall over 15 mmHg; the whole wait where it never got there."""
    if not len(time_s) or pressure_mmhg[0] <= OVER_THRESHOLD_MMHG + JERK_MMHG:
        return None
    over = pressure_mmhg > OVER_THRESHOLD_MMHG
    last = int(np.argmin(over)) if not over.all() else len(over) - 1
    ratio = float(pressure_mmhg[0] / max(pressure_mmhg[last], 1.0))
    return float((time_s[last] - time_s[0]) / np.log(ratio)) if ratio > 1.0 else None


def _vent_s(time_s: Floats, pressure_mmhg: Floats, release_s: float) -> float | None:
    if not len(time_s) or pressure_mmhg[0] <= OVER_THRESHOLD_MMHG:
        return None
    return _first(time_s, pressure_mmhg <= OVER_THRESHOLD_MMHG, release_s)
