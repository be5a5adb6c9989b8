"""What one wrap's pneumatics are made of. Pressures are gauge, volumes and flows are of free air (at 760 mmHg).

The figures come from a board file (:mod:`wavewrap_sim.from_board`). Not responsible for how they move: :mod:`wavewrap_sim.pneumatics`.
"""

from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

import numpy as np

from wavewrap_sim.plant_kernel import ATMOSPHERE_MMHG

__all__ = [
    "ATMOSPHERE_MMHG",
    "GALLERY_MMHG_S_ML",
    "ChamberParameters",
    "ManifoldParameters",
    "PlantParameters",
    "PumpParameters",
    "ValveParameters",
    "scatter_part",
]

GALLERY_MMHG_S_ML = 4.3e-4
"""Poiseuille resistance of the drilled way to the dump: 4 mm bore, 20 mm long. Choice; it costs nothing while air flows, and without it the
last of the air would leave through an orifice that is infinitely steep at no drop, which no real one is."""

RELIEF_SPREAD = 0.1
"""A relief valve's spring is sorted: it is never further off than this. Choice: what small valves are sold with."""


@dataclass(frozen=True, slots=True)
class ValveParameters:
    """A 2/2 valve by ISO 6358."""

    conductance_ml_s_mmhg: float
    """Sonic conductance C."""
    critical_ratio: float
    """b."""
    lag_s: float
    """First-order opening and closing."""
    dead_s: float
    """From the command until the poppet moves."""


@dataclass(frozen=True, slots=True)
class ChamberParameters:
    """A bladder, its tube and its two valves. ``V(P) = V_d + V_s (1 - exp(-P/P_k)) + C_c P`` and creep."""

    dead_volume_ml: float
    soft_volume_ml: float
    """Volume that unfolds while the bladder is still slack."""
    soft_mmhg: float
    """Pressure by which 63 % of the soft volume is unfolded."""
    compliance_ml_mmhg: float
    """Of the taut bladder."""
    creep_fraction: float
    """Viscoelastic compliance as a part of the elastic one."""
    creep_s: float
    leak_ml_s_mmhg: float
    tube_mmhg_s_ml: float
    """Poiseuille resistance of the hose between inlet and bladder."""
    vent_tube_mmhg_s_ml: float
    """Of the tube between bladder and vent."""
    inlet: ValveParameters
    vent: ValveParameters


@dataclass(frozen=True, slots=True)
class PumpParameters:
    """The flow falls linearly to nothing at the stall pressure; the speed follows the duty with a first-order lag."""

    free_flow_ml_s: float
    stall_mmhg: float
    lag_s: float


@dataclass(frozen=True, slots=True)
class ManifoldParameters:
    """The block between pump and inlets, with its mechanical relief."""

    volume_ml: float
    relief_mmhg: float
    """Cracking pressure."""
    relief_ml_s_mmhg: float
    """What the relief lets out for each mmHg over that."""


@dataclass(frozen=True, slots=True)
class PlantParameters:
    """One wrap; chambers distal first."""

    chambers: tuple[ChamberParameters, ...]
    pump: PumpParameters
    manifold: ManifoldParameters
    dump: ValveParameters

    def scattered(self, rng: np.random.Generator, fraction: float) -> "PlantParameters":
        """Every figure multiplied by its own factor from the uniform range ``1 - fraction`` to ``1 + fraction``.

        The relief's spring scatters by :data:`RELIEF_SPREAD` at most.
        """
        drawn: PlantParameters = scatter_part(self, rng, fraction)
        spring = min(fraction, RELIEF_SPREAD)
        relief_mmhg = self.manifold.relief_mmhg * rng.uniform(1.0 - spring, 1.0 + spring)
        return replace(drawn, manifold=replace(drawn.manifold, relief_mmhg=relief_mmhg))


def scatter_part(part: Any, rng: np.random.Generator, fraction: float) -> Any:  # Any: parts of each type map to the same type
    """``part``, one of the classes here, with each of its figures multiplied by its own factor."""
    if isinstance(part, tuple):
        return tuple(scatter_part(item, rng, fraction) for item in part)
    if is_dataclass(part) and not isinstance(part, type):
        return replace(part, **{field.name: scatter_part(getattr(part, field.name), rng, fraction) for field in fields(part)})
    return part * rng.uniform(1.0 - fraction, 1.0 + fraction)
