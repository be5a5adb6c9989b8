"""Gauge pressure sensors: lag, offset, noise, range, resolution. They know no zero (that is the firmware's) and no faults."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import exp, prod

import numpy as np
from numpy.typing import NDArray

from wavewrap_protocol.units import CMMHG_PER_MMHG

__all__ = ["PressureSensors", "SensorParameters", "to_cmmhg"]

Array = NDArray[np.float64]

_NOISE_AHEAD = 1_024
"""So many numbers of noise are drawn at once: one by one they cost more than all the rest of a reading."""


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

    ``rng`` draws the offsets once, and noise ahead for some readings at a time. ``offset_mmhg`` may be written at any time: that is how a
    sensor drifts.
    """

    def __init__(self, parameters: SensorParameters, shape: tuple[int, ...], rng: np.random.Generator) -> None:
        self._parameters = parameters
        self._rng = rng
        self.offset_mmhg: Array = rng.uniform(-parameters.offset_mmhg, parameters.offset_mmhg, shape)
        # As arrays, because numpy takes half as long with them as with numbers.
        self._resolution_mmhg = np.array(parameters.resolution_mmhg)
        self._least_mmhg, self._most_mmhg = np.array(-parameters.range_mmhg), np.array(parameters.range_mmhg)
        self._pressure_mmhg: Array = np.zeros(shape)
        self._lagged_mmhg: Array = np.zeros(shape)
        self._block = (max(1, _NOISE_AHEAD // max(1, prod(shape))), *shape)
        self._noise_mmhg: Iterator[Array] = iter(())

    def read_mmhg(self, pressure_mmhg: Array, dt_s: float) -> Array:
        """The readings ``dt_s`` after the last ones, at true pressures of the sensors' shape, reached in a straight line."""
        if dt_s > 0.0:
            lag_s = self._parameters.lag_s
            behind_mmhg = (pressure_mmhg - self._pressure_mmhg) * (lag_s / dt_s)
            left_mmhg = self._lagged_mmhg - self._pressure_mmhg + behind_mmhg
            self._lagged_mmhg = pressure_mmhg - behind_mmhg + left_mmhg * exp(-dt_s / lag_s)
            self._pressure_mmhg = pressure_mmhg.copy()
        seen_mmhg = self._lagged_mmhg + self.offset_mmhg + self._draw_noise()
        stepped_mmhg = np.rint(seen_mmhg / self._resolution_mmhg) * self._resolution_mmhg
        readings: Array = np.minimum(np.maximum(stepped_mmhg, self._least_mmhg), self._most_mmhg)
        return readings

    def _draw_noise(self) -> Array:
        noise_mmhg = next(self._noise_mmhg, None)
        if noise_mmhg is None:
            self._noise_mmhg = iter(self._rng.normal(0.0, self._parameters.noise_mmhg, self._block))
            noise_mmhg = next(self._noise_mmhg)
        return noise_mmhg


def to_cmmhg(readings_mmhg: Array) -> tuple[int, ...]:
    """The readings of one wrap, shape (chambers,), as its firmware takes them: whole 0.01 mmHg."""
    return tuple([round(reading_mmhg * CMMHG_PER_MMHG) for reading_mmhg in readings_mmhg.tolist()])
