"""Maps host seconds to device ticks from two-way time stamps.

A ping leaves the host at ``sent_s``, is stamped by the device at ``received_tick``, answered at ``answered_tick`` and is back at
``returned_s``. Nothing travels back in time, so on the true line ``host = a + b * tick`` every ping says

    host(received_tick) >= sent_s        and        host(answered_tick) <= returned_s

Lines that satisfy all stamps of the window form a convex set; at a given tick they span an interval. Its middle is the estimate, half its
width the uncertainty: a bound, not a spread, as long as the crystal keeps its rate within the window. No clock, no loop: time is passed in.

Source of the method: lower envelopes of one-way delays, as in Moon, Skelly and Towsley, "Estimation and removal of clock skew from network
delay measurements" (INFOCOM 1999), used in both directions.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wavewrap_protocol.units import TICKS_PER_S, TickUnwrapper

__all__ = ["ClockEstimate", "ClockSync"]

SKEW_MAX_PPM = 600.0
"""Widest skew taken for real. Choice: ten times a poor crystal (50 ppm), so that a broken one shows instead of being hidden."""

WINDOW_S = 90.0
"""Stamps older than this are dropped: long enough to see skew under the noise, short enough that a crystal keeps its rate."""

STAMPS_MAX = 256
"""Most stamps kept a side; the least informative (largest delay) go first."""

AHEAD_S = 6.0
"""Where the second point of an estimate lies: just past the scheduling horizon."""

_SEARCH_STEPS = 32
"""Steps of the ternary search over skew: (2/3)^32 of 1200 ppm over the window is a fraction of a microsecond."""


@dataclass(frozen=True, slots=True)
class ClockEstimate:
    """A line between host seconds and device ticks (never wrapped), and how far off it may be.

    ``origin_s`` and ``origin_tick`` are a point on it, ``rate`` is host seconds per device second. ``uncertainty_s`` is the half width of
    what is possible at the origin, ``uncertainty_ahead_s`` the same :data:`AHEAD_S` later.
    """

    boot_id: int
    origin_s: float
    origin_tick: int
    rate: float
    uncertainty_s: float
    uncertainty_ahead_s: float

    def tick_at(self, host_s: float) -> int:
        """Device tick at ``host_s``."""
        return self.origin_tick + round((host_s - self.origin_s) / self.rate * TICKS_PER_S)

    def host_at(self, tick: int) -> float:
        """Host seconds at device tick ``tick``."""
        return self.origin_s + (tick - self.origin_tick) / TICKS_PER_S * self.rate

    def uncertainty_at(self, host_s: float) -> float:
        """Half width of what is possible at ``host_s``, seconds.

        The true width is convex in time, so the chord between the two solved points bounds it from above between them.
        """
        ahead = (host_s - self.origin_s) / AHEAD_S
        return self.uncertainty_s + max(0.0, ahead) * (self.uncertainty_ahead_s - self.uncertainty_s)

    @property
    def skew_ppm(self) -> float:
        """How much faster the device counts than the host."""
        return (1.0 / self.rate - 1.0) * 1e6


class ClockSync:
    """Estimator for one boot of one device."""

    def __init__(self) -> None:
        self.reset(0)

    def reset(self, boot_id: int) -> None:
        """Forget every stamp: the device booted, or the link changed its timing."""
        self._boot_id = boot_id
        self._unwrap = TickUnwrapper()
        self._lower: list[tuple[int, float]] = []
        self._upper: list[tuple[int, float]] = []
        self._estimate: ClockEstimate | None = None
        self._last_s = 0.0

    @property
    def estimate(self) -> ClockEstimate | None:
        """The newest estimate, ``None`` before the first complete ping."""
        return self._estimate

    @property
    def boot_id(self) -> int:
        """Boot that the stamps belong to."""
        return self._boot_id

    @property
    def stamps(self) -> int:
        """Complete pings in the window."""
        return len(self._lower)

    def unwrap(self, tick: int) -> int:
        """A 32-bit tick of this boot as a count that never wraps."""
        return self._unwrap.unwrap(tick)

    def age_s(self, now_s: float) -> float:
        """Seconds since the last ping."""
        return now_s - self._last_s

    def add_ping(self, sent_s: float, received_tick: int, answered_tick: int, returned_s: float) -> None:
        """One complete exchange; recomputes the estimate."""
        # A tick is stamped after it began: the exchange may have happened up to one tick later.
        self._lower.append((self._unwrap.unwrap(received_tick) + 1, sent_s))
        self._upper.append((self._unwrap.unwrap(answered_tick), returned_s))
        self._last_s = returned_s
        self._lower = _bounded(self._lower, returned_s, keep_largest=True)
        self._upper = _bounded(self._upper, returned_s, keep_largest=False)
        self._estimate = self._solve()

    def _solve(self) -> ClockEstimate:
        lower, upper = np.array(self._lower, dtype=np.float64), np.array(self._upper, dtype=np.float64)
        origin_tick = int(lower[-1, 0])
        origin_host_s = float(lower[-1, 1])
        for side in (lower, upper):
            side[:, 0] = (side[:, 0] - origin_tick) / TICKS_PER_S
            side[:, 1] -= origin_host_s
        slack = SKEW_MAX_PPM * 1e-6

        def gap(rate: float) -> float:
            return _ceiling(upper, rate) - _floor(lower, rate)

        widest = _argmax(gap, 1.0 - slack, 1.0 + slack)
        if gap(widest) < 0.0:
            # No line fits: the crystal left its rate within the window. Start over from the newest ping.
            self._lower, self._upper = self._lower[-1:], self._upper[-1:]
            return self._solve()
        least = _edge(gap, widest, 1.0 - slack)
        most = _edge(gap, widest, 1.0 + slack)

        def span(ahead_s: float) -> tuple[float, float]:
            """Lowest and highest host time possible ``ahead_s`` device seconds after the origin."""
            top = _argmax(lambda rate: _ceiling(upper, rate) + rate * ahead_s, least, most)
            bottom = _argmax(lambda rate: -_floor(lower, rate) - rate * ahead_s, least, most)
            return _floor(lower, bottom) + bottom * ahead_s, _ceiling(upper, top) + top * ahead_s

        (low_s, high_s), (low_ahead_s, high_ahead_s) = span(0.0), span(AHEAD_S)
        middle_s, middle_ahead_s = (low_s + high_s) / 2.0, (low_ahead_s + high_ahead_s) / 2.0
        return ClockEstimate(
            boot_id=self._boot_id,
            origin_s=origin_host_s + middle_s,
            origin_tick=origin_tick,
            rate=(middle_ahead_s - middle_s) / AHEAD_S,
            uncertainty_s=(high_s - low_s) / 2.0,
            uncertainty_ahead_s=(high_ahead_s - low_ahead_s) / 2.0,
        )


def _ceiling(upper: NDArray[np.float64], rate: float) -> float:
    """Highest host time at the origin tick that a line of ``rate`` may have."""
    return float(np.min(upper[:, 1] - rate * upper[:, 0]))


def _floor(lower: NDArray[np.float64], rate: float) -> float:
    """Lowest host time at the origin tick that a line of ``rate`` may have."""
    return float(np.max(lower[:, 1] - rate * lower[:, 0]))


def _argmax(function: Callable[[float], float], low: float, high: float) -> float:
    """Where a concave ``function`` is largest between ``low`` and ``high``, by ternary search."""
    for _ in range(_SEARCH_STEPS):
        third = (high - low) / 3.0
        if function(low + third) < function(high - third):
            low += third
        else:
            high -= third
    return (low + high) / 2.0


def _edge(gap: Callable[[float], float], inside: float, outside: float) -> float:
    """Between ``inside``, where ``gap`` is not negative, and ``outside``: the last rate at which it is not, by bisection."""
    if gap(outside) >= 0.0:
        return outside
    for _ in range(_SEARCH_STEPS):
        middle = (inside + outside) / 2.0
        if gap(middle) >= 0.0:
            inside = middle
        else:
            outside = middle
    return inside


def _bounded(stamps: list[tuple[int, float]], now_s: float, *, keep_largest: bool) -> list[tuple[int, float]]:
    """``stamps`` within the window and the count; the tightest are kept, judged at nominal rate, and the newest always."""
    fresh = [stamp for stamp in stamps if now_s - stamp[1] <= WINDOW_S]
    if len(fresh) <= STAMPS_MAX:
        return fresh
    newest = fresh[-1]
    ranked = sorted(fresh[:-1], key=lambda stamp: stamp[1] - stamp[0] / TICKS_PER_S, reverse=keep_largest)
    return sorted([*ranked[: STAMPS_MAX - 1], newest])
