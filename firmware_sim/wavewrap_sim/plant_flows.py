"""What flowed in a step of the plant: as its caller sees it, and as the step was solved."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Flows", "Moved"]

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


class Moved(NamedTuple):
    """A solved step: changes of pressure, mean flows of inlets and vents, and flow and slope of what belongs to the manifold alone."""

    manifold_delta: Array
    delta: Array
    theta: Array
    inlet: Array
    vent: Array
    pump: tuple[Array, Array]
    dump: tuple[Array, Array]
    relief: tuple[Array, Array]
