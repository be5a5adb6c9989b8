"""The zero of the pressure sensors, taken when a session is armed.

A vented bladder falls on for seconds, and a zero taken on that tail would shift every pressure of the session. So the zero is the mean of
the newest readings, and only when they are flat.
"""

from collections import deque
from collections.abc import Sequence

__all__ = ["SensorZero"]

_WINDOW = 40
"""Readings in each of two windows, 0.4 s at 100 Hz: brings the noise of a mean under 0.02 mmHg."""

_FLAT_CMMHG = 15
"""The two means may differ by this. Choice: 7 sigma of noise; a vented bladder falls slower than that only under about 1 mmHg."""


class SensorZero:
    """Offsets of ``chambers`` sensors, 0 until taken."""

    def __init__(self, chambers: int) -> None:
        self._offset_cmmhg = (0,) * chambers
        self._newest: deque[tuple[int, ...]] = deque(maxlen=2 * _WINDOW)
        self._taken = False

    def corrected(self, raw_cmmhg: Sequence[int]) -> tuple[int, ...]:
        """Readings less their zero."""
        return tuple(raw - offset for raw, offset in zip(raw_cmmhg, self._offset_cmmhg, strict=True))

    def watch(self, raw_cmmhg: tuple[int, ...]) -> None:
        """Feed every control period's readings, 0.01 mmHg."""
        self._newest.append(raw_cmmhg)

    def take(self) -> bool:
        """Take the zero when the readings are flat, else keep the one there is. False when there is none yet."""
        if len(self._newest) < 2 * _WINDOW:
            return self._taken
        sums = [
            tuple(sum(column) for column in zip(*part, strict=True))
            for part in (list(self._newest)[:_WINDOW], list(self._newest)[_WINDOW:])
        ]
        if any(abs(new - old) > _FLAT_CMMHG * _WINDOW for old, new in zip(*sums, strict=True)):
            return self._taken
        self._offset_cmmhg = tuple(round((old + new) / (2 * _WINDOW)) for old, new in zip(*sums, strict=True))
        self._taken = True
        return True
