"""The writer against real databases: all that was handed over comes back, whatever happens to the disk is told and survived."""

import sqlite3
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.support.histories import BEGUN_UNIX_S, make_end, make_event, make_frames, make_head, make_steps
from tests.support.postgres import missing_postgres, run_postgres
from tests.support.store_places import Place, open_places
from tests.support.store_writing import keep, wait_until, writing

from wavewrap_gateway.adapters import store_engine, store_writer
from wavewrap_gateway.adapters.store_batch import RecordBatch, write_batch
from wavewrap_gateway.adapters.store_cut_off import CUT_OFF
from wavewrap_gateway.adapters.store_engine import open_engine, prepare
from wavewrap_gateway.adapters.store_place import mask_place
from wavewrap_gateway.adapters.store_reader import delete_sessions, list_sessions, load_session
from wavewrap_gateway.adapters.store_writer import StoreWriter, this_process
from wavewrap_gateway.core.history import RecordedFrame, RecordState
from wavewrap_gateway.core.recorded_session import SessionEntry
from wavewrap_protocol.errors import StoreError, UsageError

place = pytest.fixture(open_places, scope="module", params=["sqlite", "postgresql"])


def rows_of(frames: list[RecordedFrame], wrap: int) -> list[tuple[int, ...]]:
    return [row for frame in frames if frame.wrap == wrap for row in frame.samples_cmmhg]


def test_everything_comes_back(place: Place) -> None:
    name, head = place.fresh(), make_head()
    frames = list(make_frames(head, 12.0))
    assert keep(name, head, frames) == []
    session = load_session(name, "last")
    assert session.head == head
    assert (session.state, session.reason, session.ended_unix_s) == (RecordState.COMPLETED, "the program is over", BEGUN_UNIX_S + 60.0)
    assert (session.unrecorded, session.summary) == (0, None)
    assert session.events == [make_event(head, 1)]
    for wrap, side in enumerate(session.sides):
        assert [tuple(row) for row in side.curves.pressure_cmmhg.tolist()] == rows_of(frames, wrap)
        assert side.curves.missing == 0
        assert side.curves.tick[0] == frames[0].tick
        assert np.all(np.diff(side.curves.tick) == 200)
        assert side.curves.unix_s[-1] == pytest.approx(BEGUN_UNIX_S + 12.0 - 0.02, abs=1e-6)
    steps = [step.restore() for step in make_steps(head)]
    assert [(step.wave, step.seq, step.actual_tick, step.outcome) for step in session.sides[0].account.carried_out] == [
        (step.wave, step.seq, step.actual_tick, step.outcome) for step in steps
    ]
    assert session.sides[1].account.carried_out == []


def test_a_replay_fills_a_gap_once_and_what_never_came_is_counted(place: Place) -> None:
    name, head = place.fresh(), make_head()
    frames = list(make_frames(head, 10.0, wraps=1))
    again = [RecordedFrame(**{**{key: getattr(frame, key) for key in RecordedFrame.__slots__}, "replay": True}) for frame in frames[10:13]]
    assert keep(name, head, [*frames[:10], *frames[14:20], *again, *frames[20:], again[0]]) == []
    curves = load_session(name, "last").sides[0].curves
    assert curves.missing == 10
    assert len(curves) == 490
    assert int(curves.replayed.sum()) == 30
    kept = rows_of([*frames[:13], *frames[14:]], 0)
    assert [tuple(row) for row in curves.pressure_cmmhg.tolist()] == kept


def test_the_record_is_written_while_the_session_runs(place: Place) -> None:
    name, head = place.fresh(), make_head()
    with writing(name) as (writer, _told):
        writer.begin(head)
        writer.add_event(make_event(head, 1))
        wait_until(lambda: bool(known(name)))
        for frame in make_frames(head, 2.0):
            writer.add_frame(frame)
        wait_until(lambda: known(name)[0].samples == 200)
        (entry,) = known(name)
        assert (entry.state, entry.duration_s, entry.wraps) == (RecordState.RUNNING, None, ("wrap-left", "wrap-right"))


