"""What the firmware believes of its own pneumatics: the board's figures, and the few steady flows that it computes from them.

Gauge pressures in mmHg, flows of free air in ml/s. Formulas: valve and tube in series ``dp = q^2 / K + R q`` (ISO 6358 below its critical
ratio, Poiseuille), pump ``q = d Q_f (1 - P_m / P_s)``, bladder ``V(P) = V_d + V_s (1 - exp(-P/P_k)) + C_c P + W``. A built wrap is off by
some ten percent in every figure; whoever uses them keeps a margin for that. No physics over time here, no clock.
"""

from dataclasses import dataclass
from functools import cached_property
from math import exp, sqrt

__all__ = ["ATMOSPHERE_MMHG", "ChamberFigures", "PathFigures", "PneumaticFigures"]

ATMOSPHERE_MMHG = 760.0
"""Absolute pressure of the room."""


@dataclass(frozen=True, slots=True)
class PathFigures:
    """A valve with the tube behind it."""

    conductance_ml_s_mmhg: float
    """Sonic conductance C."""
    critical_ratio: float
    resistance_mmhg_s_ml: float

    def drop_mmhg(self, flow_ml_s: float, upstream_mmhg: float) -> float:
        """Pressure lost at ``flow_ml_s``."""
        return flow_ml_s * (flow_ml_s / self._k(upstream_mmhg) + self.resistance_mmhg_s_ml)

    def flow_ml_s(self, upstream_mmhg: float) -> float:
        """Flow to the room from ``upstream_mmhg``; 0 from below it."""
        if upstream_mmhg <= 0.0:
            return 0.0
        k = self._k(upstream_mmhg)
        resistance = self.resistance_mmhg_s_ml
        return 0.5 * k * (sqrt(resistance * resistance + 4.0 * upstream_mmhg / k) - resistance)

    def _k(self, upstream_mmhg: float) -> float:
        return self.conductance_ml_s_mmhg**2 * 2.0 / (1.0 - self.critical_ratio) * (ATMOSPHERE_MMHG + upstream_mmhg)


@dataclass(frozen=True, slots=True)
class ChamberFigures:
    """One bladder, as the board file has it."""

    dead_ml: float
    soft_ml: float
    soft_mmhg: float
    compliance_ml_mmhg: float
    creep_fraction: float
    creep_s: float

    def capacity_ml_mmhg(self, pressure_mmhg: float) -> float:
        """Free air that the next mmHg takes, without creep."""
        at_mmhg = max(0.0, pressure_mmhg)
        slack = exp(-at_mmhg / self.soft_mmhg)
        volume_ml = self.dead_ml + self.soft_ml * (1.0 - slack) + self.compliance_ml_mmhg * at_mmhg
        slope = self.soft_ml / self.soft_mmhg * slack + self.compliance_ml_mmhg
        return (volume_ml + (ATMOSPHERE_MMHG + at_mmhg) * slope) / ATMOSPHERE_MMHG

    def air_ml(self, pressure_mmhg: float) -> float:
        """Free air taken from rest to ``pressure_mmhg``, without creep."""
        at_mmhg = max(0.0, pressure_mmhg)
        volume_ml = self.dead_ml + self.soft_ml * (1.0 - exp(-at_mmhg / self.soft_mmhg)) + self.compliance_ml_mmhg * at_mmhg
        return volume_ml * (ATMOSPHERE_MMHG + at_mmhg) / ATMOSPHERE_MMHG - self.dead_ml

    def creep_ml_s(self, pressure_mmhg: float, crept_ml: float) -> float:
        """How fast the volume of creep grows at ``pressure_mmhg`` when ``crept_ml`` of it is there."""
        return (self.creep_fraction * self.compliance_ml_mmhg * max(0.0, pressure_mmhg) - crept_ml) / self.creep_s


@dataclass(frozen=True)
class PneumaticFigures:
    """The pneumatics of one wrap; ``chambers`` distal first."""

    chambers: tuple[ChamberFigures, ...]
    pump_ml_s: float
    """Free flow."""
    pump_stall_mmhg: float
    pump_lag_s: float
    manifold_ml: float
    relief_mmhg: float
    """Of the manifold."""
    inlet: PathFigures
    """With a chamber's tube."""
    vent: PathFigures
    """With the stub between it and the bladder it sits on."""
    dump: PathFigures
    valve_delay_s: float
    """From the command until a valve has done 63 % of its way: dead time and lag of the slowest of them."""
    sensor_lag_s: float

    def pump_flow_ml_s(self, spin: float, manifold_mmhg: float) -> float:
        """At the speed ``spin``, 0 to 1 of full speed."""
        return spin * self.pump_ml_s * max(0.0, 1.0 - manifold_mmhg / self.pump_stall_mmhg)

    @cached_property
    def steepest_mmhg_s(self) -> float:
        """How fast the smallest chamber rises at 60 mmHg with the pump at full speed: what the control must be able to stop."""
        capacity_ml = min(chamber.capacity_ml_mmhg(_USUAL_MMHG) for chamber in self.chambers)
        manifold_mmhg = _USUAL_MMHG + self.inlet.drop_mmhg(self.pump_ml_s, _USUAL_MMHG)
        return self.pump_flow_ml_s(1.0, manifold_mmhg) / capacity_ml


_USUAL_MMHG = 60.0
"""Choice: among the pressures of the shipped presets."""
