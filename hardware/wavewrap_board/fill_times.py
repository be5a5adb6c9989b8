"""How long one chamber takes to rise and to fall: quadrature of ``dP / rate`` over steady flows, with the delays of pump and valves.

Quasi-static: the manifold's own air and the creep of the bladder are taken as additions to first order. Holds to some percent of the real
thing; the tests hold it against the simulator's plant.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from wavewrap_board.flow import balance_pump, capacity_ml_mmhg, flow_ml_s
from wavewrap_board.pneumatic_parts import ATMOSPHERE_MMHG, Chamber

if TYPE_CHECKING:
    from wavewrap_board.board import Board

__all__ = ["EscapePath", "fall_s", "fill_s", "relief_path", "rise_mmhg_s", "run_up_s", "vent_path"]

EscapePath = Callable[[float], float]
"""Flow to the room in ml/s at a chamber pressure in mmHg."""

_NODES = 24
"""Points of the Gauss-Legendre quadrature; 48 change no time by a thousandth."""

_BISECTIONS = 40
"""Halves an interval of some 100 mmHg to under a billionth of one."""


def fill_s(board: Board, chamber: Chamber, from_mmhg: float, to_mmhg: float) -> float:
    """From an open inlet at ``from_mmhg`` until the chamber is at ``to_mmhg``, with the pump at full duty and run up."""
    if to_mmhg <= from_mmhg:
        return 0.0
    return _integrate(lambda mmhg: 1.0 / rise_mmhg_s(board, chamber, mmhg), from_mmhg, to_mmhg)


def rise_mmhg_s(board: Board, chamber: Chamber, pressure_mmhg: float) -> float:
    """How fast ``chamber`` rises at ``pressure_mmhg`` with the pump at full duty and run up."""
    _, pumped_ml_s = balance_pump(board.pump, pressure_mmhg, board.valves.inlet, board.tube.resistance_mmhg_s_ml)
    # The drop over the valve hardly changes, so the manifold rises with the chamber.
    capacity_ml = float(capacity_ml_mmhg(chamber, np.array(pressure_mmhg))) + board.manifold.volume_ml / ATMOSPHERE_MMHG
    return (pumped_ml_s - chamber.leak_ml_s_mmhg * pressure_mmhg) / capacity_ml


def run_up_s(board: Board) -> float:
    """What a fill takes longer when it begins with everything at rest: the valve, and the air that a pump running up does not deliver.

    A first-order lag delivers, once it is over, as much less as if it had begun one lag later.
    """
    return max(board.pump.lag_s, board.valves.inlet.dead_s + board.valves.inlet.lag_s)


def fall_s(chamber: Chamber, path: EscapePath, from_mmhg: float, to_mmhg: float) -> float:
    """From an open path at ``from_mmhg`` until the chamber is at ``to_mmhg``, over 0, without the valve's own delay."""
    if to_mmhg >= from_mmhg:
        return 0.0
    return _integrate(lambda mmhg: float(capacity_ml_mmhg(chamber, np.array(mmhg))) / path(mmhg), to_mmhg, from_mmhg)


def vent_path(board: Board) -> EscapePath:
    """Through the chamber's tube and vent."""
    return lambda mmhg: flow_ml_s(mmhg, 0.0, board.valves.vent, board.tube.resistance_mmhg_s_ml)


def relief_path(board: Board) -> EscapePath:
    """Through the chamber's tube and inlet into the manifold and out of the dump: the way that is left when the vent has failed."""

    def escape_ml_s(chamber_mmhg: float) -> float:
        low_mmhg, high_mmhg = 0.0, chamber_mmhg
        for _ in range(_BISECTIONS):
            middle_mmhg = (low_mmhg + high_mmhg) / 2.0
            into_ml_s = flow_ml_s(chamber_mmhg, middle_mmhg, board.valves.inlet, board.tube.resistance_mmhg_s_ml)
            if into_ml_s > flow_ml_s(middle_mmhg, 0.0, board.valves.dump, 0.0):
                low_mmhg = middle_mmhg
            else:
                high_mmhg = middle_mmhg
        return flow_ml_s(high_mmhg, 0.0, board.valves.dump, 0.0)

    return escape_ml_s


def _integrate(integrand: Callable[[float], float], low_mmhg: float, high_mmhg: float) -> float:
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    half_mmhg = (high_mmhg - low_mmhg) / 2.0
    values = [integrand(float(low_mmhg + half_mmhg * (node + 1.0))) for node in nodes]
    return float(np.dot(weights, values) * half_mmhg)
