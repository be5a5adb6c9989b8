"""Gauge pressure sensors, one per chamber: lag, noise, offset, quantisation. They know no zero: that is the firmware's business."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wavewrap_protocol.units import CMMHG_PER_MMHG

__all__ = ["PressureSensors", "SensorParameters"]


@dataclass(frozen=True, slots=True)
class SensorParameters:
    """How good the sensors are."""

    lag_s: float = 0.002
    """First order. Choice: a MEMS bridge with a 1 kHz converter behind a short filter."""
    noise_mmhg: float = 0.10
    """Standard deviation of one reading: about 0.10 mmHg in a real chain at 1 kHz."""
    offset_mmhg: float = 2.0
    """Each sensor's own offset is drawn from +/- this.
    Choice: 1 % of full scale is 3.75 mmHg for a common part (2SMPP-03), half of it typical."""
    range_mmhg: float = 300.0
    """A reading saturates at +/- this; the wire carries 327 mmHg."""


class PressureSensors:
    """The sensors of one wrap. ``rng`` draws the offsets once and the noise of every reading."""

    def __init__(self, parameters: SensorParameters, chambers: int, rng: np.random.Generator) -> None:
        self._parameters = parameters
        self._rng = rng
        self._offset_mmhg = rng.uniform(-parameters.offset_mmhg, parameters.offset_mmhg, chambers)
        self._lagged_mmhg = np.zeros(chambers)

    @property
    def offset_mmhg(self) -> NDArray[np.float64]:
        """Each sensor's offset, shape (chambers,)."""
        return self._offset_mmhg.copy()

    def read_cmmhg(self, pressure_mmhg: NDArray[np.float64], dt_s: float) -> tuple[int, ...]:
        """The readings ``dt_s`` after the last ones, at true pressures of shape (chambers,)."""
        parameters = self._parameters
        self._lagged_mmhg = pressure_mmhg + (self._lagged_mmhg - pressure_mmhg) * np.exp(-dt_s / parameters.lag_s)
        noise_mmhg = self._rng.normal(0.0, parameters.noise_mmhg, self._offset_mmhg.size)
        limit = parameters.range_mmhg
        seen_mmhg = np.minimum(np.maximum(self._lagged_mmhg + self._offset_mmhg + noise_mmhg, -limit), limit)
        return tuple(np.rint(seen_mmhg * CMMHG_PER_MMHG).astype(int).tolist())
