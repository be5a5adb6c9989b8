"""What the history's service answers, on real SQLite files."""

import csv
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.support.histories import BEGUN_UNIX_S, CHAMBERS, make_head
from tests.support.history_files import DAY_S, HOLE, SECONDS, keep_heads, keep_sessions, write_history
from tests.support.recorded_sessions import Recorded
from tests.support.virtual_wraps import run_wraps

from wavewrap_gateway.adapters.recovery_journal import RecoveryJournal
from wavewrap_gateway.adapters.store_reader import list_sessions
from wavewrap_gateway.history_service.asks import HANDLERS
from wavewrap_gateway.history_service.service import answer
from wavewrap_gateway.history_service.shelf import Shelf
from wavewrap_protocol.history_asks import ASKS
from wavewrap_sim.virtual_time import run_virtual

WHOLE, HOLED, BEGUN = "20231114-1-whole", "20231115-2-holed", "20231116-3-begun"
NOW_UNIX_S = BEGUN_UNIX_S + 30 * DAY_S
Ask = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_history(tmp_path_factory.mktemp("history") / "history.sqlite")


@pytest.fixture
def ask(history: Path, tmp_path: Path) -> Ask:
    return asking(shelf(str(history), tmp_path))


def shelf(place: str, folder: Path) -> Shelf:
    return Shelf(place, folder, RecoveryJournal(place, "attic", lambda: NOW_UNIX_S))


def asking(shelf: Shelf) -> Ask:
    """The answer to an ask, or ``{"error": ...}``."""

    def act(name: str, **body: Any) -> dict[str, Any]:
        head, text = answer(shelf, json.dumps({"id": 7, "ask": name, "body": body}).encode())
        assert head.id == 7
        found = json.loads(text)
        return {"error": head.error.model_dump()} if head.error is not None else found

    return act


def test_every_ask_has_its_handler() -> None:
    assert list(HANDLERS) == list(ASKS)


def test_sessions_are_found_by_everything_the_page_filters_by(ask: Ask) -> None:
    def names(**wanted: Any) -> list[str]:
        return [one["session"] for one in ask("sessions", **wanted)["sessions"]]

    everything = ask("sessions")
    assert (everything["begun"], everything["total"], everything["wraps"]) == (True, 3, ["wrap-left", "wrap-right"])
    assert (everything["oldest_unix_s"], everything["newest_unix_s"]) == (BEGUN_UNIX_S, BEGUN_UNIX_S + 2 * DAY_S)
    assert names() == [BEGUN, HOLED, WHOLE]
    assert names(state="stopped") == [HOLED]
    assert names(wrap="wrap-left", until_unix_s=BEGUN_UNIX_S + DAY_S) == [WHOLE]
    assert names(from_unix_s=BEGUN_UNIX_S + DAY_S) == [BEGUN, HOLED]
    assert names(program=everything["programs"][0]) == [BEGUN, HOLED, WHOLE]
    assert names(program="another") == names(wrap="another") == []
    assert [wrap["side"] for wrap in everything["sessions"][0]["wraps"]] == ["left", "right"]
    assert everything["sessions"][0]["ended_unix_s"] is None


def test_thousands_of_sessions_come_page_by_page(tmp_path: Path) -> None:
    ask = asking(shelf(str(keep_sessions(tmp_path / "many.sqlite", 2000)), tmp_path))
    first, second = ask("sessions", limit=50), ask("sessions", limit=50, offset=50)
    assert first["total"] == second["total"] == 2000
    seen = [one["session"] for one in first["sessions"] + second["sessions"]]
    assert seen == [f"day-{number:05d}" for number in range(1999, 1899, -1)]


def test_no_history_yet_is_no_error(tmp_path: Path) -> None:
    told = asking(shelf(str(tmp_path / "none.sqlite"), tmp_path))("sessions")
    assert (told["begun"], told["total"], told["sessions"]) == (False, 0, [])
    assert not (tmp_path / "none.sqlite").exists()


