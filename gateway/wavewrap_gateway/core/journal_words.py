"""The journal as plain data for whoever shows it, and its questions in words."""

from typing import Any

from wavewrap_gateway.core.journal import JournalEntry, RunNote
from wavewrap_gateway.core.journal_book import JournalBook, JournalSession
from wavewrap_gateway.core.soreness import Question
from wavewrap_protocol.payloads import Moment, OccasionKind

__all__ = ["describe_book", "describe_due", "describe_entry", "describe_question", "say_question"]

_WHEN = {
    (OccasionKind.SESSION, Moment.BEFORE): "before this session",
    (OccasionKind.SESSION, Moment.AFTER): "after the session",
    (OccasionKind.SESSION, Moment.HOURS_24): "24 h after the session",
    (OccasionKind.SESSION, Moment.HOURS_48): "48 h after the session",
    (OccasionKind.RUN, Moment.HOURS_24): "24 h after the run",
    (OccasionKind.RUN, Moment.HOURS_48): "48 h after the run",
}


def say_question(question: Question) -> str:
    """In one line."""
    return f"how sore are your calves, 0 to 10, {_WHEN[question.occasion.kind, question.moment]}?"


def describe_question(question: Question) -> dict[str, Any]:
    """A question as plain data."""
    occasion = question.occasion
    return {
        "of": occasion.kind.value,
        "name": occasion.name,
        "began_unix_s": occasion.began_unix_s,
        "ended_unix_s": occasion.ended_unix_s,
        "moment": question.moment.value,
        "due_unix_s": question.due_unix_s,
        "until_unix_s": question.until_unix_s,
    }


def describe_entry(entry: JournalEntry) -> dict[str, Any]:
    """An entry as plain data, with what follows from it."""
    note = entry.note
    fields = {"entry": entry.entry_id, "written_unix_s": entry.written_unix_s, **note.model_dump()}
    if isinstance(note, RunNote):
        return {"kind": "run", **fields, "load_effort_min": note.load_effort_min, "drink_ml": note.drink_ml}
    return {"kind": "soreness", **fields}


def describe_due(book: JournalBook, now_unix_s: float) -> dict[str, Any]:
    """What is asked now, and when something is asked next."""
    due = [describe_question(question) for question in book.find_due(now_unix_s)]
    return {"now_unix_s": now_unix_s, "due": due, "next_due_unix_s": book.next_due_unix_s(now_unix_s)}


def describe_book(book: JournalBook, now_unix_s: float) -> dict[str, Any]:
    """All of it, the newest first, with how sore the calves were around each session."""
    return {
        **describe_due(book, now_unix_s),
        "entries": [describe_entry(entry) for entry in book.entries],
        "sessions": [_describe_session(session, book) for session in book.sessions],
    }


def _describe_session(session: JournalSession, book: JournalBook) -> dict[str, Any]:
    occasion = session.occasion
    answers = book.answers(occasion)
    return {
        "session": occasion.name,
        "program": session.program,
        "began_unix_s": occasion.began_unix_s,
        "ended_unix_s": occasion.ended_unix_s,
        "soreness": {moment.value: answers.get(moment) for moment in Moment},
    }
