"""``wavewrap journal`` on a real store: noting, asking, listing, exporting, deleting, and what it says of wrong input."""

import csv
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.support.journals import keep_session
from typer.testing import CliRunner, Result

from wavewrap_gateway.cli.recovery_journal import app
from wavewrap_protocol.errors import UsageError, WavewrapError

Run = Callable[..., Result]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """A command on an empty store."""
    monkeypatch.setenv("WAVEWRAP_STORE", str(tmp_path / "history.sqlite"))
    monkeypatch.setenv("WAVEWRAP_GATEWAY", "attic")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(app, list(map(str, arguments)), catch_exceptions=True)


def printed(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert isinstance(found, dict)
    return found


def refusal(result: Result, kind: type[WavewrapError] = UsageError) -> str:
    assert isinstance(result.exception, kind), result.output
    return str(result.exception)


def now_unix_s() -> float:
    return time.clock_gettime(time.CLOCK_REALTIME)


def test_a_run_says_how_much_to_drink_in_either_unit(run: Run) -> None:
    told = run("add", "run", "--minutes", 50, "--km", 8.2, "--effort", 6, "--weight-before", 71.2, "--weight-after", 70.3)
    assert "to drink over the next hours: 1.2 l (40 oz)" in told.stdout
    noted = printed(
        run("add", "run", "--minutes", 30, "--weight-before", 154, "--weight-after", 153, "--pounds", "--stretch-minutes", 10, "--json")
    )
    assert (noted["kind"], noted["duration_s"], noted["stretch_s"], noted["effort"]) == ("run", 1800.0, 600.0, None)
    assert noted["drink_ml"] == pytest.approx(591.5, abs=0.2)
    assert "no weight was lost" in run("add", "run", "--minutes", 30, "--weight-before", 70, "--weight-after", 70).stdout
    runs = printed(run("list", "--json"))["entries"]
    assert [one["load_min"] for one in runs] == [None, None, 300.0]


def test_a_question_is_asked_and_one_rating_answers_it(run: Run, tmp_path: Path) -> None:
    assert run("due").stdout == "nothing is asked now\n"
    keep_session(tmp_path / "history.sqlite", ended_ago_h=24.5)
    (question,) = printed(run("due", "--json"))["due"]
    assert (question["of"], question["name"], question["moment"]) == ("session", "20231114-1-whole", "24_h")
    told = run("due").stdout
    assert "how sore are your calves, 0 to 10, 24 h after the session?" in told
    run("add", "soreness", 4, "--note", "[bold]left")
    after = printed(run("due", "--json"))
    assert after["due"] == []
    assert after["next_due_unix_s"] == pytest.approx(now_unix_s() + 23.5 * 3600.0, abs=60.0)
    assert run("due").stdout.startswith("nothing is asked now; next at ")
    (session,) = printed(run("list", "--json"))["sessions"]
    assert session["soreness"] == {"before": None, "after": None, "hours_24": 4, "hours_48": None}
    listed = run("list").stdout
    assert "soreness 24 h 4" in listed
    assert "4 ([bold]left)" in listed


def test_a_note_may_be_of_earlier(run: Run) -> None:
    noted = printed(run("add", "soreness", 7, "--at", "2023-11-14T22:13:20+00:00", "--json"))
    assert noted["unix_s"] == 1_700_000_000.0
    assert printed(run("list", "--json"))["entries"] == []
    assert len(printed(run("list", "--json", "--days", 3650))["entries"]) == 1
    assert run("list").stdout == "nothing was noted in the last 30 days\n"


def test_export(run: Run, tmp_path: Path) -> None:
    run("add", "soreness", 7)
    run("add", "run", "--minutes", 30)
    assert printed(run("export", "--json")) == {"file": "journal.csv", "format": "csv", "rows": 2}
    with (tmp_path / "journal.csv").open(encoding="utf-8", newline="") as file:
        assert [(row["kind"], row["soreness"], row["duration_s"]) for row in csv.DictReader(file)] == [
            ("soreness", "7", ""),
            ("run", "", "1800.0"),
        ]
    assert "cannot be written" in refusal(run("export", "--out", tmp_path / "nowhere" / "out.csv"))


def test_delete_asks_first(run: Run) -> None:
    name = printed(run("add", "soreness", 7, "--json"))["entry"]
    for _ in range(2):
        run("add", "soreness", 5)
    assert run("delete", name).exit_code == 1  # nobody said yes
    assert len(printed(run("list", "--json"))["entries"]) == 3
    assert printed(run("delete", name, "--yes", "--json")) == {"deleted": [name]}
    assert "say --yes" in refusal(run("delete", "--all", "--json"))
    assert run("delete", "--all", "--yes").stdout == "deleted 2 entries\n"
    assert printed(run("list", "--json"))["entries"] == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("add", "soreness", 11), "soreness: Input should be less than or equal to 10"),
        (("add", "soreness", 3, "--at", "yesterday"), "--at yesterday: not a time"),
        (("add", "soreness", 3, "--at", "9999-01-01"), "in the future"),
        (("add", "run", "--minutes", 0), "duration_s"),
        (("add", "run", "--minutes", 30, "--weight-before", 70, "--weight-after", 154), "check both, and their unit"),
        (("delete",), "name entries, or say --all"),
        (("delete", "x", "--all"), "name entries, or say --all"),
    ],
)
def test_wrong_input_is_refused_in_one_line_and_nothing_is_noted(run: Run, arguments: tuple[object, ...], told: str) -> None:
    line = refusal(run(*arguments))
    assert told in line
    assert "\n" not in line
    assert printed(run("list", "--json"))["entries"] == []
