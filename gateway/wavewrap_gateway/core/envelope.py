"""Curves cut down to what a screen can show, without losing a peak. Pure.

Each step of time keeps its lowest and its highest value, in the order in which they came; where few samples lie between the two moments
they are kept as they are. A step without samples is a hole, not a line across it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Envelope", "cut_out", "envelope"]

HOLE_PERIODS = 1.5
"""Samples further apart than so many periods have a hole between them."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Envelope:
    """``at_s`` ascends; ``values`` has shape (times, columns), NaN in a hole. ``thinned``: a time may stand for many samples."""

    at_s: Floats
    values: Floats
    thinned: bool


def cut_out(at_s: Floats, from_s: float, to_s: float) -> slice:
    """The samples between two moments, and one more on each side, so that a line goes on to the edge. ``at_s`` ascends."""
    first, last = np.searchsorted(at_s, [from_s, to_s])
    return slice(max(0, int(first) - 1), min(len(at_s), int(last) + 1))


def envelope(at_s: Floats, values: Floats, from_s: float, to_s: float, points: int) -> Envelope:
    """``values``, shape (samples, columns), from ``from_s`` to ``to_s`` in at most 2 x ``points`` times, and one for each hole."""
    inside = cut_out(at_s, from_s, to_s)
    at_s, values = at_s[inside], values[inside]
    if len(at_s) <= 2 * points:
        return _with_holes(at_s, values)
    edges = np.linspace(from_s, to_s, points + 1)
    starts = np.searchsorted(at_s, edges)
    width_s = (to_s - from_s) / points
    times: list[float] = []
    rows: list[Floats] = []
    for begin_s, first, end in zip(edges[:-1], starts[:-1], starts[1:], strict=True):
        if first == end:
            if not rows or not np.isnan(rows[-1]).all():
                times.append(float(begin_s))
                rows.append(np.full(values.shape[1], np.nan))
            continue
        block = values[first:end]
        low, high = block.min(axis=0), block.max(axis=0)
        rises = block.argmin(axis=0) <= block.argmax(axis=0)
        times += [float(begin_s), float(begin_s + width_s / 2.0)]
        rows += [np.where(rises, low, high), np.where(rises, high, low)]
    return Envelope(np.array(times), np.array(rows).reshape(len(times), values.shape[1]), thinned=True)


def _with_holes(at_s: Floats, values: Floats) -> Envelope:
    gaps_s = np.diff(at_s)
    if not len(gaps_s):
        return Envelope(at_s, values, thinned=False)
    holes = np.flatnonzero(gaps_s > HOLE_PERIODS * np.median(gaps_s)) + 1
    middles_s = (at_s[holes - 1] + at_s[holes]) / 2.0
    return Envelope(np.insert(at_s, holes, middles_s), np.insert(values, holes, np.nan, axis=0), thinned=False)
