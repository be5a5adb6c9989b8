"""What the chambers of one wrap got in a session: time and pressure, how fast, how evenly, how true; and how two wraps differ.

Measured from the books of the session (:mod:`wavewrap_gateway.core.account`), so that a running one and one from the history are measured
alike. Figures about air and pressure only: what they mean for a body is not said here.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from wavewrap_gateway.core.account import DELIVERED_WITHIN_MMHG, SessionAccount
from wavewrap_gateway.core.compressions import Compression
from wavewrap_gateway.core.diagnosis import fall_rates_mmhg_s
from wavewrap_protocol.limits import OVER_THRESHOLD_MMHG
from wavewrap_protocol.units import TICKS_PER_S

__all__ = [
    "ChamberDifference",
    "ChamberDose",
    "chamber_delays",
    "compare_doses",
    "measure_dose",
    "over_threshold_s",
    "pressure_time_mmhg_s",
]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ChamberDose:
    """One chamber, counted from 1 (distal), over a session. ``None``: it did not come to that.

    ``over_threshold_s``: time over 15 mmHg. ``pressure_time_mmhg_s``: gauge pressure over time, where it was over 0. ``compressions`` were
    released, ``reached`` of them came within 5 mmHg of their target. Medians over the compressions: ``rise_s`` from the step to 90 % of the
    target, ``vent_s`` from the release to 15 mmHg. ``leak_mmhg_s``: how much faster its holds fall between refills than those of the other
    chambers, 0 for one that does not; it takes four compressions to tell.
    ``delay_s``: how long after the chamber before it in its cycle it reached 90 % of its target; ``asked_delay_s``: how long after that
    one's step its own was carried out.
    """

    chamber: int
    over_threshold_s: float
    pressure_time_mmhg_s: float
    peak_mmhg: float
    compressions: int
    reached: int
    rise_s: float | None
    vent_s: float | None
    asked_delay_s: float | None
    delay_s: float | None
    tracking_rms_mmhg: float
    leak_mmhg_s: float | None


@dataclass(frozen=True, slots=True)
class ChamberDifference:
    """One of two wraps (or sessions) minus the other, the same chamber of both. ``None`` where one of them has no such figure."""

    chamber: int
    over_threshold_s: float
    pressure_time_mmhg_s: float
    peak_mmhg: float
    reached: int
    rise_s: float | None
    vent_s: float | None
    delay_s: float | None


def _period_s(ticks: Integers) -> float:
    """What one sample stands for. So time without samples counts for nothing, rather than for what came before it."""
    return float(np.median(np.diff(ticks))) / TICKS_PER_S if len(ticks) > 1 else 0.0


def over_threshold_s(ticks: Integers, pressure_mmhg: Floats, threshold_mmhg: float = OVER_THRESHOLD_MMHG) -> Floats:
    """Seconds over ``threshold_mmhg`` of each column of ``pressure_mmhg``, shape (samples, chambers); ``ticks`` ascend."""
    return np.asarray((pressure_mmhg > threshold_mmhg).sum(axis=0) * _period_s(ticks))


def pressure_time_mmhg_s(ticks: Integers, pressure_mmhg: Floats) -> Floats:
    """Sum of pressure over time of each column, mmHg·s; a pressure under 0, which a sensor's zero may make, counts as 0."""
    return np.asarray(np.maximum(pressure_mmhg, 0.0).sum(axis=0) * _period_s(ticks))


def chamber_delays(compressions: Iterable[Compression]) -> dict[int, tuple[list[float], list[float]]]:
    """By chamber, from 0: asked and achieved delays after the chamber before it in the same cycle, in seconds; the first one has none."""
    cycles: dict[int, list[Compression]] = defaultdict(list)
    for one in compressions:
        cycles[one.cycle].append(one)
    found: dict[int, tuple[list[float], list[float]]] = {}
    for members in cycles.values():
        in_turn = sorted(members, key=lambda one: (one.begin_tick, one.chamber))
        for before, after in pairwise(in_turn):
            if before.chamber == after.chamber:
                continue
            asked_s = (after.begin_tick - before.begin_tick) / TICKS_PER_S
            asked, achieved = found.setdefault(after.chamber, ([], []))
            asked.append(asked_s)
            if before.rise_s is not None and after.rise_s is not None:
                achieved.append(asked_s + after.rise_s - before.rise_s)
    return found


def measure_dose(account: SessionAccount) -> list[ChamberDose]:
    """The dose of every chamber."""
    ticks, pressure = account.samples()
    chambers = pressure.shape[1]
    over_s, dose = over_threshold_s(ticks, pressure), pressure_time_mmhg_s(ticks, pressure)
    peaks, tracking = account.peaks_mmhg(), account.chamber_tracking_rms_mmhg()
    compressions = account.compressions()
    delays, all_falls = chamber_delays(compressions), fall_rates_mmhg_s(compressions)
    doses: list[ChamberDose] = []
    for chamber in range(chambers):
        own = [one for one in compressions if one.chamber == chamber]
        asked, achieved = delays.get(chamber, ([], []))
        falls = all_falls.get(chamber)
        doses.append(
            ChamberDose(
                chamber + 1,
                round(float(over_s[chamber]), 2),
                round(float(dose[chamber]), 1),
                peaks[chamber],
                len(own),
                sum(one.peak_mmhg >= one.target_mmhg - DELIVERED_WITHIN_MMHG for one in own),
                _median(own, lambda one: one.rise_s),
                _median(own, lambda one: one.vent_s),
                _middle(asked),
                _middle(achieved),
                tracking[chamber],
                None if falls is None else round(max(0.0, falls[0] - falls[1]), 3),
            )
        )
    return doses


def compare_doses(one: Sequence[ChamberDose], other: Sequence[ChamberDose]) -> list[ChamberDifference]:
    """``one`` minus ``other``, chamber by chamber, as far as both have it."""
    return [
        ChamberDifference(
            mine.chamber,
            round(mine.over_threshold_s - theirs.over_threshold_s, 2),
            round(mine.pressure_time_mmhg_s - theirs.pressure_time_mmhg_s, 1),
            round(mine.peak_mmhg - theirs.peak_mmhg, 2),
            mine.reached - theirs.reached,
            _minus(mine.rise_s, theirs.rise_s),
            _minus(mine.vent_s, theirs.vent_s),
            _minus(mine.delay_s, theirs.delay_s),
        )
        for mine, theirs in zip(one, other, strict=False)
    ]


def _median(compressions: Iterable[Compression], figure: Callable[[Compression], float | None]) -> float | None:
    return _middle([value for one in compressions if (value := figure(one)) is not None])


def _middle(values: Sequence[float]) -> float | None:
    return round(float(np.median(values)), 3) if values else None


def _minus(mine: float | None, theirs: float | None) -> float | None:
    return None if mine is None or theirs is None else round(mine - theirs, 3)
