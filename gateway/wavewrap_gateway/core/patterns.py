"""One cycle of each pattern as steps of set-points. Not responsible for repeating it (:mod:`wavewrap_gateway.core.wave`).

Inflations are ramps over ``inflate_s``; a release is target 0 with no ramp, because a vent that opens cannot be steered; the drop of a
sequential pulse to its graded hold is a ramp over ``release_s``.
"""

from dataclasses import dataclass
from typing import assert_never

from wavewrap_gateway.core.fit import Fit
from wavewrap_gateway.core.program import Alternating, Isolation, Program, SequentialHold, SequentialPulse, TravellingWave
from wavewrap_protocol.payloads import Side

__all__ = ["CycleStep", "shape_cycle"]


@dataclass(frozen=True, slots=True)
class CycleStep:
    """From ``at_s`` into the cycle on, the set-point of ``chamber`` (0 is distal) moves to ``target_mmhg`` over ``ramp_s``."""

    at_s: float
    chamber: int
    target_mmhg: float
    ramp_s: float


def shape_cycle(program: Program, fit: Fit, side: Side) -> list[CycleStep]:
    """The steps of one full cycle in time order; at the same moment releases come first. Every chamber starts and ends released."""
    match program:
        case SequentialHold() | Isolation():
            steps = _shape_hold(program, fit, 0.0)
        case Alternating():
            steps = _shape_hold(program, fit, 0.0 if side is Side.LEFT else fit.cycle_s / 2)
        case TravellingWave():
            steps = _shape_wave(program, fit)
        case SequentialPulse():
            steps = _shape_pulse(program, fit)
        case _:
            assert_never(program)
    # Compared on the grid of device ticks (0.1 ms): sums of the same parts in another order differ in their last bit.
    return sorted(steps, key=lambda step: (round(step.at_s, 4), step.target_mmhg > 0, step.chamber))


def _inflations(program: Program, fit: Fit, start_s: float) -> list[CycleStep]:
    return [
        CycleStep(start_s + place * fit.delay_s, chamber, fit.pressures_mmhg[chamber], program.inflate_s)
        for place, chamber in enumerate(fit.order)
    ]


def _shape_hold(program: Program, fit: Fit, start_s: float) -> list[CycleStep]:
    return _inflations(program, fit, start_s) + [CycleStep(start_s + fit.release_at_s, chamber, 0.0, 0.0) for chamber in fit.order]


def _shape_wave(program: TravellingWave, fit: Fit) -> list[CycleStep]:
    part_s = program.inflate_s + fit.hold_s
    return [
        step
        for inflation in _inflations(program, fit, 0.0)
        for step in (inflation, CycleStep(inflation.at_s + part_s, inflation.chamber, 0.0, 0.0))
    ]


def _shape_pulse(program: SequentialPulse, fit: Fit) -> list[CycleStep]:
    part_s = program.inflate_s + fit.hold_s
    last = len(fit.order) - 1
    steps = _inflations(program, fit, 0.0)
    for place, chamber in enumerate(fit.order):
        # The chamber falls one stage whenever a pulse further on ends; the last pulse has nothing to be held back for, so it releases all.
        for behind, share_pct in enumerate((*program.hold_behind_pct, 0.0)):
            if place + behind >= last:
                steps.append(CycleStep(fit.release_at_s, chamber, 0.0, 0.0))
                break
            target_mmhg = fit.pressures_mmhg[chamber] * share_pct / 100.0
            at_s = (place + behind) * fit.delay_s + part_s
            steps.append(CycleStep(at_s, chamber, target_mmhg, program.release_s if share_pct else 0.0))
    return steps
