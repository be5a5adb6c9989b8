"""What a board can do: rise and fall of each chamber, and the load of one cycle of a wave on pump, coils and battery.

Quasi-static arithmetic, independent of the simulator. Not responsible for what a program is: a cycle comes in as plain steps.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import exp, inf
from typing import Protocol

import numpy as np

from wavewrap_board.board import Board
from wavewrap_board.fill_times import fall_s, fill_s, relief_path, rise_mmhg_s, start_up_s, vent_path
from wavewrap_board.flow import balance_pump, free_air_ml
from wavewrap_board.pneumatic_parts import ATMOSPHERE_MMHG
from wavewrap_protocol.limits import OVER_THRESHOLD_MMHG, VENTED_MMHG

__all__ = ["ChamberSize", "CycleLoad", "PressureStep", "sessions_per_charge", "size_chamber", "size_cycle", "vent_time_s"]

RESERVE = 1.15
"""A fill in a wave is planned this much longer than at full flow to its end. Choice, from the simulated wrap: ramps with 8 % in hand left a
chamber more than 2 mmHg short when the pump went on to the next one, ramps with 20 % did not."""

LAG_TOLERANCE_S = 0.1
"""A chamber that comes up no later than this has followed. Choice: ten periods of the pressure control, which no one can feel."""


class PressureStep(Protocol):
    """From ``at_s`` on, the set-point of ``chamber`` (0 is distal) moves to ``target_mmhg`` over ``ramp_s``; 0 vents."""

    @property
    def at_s(self) -> float: ...
    @property
    def chamber(self) -> int: ...
    @property
    def target_mmhg(self) -> float: ...
    @property
    def ramp_s(self) -> float: ...


@dataclass(frozen=True, slots=True)
class ChamberSize:
    """One chamber, between rest and one pressure.

    ``air_ml``: free air. ``rise_s``: with pump and valve at rest before. ``next_rise_s``: with the pump running, after another chamber.
    ``rate_mmhg_s``: at the end of a fill at full flow. ``vent_15_s``, ``vent_5_s``: from the command until under 15 and 5 mmHg.
    ``relief_15_s``: the same through inlet and dump, for a vent that has failed.
    """

    name: str
    air_ml: float
    rise_s: float
    next_rise_s: float
    rate_mmhg_s: float
    vent_15_s: float
    vent_5_s: float
    relief_15_s: float


@dataclass(frozen=True, slots=True)
class CycleLoad:
    """What one wrap makes of one cycle.

    ``air_ml``: free air to inflate. ``pump_s``: time at full duty for that and for what creep and leak take. ``fill_s``: for each chamber
    alone, from rest to its highest target. With :data:`RESERVE` on every fill: ``asked_delay_s`` and ``achieved_delay_s``, longest delay
    between one chamber being up and the next one, in the order of inflation (0 with one chamber), and ``lag_s``, how late the latest
    chamber is up. ``energy_j``: of pump, coils and electronics over the whole cycle of ``cycle_s``.
    """

    air_ml: float
    pump_s: float
    fill_s: tuple[float, ...]
    asked_delay_s: float
    achieved_delay_s: float
    lag_s: float
    energy_j: float
    cycle_s: float

    @property
    def ok(self) -> bool:
        """True when every chamber is up in time."""
        return self.lag_s <= LAG_TOLERANCE_S

    @property
    def pump_pct(self) -> float:
        """Share of the cycle that the pump runs at full duty."""
        return 100.0 * self.pump_s / self.cycle_s


def size_chamber(board: Board, chamber: int, target_mmhg: float) -> ChamberSize:
    """Chamber number ``chamber``, counted from 0, between rest and ``target_mmhg``."""
    made = board.chambers[chamber]
    rise_s = fill_s(board, made, 0.0, target_mmhg)
    inlet, dump = board.valves.inlet, board.valves.dump
    relief_delay_s = max(inlet.dead_s + inlet.lag_s, dump.dead_s + dump.lag_s)
    return ChamberSize(
        made.name,
        free_air_ml(made, target_mmhg),
        start_up_s(board, inf) + rise_s,
        start_up_s(board, 0.0) + rise_s,
        float(rise_mmhg_s(board, made, np.array(target_mmhg))),
        vent_time_s(board, chamber, target_mmhg, OVER_THRESHOLD_MMHG),
        vent_time_s(board, chamber, target_mmhg, VENTED_MMHG),
        relief_delay_s + fall_s(made, relief_path(board), target_mmhg, OVER_THRESHOLD_MMHG),
    )


def vent_time_s(board: Board, chamber: int, from_mmhg: float, to_mmhg: float) -> float:
    """From the command to vent chamber number ``chamber``, counted from 0, until it is under ``to_mmhg``; 0 when it is."""
    vent = board.valves.vent
    fallen_s = fall_s(board.chambers[chamber], vent_path(board), from_mmhg, to_mmhg)
    return vent.dead_s + vent.lag_s + fallen_s if fallen_s else 0.0


def size_cycle(board: Board, steps: Sequence[PressureStep], cycle_s: float) -> CycleLoad:
    """Serve the inflations among ``steps``, in time order, at least one, one after another; chambers are at rest before and after."""
    chambers = len(board.chambers)
    set_mmhg, peaks_mmhg = [0.0] * chambers, [0.0] * chambers
    asked_s: list[float] = []
    reached_s: list[float] = []
    air_ml, inlet_s, stopped_s, busy_until_s = 0.0, 0.0, -inf, -inf
    for step in steps:
        before_mmhg = set_mmhg[step.chamber]
        if step.target_mmhg > before_mmhg:
            made = board.chambers[step.chamber]
            air_ml += free_air_ml(made, step.target_mmhg) - free_air_ml(made, before_mmhg)
            needed_s = start_up_s(board, step.at_s - stopped_s) + fill_s(board, made, before_mmhg, step.target_mmhg)
            inlet_s += needed_s
            stopped_s = max(stopped_s, step.at_s) + needed_s
            busy_until_s = max(busy_until_s, step.at_s) + RESERVE * needed_s
            asked_s.append(step.at_s + step.ramp_s)
            reached_s.append(max(busy_until_s, asked_s[-1]))
            peaks_mmhg[step.chamber] = max(peaks_mmhg[step.chamber], step.target_mmhg)
        set_mmhg[step.chamber] = step.target_mmhg
    pump_s = inlet_s + _upkeep_s(board, steps, cycle_s)
    return CycleLoad(
        air_ml,
        pump_s,
        tuple(
            start_up_s(board, inf) + fill_s(board, made, 0.0, peak) if peak else 0.0
            for made, peak in zip(board.chambers, peaks_mmhg, strict=True)
        ),
        _longest_gap(asked_s),
        _longest_gap(reached_s),
        max(reached - asked for reached, asked in zip(reached_s, asked_s, strict=True)),
        _energy_j(board, steps, cycle_s, pump_s),
        cycle_s,
    )


def sessions_per_charge(board: Board, session_j: float) -> int:
    """Whole sessions of ``session_j`` from a full battery down to its reserve."""
    return int(board.battery.capacity_j * (100.0 - board.battery.reserve_pct) / 100.0 / session_j)


def _holds(steps: Sequence[PressureStep], cycle_s: float, chamber: int) -> list[tuple[float, float]]:
    """Pressure and duration of each stretch of ``chamber`` under pressure, ramps counted at their target."""
    own = [step for step in steps if step.chamber == chamber]
    ends_s = [step.at_s for step in own[1:]] + [step.at_s + cycle_s for step in own[:1]]
    return [(step.target_mmhg, end_s - step.at_s) for step, end_s in zip(own, ends_s, strict=True) if step.target_mmhg > 0.0]


def _upkeep_s(board: Board, steps: Sequence[PressureStep], cycle_s: float) -> float:
    """Time at full duty for what leak and creep take while a chamber is held, at the flow against its highest pressure."""
    total_s = 0.0
    for index, made in enumerate(board.chambers):
        holds = _holds(steps, cycle_s, index)
        if not holds:
            continue
        peak_mmhg, held_s = max(mmhg for mmhg, _ in holds), sum(span_s for _, span_s in holds)
        crept_ml = made.creep_fraction * made.compliance_ml_mmhg * peak_mmhg * (1.0 - exp(-held_s / made.creep_s))
        lost_ml = made.leak_ml_s_mmhg * sum(mmhg * span_s for mmhg, span_s in holds)
        _, flow = balance_pump(board.pump, np.array(peak_mmhg), board.valves.inlet, board.tube.resistance_mmhg_s_ml)
        total_s += (crept_ml * (ATMOSPHERE_MMHG + peak_mmhg) / ATMOSPHERE_MMHG + lost_ml) / float(flow)
    return total_s


def _energy_j(board: Board, steps: Sequence[PressureStep], cycle_s: float, pump_s: float) -> float:
    """A vent is held shut while its chamber is under pressure; an inlet open and the dump shut while the pump runs."""
    vents_s = [sum(span_s for _, span_s in _holds(steps, cycle_s, chamber)) for chamber in range(len(board.chambers))]
    valves = board.valves
    coils_j = valves.vent.coil_w * sum(vents_s) + (valves.inlet.coil_w + valves.dump.coil_w) * pump_s
    return coils_j + board.pump.power_w * pump_s + board.battery.electronics_w * cycle_s


def _longest_gap(times_s: list[float]) -> float:
    return max((later - earlier for earlier, later in pairwise(times_s)), default=0.0)
