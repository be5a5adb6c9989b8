"""Maps host seconds to device ticks from two-way time stamps.

A ping leaves the host at ``sent_s``, is stamped by the device at ``received_tick``, answered at ``answered_tick`` and is back at
``returned_s``. Nothing travels back in time, so on the true line ``host = a + b * tick`` every ping says

    host(received_tick) >= sent_s        and        host(answered_tick) <= returned_s

Lines that satisfy all stamps of the window form a convex set; at a given tick they span an interval. Its middle is the estimate, half
its width the uncertainty: a bound, not a spread, as long as the crystal keeps its rate within the window. Lease renewals, whose answers
tell when they were received, bound the line from below too, and telemetry frames, which tell when they were sent, from above. No clock,
no loop: time is passed in.

Source of the method: lower envelopes of one-way delays, as in Moon, Skelly and Towsley, "Estimation and removal of clock skew from network
delay measurements" (INFOCOM 1999), used in both directions.
"""

from dataclasses import dataclass
from itertools import pairwise

from wavewrap_protocol.units import TICKS_PER_S, TickUnwrapper

__all__ = ["ClockEstimate", "ClockSync"]

SKEW_MAX_PPM = 600.0
"""Widest skew taken for real. Choice: ten times a poor crystal (50 ppm), so that a broken one shows instead of being hidden."""

SKEW_LIKELY_PPM = 100.0
"""While a rate within this explains every stamp, the estimate keeps to such rates. Choice: twice a common crystal's tolerance. The
uncertainty takes no notice of it."""

WINDOW_S = 120.0
"""Stamps older than this are dropped: long enough to see skew under the noise, short enough that a crystal keeps its rate."""

BUCKET_S = 1.0
"""Of the stamps of one second and side only the tightest is kept: within it even a broken crystal drifts by less than a millisecond."""

AHEAD_S = 6.0
"""Where the second point of an estimate lies: just past the scheduling horizon."""

