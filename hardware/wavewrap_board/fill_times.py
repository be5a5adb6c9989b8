"""How long one chamber takes to rise and to fall: quadrature of ``capacity / flow`` over steady flows, and the delays of pump and valves.

Quasi-static: the manifold rises with the chamber, creep is left out. That holds within some percent; the tests hold it against the
simulator's plant, which is written apart.
"""

from __future__ import annotations

from collections.abc import Callable
from math import exp
from typing import TYPE_CHECKING

import numpy as np

from wavewrap_board.flow import Array, balance_pump, capacity_ml_mmhg, flow_ml_s
from wavewrap_board.pneumatic_parts import ATMOSPHERE_MMHG, Chamber

if TYPE_CHECKING:
    from wavewrap_board.board import Board

__all__ = ["EscapePath", "fall_s", "fill_s", "relief_path", "rise_mmhg_s", "start_up_s", "vent_path"]

EscapePath = Callable[[Array], Array]
"""Flow to the room in ml/s at a chamber's pressure in mmHg."""

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(24)
"""Gauss-Legendre quadrature; 48 points change no time by a thousandth."""

_BISECTIONS = 40
"""Halves an interval of some 100 mmHg to under a billionth of one."""


def fill_s(board: Board, chamber: Chamber, from_mmhg: float, to_mmhg: float) -> float:
    """From an open inlet at ``from_mmhg`` until ``chamber`` is at ``to_mmhg``, the pump at full duty and run up; 0 when it is there."""
    if to_mmhg <= from_mmhg:
        return 0.0
    return _integrate(lambda mmhg: 1.0 / rise_mmhg_s(board, chamber, mmhg), from_mmhg, to_mmhg)


def rise_mmhg_s(board: Board, chamber: Chamber, pressure_mmhg: Array) -> Array:
    """How fast ``chamber`` rises at ``pressure_mmhg`` with the pump at full duty and run up."""
    _, pumped_ml_s = balance_pump(board.pump, pressure_mmhg, board.valves.inlet, board.tube.resistance_mmhg_s_ml)
    # The drop over the valve hardly changes, so the manifold rises with the chamber.
    capacity_ml = capacity_ml_mmhg(chamber, pressure_mmhg) + board.manifold.volume_ml / ATMOSPHERE_MMHG
    rise: Array = (pumped_ml_s - chamber.leak_ml_s_mmhg * pressure_mmhg) / capacity_ml
    return rise


def start_up_s(board: Board, idle_s: float) -> float:
    """What a fill takes longer that begins ``idle_s`` after the pump was stopped; 0 or less: it still runs, ``inf``: it stands.

    A first-order lag has, once it is over, delivered as much less as if all had begun one lag later, and in part when it had not run down.
    The inlet's own dead time and lag pass meanwhile.
    """
    stopped = 1.0 - exp(-max(idle_s, 0.0) / board.pump.lag_s)
    return max(board.pump.lag_s * stopped, board.valves.inlet.dead_s + board.valves.inlet.lag_s)


def fall_s(chamber: Chamber, path: EscapePath, from_mmhg: float, to_mmhg: float) -> float:
    """From an open ``path`` at ``from_mmhg`` until ``chamber`` is at ``to_mmhg``, over 0, without the valve's delay; 0 when it is there.

    ``inf`` through a path that lets nothing out.
    """
    if from_mmhg <= to_mmhg:
        return 0.0
    with np.errstate(divide="ignore"):
        return _integrate(lambda mmhg: capacity_ml_mmhg(chamber, mmhg) / path(mmhg), to_mmhg, from_mmhg)


def vent_path(board: Board) -> EscapePath:
    """Through a chamber's stub and vent."""
    return lambda mmhg: flow_ml_s(mmhg, np.zeros_like(mmhg), board.valves.vent, board.vent_stub.resistance_mmhg_s_ml)


def relief_path(board: Board) -> EscapePath:
    """Through a chamber's tube and inlet into the manifold and out of the dump: the way that is left when its vent has failed."""

    def escape_ml_s(chamber_mmhg: Array) -> Array:
        low_mmhg, high_mmhg = np.zeros_like(chamber_mmhg), chamber_mmhg
        for _ in range(_BISECTIONS):
            middle_mmhg = (low_mmhg + high_mmhg) / 2.0
            into_ml_s = flow_ml_s(chamber_mmhg, middle_mmhg, board.valves.inlet, board.tube.resistance_mmhg_s_ml)
            too_low = into_ml_s > flow_ml_s(middle_mmhg, np.zeros_like(middle_mmhg), board.valves.dump, 0.0)
            low_mmhg, high_mmhg = np.where(too_low, middle_mmhg, low_mmhg), np.where(too_low, high_mmhg, middle_mmhg)
        return flow_ml_s(high_mmhg, np.zeros_like(high_mmhg), board.valves.dump, 0.0)

    return escape_ml_s


def _integrate(integrand: Callable[[Array], Array], low_mmhg: float, high_mmhg: float) -> float:
    half_mmhg = (high_mmhg - low_mmhg) / 2.0
    return float(np.dot(_WEIGHTS, integrand(low_mmhg + half_mmhg * (_NODES + 1.0))) * half_mmhg)
