"""Formulas of the steady flow of air, for checks and sizing. Gauge pressures in mmHg, flows of free air in ml/s.

- Valve and tube in series: the subsonic branch of ISO 6358 with Poiseuille's law,
  ``q = K/2 (sqrt(R^2 + 4 dp/K) - R)``, ``K = C^2 P_1 2/(1-b) (1 - y/2)``, ``y = (dp/P_1) / (1-b)``, ``P_1`` absolute upstream.
- Pump: ``q = Q_f (1 - P_m / P_s)``.
- Capacity of a bladder, free air per mmHg: ``(V + (P_a + P) V') / P_a``, from ``N = (P_a + P) V / P_a``.

Written apart from the simulator's plant on purpose, so that each can be held against the other.
"""

from math import sqrt

import numpy as np
from numpy.typing import NDArray

from wavewrap_board.pneumatic_parts import ATMOSPHERE_MMHG, Chamber, Pump, Valve

__all__ = ["balance_pump", "capacity_ml_mmhg", "flow_ml_s", "free_air_ml", "pump_flow_ml_s"]

_BISECTIONS = 50
"""Halves an interval of some 100 mmHg below the rounding of a float."""


def flow_ml_s(upstream_mmhg: float, downstream_mmhg: float, valve: Valve, resistance_mmhg_s_ml: float) -> float:
    """Through ``valve`` and a tube of ``resistance_mmhg_s_ml`` (0: none); 0 when the pressures do not push that way."""
    drop_mmhg = upstream_mmhg - downstream_mmhg
    if drop_mmhg <= 0.0:
        return 0.0
    absolute_mmhg = upstream_mmhg + ATMOSPHERE_MMHG
    fall = drop_mmhg / absolute_mmhg / (1.0 - valve.critical_ratio)
    k = valve.conductance_ml_s_mmhg**2 * absolute_mmhg * 2.0 / (1.0 - valve.critical_ratio) * (1.0 - fall / 2.0)
    return k / 2.0 * (sqrt(resistance_mmhg_s_ml**2 + 4.0 * drop_mmhg / k) - resistance_mmhg_s_ml)


def pump_flow_ml_s(pump: Pump, manifold_mmhg: float) -> float:
    """At full duty, run up."""
    return max(0.0, pump.free_flow_ml_s * (1.0 - manifold_mmhg / pump.stall_mmhg))


def balance_pump(pump: Pump, chamber_mmhg: float, inlet: Valve, resistance_mmhg_s_ml: float) -> tuple[float, float]:
    """Steady manifold pressure (mmHg) and flow (ml/s) while the pump fills a chamber at ``chamber_mmhg``, under its stall pressure."""
    low_mmhg, high_mmhg = chamber_mmhg, pump.stall_mmhg
    for _ in range(_BISECTIONS):
        middle_mmhg = (low_mmhg + high_mmhg) / 2.0
        if pump_flow_ml_s(pump, middle_mmhg) > flow_ml_s(middle_mmhg, chamber_mmhg, inlet, resistance_mmhg_s_ml):
            low_mmhg = middle_mmhg
        else:
            high_mmhg = middle_mmhg
    return high_mmhg, pump_flow_ml_s(pump, high_mmhg)


def free_air_ml(chamber: Chamber, pressure_mmhg: float) -> float:
    """Free air that a chamber takes from rest to ``pressure_mmhg``, without creep."""
    volume_ml = _volume_ml(chamber, np.array(pressure_mmhg))
    return float(volume_ml * (ATMOSPHERE_MMHG + pressure_mmhg) / ATMOSPHERE_MMHG) - chamber.dead_volume_ml


def capacity_ml_mmhg(chamber: Chamber, pressure_mmhg: NDArray[np.float64]) -> NDArray[np.float64]:
    """Free air that each further mmHg takes, without creep; any shape in, the same out."""
    slope = chamber.soft_volume_ml / chamber.soft_mmhg * np.exp(-pressure_mmhg / chamber.soft_mmhg) + chamber.compliance_ml_mmhg
    capacity: NDArray[np.float64] = (_volume_ml(chamber, pressure_mmhg) + (ATMOSPHERE_MMHG + pressure_mmhg) * slope) / ATMOSPHERE_MMHG
    return capacity


def _volume_ml(chamber: Chamber, pressure_mmhg: NDArray[np.float64]) -> NDArray[np.float64]:
    soft_ml = chamber.soft_volume_ml * (1.0 - np.exp(-pressure_mmhg / chamber.soft_mmhg))
    volume_ml: NDArray[np.float64] = chamber.dead_volume_ml + soft_ml + chamber.compliance_ml_mmhg * pressure_mmhg
    return volume_ml
