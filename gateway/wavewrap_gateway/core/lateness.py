"""How late wake-ups were: a histogram with fixed bins, so that a minute and a month take the same memory."""

from bisect import bisect_left
from math import ceil

from wavewrap_protocol.payloads import Histogram, Quantiles

__all__ = ["Lateness"]

LOWEST_MS = 0.0125
"""Upper bound of the first bin. Choice: under the best p50 that a host was seen to reach (0.014 ms, C under SCHED_FIFO)."""

OCTAVES = 17
"""The last bound is 2^17 times the first, 1.6 s. Choice: a third of the lease; over it the figure that counts is the largest."""

PER_OCTAVE = 8
"""Bins an octave for quantiles: neighbours lie 2^(1/8), 9 %, apart. Only whole octaves are published."""

_BOUNDS_MS: tuple[float, ...] = tuple(LOWEST_MS * 2.0 ** (index / PER_OCTAVE) for index in range(OCTAVES * PER_OCTAVE + 1))


class Lateness:
    """The score of one gateway run."""

    def __init__(self) -> None:
        self._counts = [0] * (len(_BOUNDS_MS) + 1)
        self._max_ms = 0.0

    def add(self, late_s: float) -> None:
        """One wake-up. Early counts as on time."""
        late_ms = max(0.0, late_s) * 1000.0
        self._counts[bisect_left(_BOUNDS_MS, late_ms)] += 1
        self._max_ms = max(self._max_ms, late_ms)

    def quantiles(self) -> Quantiles:
        """p50 and p99 as the upper bounds of their bins, never too small, at most 9 % too large; the exact maximum. All 0 for none."""
        return Quantiles(p50=self._bound_ms(0.5), p99=self._bound_ms(0.99), max=round(self._max_ms, 3))

    def _bound_ms(self, share: float) -> float:
        """The smallest bound that ``share`` of the wake-ups kept, or the maximum where that is smaller."""
        wanted = ceil(share * sum(self._counts))
        seen = 0
        for bound_ms, count in zip(_BOUNDS_MS, self._counts, strict=False):
            seen += count
            if seen >= wanted:
                return round(min(bound_ms, self._max_ms), 3)
        return round(self._max_ms, 3)

    def histogram(self) -> Histogram:
        """Counts an octave, from :data:`LOWEST_MS` up."""
        first, rest, over = self._counts[0], self._counts[1:-1], self._counts[-1]
        octaves = [sum(rest[start : start + PER_OCTAVE]) for start in range(0, len(rest), PER_OCTAVE)]
        return Histogram(bounds_ms=[round(bound_ms, 4) for bound_ms in _BOUNDS_MS[::PER_OCTAVE]], counts=[first, *octaves, over])
