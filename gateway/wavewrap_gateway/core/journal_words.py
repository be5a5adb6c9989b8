"""The journal as whoever shows it is told it, and its questions in words."""

from collections.abc import Mapping
from typing import Any

from wavewrap_gateway.core.journal import JournalEntry, drink_after_ml
from wavewrap_gateway.core.journal_book import JournalBook, JournalSession
from wavewrap_gateway.core.soreness import Question
from wavewrap_protocol.journal_asks import DueAnswer, JournalAnswer, QuestionLine, RatedSession, RunLine, SorenessAround, SorenessLine
from wavewrap_protocol.journal_notes import RunNote
from wavewrap_protocol.payloads import Moment, OccasionKind

__all__ = ["describe_answers", "describe_book", "describe_due", "describe_entry", "say_question"]

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


def describe_entry(entry: JournalEntry) -> RunLine | SorenessLine:
    """An entry with what follows from it."""
    note = entry.note
    kept: dict[str, Any] = {**note.model_dump(), "entry": entry.entry_id, "written_unix_s": entry.written_unix_s}
    if isinstance(note, RunNote):
        # As it was checked when it was written: a later version that is stricter must not make it unreadable.
        return RunLine.model_construct(**kept, load_min=note.load_effort_min, drink_ml=drink_after_ml(note))
    return SorenessLine.model_construct(**kept)


def describe_due(book: JournalBook, now_unix_s: float) -> DueAnswer:
    """What is asked now, and when something is asked next."""
    due = [_describe_question(question) for question in book.find_due(now_unix_s)]
    return DueAnswer(now_unix_s=now_unix_s, due=due, next_due_unix_s=book.next_due_unix_s(now_unix_s))


def describe_book(book: JournalBook, now_unix_s: float) -> JournalAnswer:
    """All of it, the newest first, with how sore the calves were around each session."""
    due = describe_due(book, now_unix_s)
    return JournalAnswer.model_construct(
        now_unix_s=now_unix_s,
        due=due.due,
        next_due_unix_s=due.next_due_unix_s,
        entries=[describe_entry(entry) for entry in book.entries],
        sessions=[_describe_session(session, book) for session in book.sessions],
    )


def describe_answers(answers: Mapping[Moment, int]) -> SorenessAround:
    """How sore the calves were around a session."""
    return SorenessAround(
        before=answers.get(Moment.BEFORE),
        after=answers.get(Moment.AFTER),
        hours_24=answers.get(Moment.HOURS_24),
        hours_48=answers.get(Moment.HOURS_48),
    )


def _describe_question(question: Question) -> QuestionLine:
    occasion = question.occasion
    return QuestionLine(
        of=occasion.kind,
        name=occasion.name,
        moment=question.moment,
        began_unix_s=occasion.began_unix_s,
        ended_unix_s=occasion.ended_unix_s,
        due_unix_s=question.due_unix_s,
        until_unix_s=question.until_unix_s,
    )


def _describe_session(session: JournalSession, book: JournalBook) -> RatedSession:
    occasion = session.occasion
    return RatedSession(
        session=occasion.name,
        program=session.program,
        began_unix_s=occasion.began_unix_s,
        ended_unix_s=occasion.ended_unix_s,
        soreness=describe_answers(book.answers(occasion)),
    )
