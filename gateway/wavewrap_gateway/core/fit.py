"""A program fitted to a wrap: everything that depends on the number of chambers.

Not responsible for limits (:mod:`wavewrap_gateway.core.program_check`).
"""

from dataclasses import dataclass
from itertools import accumulate

from wavewrap_gateway.core.program import Alternating, Isolation, Program, SequentialPulse, TravellingWave
from wavewrap_protocol.errors import UsageError
from wavewrap_protocol.limits import CHAMBERS_MAX

__all__ = ["Fit", "Problem", "chamber_pressures", "fit_program", "require_fit"]


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one value of a program, and the remedy, in words. ``index`` points at one entry of a list."""

    key: str
    value: object
    text: str
    index: int | None = None

    def __str__(self) -> str:
        value = f"{self.value:g}" if isinstance(self.value, float) else str(self.value)
        place = self.key if self.index is None else f"{self.key}[{self.index}]"
        return f"{place} {value}: {self.text}"


@dataclass(frozen=True, slots=True)
class Fit:
    """A program on a wrap of ``len(pressures_mmhg)`` chambers.

    ``order``: chambers (0 is distal) in the order in which they start. ``pressures_mmhg``: full pressure of each chamber, 0 for one that
    the program leaves at rest. ``delay_s``: from the start of one chamber to the start of the next. ``release_at_s``: from the start of a
    cycle to its last release.
    """

    order: tuple[int, ...]
    pressures_mmhg: tuple[float, ...]
    delay_s: float
    hold_s: float
    rest_s: float
    release_at_s: float
    cycle_s: float


def chamber_pressures(program: Program, chambers: int) -> tuple[float, ...]:
    """Full pressure of each chamber in mmHg, distal first, as the gradient, the floor and the boost give it."""
    gradient = program.gradient_mmhg
    drops = list(gradient[: chambers - 1]) if isinstance(gradient, tuple) else [gradient] * (chambers - 1)
    falls_mmhg = accumulate(drops, initial=0.0)
    floor_mmhg = min(program.floor_mmhg, program.pressure_mmhg)
    boosts = list(program.boost_mmhg) + [0.0] * chambers
    return tuple(max(program.pressure_mmhg - fall_mmhg, floor_mmhg) + boost for fall_mmhg, boost in zip(falls_mmhg, boosts, strict=False))


def fit_program(program: Program, chambers: int) -> Fit | Problem:
    """``program`` on a wrap of ``chambers``, or what keeps it from fitting.

    Raises :class:`UsageError` when no wrap has so many chambers.
    """
    if not 1 <= chambers <= CHAMBERS_MAX:
        raise UsageError(f"{chambers} chambers: a wrap has 1 to {CHAMBERS_MAX}")
    problem = _find_misfit(program, chambers)
    if problem is not None:
        return problem
    order = _order(program, chambers)
    pressures_mmhg = tuple(p if i in order else 0.0 for i, p in enumerate(chamber_pressures(program, chambers)))
    for chamber in order:
        if pressures_mmhg[chamber] <= 0:
            text = f"chamber {chamber + 1} would get {pressures_mmhg[chamber]:g} mmHg; lower the gradient or set floor_mmhg"
            return Problem("gradient_mmhg", program.gradient_mmhg, text)
    return _fit_timing(program, order, pressures_mmhg)


def require_fit(program: Program, chambers: int) -> Fit:
    """The fit of ``program``. Raises :class:`UsageError` when there is none."""
    fit = fit_program(program, chambers)
    if isinstance(fit, Problem):
        raise UsageError(f"{program.name}: {fit}")
    return fit


def _order(program: Program, chambers: int) -> tuple[int, ...]:
    if isinstance(program, Isolation):
        return tuple(chamber - 1 for chamber in program.chambers)
    forward = range(chambers)
    return tuple(forward if program.direction == "distal_to_proximal" else reversed(forward))


def _find_misfit(program: Program, chambers: int) -> Problem | None:
    """The first key that speaks of chambers which the wrap does not have, or is silent on one that it has."""
    boosts = program.boost_mmhg
    if len(boosts) > chambers:
        return Problem(
            "boost_mmhg", list(boosts), f"{len(boosts)} entries for a wrap of {chambers} chambers; leave out {len(boosts) - chambers}"
        )
    drops = program.gradient_mmhg
    if isinstance(drops, tuple) and len(drops) < chambers - 1:
        return Problem(
            "gradient_mmhg", list(drops), f"a wrap of {chambers} chambers takes {chambers - 1} drops; add {chambers - 1 - len(drops)}"
        )
    if isinstance(program, Isolation):
        for index, chamber in enumerate(program.chambers):
            if chamber > chambers:
                return Problem("chambers", chamber, f"the wrap has {chambers} chambers; name 1 to {chambers}", index)
    return None


def _fit_timing(program: Program, order: tuple[int, ...], pressures_mmhg: tuple[float, ...]) -> Fit | Problem:
    """Solve ``cycle = (m - 1) delay + inflate + hold + release + rest`` for the one of hold, rest and period that is not given.

    ``delay`` is ``inflate - overlap``, plus ``hold`` in the patterns whose chambers hold one after another.
    """
    count = len(order)
    holds = count if isinstance(program, TravellingWave | SequentialPulse) else 1
    fixed_s = count * program.inflate_s - (count - 1) * program.overlap_s + program.release_s
    hold_s, rest_s, period_s = program.hold_s, program.rest_s, program.period_s
    if hold_s is None:
        assert rest_s is not None  # the model takes exactly two of the three
        assert period_s is not None
        hold_s = (period_s - fixed_s - rest_s) / holds
    if rest_s is None:
        assert period_s is not None  # as above
        rest_s = period_s - fixed_s - holds * hold_s
    if period_s is not None and (hold_s < 0 or rest_s < 0):
        least_s = fixed_s + (program.rest_s or 0.0) + holds * (program.hold_s or 0.0)
        return Problem(
            "period_s", period_s, f"one cycle on {count} chambers takes at least {least_s:.1f} s; lengthen it or shorten its parts"
        )
    delay_s = program.inflate_s - program.overlap_s + (hold_s if holds > 1 else 0.0)
    if delay_s < 0:
        longest_s = program.inflate_s + hold_s
        return Problem("overlap_s", program.overlap_s, f"a chamber is at work for {longest_s:.1f} s only; make it shorter than that")
    release_at_s = (count - 1) * delay_s + program.inflate_s + hold_s
    cycle_s = release_at_s + program.release_s + rest_s
    if isinstance(program, Alternating) and release_at_s + program.release_s > cycle_s / 2:
        key, value = ("rest_s", program.rest_s) if program.period_s is None else ("period_s", program.period_s)
        text = f"one limb takes {release_at_s + program.release_s:.1f} s, more than half of the cycle of {cycle_s:.1f} s; lengthen it"
        return Problem(key, value, text)
    return Fit(order, pressures_mmhg, delay_s, hold_s, rest_s, release_at_s, cycle_s)
