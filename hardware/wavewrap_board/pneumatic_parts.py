"""What the air goes through: bladders, pump, manifold, valves, tubes. Pressures are gauge, volumes and flows are of free air (760 mmHg).

Not responsible for whether the parts suit each other: :mod:`wavewrap_board.checks`.
"""

from math import pi
from typing import Literal

from pydantic import Field

from wavewrap_board.table import Fraction, NotNegative, Positive, Table

__all__ = ["ATMOSPHERE_MMHG", "Chamber", "Manifold", "Pump", "Tube", "Valve", "Valves"]

ATMOSPHERE_MMHG = 760.0
"""Absolute pressure of the room."""

_MMHG_PER_BAR = 750.06
_PA_PER_MMHG = 133.322
_AIR_VISCOSITY_PA_S = 1.83e-5
"""Air at 25 degC."""


class Chamber(Table):
    """One bladder: ``V(P) = V_d + V_s (1 - exp(-P/P_k)) + C_c P + W``.

    Creep: ``dW/dt = (C_w P - W) / tau_w`` with ``C_w`` = ``creep_fraction`` times ``C_c``.
    """

    name: str = Field(min_length=1, max_length=24)
    length_mm: Positive
    """Around the limb, between the welds."""
    width_mm: Positive
    """Along the limb, between the welds."""
    dead_volume_ml: Positive
    """Volume that is left when vented."""
    soft_volume_ml: NotNegative
    """Volume that unfolds while the bladder is slack."""
    soft_mmhg: Positive
    """Pressure by which 63 % of the soft volume is unfolded."""
    compliance_ml_mmhg: Positive
    """Of the taut bladder with limb and sleeve."""
    creep_fraction: NotNegative
    creep_s: Positive
    leak_ml_s_mmhg: NotNegative

    @property
    def largest_volume_ml(self) -> float:
        """Two flat sheets welded ``width_mm`` apart bulge at most to a round tube of twice that circumference: ``l w^2 / pi``."""
        return self.length_mm * self.width_mm**2 / pi / 1000.0


class Pump(Table):
    """Flow falls in a straight line from free flow to nothing at the stall pressure; the speed follows the duty with a first-order lag."""

    free_flow_ml_s: Positive
    stall_mmhg: Positive
    lag_s: Positive
    power_w: Positive
    """At full duty."""
    units: int = Field(ge=1, le=4)
    """Pumps in parallel; the figures are of all of them together."""


class Manifold(Table):
    """The block that pump, inlets, dump, relief and sensor share."""

    volume_ml: Positive
    relief_mmhg: Positive
    """Cracking pressure of the mechanical relief valve."""
    relief_ml_s_mmhg: Positive
    """What the relief lets out for each mmHg over that."""
    rated_mmhg: Positive
    """What the weakest part on the manifold stands for good."""


class Valve(Table):
    """A 2/2 solenoid valve by ISO 6358, with dead time and a first-order lag."""

    conductance_ml_s_bar: Positive
    """Sonic conductance C."""
    critical_ratio: Fraction
    """b."""
    lag_s: Positive
    dead_s: Positive
    """From the command until the poppet moves."""
    coil_w: Positive
    """Mean power of the energised coil."""
    rest: Literal["open", "closed"]
    """Without power."""

    @property
    def conductance_ml_s_mmhg(self) -> float:
        """C for each mmHg."""
        return self.conductance_ml_s_bar / _MMHG_PER_BAR


class Valves(Table):
    """By role. One inlet and one vent a chamber, one dump a wrap."""

    inlet: Valve
    vent: Valve
    dump: Valve


class Tube(Table):
    """One a chamber; all of a kind are alike."""

    bore_mm: Positive
    length_m: Positive

    @property
    def resistance_mmhg_s_ml(self) -> float:
        """Poiseuille: ``8 mu l / (pi r^4)``."""
        radius_m = self.bore_mm / 2_000.0
        return 8.0 * _AIR_VISCOSITY_PA_S * self.length_m / (pi * radius_m**4) / _PA_PER_MMHG * 1e-6
