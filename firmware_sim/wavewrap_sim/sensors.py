"""Gauge pressure sensors: lag, offset, noise, range, resolution. They know no zero (that is the firmware's) and no faults."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wavewrap_protocol.units import CMMHG_PER_MMHG

__all__ = ["PressureSensors", "SensorParameters", "to_cmmhg"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SensorParameters:
    """How good the sensors are; the figures come from a board file."""

    lag_s: float
    """First order."""
    noise_mmhg: float
    """Standard deviation of one reading."""
    offset_mmhg: float
    """Each sensor's own offset is drawn from +/- this."""
    range_mmhg: float
    """A reading saturates at +/- this."""
    resolution_mmhg: float


class PressureSensors:
    """Sensors of one kind in an array of any ``shape``: (wraps, chambers) on the chambers, (wraps,) on the manifolds.

    ``rng`` draws the offsets once and the noise of every reading. ``offset_mmhg`` may be written at any time: that is how a sensor drifts.
    """

    def __init__(self, parameters: SensorParameters, shape: tuple[int, ...], rng: np.random.Generator) -> None:
        self._parameters = parameters
        self._rng = rng
        self.offset_mmhg: Array = rng.uniform(-parameters.offset_mmhg, parameters.offset_mmhg, shape)
        self._pressure_mmhg: Array = np.zeros(shape)
        self._lagged_mmhg: Array = np.zeros(shape)

    def read_mmhg(self, pressure_mmhg: Array, dt_s: float) -> Array:
        """The readings ``dt_s`` after the last ones, at true pressures of the sensors' shape, reached in a straight line."""
        parameters = self._parameters
        if dt_s > 0.0:
            behind_mmhg = (pressure_mmhg - self._pressure_mmhg) * (parameters.lag_s / dt_s)
            left_mmhg = self._lagged_mmhg - self._pressure_mmhg + behind_mmhg
            self._lagged_mmhg = pressure_mmhg - behind_mmhg + left_mmhg * np.exp(-dt_s / parameters.lag_s)
            self._pressure_mmhg = pressure_mmhg.copy()
        noise_mmhg = self._rng.normal(0.0, parameters.noise_mmhg, self.offset_mmhg.shape)
        seen_mmhg = self._lagged_mmhg + self.offset_mmhg + noise_mmhg
        stepped_mmhg = np.rint(seen_mmhg / parameters.resolution_mmhg) * parameters.resolution_mmhg
        readings: Array = np.minimum(np.maximum(stepped_mmhg, -parameters.range_mmhg), parameters.range_mmhg)
        return readings


def to_cmmhg(readings_mmhg: Array) -> tuple[int, ...]:
    """The readings of one wrap, shape (chambers,), as its firmware takes them: whole 0.01 mmHg."""
    return tuple(np.rint(readings_mmhg * CMMHG_PER_MMHG).astype(int).tolist())
