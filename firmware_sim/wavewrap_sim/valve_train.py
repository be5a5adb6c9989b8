"""How far each valve stands open: dead time and a first-order lag behind the commands, and valves that are stuck.

Not responsible for what flows through them (:mod:`wavewrap_sim.valve_flow`). Arrays have one shape, here (valves, wraps).
"""

from collections import deque

import numpy as np
from numpy.typing import NDArray

__all__ = ["ValveTrain"]

Array = NDArray[np.float64]

_SETTLED = 1e-7
"""An opening this close to its end is there: at 200 ml/s that is a flow of 2e-5 ml/s."""


class ValveTrain:
    """Valves that stand at ``rest`` (0 shut, 1 open) until commanded otherwise. ``dead_s`` and ``lag_s`` have one entry a valve."""

    def __init__(self, dead_s: Array, lag_s: Array, rest: Array) -> None:
        self._dead_s = dead_s
        self._lag_s = lag_s
        self._commanded = rest.copy()
        self._target = rest.copy()
        self._opening = rest.copy()
        self._pending: deque[tuple[Array, float, Array]] = deque()
        self._moving = False
        self._held: tuple[Array, Array] | None = None
        self._factors_for_s = -1.0
        self._decay = self._mean_share = rest

    def command(self, now_s: float, openings: Array) -> None:
        """From ``now_s`` on the valves are told ``openings``; each begins to move after its own dead time."""
        if not np.array_equal(openings, self._commanded):
            self._commanded = openings
            moves_s = now_s + self._dead_s
            self._pending.append((moves_s, float(moves_s.max()), openings))
            self._moving = True

    def hold(self, held: Array) -> None:
        """Valves with a number in ``held`` stand at that opening from now on; NaN obeys."""
        stuck = ~np.isnan(held)
        self._held = (stuck, held.copy()) if stuck.any() else None

    def advance(self, now_s: float, h_s: float) -> Array:
        """Move on from ``now_s`` by ``h_s``; the mean opening over that time. The caller may keep it but not write to it."""
        mean = self._opening
        if self._moving:
            mean = self._advance_pending(now_s, h_s) if self._pending else self._advance_free(h_s)
        if self._held is None:
            return mean
        return np.where(self._held[0], self._held[1], mean)

    def _advance_free(self, h_s: float) -> Array:
        if h_s != self._factors_for_s:
            self._factors_for_s = h_s
            self._decay = np.exp(-h_s / self._lag_s)
            self._mean_share = (1.0 - self._decay) * self._lag_s / h_s
        gap = self._opening - self._target
        mean: Array = self._target + gap * self._mean_share
        gap *= self._decay
        self._moving = bool(np.abs(gap).max() > _SETTLED)
        self._opening = self._target + gap if self._moving else self._target
        return mean

    def _advance_pending(self, now_s: float, h_s: float) -> Array:
        """Piece by piece: each valve goes to its old target until its dead time is over, then to the next one."""
        at_s: Array = np.full_like(self._opening, now_s)
        end_s = now_s + h_s
        total = np.zeros_like(self._opening)
        target = self._target
        opening = self._opening
        for moves_s, _, command in self._pending:
            span_s = np.minimum(np.maximum(moves_s, at_s), end_s) - at_s
            opening, total = self._glide(opening, target, span_s, total)
            at_s = at_s + span_s
            target = np.where(moves_s < end_s, command, target)
        opening, total = self._glide(opening, target, end_s - at_s, total)
        while self._pending and self._pending[0][1] <= end_s:
            self._target = self._pending.popleft()[2]
        self._opening = opening
        return total / h_s

    def _glide(self, opening: Array, target: Array, span_s: Array, total: Array) -> tuple[Array, Array]:
        gap = opening - target
        left = gap * np.exp(-span_s / self._lag_s)
        return target + left, total + target * span_s + (gap - left) * self._lag_s
