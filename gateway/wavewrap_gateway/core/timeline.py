"""What slips and commands do to the steps of one wrap that are not on the device yet. Pure functions on lists of steps.

Law: no hold grows and no rest shrinks. A compression is told by the program's own pressures, so a boost does not change what it is.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from wavewrap_gateway.core.wave import WaveStep
from wavewrap_protocol.enums import StepOutcome

__all__ = ["LOWER_S", "ScheduledStep", "cut_short", "lower", "mark_releases", "number_compressions", "shift_risings"]

LOWER_S = 1.0
"""Least time that a lowered chamber takes to its new pressure. Choice: gentle, and soon enough for somebody whom it hurts."""


@dataclass(slots=True, eq=False)
class ScheduledStep:
    """One step on its way. Ticks are never wrapped; ``uncertainty_s`` is the clock's at the moment of planning."""

    wave: WaveStep
    at_s: float
    """Session time, slips and pauses counted in."""
    seq: int = -1
    due_s: float = 0.0
    due_tick: int = 0
    uncertainty_s: float = 0.0
    outcome: StepOutcome | None = None
    actual_tick: int | None = None
    boost_mmhg: float = 0.0
    """What a person added to the wave's target, as far as the limits let it; known once the step is sent."""
    added: bool = False
    """A command's, not the wave's."""
    compression: int = 0
    """Which compression of its chamber in the session it belongs to, counted from 0."""

    @property
    def target_mmhg(self) -> float:
        """What the chamber was asked to reach."""
        return self.wave.target_mmhg + self.boost_mmhg

    def shares_moment(self, other: "ScheduledStep") -> bool:
        """Whether ``other`` can go to the device together with it."""
        return self.at_s == other.at_s and self.added == other.added


def number_compressions(steps: Iterable[WaveStep]) -> Iterator[tuple[WaveStep, int]]:
    """Each of ``steps`` and which compression of its chamber it belongs to, counted from 0: one begins when a chamber at 0 is inflated."""
    begun: dict[int, int] = {}
    level_mmhg: dict[int, float] = {}
    for step in steps:
        if step.target_mmhg > 0.0 and level_mmhg.get(step.chamber, 0.0) <= 0.0:
            begun[step.chamber] = begun.get(step.chamber, -1) + 1
        level_mmhg[step.chamber] = step.target_mmhg
        yield step, max(0, begun.get(step.chamber, 0))


def mark_releases(inflated: Mapping[int, ScheduledStep], unsent: Iterable[ScheduledStep]) -> Iterator[tuple[ScheduledStep, bool]]:
    """Each of ``unsent``, and whether it lowers the compression that its chamber is in already.

    ``inflated`` has the last step sent to each chamber that is under pressure then.
    """
    level_mmhg = {chamber: step.wave.target_mmhg for chamber, step in inflated.items()}
    for step in unsent:
        chamber, target_mmhg = step.wave.chamber, step.wave.target_mmhg
        lowers = chamber in level_mmhg and (target_mmhg < level_mmhg[chamber] or step.added)
        if lowers and target_mmhg > 0.0:
            level_mmhg[chamber] = target_mmhg
        else:
            level_mmhg.pop(chamber, None)
        yield step, lowers


def shift_risings(inflated: Mapping[int, ScheduledStep], unsent: Iterable[ScheduledStep], shift_s: float) -> list[ScheduledStep]:
    """``unsent`` after a slip: everything has moved, except the releases of what is inflated now."""
    marked = list(mark_releases(inflated, unsent))
    for step, lowers in marked:
        if not lowers:
            step.at_s += shift_s
    return sorted((step for step, _ in marked), key=_time)


def cut_short(
    inflated: Mapping[int, ScheduledStep], unsent: Iterable[ScheduledStep], cut_s: float
) -> tuple[list[ScheduledStep], list[ScheduledStep]]:
    """A pause at session time ``cut_s``: the releases that end what is inflated, and the steps that are left, which begin at rest.

    A release that was planned for earlier keeps its time.
    """
    ends_s = dict.fromkeys(inflated, cut_s)
    compressed = set(inflated)
    left: list[ScheduledStep] = []
    for step in unsent:
        chamber = step.wave.chamber
        if chamber not in compressed:
            left.append(step)
        elif step.wave.target_mmhg == 0.0:
            ends_s[chamber] = min(cut_s, step.at_s)
            compressed.discard(chamber)
    releases = [
        ScheduledStep(WaveStep(end_s, chamber, 0.0, 0.0, inflated[chamber].wave.cycle), end_s, added=True)
        for chamber, end_s in ends_s.items()
    ]
    return sorted(releases, key=lambda step: (step.at_s, step.wave.chamber)), left


def lower(
    inflated: Mapping[int, ScheduledStep], unsent: Iterable[ScheduledStep], chambers: Collection[int], from_s: float
) -> list[ScheduledStep]:
    """``unsent`` with a step at session time ``from_s`` for each of ``chambers`` under pressure then: a lower boost reaches it at once.

    A chamber that is still filling gets there when it would have, not sooner.
    """
    left = [step for step in unsent if not (step.added and step.wave.target_mmhg > 0.0)]
    busy = {step.wave.chamber for step in left if step.at_s <= from_s}
    for chamber, last in inflated.items():
        if chamber in chambers and chamber not in busy:
            ramp_s = max(LOWER_S, last.at_s + last.wave.ramp_s - from_s)
            wave = WaveStep(from_s, chamber, last.wave.target_mmhg, ramp_s, last.wave.cycle)
            left.append(ScheduledStep(wave, from_s, added=True, compression=last.compression))
    return sorted(left, key=_time)


def _time(step: ScheduledStep) -> float:
    return step.at_s