def test_what_was_sent_again_is_not_left_waiting(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    name, head = place.fresh(), make_head()
    monkeypatch.setattr(store_writer, "COMMIT_S", 3600.0)
    frames = list(make_frames(head, 2.0, wraps=1))
    with writing(name) as (writer, _told):
        writer.begin(head)
        wait_until(lambda: bool(known(name)))
        for frame in frames[1:]:
            writer.add_frame(frame)
        assert known(name)[0].samples == 0
        writer.add_frame(replace(frames[0], replay=True))
        wait_until(lambda: known(name)[0].samples == 100)


def known(name: str) -> list[SessionEntry]:
    """What a reader finds there now; nothing before there is a history."""
    try:
        return list_sessions(name, 10)
    except StoreError:
        return []


def test_a_session_of_a_dead_process_is_closed_at_the_next_start(place: Place) -> None:
    name = place.fresh()
    dead, alive, elsewhere = (make_head(f"{kind}-0", gateway=gateway) for kind, gateway in DEAD_AND_ALIVE)
    pid, started_unix_s = this_process()
    alive = replace(alive, pid=pid, process_started_unix_s=started_unix_s)
    for head in (dead, alive, elsewhere):
        # Each is still running when its writer goes.
        assert keep(name, head, list(make_frames(head, 3.0)), state=None) == []
    with writing(name, "attic"):
        wait_until(lambda: states(name)["dead-0"] is not RecordState.RUNNING)
    assert states(name) == {"dead-0": RecordState.INTERRUPTED, "alive-0": RecordState.RUNNING, "elsewhere-0": RecordState.RUNNING}
    session = load_session(name, "dead")
    assert session.reason == CUT_OFF
    assert session.ended_unix_s == pytest.approx(BEGUN_UNIX_S + 3.0)
    with pytest.raises(UsageError, match="session alive-0 is running, or was cut off: end it, or say --running"):
        delete_sessions(name, ["alive"])
    assert delete_sessions(name, ["alive", "dead"], running=True) == ["alive-0", "dead-0"]
    assert set(states(name)) == {"elsewhere-0"}


DEAD_AND_ALIVE = (("dead", "attic"), ("alive", "attic"), ("elsewhere", "cellar"))


def states(name: str) -> dict[str, RecordState]:
    return {entry.session_id: entry.state for entry in list_sessions(name, 10)}


def test_names_of_sessions(place: Place) -> None:
    name = place.fresh()
    for number, session_id in enumerate(("20260101-a", "20260101-ab", "20260102-c")):
        head = make_head(session_id, started_s=number)
        keep(name, head, list(make_frames(head, 0.4)))
    assert [entry.session_id for entry in list_sessions(name, 2)] == ["20260102-c", "20260101-ab"]
    assert load_session(name, "last").head.session_id == "20260102-c"
    assert load_session(name, "20260102").head.session_id == "20260102-c"
    assert load_session(name, "20260101-a").head.session_id == "20260101-a"
    with pytest.raises(UsageError, match="more than one session begins with '20260101'"):
        load_session(name, "20260101")
    for wrong in ("2027", "", "%"):
        with pytest.raises(UsageError, match="no session is called"):
            load_session(name, wrong)
    # All or none.
    with pytest.raises(UsageError, match="no session is called 'nobody'"):
        delete_sessions(name, ["20260102-c", "nobody"])
    assert len(list_sessions(name, 10)) == 3


def test_a_session_deleted_while_it_runs_is_kept_from_there_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_writer, "RETRY_S", 0.1)
    name, head = str(tmp_path / "history.sqlite"), make_head()
    with writing(name) as (writer, told):
        writer.begin(head)
        writer.add_event(make_event(head, 1))
        wait_until(lambda: bool(known(name)))
        assert delete_sessions(name, ["last"], running=True) == [head.session_id]
        writer.add_event(make_event(head, 2))
        wait_until(lambda: len(told) > 1)
        writer.finish(make_end(head))
    assert told[0] == f"history {name}: the session was deleted while it ran. The session goes on; what it records waits"
    session = load_session(name, "last")
    assert (session.state, [event.seq for event in session.events]) == (RecordState.COMPLETED, [2])


