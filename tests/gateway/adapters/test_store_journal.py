"""The journal on a real SQLite file and a real PostgreSQL server: kept, found, shared by nobody, and gone when it is deleted."""

from pathlib import Path

import pytest
from sqlalchemy import text
from tests.support.histories import BEGUN_UNIX_S, make_end, make_head
from tests.support.journals import rate, run_note, unix_s
from tests.support.store_places import Place, open_places

from wavewrap_gateway.adapters.store_engine import begin, open_engine, prepare
from wavewrap_gateway.adapters.store_journal import add_entry, delete_entries, delete_journal, load_journal, load_ratings
from wavewrap_gateway.adapters.store_schema import migrate
from wavewrap_gateway.adapters.store_writer import StoreWriter
from wavewrap_gateway.core.journal import JournalEntry
from wavewrap_protocol.errors import StoreError, UsageError
from wavewrap_protocol.journal_notes import RunNote, SorenessNote

place = pytest.fixture(open_places, scope="module", params=["sqlite", "postgresql"])

RUN = run_note(
    1.0, effort=7, distance_m=10_500.5, weight_before_kg=71.25, weight_after_kg=70.5, warm_up_s=480.0, stretch_s=0.0, note="hills"
)


def entry(name: str, note: RunNote | SorenessNote) -> JournalEntry:
    return JournalEntry(name, note.at_unix_s + 60.0, note)


def fill(where: str) -> list[JournalEntry]:
    """Three entries of the attic, the newest first, and one of somebody else's."""
    made = [entry("b-2", rate(3.0, 10)), entry("b-1", rate(2.0, 0)), entry("a-run", RUN)]
    for one in (made[1], made[0], made[2]):
        add_entry(where, "attic", one)
    add_entry(where, "cellar", entry("other", rate(4.0)))
    return made


def test_what_was_noted_is_read_back_as_it_was(place: Place) -> None:
    where = place.fresh()
    made = fill(where)
    assert load_journal(where, "attic").entries == made
    assert [one.entry_id for one in load_journal(where, "cellar").entries] == ["other"]
    assert load_journal(where, "attic", unix_s(2.0)).entries == made[:2]


def test_ratings_of_a_time_are_found_alone(place: Place) -> None:
    where = place.fresh()
    fill(where)
    assert load_ratings(where, "attic", unix_s(2.0), unix_s(3.0)) == [rate(2.0, 0), rate(3.0, 10)]
    assert load_ratings(where, "attic", unix_s(2.1), unix_s(9.0)) == [rate(3.0, 10)]
    assert load_ratings(where, "attic", unix_s(4.0), unix_s(9.0)) == []


def test_without_a_store_the_journal_is_empty_and_the_first_note_makes_one(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "history.sqlite"
    assert load_journal(str(path), "attic").entries == []
    assert not path.exists()
    with pytest.raises(StoreError, match="there is no history"):
        delete_journal(str(path), "attic")
    add_entry(str(path), "attic", entry("first", rate(0.0)))
    assert path.stat().st_mode & 0o777 == 0o600
    assert [one.entry_id for one in load_journal(str(path), "attic").entries] == ["first"]


def test_sessions_of_the_same_gateway_stand_beside_it(place: Place) -> None:
    where = place.fresh()
    writer = StoreWriter(where, "attic", pytest.fail, lambda: 0.0)
    writer.start()
    over, running, others = make_head("1-over"), make_head("2-running", started_s=7200.0), make_head("3-others", gateway="cellar")
    for head in (over, running, others):
        writer.begin(head)
    writer.finish(make_end(over))
    writer.close()
    sessions = load_journal(where, "attic").sessions
    assert [(one.occasion.name, one.occasion.began_unix_s, one.occasion.ended_unix_s, one.program) for one in sessions] == [
        ("2-running", BEGUN_UNIX_S + 7200.0, None, running.program.name),
        ("1-over", BEGUN_UNIX_S, BEGUN_UNIX_S + 60.0, over.program.name),
    ]
    assert sessions[0].occasion.planned_s == 60.0


def test_a_store_of_before_the_journal_takes_notes(place: Place) -> None:
    where = place.fresh()
    with open_engine(where).connect().execution_options(writes=True) as connection, begin(connection, durable=True):
        migrate(connection, upto=2)
    assert load_journal(where, "attic").entries == []
    made = fill(where)
    assert load_journal(where, "attic").entries == made


def test_entries_are_deleted_by_the_beginning_of_their_names_all_or_none(place: Place) -> None:
    where = place.fresh()
    fill(where)
    for wanted, told in ((["b"], "more than one"), (["a-run", "other"], "'other'"), (["a-run", ""], "''")):
        with pytest.raises(UsageError, match=told):
            delete_entries(where, "attic", wanted)
    assert len(load_journal(where, "attic").entries) == 3
    assert delete_entries(where, "attic", ["a", "b-2", "a-run"]) == ["a-run", "b-2"]
    assert [one.entry_id for one in load_journal(where, "attic").entries] == ["b-1"]


def test_deleting_all_leaves_the_journals_of_others_and_every_session(place: Place) -> None:
    where = place.fresh()
    fill(where)
    assert delete_journal(where, "attic") == 3
    assert delete_journal(where, "attic") == 0
    assert load_journal(where, "attic").entries == []
    assert len(load_journal(where, "cellar").entries) == 1


def test_what_was_deleted_is_not_in_the_file_any_more(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    secret = "the knee of my neighbour"
    add_entry(str(path), "attic", entry("kept", rate(0.0)))
    add_entry(str(path), "attic", entry("gone", SorenessNote(unix_s=unix_s(1.0), soreness=3, note=secret)))
    assert any(secret.encode() in file.read_bytes() for file in tmp_path.iterdir())
    delete_entries(str(path), "attic", ["gone"])
    assert [file.name for file in tmp_path.iterdir() if secret.encode() in file.read_bytes()] == []


def test_a_note_of_a_session_that_runs_waits_for_nobody(tmp_path: Path) -> None:
    """The writer of sessions holds the file open; a note comes from another process beside it."""
    path = str(tmp_path / "history.sqlite")
    writer = StoreWriter(path, "attic", pytest.fail, lambda: 0.0)
    writer.start()
    head = make_head()
    writer.begin(head)
    add_entry(path, "attic", entry("note", rate(0.0)))
    writer.finish(make_end(head))
    writer.close()
    book = load_journal(path, "attic")
    assert (len(book.entries), book.sessions[0].occasion.ended_unix_s) == (1, BEGUN_UNIX_S + 60.0)


def test_a_file_that_is_no_database_is_told_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    path.write_bytes(b"this is no database, and long enough to be taken for one: " * 20)
    with pytest.raises(StoreError, match="no SQLite database"):
        add_entry(str(path), "attic", entry("first", rate(0.0)))


def test_what_was_left_out_of_a_run_is_not_made_up(place: Place) -> None:
    where = place.fresh()
    with prepare(open_engine(where), where) as connection, begin(connection, durable=True):
        columns = "entry_id, gateway, written_unix_s, ended_unix_s, duration_s, note"
        connection.execute(text(f"INSERT INTO journal_runs ({columns}) VALUES ('r', 'attic', 1, 2, 60, '')"))
    (kept,) = load_journal(where, "attic").entries
    assert isinstance(kept.note, RunNote)
    assert (kept.note.duration_s, kept.note.effort, kept.note.weight_after_kg) == (60.0, None, None)
