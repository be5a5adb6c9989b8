"""When a link hears nothing: scripted fades and random stalls, merged in time."""

from random import Random

from wavewrap_sim.scenario import Scenario

__all__ = ["Outages"]


class Outages:
    """Of the links of one wrap. ``begin_s`` is when the scenario began; queries must not go back further than the first one."""

    def __init__(self, scenario: Scenario, wrap: int, rng: Random, begin_s: float) -> None:
        self._fades = sorted(
            (begin_s + fade.at_s, begin_s + fade.at_s + fade.for_s) for fade in scenario.fades if not fade.wraps or wrap in fade.wraps
        )
        self._stalls = scenario.stalls
        self._rng = rng
        self._drawn: list[tuple[float, float]] = []
        self._drawn_until_s = begin_s

    def add_fade(self, start_s: float, end_s: float) -> None:
        """One more, as somebody makes it happen."""
        self._fades = sorted((*self._fades, (start_s, end_s)))

    def end_at(self, now_s: float) -> float | None:
        """When the outage that holds at ``now_s`` ends, ``None`` when there is none."""
        self._draw(now_s)
        ends = [end_s for start_s, end_s in (*self._fades, *self._drawn) if start_s <= now_s < end_s]
        return max(ends) if ends else None

    def next_lasting(self, now_s: float, least_s: float) -> float | None:
        """Start of the first fade of at least ``least_s`` that has not ended at ``now_s``; ``None`` when there is none."""
        return next((start_s for start_s, end_s in self._fades if end_s > now_s and end_s - start_s >= least_s), None)

    def _draw(self, until_s: float) -> None:
        if self._stalls is None or self._stalls.per_minute == 0.0:
            return
        self._drawn = [stall for stall in self._drawn if stall[1] > until_s]
        while self._drawn_until_s <= until_s:
            start_s = self._drawn_until_s + self._rng.expovariate(self._stalls.per_minute / 60.0)
            length_s = self._rng.uniform(self._stalls.min_ms, self._stalls.max_ms) / 1000.0
            self._drawn.append((start_s, start_s + length_s))
            self._drawn_until_s = start_s
