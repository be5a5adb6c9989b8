"""When to ask how sore the calves are: before and after a session, and 24 and 48 h later. Pure; the time is passed in.

A rating is a number at a moment and belongs to nothing: what it answers follows from when it was given, so one answer serves every
question that is open then, and nobody is asked twice for a session and the run before it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from wavewrap_protocol.journal_notes import SorenessNote
from wavewrap_protocol.payloads import Moment, OccasionKind

__all__ = [
    "LENGTH_MIN_S",
    "LOOK_BACK_S",
    "MOMENTS_OF",
    "Occasion",
    "Question",
    "answers_of",
    "answers_span_s",
    "find_due",
    "next_due_unix_s",
    "questions_of",
]

HOUR_S = 3600.0

LENGTH_MIN_S = 300.0
"""Sessions that were shorter, or were to be, are not asked about. Choice: a session of use is longer, a try and a demo are shorter."""


MOMENTS_OF = {
    OccasionKind.SESSION: tuple(Moment),
    # Nobody is at the page the moment a run begins or ends; the notes of the run are there for that.
    OccasionKind.RUN: (Moment.HOURS_24, Moment.HOURS_48),
}


@dataclass(frozen=True, slots=True)
class _Span:
    """Seconds from the anchor: a rating counts from ``counts_s``, is asked for from ``due_s``, both until ``until_s``."""

    counts_s: float
    due_s: float
    until_s: float


_SPANS = {
    # From the begin of a session; who rates in its first minutes still tells how it was before.
    Moment.BEFORE: _Span(-2.0 * HOUR_S, 0.0, 600.0),
    # The rest from the end.
    Moment.AFTER: _Span(0.0, 0.0, 4.0 * HOUR_S),
    Moment.HOURS_24: _Span(18.0 * HOUR_S, 24.0 * HOUR_S, 36.0 * HOUR_S),
    Moment.HOURS_48: _Span(42.0 * HOUR_S, 48.0 * HOUR_S, 60.0 * HOUR_S),
}
"""Choices: wide enough that a night's sleep or a rating given early does not lose the answer, and no rating is 24 and 48 h at once."""

LOOK_BACK_S = 61.0 * HOUR_S
"""An occasion that ended longer ago has no open question."""


@dataclass(frozen=True, slots=True)
class Occasion:
    """A session or a run. ``name`` is its name in the history or journal; ``ended_unix_s`` is ``None`` while it goes on."""

    kind: OccasionKind
    name: str
    began_unix_s: float
    ended_unix_s: float | None
    planned_s: float

    @property
    def is_short(self) -> bool:
        """Whether it is a session that nobody is asked about."""
        length_s = self.planned_s if self.ended_unix_s is None else min(self.planned_s, self.ended_unix_s - self.began_unix_s)
        return self.kind is OccasionKind.SESSION and length_s < LENGTH_MIN_S


@dataclass(frozen=True, slots=True)
class Question:
    """Asked from ``due_unix_s`` until ``until_unix_s``; a rating since ``counts_unix_s`` has answered it."""

    occasion: Occasion
    moment: Moment
    counts_unix_s: float
    due_unix_s: float
    until_unix_s: float

    def takes(self, rating: SorenessNote) -> bool:
        """Whether ``rating`` is an answer."""
        return self.counts_unix_s <= rating.unix_s <= self.until_unix_s


def questions_of(occasion: Occasion) -> list[Question]:
    """All that there will be, in the order in which they fall due; those about its end once it has ended."""
    if occasion.is_short:
        return []
    found: list[Question] = []
    for moment in MOMENTS_OF[occasion.kind]:
        span = _SPANS[moment]
        anchor_s = occasion.began_unix_s if moment is Moment.BEFORE else occasion.ended_unix_s
        if anchor_s is None:
            continue
        until_s = anchor_s + span.until_s
        if moment is Moment.BEFORE and occasion.ended_unix_s is not None:
            until_s = min(until_s, occasion.ended_unix_s)
        found.append(Question(occasion, moment, anchor_s + span.counts_s, anchor_s + span.due_s, until_s))
    return found


def answers_of(occasion: Occasion, ratings: Iterable[SorenessNote]) -> dict[Moment, int]:
    """What was answered: before, the last rating that counts; after, the first; later, the one nearest to the hour."""
    given = sorted(ratings, key=lambda rating: rating.unix_s)
    answers: dict[Moment, int] = {}
    for question in questions_of(occasion):
        fitting = [rating for rating in given if question.takes(rating)]
        if fitting:
            due_s = question.due_unix_s
            best = fitting[-1] if question.moment is Moment.BEFORE else min(fitting, key=lambda rating: abs(rating.unix_s - due_s))
            answers[question.moment] = best.soreness
    return answers


def answers_span_s(occasion: Occasion) -> tuple[float, float]:
    """Wall times from the first to the last rating that can be an answer; one that goes on, or is not asked about, has its begin only."""
    questions = questions_of(occasion)
    first_s = min((question.counts_unix_s for question in questions), default=occasion.began_unix_s)
    return first_s, max((question.until_unix_s for question in questions), default=occasion.began_unix_s)


def find_due(occasions: Iterable[Occasion], ratings: Sequence[SorenessNote], now_unix_s: float) -> list[Question]:
    """What is asked now, the oldest first."""
    due = [
        question
        for occasion in occasions
        for question in questions_of(occasion)
        if question.due_unix_s <= now_unix_s <= question.until_unix_s and not any(map(question.takes, ratings))
    ]
    return sorted(due, key=lambda question: (question.due_unix_s, question.occasion.name))


def next_due_unix_s(occasions: Iterable[Occasion], ratings: Sequence[SorenessNote], now_unix_s: float) -> float | None:
    """When the next question falls due that is not asked yet; ``None`` where none is known."""
    coming = [
        question.due_unix_s
        for occasion in occasions
        for question in questions_of(occasion)
        if question.due_unix_s > now_unix_s and not any(map(question.takes, ratings))
    ]
    return min(coming, default=None)