Stamp = tuple[int, float]
"""Unwrapped device tick and host seconds."""

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
        """Forget every stamp: the device booted. A changed connection interval needs no reset: what was impossible before it still is."""
        self._boot_id = boot_id
        self._unwrap = TickUnwrapper()
        self._lower: dict[int, Stamp] = {}
        self._upper: dict[int, Stamp] = {}
        self._estimate: ClockEstimate | None = None
        self._newest: Stamp = (0, 0.0)

    @property
    def estimate(self) -> ClockEstimate | None:
        """The newest estimate, ``None`` before the first complete ping."""
        return self._estimate

    @property
    def boot_id(self) -> int:
        """Boot that the stamps belong to."""
        return self._boot_id

    @property
    def stamps(self) -> tuple[int, int]:
        """How many stamps bound the line from below and from above."""
        return len(self._lower), len(self._upper)

    def unwrap(self, tick: int) -> int:
        """A 32-bit tick of this boot as a count that never wraps."""
        return self._unwrap.unwrap(tick)

    def age_s(self, now_s: float) -> float:
        """Seconds since the last ping."""
        return now_s - self._newest[1]

    def add_ping(self, sent_s: float, received_tick: int, answered_tick: int, returned_s: float) -> None:
        """One complete exchange; recomputes the estimate."""
        # A tick is stamped after it began: the exchange may have happened up to one tick later.
        received = self._unwrap.unwrap(received_tick) + 1
        below, above = (received, sent_s), (self._unwrap.unwrap(answered_tick), returned_s)
        self._newest = (received, returned_s)
        self._keep(self._lower, below, keep_latest=True)
        self._keep(self._upper, above, keep_latest=False)
        self._lower = {bucket: stamp for bucket, stamp in self._lower.items() if returned_s - stamp[1] <= WINDOW_S}
        self._upper = {bucket: stamp for bucket, stamp in self._upper.items() if returned_s - stamp[1] <= WINDOW_S}
        self._estimate = self._solve()
        if self._estimate is None:
            # No line fits: the crystal left its rate within the window. Start over from this ping.
            self._lower, self._upper = {0: below}, {0: above}
            self._estimate = self._solve()

    def add_arrival(self, tick: int, arrived_s: float) -> None:
        """Something that was sent at ``tick`` arrived at ``arrived_s``; counts from the next ping on."""
        self._keep(self._upper, (self._unwrap.unwrap(tick), arrived_s), keep_latest=False)

    def add_departure(self, sent_s: float, tick: int) -> None:
        """Something that left here at ``sent_s`` was received at ``tick``; counts from the next ping on."""
        self._keep(self._lower, (self._unwrap.unwrap(tick) + 1, sent_s), keep_latest=True)

    def _keep(self, side: dict[int, Stamp], stamp: Stamp, *, keep_latest: bool) -> None:
        """Put ``stamp`` in its bucket unless a tighter one is there."""
        bucket = int(stamp[1] / BUCKET_S)
        known = side.get(bucket)
        rate = 1.0 if self._estimate is None else self._estimate.rate
        if known is not None:
            later_s = (stamp[1] - known[1]) - (stamp[0] - known[0]) / TICKS_PER_S * rate
            if (later_s > 0.0) is not keep_latest:
                return
        side[bucket] = stamp

    def _solve(self) -> ClockEstimate | None:
        """The estimate by the stamps kept, ``None`` when no line satisfies them."""
        origin_tick, origin_host_s = self._newest
        lower = _hull([((tick - origin_tick) / TICKS_PER_S, host_s - origin_host_s) for tick, host_s in self._lower.values()], upwards=True)
        upper = _hull(
            [((tick - origin_tick) / TICKS_PER_S, host_s - origin_host_s) for tick, host_s in self._upper.values()], upwards=False
        )
        slack = SKEW_MAX_PPM * 1e-6
        # Everything asked below is piecewise linear in the rate and bends only where the rate is that of an edge of a hull.
        bends = [rate for rate in (*_edge_rates(lower), *_edge_rates(upper)) if abs(rate - 1.0) < slack]
        rates = sorted({1.0 - slack, *bends, 1.0 + slack})
        gaps = [_ceiling(upper, rate) - _floor(lower, rate) for rate in rates]
        widest = gaps.index(max(gaps))
        if gaps[widest] < 0.0:
            return None
        feasible = _feasible(rates, gaps)
        likely = _clip(feasible, 1.0 - SKEW_LIKELY_PPM * 1e-6, 1.0 + SKEW_LIKELY_PPM * 1e-6) or feasible

        def middle_and_width(ahead_s: float) -> tuple[float, float]:
            """Host time ``ahead_s`` device seconds after the origin, by the likely rates, and how far off any possible one puts it."""
            low_s, high_s = _span(lower, upper, feasible, ahead_s)
            likely_low_s, likely_high_s = _span(lower, upper, likely, ahead_s)
            middle_s = (likely_low_s + likely_high_s) / 2.0
            return middle_s, max(high_s - middle_s, middle_s - low_s)

        (middle_s, width_s), (middle_ahead_s, width_ahead_s) = middle_and_width(0.0), middle_and_width(AHEAD_S)
        return ClockEstimate(
            boot_id=self._boot_id,
            origin_s=origin_host_s + middle_s,
            origin_tick=origin_tick,
            rate=(middle_ahead_s - middle_s) / AHEAD_S,
            uncertainty_s=width_s,
            uncertainty_ahead_s=width_ahead_s,
        )


def _span(lower: list[Point], upper: list[Point], rates: list[float], ahead_s: float) -> tuple[float, float]:
    """Lowest and highest host time possible ``ahead_s`` after the origin at any of ``rates``, their ends and bends."""
    low_s = min(_floor(lower, rate) + rate * ahead_s for rate in rates)
    return low_s, max(_ceiling(upper, rate) + rate * ahead_s for rate in rates)


def _clip(rates: list[float], least: float, most: float) -> list[float]:
    """The part of the range that ``rates`` spans between ``least`` and ``most``, ends and bends; empty when they do not meet."""
    low, high = max(min(rates), least), min(max(rates), most)
    return sorted({low, high, *(rate for rate in rates if low < rate < high)}) if low <= high else []


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
