"""Notes for a recovery journal, made by hand; times are hours since :data:`NOON_UNIX_S`."""

import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.histories import make_head
from wavewrap_gateway.adapters.store_writer import StoreWriter
from wavewrap_gateway.core.history import RecordState, SessionEnd
from wavewrap_gateway.core.journal import JournalEntry
from wavewrap_gateway.core.journal_book import JournalBook, JournalSession
from wavewrap_gateway.core.soreness import Occasion
from wavewrap_protocol.journal_notes import RunNote, SorenessNote
from wavewrap_protocol.payloads import OccasionKind

__all__ = ["NOON_UNIX_S", "book_of", "keep_session", "make_occasion", "rate", "run_note", "unix_s"]

NOON_UNIX_S = 1_700_000_000.0


def unix_s(hours: float) -> float:
    """Wall time of that hour."""
    return NOON_UNIX_S + hours * 3600.0


def rate(hours: float, soreness: int = 4) -> SorenessNote:
    """A rating."""
    return SorenessNote(unix_s=unix_s(hours), soreness=soreness)


def run_note(hours: float, minutes: float = 45.0, **fields: object) -> RunNote:
    """A run that ended then."""
    return RunNote.model_validate({"ended_unix_s": unix_s(hours), "duration_s": minutes * 60.0, **fields})


def make_occasion(
    began_hours: float, ended_hours: float | None, *, kind: OccasionKind = OccasionKind.SESSION, planned_s: float = 1800.0
) -> Occasion:
    """A session, unless told otherwise."""
    return Occasion(kind, f"at-{began_hours:g}", unix_s(began_hours), None if ended_hours is None else unix_s(ended_hours), planned_s)


def book_of(occasions: list[Occasion], notes: list[RunNote | SorenessNote]) -> JournalBook:
    """A journal of those sessions and notes."""
    entries = [JournalEntry(f"e{at}", note.at_unix_s, note) for at, note in enumerate(notes)]
    entries.sort(key=lambda entry: entry.note.at_unix_s, reverse=True)
    return JournalBook(entries, [JournalSession(one, "calf-wave") for one in reversed(occasions)])


def keep_session(store: Path, *, ended_ago_h: float) -> None:
    """Half an hour of a session that ended so long ago, in a real history."""
    plain = make_head("20231114-1-whole")
    begun_s = time.clock_gettime(time.CLOCK_REALTIME) - ended_ago_h * 3600.0 - 1800.0
    head = replace(plain, started_unix_s=begun_s, planned_s=1800.0)
    writer = StoreWriter(str(store), "attic", pytest.fail, lambda: 0.0)
    writer.start()
    writer.begin(head)
    writer.finish(SessionEnd(head.session_id, RecordState.COMPLETED, "", begun_s + 1800.0, None))
    writer.close()
