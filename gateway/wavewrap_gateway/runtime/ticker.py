"""Wakes on absolute deadlines and keeps the score of how late it woke. Lateness eats guard, never the device's accuracy."""

import asyncio
from collections import deque
from collections.abc import Callable

from wavewrap_gateway.core.account import quantiles
from wavewrap_protocol.payloads import Quantiles

__all__ = ["Lateness", "Ticker"]

KEPT = 36_000
"""Wake-ups remembered: an hour at ten a second."""


class Lateness:
    """How late wake-ups were, milliseconds."""

    def __init__(self) -> None:
        self._values_ms: deque[float] = deque(maxlen=KEPT)

    def add(self, late_s: float) -> None:
        """One wake-up."""
        self._values_ms.append(max(0.0, late_s) * 1000.0)

    def quantiles(self) -> Quantiles:
        """p50, p99 and maximum."""
        return quantiles(list(self._values_ms))


class Ticker:
    """A grid of deadlines ``period_s`` apart, the same for every ticker of that period, so that they share their wake-ups.

    A deadline that was missed altogether is skipped, not made up for.
    """

    def __init__(self, period_s: float, clock: Callable[[], float], lateness: Lateness) -> None:
        self._period_s = period_s
        self._clock = clock
        self._lateness = lateness
        self._number = int(clock() / period_s)

    async def wait(self) -> None:
        """Until the next deadline."""
        self._number = max(self._number + 1, int(self._clock() / self._period_s))
        deadline_s = self._number * self._period_s
        await asyncio.sleep(max(0.0, deadline_s - self._clock()))
        self._lateness.add(self._clock() - deadline_s)