def test_a_session_in_full(ask: Ask) -> None:
    told = ask("session", session=WHOLE)
    assert (told["session"], told["state"], told["summary"], told["unrecorded"]) == (WHOLE, "completed", None, 0)
    assert told["end_s"] - told["begin_s"] == pytest.approx(SECONDS, abs=0.1)
    for wrap in told["wraps"]:
        assert (wrap["kept"], wrap["missing"], wrap["missing_spans"]) == (50 * SECONDS, 0, [])
        assert [dose["chamber"] for dose in wrap["dose"]] == list(range(1, CHAMBERS + 1))
        assert wrap["steps_carried_out"] == wrap["steps_answered"] == len(wrap["steps"]) > 0
        # On time to the tick, by a clock that was known to a millisecond.
        assert wrap["timing_ms"] == {"p50": 1.0, "p99": 1.0, "max": 1.0}
        assert {step["offset_ms"] for step in wrap["steps"]} == {0.0}
    assert [one["chamber"] for one in told["left_minus_right"]] == list(range(1, CHAMBERS + 1))
    assert [(event["kind"], event["at_s"]) for event in told["events"]] == [
        ("device_state", pytest.approx(1.0, abs=0.2)),
        ("device_state", pytest.approx(2.0, abs=0.2)),
    ]
    assert ask("session", session="last")["session"] == BEGUN


def test_what_is_missing_is_said_where_and_how_much(ask: Ask) -> None:
    for wrap in ask("session", session=HOLED)["wraps"]:
        assert wrap["missing"] == len(HOLE) * 10
        (span,) = wrap["missing_spans"]
        assert span["samples"] == len(HOLE) * 10
        assert span["to_s"] - span["from_s"] == pytest.approx(len(HOLE) * 0.2, abs=0.05)


def test_a_session_that_has_no_sample_yet(ask: Ask) -> None:
    told = ask("session", session=BEGUN)
    assert (told["state"], told["wraps"][0]["kept"], told["wraps"][0]["timing_ms"]) == ("running", 0, None)
    assert [wrap["at_s"] for wrap in ask("traces", session=BEGUN)["wraps"]] == [[], []]
    assert "no samples" in ask("export", session=BEGUN, format="png")["error"]["text"]


def test_traces_hold_the_peak_at_every_zoom(ask: Ask) -> None:
    told = ask("session", session=WHOLE)
    peaks = [dose["peak_mmhg"] for dose in told["wraps"][0]["dose"]]
    for points in (20, 4000):
        wrap = ask("traces", session=WHOLE, points=points)["wraps"][0]
        assert wrap["thinned"] is (points == 20)
        assert [max(value for value in row if value is not None) for row in wrap["pressure_mmhg"]] == peaks
        assert {len(row) for row in wrap["pressure_mmhg"] + wrap["target_mmhg"]} == {len(wrap["at_s"])}
        assert max(value for row in wrap["target_mmhg"] for value in row) > 0.0
    near = ask("traces", session=WHOLE, from_s=10.0, to_s=12.0, points=400)
    assert (near["from_s"], near["to_s"]) == (10.0, 12.0)
    assert len(near["wraps"][0]["at_s"]) == pytest.approx(100, abs=3)
    assert "goes from" in ask("traces", session=WHOLE, from_s=500.0, to_s=600.0)["error"]["text"]


def test_a_hole_is_no_line(ask: Ask) -> None:
    for points in (50, 4000):
        row = ask("traces", session=HOLED, points=points)["wraps"][0]["pressure_mmhg"][0]
        assert None in row[1:-1]


def test_two_sessions_beside_each_other(ask: Ask) -> None:
    told = ask("compare", one=WHOLE, other=HOLED)
    assert [side["side"] for side in told["sides"]] == ["left", "right"]
    doses = [ask("session", session=name)["wraps"][0]["dose"] for name in (WHOLE, HOLED)]
    change = told["sides"][0]["changes"][1]
    assert change["over_threshold_s"] == pytest.approx(doses[0][1]["over_threshold_s"] - doses[1][1]["over_threshold_s"], abs=0.01)


def test_trends_leave_out_what_was_not_measured(ask: Ask) -> None:
    told = ask("trends")
    assert (told["total"], told["damaged"]) == (3, [])
    begun, holed, whole = told["sessions"]
    assert {
        begun["wraps"][0][key]
        for key in ("over_threshold_s", "peak_mmhg", "leak_mmhg_s", "timing_p99_ms", "battery_start_pct", "battery_end_pct")
    } == {None}
    assert holed["wraps"][0]["missing"] == len(HOLE) * 10
    dose = ask("session", session=WHOLE)["wraps"][1]["dose"]
    mean_s = sum(chamber["over_threshold_s"] for chamber in dose) / CHAMBERS
    assert whole["wraps"][1]["over_threshold_s"] == pytest.approx(mean_s, abs=0.01)
    assert ask("trends")["sessions"] == told["sessions"]
    assert [one["session"] for one in ask("trends", limit=1, offset=1)["sessions"]] == [HOLED]


