"""Formulas of the steady flow of air, for checks and sizing. Gauge pressures in mmHg, flows of free air in ml/s, arrays of any one shape.

- Valve and tube in series: the subsonic branch of ISO 6358 with Poiseuille's law,
  ``q = K/2 (sqrt(R^2 + 4 dp/K) - R)``, ``K = C^2 P_1 2/(1-b) (1 - y/2)``, ``y = (dp/P_1) / (1-b)``, ``P_1`` absolute upstream.
- Pump: ``q = Q_f (1 - P_m / P_s)``.
- Capacity of a bladder, free air per mmHg: ``(V + (P_a + P) V') / P_a``, from ``N = (P_a + P) V / P_a``.

Written apart from the simulator's plant on purpose, so that each can be held against the other.
"""

import numpy as np
from numpy.typing import NDArray

from wavewrap_board.pneumatic_parts import ATMOSPHERE_MMHG, Chamber, Pump, Valve

__all__ = ["Array", "balance_pump", "capacity_ml_mmhg", "flow_ml_s", "free_air_ml", "pump_flow_ml_s", "volume_ml"]

Array = NDArray[np.float64]

_ROUNDS = 3
"""K hardly depends on the manifold's pressure, so each round of the fixed point wins two digits: three leave 1e-7."""


def flow_ml_s(upstream_mmhg: Array, downstream_mmhg: Array, valve: Valve, resistance_mmhg_s_ml: float) -> Array:
    """Through ``valve`` and a tube of ``resistance_mmhg_s_ml`` (0: none); 0 where the pressures do not push that way."""
    drop_mmhg = np.maximum(upstream_mmhg - downstream_mmhg, 0.0)
    k = _gain(upstream_mmhg, drop_mmhg, valve)
    flow: Array = k / 2.0 * (np.sqrt(resistance_mmhg_s_ml**2 + 4.0 * drop_mmhg / k) - resistance_mmhg_s_ml)
    return flow


def pump_flow_ml_s(pump: Pump, manifold_mmhg: Array) -> Array:
    """At full duty, run up."""
    flow: Array = np.maximum(0.0, pump.free_flow_ml_s * (1.0 - manifold_mmhg / pump.stall_mmhg))
    return flow


def balance_pump(pump: Pump, chamber_mmhg: Array, inlet: Valve, resistance_mmhg_s_ml: float) -> tuple[Array, Array]:
    """Steady manifold pressure (mmHg) and flow (ml/s) while the pump fills a chamber at ``chamber_mmhg``, under its stall pressure.

    The pump is a pressure source of the stall pressure behind a resistance, which joins the tube's; K is found by repetition.
    """
    source = resistance_mmhg_s_ml + pump.stall_mmhg / pump.free_flow_ml_s
    manifold_mmhg, flow = chamber_mmhg, np.zeros_like(chamber_mmhg)
    for _ in range(_ROUNDS):
        valve_drop_mmhg = np.maximum(manifold_mmhg - chamber_mmhg, 0.0)
        k = _gain(manifold_mmhg, valve_drop_mmhg, inlet)
        flow = k / 2.0 * (np.sqrt(source**2 + 4.0 * (pump.stall_mmhg - chamber_mmhg) / k) - source)
        manifold_mmhg = pump.stall_mmhg * (1.0 - flow / pump.free_flow_ml_s)
    return manifold_mmhg, flow


def volume_ml(chamber: Chamber, pressure_mmhg: Array) -> Array:
    """Of the bladder, without creep."""
    soft_ml = chamber.soft_volume_ml * (1.0 - np.exp(-pressure_mmhg / chamber.soft_mmhg))
    volume: Array = chamber.dead_volume_ml + soft_ml + chamber.compliance_ml_mmhg * pressure_mmhg
    return volume


def free_air_ml(chamber: Chamber, pressure_mmhg: float) -> float:
    """Free air that a chamber takes from rest to ``pressure_mmhg``, without creep."""
    held_ml = float(volume_ml(chamber, np.array(pressure_mmhg))) * (ATMOSPHERE_MMHG + pressure_mmhg) / ATMOSPHERE_MMHG
    return held_ml - chamber.dead_volume_ml


def capacity_ml_mmhg(chamber: Chamber, pressure_mmhg: Array) -> Array:
    """Free air that each further mmHg takes, without creep."""
    slope = chamber.soft_volume_ml / chamber.soft_mmhg * np.exp(-pressure_mmhg / chamber.soft_mmhg) + chamber.compliance_ml_mmhg
    capacity: Array = (volume_ml(chamber, pressure_mmhg) + (ATMOSPHERE_MMHG + pressure_mmhg) * slope) / ATMOSPHERE_MMHG
    return capacity


def _gain(upstream_mmhg: Array, drop_mmhg: Array, valve: Valve) -> Array:
    absolute_mmhg = upstream_mmhg + ATMOSPHERE_MMHG
    fall = drop_mmhg / absolute_mmhg / (1.0 - valve.critical_ratio)
    gain: Array = valve.conductance_ml_s_mmhg**2 * absolute_mmhg * 2.0 / (1.0 - valve.critical_ratio) * (1.0 - fall / 2.0)
    return gain
