"""The sessions that were looked at last, so that a zoom does not read a session again. One that runs is read each time: it grows."""

from collections import OrderedDict
from pathlib import Path

from wavewrap_gateway.adapters.recovery_journal import RecoveryJournal
from wavewrap_gateway.adapters.store_reader import LAST, load_session
from wavewrap_gateway.core.history import RecordState
from wavewrap_gateway.core.recorded_session import RecordedSession
from wavewrap_protocol.history_answers import TrendLine

__all__ = ["SETTLED", "Shelf"]

SETTLED = (RecordState.COMPLETED, RecordState.STOPPED)
"""What does not change any more: samples of one that was cut off, or that a fault ended, may come late."""

KEPT = 3
"""Choice: two that are compared and one more. An hour of two wraps at 50 Hz takes some 30 MB."""


class Shelf:
    """``place`` is the history, ``folder`` where files for download go, ``journal`` the recovery journal in the same store."""

    def __init__(self, place: str, folder: Path, journal: RecoveryJournal) -> None:
        self.place = place
        self.journal = journal
        self.folder = folder
        self._sessions: OrderedDict[str, RecordedSession] = OrderedDict()
        self.trends: dict[str, TrendLine] = {}
        """By session; only of those that are settled."""

    def session(self, name: str) -> RecordedSession:
        """Raises :class:`wavewrap_protocol.errors.UsageError` where there is none, ``StoreError`` where it cannot be read."""
        kept = self._sessions.get(name)
        if kept is not None:
            self._sessions.move_to_end(name)
            return kept
        session = load_session(self.place, name)
        if session.state in SETTLED and name != LAST:
            self._sessions[name] = session
            if len(self._sessions) > KEPT:
                self._sessions.popitem(last=False)
        return session

    def forget(self, name: str) -> None:
        """It was deleted."""
        self._sessions.pop(name, None)
        self.trends.pop(name, None)
