"""Sessions found in a history, on SQLite and on PostgreSQL alike."""

from dataclasses import replace

import pytest
from tests.support.histories import BEGUN_UNIX_S, make_end, make_head
from tests.support.store_places import Place, open_places

from wavewrap_gateway.adapters.store_search import find_session, list_matching, search_sessions
from wavewrap_gateway.adapters.store_writer import StoreWriter
from wavewrap_gateway.core.history import RecordState
from wavewrap_protocol.history_asks import SessionFilter

place = pytest.fixture(open_places, scope="module", params=["sqlite", "postgresql"])


@pytest.fixture(scope="module")
def history(place: Place) -> str:
    """Four sessions, an hour apart; the last runs, and has one wrap of another name."""
    name = place.fresh()
    writer = StoreWriter(name, "attic", pytest.fail, lambda: 0.0)
    writer.start()
    for number, state in enumerate((RecordState.COMPLETED, RecordState.STOPPED, RecordState.FAULTED, None)):
        head = make_head(f"session-{number}", started_s=3600.0 * number)
        if state is None:
            head = replace(head, wraps=(replace(head.wraps[0], name="spare"),))
        writer.begin(head)
        if state is not None:
            writer.finish(make_end(head, state))
    writer.close()
    return name


def test_each_filter_and_all_of_them(history: str) -> None:
    def names(**wanted: object) -> list[str]:
        return [line.session for line in list_matching(history, SessionFilter.model_validate(wanted), 10, 0).lines]

    assert names() == ["session-3", "session-2", "session-1", "session-0"]
    assert names(state="faulted") == ["session-2"]
    assert names(wrap="spare") == ["session-3"]
    assert names(wrap="wrap-left", from_unix_s=BEGUN_UNIX_S + 3600.0) == ["session-2", "session-1"]
    assert names(until_unix_s=BEGUN_UNIX_S + 3600.0) == ["session-0"]
    assert names(program="nobody's") == []


def test_a_page_of_it_and_what_can_be_chosen_from(history: str) -> None:
    answer = search_sessions(history, SessionFilter(), 2, 1)
    assert (answer.begun, answer.total, [line.session for line in answer.sessions]) == (True, 4, ["session-2", "session-1"])
    assert answer.wraps == ["spare", "wrap-left", "wrap-right"]
    assert (answer.oldest_unix_s, answer.newest_unix_s) == (BEGUN_UNIX_S, BEGUN_UNIX_S + 3 * 3600.0)
    found = find_session(history, "session-3")
    assert found is not None
    assert (found.state, found.ended_unix_s, [wrap.id for wrap in found.wraps]) == ("running", None, ["spare"])
    assert find_session(history, "session") is None
