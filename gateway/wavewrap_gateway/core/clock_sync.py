"""Maps host seconds to device ticks from two-way time stamps.

A ping leaves the host at ``sent_s``, is stamped by the device at ``received_tick``, answered at ``answered_tick`` and is back at
``returned_s``. Nothing travels back in time, so on the true line ``host = a + b * tick`` every ping says

    host(received_tick) >= sent_s        and        host(answered_tick) <= returned_s

Lines that satisfy all stamps of the window form a convex set; at a given tick they span an interval. Its middle is the estimate, half its
width the uncertainty: a bound, not a spread, as long as the crystal keeps its rate within the window. No clock, no loop: time is passed in.

Source of the method: lower envelopes of one-way delays, as in Moon, Skelly and Towsley, "Estimation and removal of clock skew from network
delay measurements" (INFOCOM 1999), used in both directions.
"""

from dataclasses import dataclass
from itertools import pairwise

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

Point = tuple[float, float]
"""Device seconds and host seconds, both from the origin of the estimate."""


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
        origin_tick, origin_host_s = self._lower[-1]
        lower = _hull([((tick - origin_tick) / TICKS_PER_S, host_s - origin_host_s) for tick, host_s in self._lower], upwards=True)
        upper = _hull([((tick - origin_tick) / TICKS_PER_S, host_s - origin_host_s) for tick, host_s in self._upper], upwards=False)
        slack = SKEW_MAX_PPM * 1e-6
        # Everything asked below is piecewise linear in the rate and bends only where the rate is that of an edge of a hull.
        bends = [rate for rate in (*_edge_rates(lower), *_edge_rates(upper)) if abs(rate - 1.0) < slack]
        rates = sorted({1.0 - slack, *bends, 1.0 + slack})
        gaps = [_ceiling(upper, rate) - _floor(lower, rate) for rate in rates]
        widest = gaps.index(max(gaps))
        if gaps[widest] < 0.0:
            # No line fits: the crystal left its rate within the window. Start over from the newest ping.
            self._lower, self._upper = self._lower[-1:], self._upper[-1:]
            return self._solve()
        feasible = _feasible(rates, gaps)

        def span(ahead_s: float) -> tuple[float, float]:
            """Lowest and highest host time possible ``ahead_s`` device seconds after the origin."""
            low = min(_floor(lower, rate) + rate * ahead_s for rate in feasible)
            return low, max(_ceiling(upper, rate) + rate * ahead_s for rate in feasible)

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


def _hull(points: list[Point], *, upwards: bool) -> list[Point]:
    """The corners of the convex hull of ``points`` on the side that a line must pass: above them, or below (Andrew's monotone chain)."""
    sign = 1.0 if upwards else -1.0
    hull: list[Point] = []
    for x, y in sorted(points):
        while hull and hull[-1][0] == x and sign * (y - hull[-1][1]) >= 0.0:
            hull.pop()
        if hull and hull[-1][0] == x:
            continue
        while len(hull) > 1 and sign * _turn(hull[-2], hull[-1], (x, y)) >= 0.0:
            hull.pop()
        hull.append((x, y))
    return hull


def _turn(a: Point, b: Point, c: Point) -> float:
    """Positive when ``a``, ``b``, ``c`` turn left."""
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _edge_rates(hull: list[Point]) -> list[float]:
    """Slope of every edge."""
    return [(b[1] - a[1]) / (b[0] - a[0]) for a, b in pairwise(hull)]


def _ceiling(upper: list[Point], rate: float) -> float:
    """Highest host time at the origin tick that a line of ``rate`` may have."""
    return min(y - rate * x for x, y in upper)


def _floor(lower: list[Point], rate: float) -> float:
    """Lowest host time at the origin tick that a line of ``rate`` may have."""
    return max(y - rate * x for x, y in lower)


def _feasible(rates: list[float], gaps: list[float]) -> list[float]:
    """The rates at which a line fits: the bends among them, and the two ends, where the gap closes."""
    kept = [rate for rate, gap in zip(rates, gaps, strict=True) if gap >= 0.0]
    for (rate, gap), (next_rate, next_gap) in pairwise(zip(rates, gaps, strict=True)):
        if (gap < 0.0) != (next_gap < 0.0):
            kept.append(rate + (next_rate - rate) * gap / (gap - next_gap))
    return kept


def _bounded(stamps: list[tuple[int, float]], now_s: float, *, keep_largest: bool) -> list[tuple[int, float]]:
    """``stamps`` within the window and the count; the tightest are kept, judged at nominal rate, and the newest always."""
    fresh = [stamp for stamp in stamps if now_s - stamp[1] <= WINDOW_S]
    if len(fresh) <= STAMPS_MAX:
        return fresh
    newest = fresh[-1]
    ranked = sorted(fresh[:-1], key=lambda stamp: stamp[1] - stamp[0] / TICKS_PER_S, reverse=keep_largest)
    return sorted([*ranked[: STAMPS_MAX - 1], newest])