def test_what_is_deleted_gives_its_room_back(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    head = make_head()
    keep(str(path), head, list(make_frames(head, 300.0)))
    full = path.stat().st_size
    delete_sessions(str(path), ["last"])
    assert path.stat().st_size < full / 2


def test_thirty_minutes_fit_six_megabytes_with_room(tmp_path: Path) -> None:
    """Two minutes, written second by second as in a session, are a fifteenth of it: 400 kB, of which 100 kB are there from the start."""
    path = tmp_path / "history.sqlite"
    head = make_head()
    prepared = prepare(open_engine(str(path)), str(path))
    numbers: Counter[tuple[str, int]] = Counter()
    frames = list(make_frames(head, 120.0))
    with prepared as connection:
        write_batch(connection, RecordBatch(heads=[head]), {}, [head.session_id])
        for second in range(120):
            batch = RecordBatch()
            batch.add_frames(frames[second * 10 : second * 10 + 10], numbers)
            write_batch(connection, batch, {}, [head.session_id])
    assert path.stat().st_size < 250_000
    assert list_sessions(str(path), 1)[0].samples == 2 * 120 * 50


@pytest.mark.parametrize("where", ["header", "middle"])
def test_a_damaged_file_is_set_aside(tmp_path: Path, where: str) -> None:
    path = tmp_path / "history.sqlite"
    before = make_head("before-0")
    keep(str(path), before, list(make_frames(before, 60.0)))
    damage(path, where)
    head = make_head("after-0", started_s=100.0)
    told = keep(str(path), head, list(make_frames(head, 60.0)))
    aside = path.with_name(f"history.sqlite.damaged-{BEGUN_UNIX_S:.0f}")
    assert told == [f"history {path}: the file is damaged; it is now {aside}, and a new one has begun"]
    assert aside.exists()
    assert states(str(path)) == {"after-0": RecordState.COMPLETED}
    assert [len(side.curves) for side in load_session(str(path), "last").sides] == [3_000, 3_000]


def damage(path: Path, where: str) -> None:
    size = path.stat().st_size
    with path.open("r+b") as file:
        if where == "header":
            file.write(b"not a database at all, but a text")
        else:
            # Every page but the first: the file opens, and what it holds makes no sense.
            file.seek(4096)
            file.write(b"\xa5" * (size - 4096))


def test_a_file_damaged_under_a_running_session_is_set_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it was locked, so that the writer has to open it again."""
    monkeypatch.setattr(store_engine, "BUSY_S", 0.05)
    monkeypatch.setattr(store_writer, "RETRY_S", 0.1)
    path = tmp_path / "history.sqlite"
    head = make_head()
    with writing(str(path)) as (writer, told):
        writer.begin(head)
        writer.add_event(make_event(head, 1))
        wait_until(lambda: bool(known(str(path))))
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        writer.add_event(make_event(head, 2))
        wait_until(lambda: bool(told))
        # The writer has let go of it.
        damage(path, "header")
        other.close()
        wait_until(lambda: any("damaged" in line for line in told))
        for frame in make_frames(head, 60.0):
            writer.add_frame(frame)
        writer.finish(make_end(head))
    session = load_session(str(path), "last")
    assert (session.head, session.state) == (head, RecordState.COMPLETED)
    assert [len(side.curves) for side in session.sides] == [3_000, 3_000]


def test_a_file_moved_under_a_running_session_is_noticed(tmp_path: Path) -> None:
    path, moved = tmp_path / "history.sqlite", tmp_path / "elsewhere.sqlite"
    head = make_head()
    frames = list(make_frames(head, 20.0))
    with writing(str(path)) as (writer, told):
        writer.begin(head)
        for frame in frames[:100]:
            writer.add_frame(frame)
        writer.add_event(make_event(head, 1))
        wait_until(lambda: bool(known(str(path))) and known(str(path))[0].samples == 1_000)
        path.rename(moved)
        for frame in frames[100:]:
            writer.add_frame(frame)
        writer.add_event(make_event(head, 2))
        wait_until(lambda: bool(told))
        writer.finish(make_end(head))
    assert told == [f"history {path}: the file was moved or deleted; a new one has begun"]
    session = load_session(str(path), "last")
    assert (session.head, session.state, [event.seq for event in session.events]) == (head, RecordState.COMPLETED, [2])
    assert [len(side.curves) for side in session.sides] == [500, 500]


def test_a_file_that_another_program_locks_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_engine, "BUSY_S", 0.05)
    monkeypatch.setattr(store_writer, "RETRY_S", 0.1)
    path = tmp_path / "history.sqlite"
    head = make_head()
    frames = list(make_frames(head, 6.0))
    keep(str(path), make_head("first-0"), [])
    other = sqlite3.connect(path, isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        with writing(str(path)) as (writer, told):
            writer.begin(head)
            for frame in frames:
                writer.add_frame(frame)
            wait_until(lambda: bool(told))
            other.execute("ROLLBACK")
            wait_until(lambda: len(told) > 1)
            writer.finish(make_end(head))
    finally:
        other.close()
    assert told == [
        f"history {path}: another program holds it locked: end that one. The session goes on; what it records waits",
        f"history {path}: recording again, 0 samples lost",
    ]
    assert [len(side.curves) for side in load_session(str(path), head.session_id).sides] == [300, 300]


def test_what_waits_is_bounded_and_what_is_lost_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_writer, "RETRY_S", 0.1)
    monkeypatch.setattr(store_writer, "FRAMES_BOUND", 100)
    head = make_head()
    folder = tmp_path / "not-a-folder"
    folder.write_text("in the way")
    path = folder / "history.sqlite"
    with writing(str(path)) as (writer, told):
        wait_until(lambda: bool(told))
        writer.begin(head)
        for frame in make_frames(head, 30.0):
            writer.add_frame(frame)
        folder.unlink()
        wait_until(lambda: len(told) > 1)
        writer.finish(make_end(head))
    assert told[0].startswith(f"history {path}: ")
    assert "make its folder writable, or configure another store. The session goes on; what it records waits" in told[0]
    assert told[1] == f"history {path}: recording again, 2000 samples lost"
    session = load_session(str(path), "last")
    assert session.unrecorded == 2_000
    assert [len(side.curves) for side in session.sides] == [500, 500]


def test_a_server_that_is_away_is_told_once_and_recorded_to_when_it_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = missing_postgres()
    if missing is not None:
        pytest.skip(missing)
    monkeypatch.setattr(store_writer, "RETRY_S", 0.2)
    head = make_head()
    frames = list(make_frames(head, 12.0))
    with run_postgres() as server:
        name = server.make_database("history")
        with writing(name) as (writer, told):
            writer.begin(head)
            for frame in frames[:60]:
                writer.add_frame(frame)
            wait_until(lambda: bool(known(name)) and known(name)[0].samples == 600)
            server.kill()
            for frame in frames[60:]:
                writer.add_frame(frame)
            writer.add_event(make_event(head, 1))
            wait_until(lambda: bool(told))
            server.start()
            wait_until(lambda: len(told) > 1)
            writer.finish(make_end(head))
        assert len(told) == 2
        assert "The session goes on; what it records waits" in told[0]
        assert "postgres@" in told[0]
        assert told[1].endswith("recording again, 0 samples lost")
        session = load_session(name, "last")
        assert [len(side.curves) for side in session.sides] == [600, 600]
        assert [event.seq for event in session.events] == [1]


def test_a_server_that_answers_nothing_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = missing_postgres()
    if missing is not None:
        pytest.skip(missing)
    monkeypatch.setattr(store_writer, "CLOSE_S", 0.5)
    head = make_head()
    with run_postgres() as server:
        name = server.make_database("history")
        with writing(name) as (writer, told):
            writer.begin(head)
            wait_until(lambda: bool(known(name)))
            server.pause()
            for number, frame in enumerate(make_frames(head, 60.0)):
                writer.add_frame(frame)
                writer.add_event(make_event(head, number + 1))
            writer.finish(make_end(head))
        # The writer was closed all the same.
        assert told == [f"history {mask_place(name)}: it does not answer: the end of this session is not kept"]
        server.resume()
        # What was sent and not answered is there once it goes on; nothing is there twice.
        wait_until(lambda: known(name)[0].state is RecordState.COMPLETED)
        assert [len(side.curves) for side in load_session(name, "last").sides] == [3_000, 3_000]


def test_a_driver_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(UsageError, match=r"a store on PostgreSQL needs psycopg: pip install 'wavewrap\[postgres\]'"):
        StoreWriter("postgresql://clinic/history", "attic", print, lambda: 0.0).start()
