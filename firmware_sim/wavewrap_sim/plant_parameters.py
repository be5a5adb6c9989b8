"""What one wrap's pneumatics are made of. Pressures are gauge, volumes and flows are of free air (at 760 mmHg).

Not responsible for how they move: :mod:`wavewrap_sim.pneumatics`.
"""

from dataclasses import dataclass, fields, replace

import numpy as np

__all__ = ["ATMOSPHERE_MMHG", "PlantParameters"]

ATMOSPHERE_MMHG = 760.0
"""Absolute pressure of the room."""

_MMHG_PER_BAR = 750.06


@dataclass(frozen=True, slots=True)
class PlantParameters:
    """Defaults are a calf wrap with one 8 L/min pump. "Assumed" marks a figure that no published source gives."""

    pump_free_flow_ml_s: float = 8_000.0 / 60.0
    """Flow at no back pressure: 8 L/min."""
    pump_stall_mmhg: float = 600.0
    """Pressure at which the pump delivers nothing; the flow falls linearly to it."""
    pump_lag_s: float = 0.080
    """First-order spin-up and spin-down. Assumed."""
    manifold_ml: float = 8.0
    relief_mmhg: float = 300.0
    """Cracking pressure of the manifold's relief valve. Choice: over what a fill needs, far under what the parts stand."""
    relief_ml_s_mmhg: float = 5.0
    """What it lets out for each mmHg over that. Assumed."""
    valve_ml_s_bar: float = 160.0
    """Sonic conductance C of one valve: 0.16 dm3/(s bar), Parker X-Valve."""
    valve_critical_ratio: float = 0.35
    """b of ISO 6358. Assumed."""
    valve_lag_s: float = 0.003
    valve_dead_s: float = 0.005
    """From the command until the poppet moves. Assumed, inside the 2-10 ms that solenoid valves of this size show."""
    tube_mmhg_s_ml: float = 0.0173
    """Poiseuille resistance of a tube of 4 mm bore and 0.8 m length."""
    dead_volume_ml: float = 15.0
    soft_volume_ml: float = 120.0
    """Volume that unfolds while the bladder is still slack. Assumed: no published P-V curve was found."""
    soft_mmhg: float = 5.0
    """Pressure by which 63 % of the soft volume is unfolded. Assumed."""
    compliance_ml_mmhg: float = 1.2
    """Of the taut bladder. Assumed."""
    creep_fraction: float = 0.25
    """Viscoelastic compliance as a part of the elastic one. Assumed."""
    creep_s: float = 4.0
    leak_ml_s_mmhg: float = 5.6e-4

    def scattered(self, rng: np.random.Generator, fraction: float) -> "PlantParameters":
        """These parameters, each multiplied by its own factor from the uniform range ``1 - fraction`` to ``1 + fraction``."""
        factors = rng.uniform(1.0 - fraction, 1.0 + fraction, len(fields(self)))
        return replace(self, **{field.name: getattr(self, field.name) * factors[at] for at, field in enumerate(fields(self))})

    @property
    def valve_ml_s_mmhg(self) -> float:
        """Sonic conductance per mmHg."""
        return self.valve_ml_s_bar / _MMHG_PER_BAR
