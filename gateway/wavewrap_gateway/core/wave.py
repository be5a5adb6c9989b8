"""The wave: a program as target pressure of every chamber over session time, and as steps.

Not responsible for safety limits (:mod:`wavewrap_gateway.core.program_check`) nor for when a step is sent.
"""

from bisect import bisect_right
from dataclasses import dataclass, field
from math import floor

from wavewrap_gateway.core.fit import require_fit
from wavewrap_gateway.core.patterns import shape_cycle
from wavewrap_gateway.core.program import Program
from wavewrap_protocol.errors import UsageError
from wavewrap_protocol.limits import SESSION_MAX_S
from wavewrap_protocol.payloads import Side

__all__ = ["Wave", "WaveStep", "compile_wave", "count_cycles"]

_EDGE_CYCLES = 1e-9
"""Slack of a whole number of cycles, so that 0.1 + 0.2 does not cost one: far under a tick of 0.1 ms in a session of 60 min."""


@dataclass(frozen=True, slots=True)
class WaveStep:
    """From ``at_s`` of the session on, the set-point of ``chamber`` (0 is distal) moves to ``target_mmhg`` over ``ramp_s``; 0 vents.

    ``cycle`` counts from 0.
    """

    at_s: float
    chamber: int
    target_mmhg: float
    ramp_s: float
    cycle: int


@dataclass(frozen=True, slots=True)
class _Track:
    """One chamber: its steps' times and the set-point at each of those moments."""

    at_s: tuple[float, ...]
    from_mmhg: tuple[float, ...]
    steps: tuple[WaveStep, ...]

    def target_at(self, t_s: float) -> float:
        index = bisect_right(self.at_s, t_s) - 1
        return 0.0 if index < 0 else _ramped(self.from_mmhg[index], self.steps[index], t_s)


@dataclass(frozen=True, slots=True)
class Wave:
    """Target pressures of one wrap over a session.

    ``steps``: in time order. ``duration_s``: length of the session, ``cycles`` whole cycles of ``cycle_s``, the last rest included.
    ``soft_pct``: share of the full pressure in the first cycles. Both sides of a program have the same ``duration_s``, ``cycle_s`` and
    ``cycles``.
    """

    steps: tuple[WaveStep, ...]
    duration_s: float
    cycle_s: float
    cycles: int
    chambers: int
    soft_pct: tuple[float, ...]
    full_mmhg: tuple[float, ...]
    """Full pressure of each chamber; 0 for one that the program leaves at rest."""
    _tracks: tuple[_Track, ...] = field(repr=False, compare=False)

    @property
    def peaks_mmhg(self) -> tuple[float, ...]:
        """Highest target of each chamber over the session."""
        return self.cycle_peaks_mmhg(self.cycles - 1)

    def cycle_peaks_mmhg(self, cycle: int) -> tuple[float, ...]:
        """Highest target of each chamber in ``cycle``, counted from 0."""
        share = self.soft_pct[cycle] / 100.0 if cycle < len(self.soft_pct) else 1.0
        return tuple(full_mmhg * share for full_mmhg in self.full_mmhg)

    def cycle_at(self, t_s: float) -> int:
        """The cycle that session time ``t_s`` falls in; before the session the first, after it the last."""
        return min(max(floor(t_s / self.cycle_s + _EDGE_CYCLES), 0), self.cycles - 1)

    def target_at(self, t_s: float) -> tuple[float, ...]:
        """Set-point of each chamber in mmHg at session time ``t_s``; 0 before the first and after the last step."""
        return tuple(track.target_at(t_s) for track in self._tracks)

    def corners(self, chamber: int, until_s: float) -> list[tuple[float, float]]:
        """The set-point of ``chamber`` from 0 to ``until_s`` as the corners ``(t_s, mmhg)`` of a polyline; it is exact, not sampled."""
        track = self._tracks[chamber]
        points = [(0.0, 0.0)]
        for index, step in enumerate(track.steps):
            if step.at_s >= until_s:
                break
            next_s = track.at_s[index + 1] if index + 1 < len(track.at_s) else until_s
            end_s = min(step.at_s + step.ramp_s, next_s, until_s)
            points += [(step.at_s, track.from_mmhg[index]), (end_s, _ramped(track.from_mmhg[index], step, end_s))]
        points.append((until_s, points[-1][1]))
        return [point for point, before in zip(points, [None, *points], strict=False) if point != before]


def count_cycles(duration_s: float, cycle_s: float) -> int:
    """Whole cycles in ``duration_s``; may be 0."""
    return floor(duration_s / cycle_s + _EDGE_CYCLES)


def compile_wave(program: Program, side: Side, chambers: int, duration_s: float | None = None) -> Wave:
    """``program`` for one wrap of ``chambers`` over ``duration_s`` (the program's own where None), cut to whole cycles.

    Raises :class:`UsageError` when the program does not fit the chambers, the session is shorter than one cycle or longer than 60 min.
    """
    fit = require_fit(program, chambers)
    asked_s = program.duration_s if duration_s is None else duration_s
    if not asked_s <= SESSION_MAX_S:
        raise UsageError(f"{program.name}: a session of {asked_s:g} s is over the limit of {SESSION_MAX_S} s; shorten it")
    cycles = count_cycles(asked_s, fit.cycle_s)
    if cycles < 1:
        raise UsageError(f"{program.name}: {asked_s:g} s is shorter than one cycle of {fit.cycle_s:g} s; give at least that")
    shape = shape_cycle(program, fit, side)
    soft_pct = program.soft_cycles_pct[:cycles]
    shares = [pct / 100.0 for pct in soft_pct] + [1.0] * (cycles - len(soft_pct))
    # Rounded to the device's tick of 0.1 ms, so that both sides and every cycle land on the same grid.
    steps = tuple(
        WaveStep(round(cycle * fit.cycle_s + step.at_s, 4), step.chamber, step.target_mmhg * share, step.ramp_s, cycle)
        for cycle, share in enumerate(shares)
        for step in shape
    )
    tracks = tuple(_lay_track([step for step in steps if step.chamber == chamber]) for chamber in range(chambers))
    return Wave(steps, cycles * fit.cycle_s, fit.cycle_s, cycles, chambers, soft_pct, fit.pressures_mmhg, tracks)


def _ramped(from_mmhg: float, step: WaveStep, t_s: float) -> float:
    if t_s >= step.at_s + step.ramp_s:
        return step.target_mmhg
    return from_mmhg + (step.target_mmhg - from_mmhg) * (t_s - step.at_s) / step.ramp_s


def _lay_track(steps: list[WaveStep]) -> _Track:
    from_mmhg: list[float] = []
    for index, step in enumerate(steps):
        from_mmhg.append(_ramped(from_mmhg[-1], steps[index - 1], step.at_s) if index else 0.0)
    return _Track(tuple(step.at_s for step in steps), tuple(from_mmhg), tuple(steps))
