"""The curves of a session, as many points of them as a screen shows."""

import numpy as np
from numpy.typing import NDArray

from wavewrap_gateway.core.envelope import envelope
from wavewrap_gateway.core.recorded_session import RecordedSession, RecordedSide
from wavewrap_gateway.history_service.shelf import Shelf
from wavewrap_protocol.errors import UsageError
from wavewrap_protocol.history_answers import TracesAnswer, WrapTraces
from wavewrap_protocol.history_asks import TracesAsk

__all__ = ["answer_traces", "span_s"]


def span_s(session: RecordedSession) -> tuple[float, float]:
    """First and last second of the session with a sample; all of the plan where there is none."""
    ends = [(float(at_s[0]), float(at_s[-1])) for side in session.sides if len(at_s := side.curves.session_s(side.account))]
    if not ends:
        return 0.0, session.head.planned_s
    return round(min(first for first, _ in ends), 3), round(max(last for _, last in ends), 3)


def answer_traces(shelf: Shelf, ask: TracesAsk) -> TracesAnswer:
    """Between the two moments, cut to what there is. Raises :class:`UsageError` for moments in the wrong order."""
    session = shelf.session(ask.session)
    begin_s, end_s = span_s(session)
    from_s = begin_s if ask.from_s is None else max(begin_s, ask.from_s)
    to_s = end_s if ask.to_s is None else min(end_s, ask.to_s)
    if from_s > to_s or (from_s == to_s and begin_s < end_s):
        raise UsageError(f"traces from {ask.from_s} s to {ask.to_s} s: the session has none there: it goes from {begin_s} s to {end_s} s")
    wraps = [_cut(side, from_s, to_s, ask.points) for side in session.sides]
    return TracesAnswer(session=session.head.session_id, from_s=from_s, to_s=to_s, wraps=wraps)


def _cut(side: RecordedSide, from_s: float, to_s: float, points: int) -> WrapTraces:
    chambers = side.wrap.chambers
    at_s = side.curves.session_s(side.account)
    targets = [side.account.set_points_mmhg(side.curves.line_tick, chamber) for chamber in range(chambers)]
    both = np.column_stack([side.curves.pressure_mmhg, *targets]) if len(at_s) else np.zeros((0, 2 * chambers))
    shown = envelope(at_s, both, from_s, to_s, points)
    columns = [_plain(column) for column in shown.values.T]
    return WrapTraces(
        id=side.wrap.name,
        side=side.wrap.side,
        thinned=shown.thinned,
        at_s=np.round(shown.at_s, 3).tolist(),
        pressure_mmhg=columns[:chambers],
        target_mmhg=columns[chambers:],
    )


def _plain(column: NDArray[np.float64]) -> list[float | None]:
    return [None if value != value else value for value in np.round(column, 2).tolist()]
