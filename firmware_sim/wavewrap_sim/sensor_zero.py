"""The zero of the pressure sensors, taken whenever a chamber is empty and its reading flat: before each session, and between compressions.

A vented bladder falls on for a while, and a zero taken on that tail would shift every pressure that follows. So the zero is the mean of
two windows of readings that agree, and the caller feeds only what must be empty by then. A zero that would move too far is a sensor that
drifts, never zeroed away. Readings in 0.01 mmHg; the last channel may be the manifold's.
"""

from collections.abc import Sequence

__all__ = ["SensorZero"]

_WINDOW = 40
"""Readings in each window, 0.4 s at 100 Hz: brings the noise of a mean to 0.016 mmHg."""

_FLAT_CMMHG = 5
"""The two means may differ by this. Choice: twice the noise of the difference; a bladder whose tail falls slower is under 0.1 mmHg."""


class _Channel:
    __slots__ = ("mean_cmmhg", "offset_cmmhg", "seen", "sum_cmmhg", "taken")

    def __init__(self) -> None:
        self.offset_cmmhg = 0
        self.taken = False
        self.mean_cmmhg: float | None = None
        self.sum_cmmhg = 0
        self.seen = 0


class SensorZero:
    """Offsets of ``channels`` sensors, 0 until taken.

    The first zero may be up to ``first_cmmhg``, each later one up to ``drift_cmmhg`` from the one before.
    """

    def __init__(self, channels: int, first_cmmhg: int, drift_cmmhg: int) -> None:
        self._channels = [_Channel() for _ in range(channels)]
        self._first_cmmhg = first_cmmhg
        self._drift_cmmhg = drift_cmmhg
        self._offsets_cmmhg = (0,) * channels

    @property
    def is_taken(self) -> bool:
        """Whether every channel has a zero."""
        return all(channel.taken for channel in self._channels)

    def corrected(self, raw_cmmhg: Sequence[int]) -> tuple[int, ...]:
        """Readings less their zero."""
        return tuple([raw - offset for raw, offset in zip(raw_cmmhg, self._offsets_cmmhg, strict=True)])

    def watch(self, raw_cmmhg: Sequence[int], empty: Sequence[bool]) -> list[int]:
        """Feed one control period's readings and which channels must be empty; the channels whose zero would move too far."""
        drifted = []
        for at, channel in enumerate(self._channels):
            if not empty[at]:
                channel.mean_cmmhg, channel.sum_cmmhg, channel.seen = None, 0, 0
                continue
            channel.sum_cmmhg += raw_cmmhg[at]
            channel.seen += 1
            if channel.seen == _WINDOW and not self._close_window(channel):
                drifted.append(at)
        return drifted

    def _close_window(self, channel: _Channel) -> bool:
        """Take the zero when two windows agree. False when it would move too far."""
        older_cmmhg, channel.mean_cmmhg = channel.mean_cmmhg, channel.sum_cmmhg / _WINDOW
        channel.sum_cmmhg, channel.seen = 0, 0
        if older_cmmhg is None or abs(channel.mean_cmmhg - older_cmmhg) > _FLAT_CMMHG:
            return True
        offset_cmmhg = round((older_cmmhg + channel.mean_cmmhg) / 2.0)
        if abs(offset_cmmhg - channel.offset_cmmhg) > (self._drift_cmmhg if channel.taken else self._first_cmmhg):
            return False
        channel.offset_cmmhg, channel.taken = offset_cmmhg, True
        self._offsets_cmmhg = tuple([each.offset_cmmhg for each in self._channels])
        return True