def test_trends_have_the_soreness_that_was_noted_around_each_session(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    ask = asking(shelf(str(path), tmp_path))
    heads = [replace(make_head(f"{day}-half-an-hour", started_s=day * DAY_S), planned_s=1800.0) for day in (1, 5, 9)]
    heads.append(replace(make_head("9-of-the-cellar", gateway="cellar", started_s=9 * DAY_S), planned_s=1800.0))
    keep_heads(path, heads, 1800.0)
    ends_s = [head.started_unix_s + 1800.0 for head in heads]
    for at_s, rating in ((ends_s[0] - 2000.0, 6), (ends_s[0] + 60.0, 5), (ends_s[0] + DAY_S, 4), (ends_s[0] + 2 * DAY_S, 0)):
        ask("journal_add_soreness", unix_s=at_s, soreness=rating)
    last = ask("journal_add_soreness", unix_s=ends_s[2] + DAY_S, soreness=9)

    def soreness() -> dict[str, Any]:
        return {one["session"]: one["soreness"] for one in ask("trends")["sessions"]}

    whole = {"before": 6, "after": 5, "hours_24": 4, "hours_48": 0}
    day_later = {"before": None, "after": None, "hours_24": 9, "hours_48": None}
    assert soreness() == {"1-half-an-hour": whole, "5-half-an-hour": None, "9-half-an-hour": day_later, "9-of-the-cellar": None}
    # The figures of a session that is over are kept; what is noted about it is not, and may go again.
    ask("journal_add_soreness", unix_s=ends_s[2] + 2 * DAY_S, soreness=2)
    ask("journal_delete", entry=last["entry"])
    assert soreness()["9-half-an-hour"] == {**day_later, "hours_24": None, "hours_48": 2}


def test_trends_have_the_charge_that_the_record_has(tmp_path: Path) -> None:
    async def play() -> None:
        async with run_wraps(2) as virtual:
            played = Recorded(path, virtual, cycles=1)
            await played.play()

    path = tmp_path / "history.sqlite"
    run_virtual(play())
    (line,) = asking(shelf(str(path), tmp_path))("trends")["sessions"]
    assert [(wrap["battery_start_pct"] - wrap["battery_end_pct"]) in (0, 1) for wrap in line["wraps"]] == [True, True]
    assert line["soreness"] is None


def test_deleting_takes_the_whole_name_and_nothing_that_runs(tmp_path: Path) -> None:
    path = write_history(tmp_path / "history.sqlite")
    ask = asking(shelf(str(path), tmp_path))
    ask("session", session=WHOLE)
    assert "not there" in ask("delete", session="last")["error"]["text"]
    assert "not there" in ask("delete", session="20231114-1")["error"]["text"]
    assert "running" in ask("delete", session=BEGUN)["error"]["text"]
    assert ask("delete", session=WHOLE) == {"deleted": WHOLE}
    assert [entry.session_id for entry in list_sessions(str(path), 10)] == [BEGUN, HOLED]
    assert ask("session", session=WHOLE)["error"]["kind"] == "usage"


def test_files_are_what_the_command_writes(ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = {kind: ask("export", session=WHOLE, format=kind) for kind in ("csv", "parquet", "png")}
    for kind, file in told.items():
        assert file["name"] == f"{WHOLE}.{kind}"
        assert (tmp_path / file["key"]).stat().st_size == file["size_bytes"] > 0
    with (tmp_path / told["csv"]["key"]).open(encoding="utf-8", newline="") as file:
        assert sum(1 for _ in csv.reader(file)) == 2 * 50 * SECONDS + 1
    assert (tmp_path / told["png"]["key"]).read_bytes()[:4] == b"\x89PNG"
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert "pip install 'wavewrap[parquet]'" in ask("export", session=WHOLE, format="parquet")["error"]["text"]


def test_a_damaged_history_and_unknown_asks_are_one_line(ask: Ask, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.sqlite"
    damaged.write_bytes(b"no database at all, " * 500)
    told = asking(shelf(str(damaged), tmp_path))("sessions")["error"]
    assert told["kind"] == "store"
    assert "no SQLite database" in told["text"]
    assert ask("sessions", limit=10**9)["error"]["kind"] == "usage"
    assert ask("weather")["error"]["kind"] == "usage"
