"""The recovery journal for the page: what is asked now, what was noted, and one more or less of it."""

import secrets
from collections.abc import Iterable
from datetime import UTC, datetime

from wavewrap_gateway.core.journal_book import write_csv
from wavewrap_gateway.core.journal_words import describe_answers, describe_book, describe_due, describe_entry
from wavewrap_gateway.core.soreness import Occasion
from wavewrap_gateway.history_service.shelf import Shelf
from wavewrap_protocol.errors import UsageError
from wavewrap_protocol.history_answers import SessionLine
from wavewrap_protocol.history_asks import FileAnswer
from wavewrap_protocol.journal_asks import (
    DueAnswer,
    JournalAnswer,
    JournalAsk,
    JournalDeleteAllAsk,
    JournalDeleteAnswer,
    JournalDeleteAsk,
    JournalDueAsk,
    JournalExportAsk,
    RunLine,
    SorenessAround,
    SorenessLine,
)
from wavewrap_protocol.journal_notes import RunNote, SorenessNote
from wavewrap_protocol.payloads import OccasionKind

__all__ = ["answer_add", "answer_delete", "answer_delete_all", "answer_due", "answer_export", "answer_journal", "rate_sessions"]


def answer_journal(shelf: Shelf, ask: JournalAsk) -> JournalAnswer:
    """The last days."""
    return describe_book(shelf.journal.load(ask.days), shelf.journal.now_unix_s)


def answer_due(shelf: Shelf, _ask: JournalDueAsk) -> DueAnswer:
    """What is asked now."""
    return describe_due(shelf.journal.load_open(), shelf.journal.now_unix_s)


def answer_add(shelf: Shelf, note: RunNote | SorenessNote) -> RunLine | SorenessLine:
    """The note as it is kept from now on."""
    return describe_entry(shelf.journal.add(note))


def answer_delete(shelf: Shelf, ask: JournalDeleteAsk) -> JournalDeleteAnswer:
    """By its whole name only."""
    if all(entry.entry_id != ask.entry for entry in shelf.journal.load().entries):
        raise UsageError(f"journal entry {ask.entry}: it is not there any more: load the page again")
    return JournalDeleteAnswer(deleted=len(shelf.journal.delete([ask.entry])))


def answer_delete_all(shelf: Shelf, _ask: JournalDeleteAllAsk) -> JournalDeleteAnswer:
    """Every entry."""
    return JournalDeleteAnswer(deleted=shelf.journal.delete_all())


def answer_export(shelf: Shelf, _ask: JournalExportAsk) -> FileAnswer:
    """The same file as that of ``wavewrap journal export``."""
    path = shelf.folder / f"{secrets.token_hex(16)}.csv"
    path.write_text(write_csv(shelf.journal.load(), _local_time), encoding="utf-8", newline="")
    return FileAnswer(key=path.name, name="journal.csv", size_bytes=path.stat().st_size)


def rate_sessions(shelf: Shelf, lines: Iterable[SessionLine]) -> dict[str, SorenessAround]:
    """How sore the calves were around each of ``lines``, by session; those with no rating, and those of other gateways, are left out."""
    own = [
        Occasion(OccasionKind.SESSION, one.session, one.started_unix_s, one.ended_unix_s, one.planned_s)
        for one in lines
        if one.gateway == shelf.journal.gateway
    ]
    return {name: describe_answers(answers) for name, answers in shelf.journal.answers(own).items() if answers}


def _local_time(unix_s: float) -> str:
    return datetime.fromtimestamp(unix_s, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")
