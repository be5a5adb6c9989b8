"""What every leg does to a healthy wrap: it moves, and it warms the air. No faults.

Each wrap draws from a generator of its own, so that it goes the same way alone as among others. Values are written to
:class:`wavewrap_sim.plant_conditions.PlantConditions` by whoever owns the plant; shapes are (wraps, chambers).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["LimbMovement", "LimbParameters", "WarmingAir", "WarmingParameters"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class LimbParameters:
    """How a limb moves. All choices: no published record of a moving calf under a bladder was found."""

    peak_mmhg: float = 4.0
    """The largest pulse moves a chamber that gives way by its taut compliance alone by this. Choice: well over the control's band."""
    least_part: float = 0.25
    """The smallest pulse, as a part of that."""
    duration_s: tuple[float, float] = (0.4, 3.0)
    """Shortest and longest pulse: from a twitch to a shift of weight."""
    mean_pause_s: float = 6.0
    """Mean rest between two pulses."""


class LimbMovement:
    """Smooth pulses of volume at random moments, ``A sin^2(pi t / T)``, of either sign; all chambers of a wrap at once.

    ``compliance_ml_mmhg`` (wraps, chambers) turns the peak into a volume; ``rngs`` has one generator a wrap.
    """

    def __init__(self, rngs: Sequence[np.random.Generator], compliance_ml_mmhg: Array, parameters: LimbParameters | None = None) -> None:
        self._rngs = rngs
        self._parameters = parameters or LimbParameters()
        self._compliance = compliance_ml_mmhg
        self._time_s = 0.0
        wraps = len(rngs)
        self._start_s: Array = np.zeros(wraps)
        self._duration_s: Array = np.zeros(wraps)
        self._amplitude_ml: Array = np.zeros_like(compliance_ml_mmhg)
        for wrap in range(wraps):
            self._draw(wrap)
        self._next_end_s = self._first_end_s()

    def advance(self, dt_s: float) -> Array:
        """The volume that each limb takes ``dt_s`` after the last call, in ml."""
        self._time_s += dt_s
        if self._time_s >= self._next_end_s:
            for wrap in np.flatnonzero(self._time_s >= self._start_s + self._duration_s):
                self._draw(int(wrap))
            self._next_end_s = self._first_end_s()
        phase = np.maximum(self._time_s - self._start_s, 0.0) / self._duration_s
        swell_ml: Array = self._amplitude_ml * (np.sin(np.pi * phase) ** 2)[:, None]
        return swell_ml

    def _first_end_s(self) -> float:
        return float((self._start_s + self._duration_s).min())

    def _draw(self, wrap: int) -> None:
        rng, parameters = self._rngs[wrap], self._parameters
        self._start_s[wrap] = self._time_s + rng.exponential(parameters.mean_pause_s)
        self._duration_s[wrap] = rng.uniform(*parameters.duration_s)
        size_mmhg = parameters.peak_mmhg * rng.uniform(parameters.least_part, 1.0) * rng.choice((-1.0, 1.0))
        self._amplitude_ml[wrap] = size_mmhg * self._compliance[wrap] * rng.uniform(0.3, 1.0, self._compliance.shape[1])


@dataclass(frozen=True, slots=True)
class WarmingParameters:
    """How bladders warm on the skin. Choices."""

    most_k: float = 10.0
    """Skin under a sleeve is some 10 K warmer than a room."""
    lag_s: tuple[float, float] = (200.0, 900.0)
    """Shortest and longest time constant: minutes, as slow drifts of bladders are."""


class WarmingAir:
    """Air that warms from the room's temperature towards each wrap's own end, ``W (1 - exp(-t / tau))``."""

    def __init__(self, rngs: Sequence[np.random.Generator], chambers: int, parameters: WarmingParameters | None = None) -> None:
        given = parameters or WarmingParameters()
        self._end_k: Array = np.array([rng.uniform(0.0, given.most_k, chambers) for rng in rngs])
        self._lag_s: Array = np.array([rng.uniform(*given.lag_s, chambers) for rng in rngs])

    def at(self, time_s: float) -> Array:
        """How much warmer than the room the air of each chamber is after ``time_s`` on the limb, in K."""
        warmth_k: Array = self._end_k * -np.expm1(-time_s / self._lag_s)
        return warmth_k
