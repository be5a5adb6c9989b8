"""When somebody is asked: each question at its edges, and laws over all sessions, ratings and times."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.journals import make_occasion, rate, unix_s

from wavewrap_gateway.core.soreness import (
    LENGTH_MIN_S,
    LOOK_BACK_S,
    Occasion,
    answers_of,
    answers_span_s,
    find_due,
    next_due_unix_s,
    questions_of,
)
from wavewrap_protocol.journal_notes import SorenessNote
from wavewrap_protocol.payloads import Moment, OccasionKind

SESSION = make_occasion(0.0, 0.5)
RUN = make_occasion(-1.5, -0.5, kind=OccasionKind.RUN)

hours = st.floats(-30.0, 100.0)
ratings = st.lists(st.builds(rate, hours, st.integers(0, 10)), max_size=6)
occasions = st.lists(
    st.builds(
        lambda began, length, kind: make_occasion(began, began + length, kind=kind),
        hours,
        st.floats(0.0, 2.0),
        st.sampled_from(OccasionKind),
    ),
    max_size=4,
)


def asked(at_hours: float, *given_at: float, of: tuple[Occasion, ...] = (SESSION,)) -> list[str]:
    return [question.moment.value for question in find_due(of, [rate(one) for one in given_at], unix_s(at_hours))]


@pytest.mark.parametrize(
    ("at_hours", "due"),
    [
        (-0.1, []),
        (0.0, ["before"]),
        (9 / 60, ["before"]),
        (0.3, []),  # too late to tell how it was before
        (0.5, ["after"]),
        (4.5, ["after"]),
        (4.6, []),
        (24.4, []),
        (24.5, ["24_h"]),
        (36.5, ["24_h"]),
        (36.6, []),
        (48.5, ["48_h"]),
        (60.5, ["48_h"]),
        (60.6, []),
    ],
)
def test_a_session_is_asked_about_four_times(at_hours: float, due: list[str]) -> None:
    assert asked(at_hours) == due


def test_a_running_session_is_asked_about_its_begin_only() -> None:
    running = (make_occasion(0.0, None),)
    assert asked(0.1, of=running) == ["before"]
    assert asked(30.0, of=running) == []


def test_one_that_was_stopped_early_is_not_asked_about_before_when_it_is_over() -> None:
    brief = make_occasion(0.0, LENGTH_MIN_S / 3600.0)
    assert asked(0.09, of=(brief,)) == ["after"]


@pytest.mark.parametrize(
    "short", [make_occasion(0.0, 0.08), make_occasion(0.0, 0.5, planned_s=120.0), make_occasion(0.0, None, planned_s=60.0)]
)
def test_a_try_and_a_demo_are_not_asked_about(short: Occasion) -> None:
    assert questions_of(short) == []


def test_a_run_is_asked_about_a_day_and_two_later() -> None:
    assert [question.moment for question in questions_of(RUN)] == [Moment.HOURS_24, Moment.HOURS_48]
    assert asked(0.0, of=(RUN,)) == []
    assert asked(23.5, of=(RUN,)) == ["24_h"]


@pytest.mark.parametrize(
    ("given_at", "at_hours", "left"),
    [
        (-1.0, 0.05, []),  # noted before it began
        (-3.0, 0.05, ["before"]),  # too long before
        (0.05, 0.06, []),
        (0.6, 1.0, []),
        (20.0, 24.5, []),  # asked for nothing, and near enough
        (17.0, 24.5, ["24_h"]),
        (24.6, 25.0, []),
        (24.6, 48.5, ["48_h"]),
    ],
)
def test_a_rating_answers_what_it_is_near_to(given_at: float, at_hours: float, left: list[str]) -> None:
    assert asked(at_hours, given_at) == left


def test_one_answer_serves_a_run_the_session_after_it_and_the_day_before() -> None:
    yesterday = make_occasion(-24.0, -23.5)
    of = (yesterday, RUN, SESSION)
    assert sorted(asked(24.6, of=of)) == ["24_h", "24_h", "48_h"]
    assert asked(24.7, 24.6, of=of) == []


def test_the_best_rating_counts() -> None:
    given = [rate(-1.0, 7), rate(-0.1, 6), rate(0.6, 3), rate(3.0, 5), rate(19.0, 1), rate(25.0, 8), rate(48.6, 2)]
    assert answers_of(SESSION, given) == {Moment.BEFORE: 6, Moment.AFTER: 3, Moment.HOURS_24: 8, Moment.HOURS_48: 2}


@given(occasions, ratings, hours)
def test_what_is_due_is_open_and_what_was_answered_is_not_asked(of: list[Occasion], given: list[SorenessNote], at_hours: float) -> None:
    now_s = unix_s(at_hours)
    due = find_due(of, given, now_s)
    assert [question.due_unix_s for question in due] == sorted(question.due_unix_s for question in due)
    for question in due:
        assert question.due_unix_s <= now_s <= question.until_unix_s
        assert question.moment not in answers_of(question.occasion, given)
        assert now_s - LOOK_BACK_S <= (question.occasion.ended_unix_s or now_s)
    # One rating now answers all of it, at once and for good.
    assert find_due(of, [*given, SorenessNote(unix_s=now_s, soreness=5)], now_s) == []


@given(occasions, ratings, hours)
def test_nothing_falls_due_unannounced(of: list[Occasion], given: list[SorenessNote], at_hours: float) -> None:
    now_s = unix_s(at_hours)
    next_s = next_due_unix_s(of, given, now_s)
    known = set(find_due(of, given, now_s))
    if next_s is None:
        assert all(set(find_due(of, given, now_s + later * 3600.0)) <= known for later in (1.0, 24.0, 48.0))
    else:
        assert next_s > now_s
        assert set(find_due(of, given, next_s)) - known
        assert set(find_due(of, given, (now_s + next_s) / 2.0)) <= known


@given(st.floats(0.0, 0.5), st.floats(LENGTH_MIN_S / 3600.0, 2.0))
def test_no_rating_is_a_day_and_two_later_at_once(began_hours: float, length_hours: float) -> None:
    occasion = make_occasion(began_hours, began_hours + length_hours)
    spans = sorted(
        (question.counts_unix_s, question.until_unix_s) for question in questions_of(occasion) if question.moment is not Moment.BEFORE
    )
    assert all(first[1] < second[0] for first, second in pairwise(spans))


@given(occasions, ratings)
def test_no_rating_outside_the_span_is_an_answer(of: list[Occasion], given: list[SorenessNote]) -> None:
    for one in of:
        first_s, last_s = answers_span_s(one)
        inside = [rating for rating in given if first_s <= rating.unix_s <= last_s]
        assert answers_of(one, inside) == answers_of(one, given)
