"""The history's side of ``bench data``: what its records have, held against what a subscriber got."""

from dataclasses import dataclass

from wavewrap_gateway.adapters.store_reader import list_sessions, load_session
from wavewrap_gateway.bench.data_books import Books
from wavewrap_gateway.core.recorded_session import RecordedSession, RecordedSide
from wavewrap_gateway.core.telemetry import SampleRuns
from wavewrap_protocol.limits import OVER_THRESHOLD_MMHG

__all__ = ["HistoryBook", "read_history"]

SESSIONS = 1_000


@dataclass(frozen=True, slots=True)
class HistoryBook:
    """``span``: samples that the wraps took from the first to the last of each record; ``kept`` of them are there.

    ``lacking``: the subscriber got them and the history has not. ``differing``: it did not get them, or got others. ``under_pressure``:
    records without a sample, or whose last one is over 15 mmHg in some chamber, though nobody took the wrap over. ``holes`` say where
    something is lacking: session, wrap, first and last number, and the first and last number of that record.
    """

    sessions: int
    span: int
    kept: int
    lacking: int
    differing: int
    under_pressure: int
    holes: tuple[str, ...]


def read_history(place: str, books: Books) -> HistoryBook:
    """Every session in ``place``. Raises :class:`wavewrap_protocol.errors.StoreError`."""
    sessions = [load_session(place, entry.session_id) for entry in reversed(list_sessions(place, SESSIONS))]
    span = kept = lacking = differing = under_pressure = 0
    holes: list[str] = []
    for at, session in enumerate(sessions):
        for side in session.sides:
            delivered = books.delivered_of(side.wrap.name)
            curves = side.curves
            rows = dict(zip(curves.seq.tolist(), map(tuple, curves.pressure_mmhg.tolist()), strict=True))
            numbers = range(min(rows, default=0), max(rows, default=-1) + 1)
            span += len(numbers)
            kept += len(rows)
            absent = SampleRuns((number, number) for number in numbers if number in delivered and number not in rows).runs()
            lacking += sum(last - first + 1 for first, last in absent)
            record = f"of {min(rows, default=0)} to {max(rows, default=0)}, {session.state.value}"
            holes += [f"{session.head.session_id}, {side.wrap.name}: {first} to {last} {record}" for first, last in absent]
            differing += sum(delivered.get(number) != row for number, row in rows.items())
            under_pressure += _ends_under_pressure(side) and not _is_taken_over(side, session, sessions[at + 1 :])
    return HistoryBook(len(sessions), span, kept, lacking, differing, under_pressure, tuple(holes))


def _ends_under_pressure(side: RecordedSide) -> bool:
    return len(side.curves) == 0 or float(side.curves.pressure_mmhg[-1].max()) > OVER_THRESHOLD_MMHG


def _is_taken_over(side: RecordedSide, session: RecordedSession, later: list[RecordedSession]) -> bool:
    """Whether another session began on the wrap at once, so that the record ends where that one begins."""
    ended_s = side.curves.unix_s[-1] if len(side.curves) else session.head.started_unix_s
    return any(wrap.serial == side.wrap.serial and one.head.started_unix_s - ended_s < 1.0 for one in later for wrap in one.head.wraps)
