"""Notes and the arithmetic of drinking: what is taken, what is refused, and that the sums are those of the rule."""

import csv
import io
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.journals import NOON_UNIX_S, book_of, make_occasion, rate, run_note, unix_s

from wavewrap_gateway.core.hydration import DRINK_ML_PER_KG, drink_ml
from wavewrap_gateway.core.journal import check_time, drink_after_ml, read_note
from wavewrap_gateway.core.journal_book import CSV_COLUMNS, write_csv
from wavewrap_gateway.core.journal_words import describe_book
from wavewrap_protocol.errors import UsageError
from wavewrap_protocol.journal_notes import NOTE_MAX, RunNote, SorenessNote

weights = st.floats(20.0, 350.0)


def test_twenty_ounces_for_a_pound() -> None:
    pound_kg = 0.45359237
    assert drink_ml(70.0, 70.0 - pound_kg) == pytest.approx(591.47, abs=0.01)
    assert drink_ml(154.0 * pound_kg, 152.5 * pound_kg) == pytest.approx(1.5 * 20.0 * 29.5735295625)
    assert drink_ml(71.2, 70.3) == pytest.approx(1173.6, abs=0.1)


@given(weights, weights, st.floats(0.0, 50.0))
def test_nothing_to_make_up_for_without_a_loss_and_in_proportion_with_one(before_kg: float, after_kg: float, more_kg: float) -> None:
    assert drink_ml(before_kg, after_kg) >= 0.0
    assert drink_ml(after_kg, before_kg) == 0.0 or drink_ml(before_kg, after_kg) == 0.0
    assert drink_ml(before_kg, before_kg) == 0.0
    assert drink_ml(before_kg + more_kg, before_kg) == pytest.approx(more_kg * DRINK_ML_PER_KG, abs=1e-6)


def test_what_follows_from_a_run() -> None:
    note = run_note(0.0, 50.0, effort=6, weight_before_kg=71.2, weight_after_kg=70.3)
    assert note.load_effort_min == pytest.approx(300.0)
    assert drink_after_ml(note) == pytest.approx(drink_ml(71.2, 70.3))
    assert (run_note(0.0).load_effort_min, drink_after_ml(run_note(0.0, weight_before_kg=70.0))) == (None, None)


@pytest.mark.parametrize(
    ("kind", "given_fields", "told"),
    [
        (RunNote, {"ended_unix_s": NOON_UNIX_S}, "duration_s: Field required"),
        (RunNote, {"ended_unix_s": NOON_UNIX_S, "duration_s": 0}, "duration_s: Input should be greater than 0"),
        (RunNote, {"ended_unix_s": float("nan"), "duration_s": 60}, "ended_unix_s: Input should be a finite number"),
        (RunNote, {"ended_unix_s": NOON_UNIX_S, "duration_s": 60, "effort": 11}, "effort: Input should be less than or equal to 10"),
        (
            RunNote,
            {"ended_unix_s": NOON_UNIX_S, "duration_s": 60, "weight_before_kg": 70.0, "weight_after_kg": 155.0},
            "70 kg before and 155 kg after are too far apart: check both, and their unit",
        ),
        (SorenessNote, {"unix_s": NOON_UNIX_S, "soreness": 11}, "soreness: Input should be less than or equal to 10"),
        (SorenessNote, {"unix_s": NOON_UNIX_S, "soreness": 3, "note": "x" * (NOTE_MAX + 1)}, "note: String should have at most"),
        (SorenessNote, {"unix_s": NOON_UNIX_S, "soreness": 3, "surprise": 1}, "surprise: Extra inputs are not permitted"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(
    kind: type[RunNote] | type[SorenessNote], given_fields: dict[str, object], told: str
) -> None:
    with pytest.raises(UsageError) as caught:
        read_note(kind, given_fields)
    assert str(caught.value).startswith(f"journal: {told}")
    assert "\n" not in str(caught.value)


def test_a_note_is_of_the_past() -> None:
    check_time(rate(0.0), NOON_UNIX_S)
    check_time(rate(0.0), NOON_UNIX_S - 299.0)  # whose clock is a little fast
    with pytest.raises(UsageError, match="400 s in the future: give a time that has been"):
        check_time(rate(0.0), NOON_UNIX_S - 400.0)
    with pytest.raises(UsageError, match="20 is no time of a note"):
        check_time(SorenessNote(unix_s=20.0, soreness=1), NOON_UNIX_S)


def utc(at_unix_s: float) -> str:
    return datetime.fromtimestamp(at_unix_s, UTC).isoformat()


def test_the_table_has_a_row_an_entry_and_says_what_a_rating_answers() -> None:
    note = 'said "ow", twice\nand once more'
    run = run_note(0.0, 50.0, effort=6, distance_m=8200.0, weight_before_kg=71.2, weight_after_kg=70.3, stretch_s=600.0, note=note)
    book = book_of([make_occasion(1.0, 1.5)], [run, rate(0.5, 6), rate(1.6, 3), rate(25.0, 5)])
    rows = list(csv.DictReader(io.StringIO(write_csv(book, utc), newline="")))
    assert list(rows[0]) == list(CSV_COLUMNS)
    assert [row["kind"] for row in rows] == ["run", "soreness", "soreness", "soreness"]
    first = rows[0]
    assert (first["time"], float(first["unix_s"]), first["note"]) == (utc(NOON_UNIX_S), NOON_UNIX_S, note)
    assert (first["duration_s"], first["distance_m"], first["effort"], first["load_effort_min"]) == ("3000.0", "8200.0", "6", "300.0")
    assert (first["drink_ml"], first["warm_up_s"], first["stretch_s"], first["soreness"]) == ("1173.573", "", "600.0", "")
    assert [row["soreness"] for row in rows[1:]] == ["6", "3", "5"]
    assert [row["answers"] for row in rows[1:]] == ["before of at-1", "after of at-1", "24_h of at-1; 24_h of e0"]


def test_the_journal_as_data() -> None:
    book = book_of([make_occasion(1.0, 1.5)], [run_note(0.0, effort=2), rate(0.5, 6), rate(1.6, 3)])
    told = json.loads(describe_book(book, unix_s(2.0)).model_dump_json())
    assert [(one["kind"], one.get("soreness"), one.get("load_min")) for one in told["entries"]] == [
        ("soreness", 3, None),
        ("soreness", 6, None),
        ("run", None, 90.0),
    ]
    (session,) = told["sessions"]
    assert session["soreness"] == {"before": 6, "after": 3, "hours_24": None, "hours_48": None}
    assert (told["due"], told["next_due_unix_s"]) == ([], unix_s(24.0))  # of the run, which ended first


@given(st.builds(dict, soreness=st.integers(0, 10), note=st.text(max_size=40)), st.floats(0.0, 100.0))
def test_a_note_survives_its_way_through_data(fields: dict[str, object], hours: float) -> None:
    note = read_note(SorenessNote, {"unix_s": unix_s(hours), **fields})
    assert read_note(SorenessNote, note.model_dump()) == note
