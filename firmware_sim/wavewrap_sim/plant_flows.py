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

    def part(self, at: NDArray[np.intp]) -> "Moved":
        """The step of the wraps ``at``."""
        manifold_delta, delta, theta, inlet, vent = (array[:, at] for array in self[:5])
        pump, dump, relief = ((flow[:, at], slope[:, at]) for flow, slope in self[5:])
        return Moved(manifold_delta, delta, theta, inlet, vent, pump, dump, relief)

    def merged(self, other: "Moved", at: NDArray[np.intp]) -> "Moved":
        """This step with that of the wraps ``at`` replaced by ``other``."""

        def merge(mine: Array, theirs: Array) -> Array:
            both = mine.copy()
            both[:, at] = theirs
            return both

        manifold_delta, delta, theta, inlet, vent = (merge(mine, theirs) for mine, theirs in zip(self[:5], other[:5], strict=True))
        dump = merge(self.dump[0], other.dump[0]), merge(self.dump[1], other.dump[1])
        relief = merge(self.relief[0], other.relief[0]), merge(self.relief[1], other.relief[1])
        # The pump's line is straight: the second solution did not change it.
        return Moved(manifold_delta, delta, theta, inlet, vent, self.pump, dump, relief)
