"""What flowed in a step of the plant, as its caller sees it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Flows"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Flows:
    """Mean flows of free air over the last substep, in ml/s. Shapes (wraps,) and (wraps, chambers)."""

    duration_s: float
    pump_ml_s: Array
    dump_ml_s: Array
    relief_ml_s: Array
    inlet_ml_s: Array
    """Out of the manifold; it ends in the chamber, or in the room where the hose is off."""
    vent_ml_s: Array
    leak_ml_s: Array
    """Through fabric, leaks and a hose end."""
