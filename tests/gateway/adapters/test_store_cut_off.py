"""What a session that was cut off may still get, on real databases: told at the next start, and completed by samples that come late."""

from dataclasses import replace

import pytest
from tests.support.histories import BEGUN_UNIX_S, make_frames, make_head
from tests.support.store_places import Place, open_places
from tests.support.store_writing import keep, wait_until, writing

from wavewrap_gateway.adapters.store_reader import delete_sessions, list_sessions, load_session
from wavewrap_gateway.adapters.store_writer import StoreWriter
from wavewrap_gateway.core.history import RecordState
from wavewrap_gateway.core.late_samples import AFTERMATH_S, Unfinished

place = pytest.fixture(open_places, scope="module", params=["sqlite", "postgresql"])


def test_what_a_dead_process_left_is_told_and_can_be_completed(place: Place) -> None:
    name = place.fresh()
    head = make_head("dead-0")
    frames = list(make_frames(head, 6.0))
    # Wrap 0 lacks the last second, wrap 1 has a hole.
    first = [frame for frame in frames if frame.seq < frames[-1].seq - 50 or frame.wrap == 1]
    first = [frame for frame in first if not (frame.wrap == 1 and 2.0 < (frame.unix_s or 0.0) - BEGUN_UNIX_S < 2.3)]
    assert keep(name, head, first, state=None) == []
    told: list[Unfinished] = []
    writer = StoreWriter(name, "attic", pytest.fail, lambda: BEGUN_UNIX_S + 30.0, told.extend)
    writer.start()
    wait_until(lambda: len(told) == 2)
    assert [(one.session_id, one.wrap, one.serial, one.boot_id) for one in told] == [
        ("dead-0", 0, "S-left", 7),
        ("dead-0", 1, "S-right", 7),
    ]
    assert told[0].begun_unix_s == BEGUN_UNIX_S
    assert told[0].until_unix_s == pytest.approx(BEGUN_UNIX_S + 6.0 + AFTERMATH_S)
    # The frames are of epoch 3 and the session began on boot 7: they are of another boot.
    assert told[0].runs == told[1].runs == ()
    lacking = [replace(frame, replay=True) for frame in frames if frame not in first]
    for frame in lacking[:-1]:
        writer.add_frame(frame)
    wait_until(lambda: load_session(name, "dead").sides[1].curves.missing == 0)
    writer.add_frame(lacking[-1])
    writer.close()
    session = load_session(name, "dead")
    assert [len(side.curves) for side in session.sides] == [300, 300]
    assert [side.curves.missing for side in session.sides] == [0, 0]


def test_samples_of_a_session_that_was_deleted_go_with_it(place: Place) -> None:
    name = place.fresh()
    gone, here = make_head("gone-0"), make_head("here-0", started_s=100.0)
    frames = list(make_frames(gone, 2.0))
    assert keep(name, gone, frames[:10]) == []
    with writing(name) as (writer, told):
        writer.begin(here)
        delete_sessions(name, ["gone"])
        for frame in frames[10:]:
            writer.add_frame(frame)
            writer.add_frame(replace(frame, session_id=here.session_id))
    assert told == []
    assert [entry.session_id for entry in list_sessions(name, 10)] == ["here-0"]
    assert len(load_session(name, "here").sides[0].curves) > 0


def test_the_record_of_a_cut_off_session_ends_where_the_next_one_began(place: Place) -> None:
    name = place.fresh()
    told: list[Unfinished] = []
    for number, started_s in enumerate((0.0, 8.0)):
        head = make_head(f"dead-{number}", started_s=started_s)
        assert keep(name, head, [replace(frame, epoch=7) for frame in make_frames(head, 3.0)], state=None) == []
    writer = StoreWriter(name, "attic", pytest.fail, lambda: BEGUN_UNIX_S + 30.0, told.extend)
    writer.start()
    wait_until(lambda: len(told) == 4)
    writer.close()
    until_s = {one.session_id: one.until_unix_s - BEGUN_UNIX_S for one in told}
    assert until_s == {"dead-0": 8.0, "dead-1": pytest.approx(11.0 + AFTERMATH_S)}
    runs = {one.runs for one in told}
    assert len(runs) == 1
    assert next(iter(runs))[-1][1] - next(iter(runs))[0][0] == 149


def test_a_session_that_a_fault_ended_may_get_more_and_one_that_ended_in_order_may_not(place: Place) -> None:
    name = place.fresh()
    for number, state in enumerate((RecordState.FAULTED, RecordState.COMPLETED, RecordState.STOPPED)):
        head = make_head(f"{state.value}-0", started_s=100.0 * number)
        assert keep(name, head, list(make_frames(head, 1.0)), state=state) == []
    told: list[Unfinished] = []
    writer = StoreWriter(name, "attic", pytest.fail, lambda: BEGUN_UNIX_S + 61.0, told.extend)
    writer.start()
    wait_until(lambda: len(told) == 2)
    writer.close()
    assert {one.session_id for one in told} == {"faulted-0"}
