"""The journal with the sessions beside it: what is asked now, what was answered, and a table for other programs. Pure."""

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from wavewrap_gateway.core.journal import JournalEntry, drink_after_ml
from wavewrap_gateway.core.soreness import Occasion, Question, answers_of, find_due, next_due_unix_s, questions_of
from wavewrap_protocol.journal_notes import RunNote, SorenessNote
from wavewrap_protocol.payloads import Moment, OccasionKind

__all__ = ["CSV_COLUMNS", "JournalBook", "JournalSession", "occasion_of", "write_csv"]


@dataclass(frozen=True, slots=True)
class JournalSession:
    """A session as the journal sees it."""

    occasion: Occasion
    program: str


@dataclass(frozen=True, slots=True)
class JournalBook:
    """Entries and sessions, each the newest first."""

    entries: Sequence[JournalEntry]
    sessions: Sequence[JournalSession]

    @property
    def ratings(self) -> list[SorenessNote]:
        """Every soreness that was noted."""
        return [entry.note for entry in self.entries if isinstance(entry.note, SorenessNote)]

    @property
    def occasions(self) -> list[Occasion]:
        """Everything that there are questions about."""
        return [session.occasion for session in self.sessions] + [
            occasion_of(entry) for entry in self.entries if isinstance(entry.note, RunNote)
        ]

    def find_due(self, now_unix_s: float) -> list[Question]:
        """What is asked now, the oldest first."""
        return find_due(self.occasions, self.ratings, now_unix_s)

    def next_due_unix_s(self, now_unix_s: float) -> float | None:
        """When the next question falls due."""
        return next_due_unix_s(self.occasions, self.ratings, now_unix_s)

    def answers(self, occasion: Occasion) -> dict[Moment, int]:
        """What was answered about ``occasion``."""
        return answers_of(occasion, self.ratings)


def occasion_of(entry: JournalEntry) -> Occasion:
    """The run that ``entry`` notes."""
    note = entry.note
    assert isinstance(note, RunNote)
    return Occasion(OccasionKind.RUN, entry.entry_id, note.ended_unix_s - note.duration_s, note.ended_unix_s, note.duration_s)


_RUN_COLUMNS = ("duration_s", "distance_m", "effort", "load_effort_min", "weight_before_kg", "weight_after_kg", "warm_up_s", "stretch_s")

CSV_COLUMNS = ("entry", "kind", "time", "unix_s", *_RUN_COLUMNS, "drink_ml", "soreness", "answers", "note")
"""A row an entry; ``effort`` is 1 to 10, ``soreness`` 0 to 10, ``answers`` says what a rating counts as, as ``24_h of SESSION``."""


def write_csv(book: JournalBook, local_time: Callable[[float], str]) -> str:
    """The entries, the oldest first; ``local_time`` writes a wall time for people."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(CSV_COLUMNS)
    questions = [(question, f"{question.moment.value} of {question.occasion.name}") for question in _all_questions(book)]
    for entry in reversed(book.entries):
        note = entry.note
        head = (entry.entry_id, "run" if isinstance(note, RunNote) else "soreness", local_time(note.at_unix_s), note.at_unix_s)
        if isinstance(note, RunNote):
            figures = [*(getattr(note, name) for name in _RUN_COLUMNS), drink_after_ml(note)]
            cells = ["" if figure is None else round(figure, 3) for figure in figures]
            writer.writerow((*head, *cells, "", "", note.note))
        else:
            blank = [""] * (len(_RUN_COLUMNS) + 1)
            answered = "; ".join(words for question, words in questions if question.takes(note))
            writer.writerow((*head, *blank, note.soreness, answered, note.note))
    return text.getvalue()


def _all_questions(book: JournalBook) -> list[Question]:
    return [question for occasion in book.occasions for question in questions_of(occasion)]
