"""Wakes on absolute deadlines and keeps the score of how late it woke. Lateness eats guard, never the device's accuracy."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from wavewrap_gateway.core.lateness import Lateness

__all__ = ["LoopTimer", "Ticker", "Timer"]


class Timer(Protocol):
    """Sleeps on the running loop's time line. An adapter may know a better one than the loop's."""

    async def sleep_until(self, deadline_s: float) -> None:
        """Return at ``deadline_s`` of the loop's clock, seconds; when it has passed at once, but not without giving others their turn."""


class LoopTimer:
    """The loop's own timer: works on every loop, a test's with virtual time among them; epoll rounds it up to the next millisecond."""

    async def sleep_until(self, deadline_s: float) -> None:
        """As :meth:`Timer.sleep_until`."""
        await asyncio.sleep(max(0.0, deadline_s - asyncio.get_running_loop().time()))


class Ticker:
    """A grid of deadlines ``period_s`` apart, the same for every ticker of that period, so that they share their wake-ups.

    ``clock`` reads the time line of ``timer``, seconds. A deadline that was missed altogether is skipped, not made up for.
    """

    def __init__(self, period_s: float, clock: Callable[[], float], lateness: Lateness, timer: Timer) -> None:
        self._period_s = period_s
        self._clock = clock
        self._lateness = lateness
        self._timer = timer
        self._number = int(clock() / period_s)

    async def wait(self) -> None:
        """Until the next deadline."""
        self._number = max(self._number + 1, int(self._clock() / self._period_s))
        deadline_s = self._number * self._period_s
        await self._timer.sleep_until(deadline_s)
        self._lateness.add(self._clock() - deadline_s)
