"""The recovery journal of a gateway: notes in, questions out. Every call blocks; the wall clock is passed in."""

import secrets
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from wavewrap_gateway.adapters.store_journal import add_entry, delete_entries, delete_journal, load_journal, load_ratings
from wavewrap_gateway.core.journal import JournalEntry, check_time
from wavewrap_gateway.core.journal_book import JournalBook
from wavewrap_gateway.core.soreness import LOOK_BACK_S, Occasion, answers_of, answers_span_s
from wavewrap_protocol.journal_notes import RunNote, SorenessNote
from wavewrap_protocol.payloads import Moment

__all__ = ["RecoveryJournal"]

OCCASION_MAX_S = 172_800.0
"""An occasion that is looked back on began at most this much before it ended: no note of a run is longer."""


class RecoveryJournal:
    """That of ``gateway``, in the store ``place``.

    Every method raises :class:`wavewrap_protocol.errors.StoreError` or :class:`wavewrap_protocol.errors.UsageError`.
    """

    def __init__(self, place: str, gateway: str, now_unix_s: Callable[[], float]) -> None:
        self._place = place
        self.gateway = gateway
        self._now_unix_s = now_unix_s

    @property
    def now_unix_s(self) -> float:
        """The wall time."""
        return self._now_unix_s()

    def add(self, note: RunNote | SorenessNote) -> JournalEntry:
        """Keep ``note`` under a new name."""
        now_unix_s = self.now_unix_s
        check_time(note, now_unix_s)
        about = datetime.fromtimestamp(note.at_unix_s, UTC)
        # As the names of sessions: a list reads in order, and two of one second are told apart.
        entry = JournalEntry(f"{about:%Y%m%d-%H%M%S}-{secrets.token_hex(3)}", now_unix_s, note)
        add_entry(self._place, self.gateway, entry)
        return entry

    def load(self, days: float | None = None) -> JournalBook:
        """The last ``days``, or all of it."""
        since_unix_s = 0.0 if days is None else self.now_unix_s - days * 86_400.0
        return load_journal(self._place, self.gateway, since_unix_s)

    def load_open(self) -> JournalBook:
        """As much as there may be open questions about."""
        return self.load((LOOK_BACK_S + OCCASION_MAX_S) / 86_400.0)

    def answers(self, sessions: Sequence[Occasion]) -> dict[str, dict[Moment, int]]:
        """What was answered about each of ``sessions`` of this gateway, by its name. Reads the ratings around them and nothing else."""
        if not sessions:
            return {}
        spans = [answers_span_s(one) for one in sessions]
        ratings = load_ratings(self._place, self.gateway, min(first for first, _ in spans), max(last for _, last in spans))
        return {one.name: answers_of(one, ratings) for one in sessions}

    def delete(self, wanted: Sequence[str]) -> list[str]:
        """Delete what ``wanted`` names, all or none; returns the full names."""
        return delete_entries(self._place, self.gateway, wanted)

    def delete_all(self) -> int:
        """Delete every entry; returns how many there were."""
        return delete_journal(self._place, self.gateway)
