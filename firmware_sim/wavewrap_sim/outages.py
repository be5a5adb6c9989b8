"""When a link hears nothing: scripted fades and random stalls, merged in time."""

from math import inf
from random import Random

from wavewrap_sim.scenario import Scenario

__all__ = ["Outages"]

KEPT_S = 1.0
"""Outages that ended this long ago are forgotten. Choice: no caller is so far behind another."""


class Outages:
    """Of the links of one wrap. ``begin_s`` is when the scenario began; a query may lie up to :data:`KEPT_S` before an earlier one."""

    def __init__(self, scenario: Scenario, wrap: int, rng: Random, begin_s: float) -> None:
        self._spans = _merge(
            [(begin_s + fade.at_s, begin_s + fade.at_s + fade.for_s) for fade in scenario.fades if not fade.wraps or wrap in fade.wraps]
        )
        self._stalls = None if scenario.stalls is None or scenario.stalls.per_minute == 0.0 else scenario.stalls
        self._rng = rng
        self._drawn_until_s = inf if self._stalls is None else begin_s

    @property
    def are_random(self) -> bool:
        """Whether the future has to be drawn; otherwise all of it is known."""
        return self._stalls is not None

    def end_at(self, now_s: float) -> float | None:
        """When the outage that holds at ``now_s`` ends, as far as it is known by then; ``None`` when there is none."""
        self._draw(now_s)
        self._spans = [span for span in self._spans if span[1] > now_s - KEPT_S]
        return next((end_s for start_s, end_s in self._spans if start_s <= now_s < end_s), None)

    def next_lasting(self, now_s: float, least_s: float, until_s: float) -> float | None:
        """Start of the first outage of at least ``least_s`` that has not ended at ``now_s`` and has lasted so long by ``until_s``."""
        self._draw(until_s)
        lasting = (start_s for start_s, end_s in self._spans if end_s > now_s and end_s - start_s >= least_s)
        return next((start_s for start_s in lasting if start_s + least_s <= until_s), None)

    def _draw(self, until_s: float) -> None:
        if self._stalls is None or self._drawn_until_s > until_s:
            return
        drawn = list(self._spans)
        while self._drawn_until_s <= until_s:
            start_s = self._drawn_until_s + self._rng.expovariate(self._stalls.per_minute / 60.0)
            length_s = self._rng.uniform(self._stalls.min_ms, self._stalls.max_ms) / 1000.0
            drawn.append((start_s, start_s + length_s))
            self._drawn_until_s = start_s
        self._spans = _merge(drawn)


def _merge(spans: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """The same time covered by spans that neither overlap nor touch, in order."""
    merged: list[tuple[float, float]] = []
    for start_s, end_s in sorted(spans):
        if merged and start_s <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end_s))
        else:
            merged.append((start_s, end_s))
    return merged
