"""What the service answers about the recovery journal, on a real SQLite file."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.support.journals import NOON_UNIX_S, unix_s

from wavewrap_gateway.adapters.recovery_journal import RecoveryJournal
from wavewrap_gateway.history_service.service import answer
from wavewrap_gateway.history_service.shelf import Shelf

Ask = Callable[..., dict[str, Any]]


class Clock:
    """Wall time, moved by the test."""

    now_unix_s = NOON_UNIX_S


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ask(tmp_path: Path, clock: Clock) -> Ask:
    place = str(tmp_path / "history.sqlite")
    shelf = Shelf(place, tmp_path, RecoveryJournal(place, "attic", lambda: clock.now_unix_s))

    def act(name: str, **body: Any) -> dict[str, Any]:
        head, text = answer(shelf, json.dumps({"id": 7, "ask": name, "body": body}).encode())
        found = json.loads(text)
        return {"error": head.error.model_dump()} if head.error is not None else found

    return act


RUN = {"ended_unix_s": NOON_UNIX_S - 60.0, "duration_s": 3000.0, "effort": 6, "weight_before_kg": 71.2, "weight_after_kg": 70.3}


def test_a_run_is_noted_asked_about_a_day_later_and_answered(ask: Ask, clock: Clock) -> None:
    assert ask("journal") == {"now_unix_s": NOON_UNIX_S, "due": [], "next_due_unix_s": None, "entries": [], "sessions": []}
    kept = ask("journal_add_run", **RUN)
    assert (kept["kind"], kept["load_min"], round(kept["drink_ml"])) == ("run", 300.0, 1174)
    clock.now_unix_s = unix_s(24.0)
    (question,) = ask("journal_due")["due"]
    assert (question["of"], question["name"], question["moment"]) == ("run", kept["entry"], "24_h")
    rated = ask("journal_add_soreness", unix_s=clock.now_unix_s, soreness=7, note="left")
    due = ask("journal_due")
    assert (due["due"], due["next_due_unix_s"]) == ([], RUN["ended_unix_s"] + 48 * 3600.0)
    everything = ask("journal")
    assert everything["entries"] == [rated, kept]
    assert ask("journal", days=1)["entries"] == [rated]


def test_one_entry_goes_by_its_whole_name_and_all_of_them_when_that_was_confirmed(ask: Ask) -> None:
    first, second = ask("journal_add_run", **RUN), ask("journal_add_run", **RUN)
    for name in ("2023", "nothing"):
        assert "not there any more" in ask("journal_delete", entry=name)["error"]["text"]
    assert ask("journal_delete", entry=first["entry"]) == {"deleted": 1}
    assert [one["entry"] for one in ask("journal")["entries"]] == [second["entry"]]
    assert ask("journal_delete_all", confirmed=False)["error"]["kind"] == "usage"
    assert ask("journal_delete_all", confirmed=True) == {"deleted": 1}
    assert ask("journal")["entries"] == []


def test_the_file_is_that_of_the_command_line(ask: Ask, tmp_path: Path) -> None:
    kept = ask("journal_add_run", **RUN, note="=hills, 1")
    file = ask("journal_export")
    assert file["name"] == "journal.csv"
    assert file["size_bytes"] == (tmp_path / file["key"]).stat().st_size
    with (tmp_path / file["key"]).open(encoding="utf-8", newline="") as opened:
        (row,) = csv.DictReader(opened)
    assert (row["entry"], row["effort"], row["note"]) == (kept["entry"], "6", "=hills, 1")


def test_what_cannot_be_is_refused_and_not_kept(ask: Ask) -> None:
    assert "in the future" in ask("journal_add_soreness", unix_s=unix_s(1.0), soreness=3)["error"]["text"]
    assert ask("journal_add_soreness", unix_s=NOON_UNIX_S, soreness=12)["error"]["kind"] == "usage"
    assert ask("journal_add_run", **{**RUN, "weight_after_kg": 155.0})["error"]["kind"] == "usage"
    assert ask("journal")["entries"] == []
