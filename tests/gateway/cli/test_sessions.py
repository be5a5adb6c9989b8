"""``wavewrap sessions`` on a real history: what it prints, what it writes, and what it says of a wrong name."""

import csv
import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pyarrow import parquet
from tests.support.histories import CHAMBERS, make_end, make_event, make_frames, make_head, make_steps
from typer.testing import CliRunner, Result

from wavewrap_gateway.adapters.store_writer import StoreWriter
from wavewrap_gateway.cli.sessions import app
from wavewrap_protocol.errors import StoreError, UsageError, WavewrapError

Run = Callable[..., Result]
SECONDS = 60.0


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sessions: one whole, and one that runs and has no sample yet."""
    path = tmp_path_factory.mktemp("history") / "history.sqlite"
    whole, begun = make_head("20231114-1-whole"), make_head("20231114-2-begun", started_s=100.0)
    writer = StoreWriter(str(path), "attic", pytest.fail, lambda: 0.0)
    writer.start()
    writer.begin(whole)
    for wrap in range(2):
        writer.add_steps(make_steps(whole, wrap))
    for frame in make_frames(whole, SECONDS):
        writer.add_frame(frame)
    writer.add_event(make_event(whole, 1))
    writer.finish(make_end(whole))
    writer.begin(begun)
    writer.close()
    return path


@pytest.fixture
def run(history: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """A command on that history, in an empty folder."""
    monkeypatch.setenv("WAVEWRAP_STORE", str(history))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(app, list(map(str, arguments)), catch_exceptions=True)


def printed(result: Result) -> dict[str, object]:
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert isinstance(found, dict)
    return found


def refusal(result: Result, kind: type[WavewrapError]) -> str:
    assert isinstance(result.exception, kind), result.output
    return str(result.exception)


def test_list(run: Run) -> None:
    sessions = printed(run("list", "--json"))["sessions"]
    assert isinstance(sessions, list)
    assert [(one["session_id"], one["state"], one["samples"], one["duration_s"]) for one in sessions] == [
        ("20231114-2-begun", "running", 0, None),
        ("20231114-1-whole", "completed", 2 * 50 * SECONDS, 60.0),
    ]
    assert len(printed(run("list", "--json", "--limit", 1))["sessions"]) == 1  # type: ignore[arg-type]  # a list
    told = run("list").stdout.splitlines()
    assert [line.split()[0] for line in told] == ["session", "20231114-2-begun", "20231114-1-whole"]
    assert told[2].split()[-1] == str(round(2 * 50 * SECONDS))


def test_show(run: Run) -> None:
    shown = printed(run("show", "20231114-1", "--json"))
    assert (shown["session"], shown["state"], shown["summary"]) == ("20231114-1-whole", "completed", None)
    wraps, events = shown["wraps"], shown["events"]
    assert isinstance(wraps, list)
    assert isinstance(events, list)
    for wrap in wraps:
        assert wrap["samples"] == {"kept": 50 * SECONDS, "replayed": 0, "missing": 0}
        assert [dose["chamber"] for dose in wrap["dose"]] == list(range(1, CHAMBERS + 1))
    assert [one["chamber"] for one in shown["left_minus_right"]] == list(range(1, CHAMBERS + 1))  # type: ignore[attr-defined]  # a list
    assert [(event["kind"], event["text"]) for event in events] == [("device_state", "number 1")]
    told = run("show", "20231114-1").stdout
    assert "3000 samples kept, 0 of them replayed, 0 missing between them" in told
    for heading in ("over 15 mmHg, s", "pressure over time, mmHg·s", "rise to 90 %, s", "left minus right", "device_state: number 1"):
        assert heading in told


def test_csv_says_its_units_and_has_every_sample(run: Run, tmp_path: Path) -> None:
    told = printed(run("export", "20231114-1", "--json"))
    assert told == {"session": "20231114-1-whole", "file": "20231114-1-whole.csv", "format": "csv", "rows": 2 * 50 * SECONDS}
    with (tmp_path / "20231114-1-whole.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 50 * SECONDS
    assert list(rows[0]) == COLUMNS
    frames = [frame for frame in make_frames(make_head("20231114-1-whole"), SECONDS) if frame.wrap == 1]
    own = [row for row in rows if row["wrap"] == "wrap-right"]
    ticks = [frame.tick + at * 200 for frame in frames for at in range(10)]
    assert [int(row["device_tick_100us"]) for row in own] == ticks
    measured = [tuple(round(float(row[f"pressure_{at}_mmhg"]) * 100) for at in range(1, CHAMBERS + 1)) for row in own]
    assert measured == [row for frame in frames for row in frame.samples_cmmhg]


COLUMNS = [
    *("wrap", "side", "epoch", "seq", "device_tick_100us", "session_s", "unix_s", "replayed"),
    *(f"pressure_{at}_mmhg" for at in range(1, CHAMBERS + 1)),
    *(f"target_{at}_mmhg" for at in range(1, CHAMBERS + 1)),
]


def test_parquet_holds_the_same_with_units_in_its_schema(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "out.parquet"
    printed(run("export", "20231114-1", "--out", path, "--json"))
    printed(run("export", "20231114-1", "--out", tmp_path / "out.csv", "--json"))
    table = parquet.read_table(path)
    assert table.column_names == COLUMNS
    units = {field.name: (field.metadata or {}).get(b"unit") for field in table.schema}
    assert units["device_tick_100us"] == b"0.1 ms"
    assert units["pressure_1_mmhg"] == units["target_4_mmhg"] == b"mmHg"
    assert units["wrap"] is None
    assert table.schema.metadata[b"wavewrap.session"] == b"20231114-1-whole"
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert table["seq"].to_pylist() == [int(row["seq"]) for row in rows]
    assert np.allclose(table["pressure_3_mmhg"].to_numpy(), [float(row["pressure_3_mmhg"]) for row in rows], atol=1e-4)
    assert np.allclose(table["target_1_mmhg"].to_numpy(), [float(row["target_1_mmhg"]) for row in rows], atol=1e-4)


def test_parquet_without_pyarrow_is_refused_and_says_how(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    told = refusal(run("export", "20231114-1", "--format", "parquet"), UsageError)
    assert told == "Parquet needs pyarrow: pip install 'wavewrap[parquet]', or export to CSV"


def test_plot_draws_every_chamber(run: Run, tmp_path: Path) -> None:
    told = printed(run("plot", "20231114-1", "--json"))
    assert told["file"] == "20231114-1-whole.png"
    picture = (tmp_path / "20231114-1-whole.png").read_bytes()
    assert picture[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = (int.from_bytes(picture[at : at + 4], "big") for at in (16, 20))
    assert width > 1_000
    assert height > CHAMBERS * 100
    part = tmp_path / "part.png"
    printed(run("plot", "20231114-1", "--png", part, "--from", 10, "--to", 12, "--json"))
    assert part.read_bytes() != picture


@pytest.mark.parametrize(
    ("arguments", "kind", "text"),
    [
        (
            ("show", "nobody"),
            UsageError,
            "no session is called 'nobody': 'wavewrap sessions list' shows those there are",
        ),
        (("show", "2023"), UsageError, "more than one session begins with '2023': give more of its name"),
        (("plot", "last"), UsageError, "session 20231114-2-begun has no samples: there is nothing to draw"),
        (("export", "last"), UsageError, "session 20231114-2-begun has no samples: there is nothing to export"),
        (("export", "last", "--format", "xls"), UsageError, "--format xls: not one of ours; give csv or parquet"),
        (("plot", "last", "--from", 3, "--to", 3), UsageError, "--from 3 --to 3: the end must come after the beginning"),
        (
            ("export", "20231114-1", "--out", "no/such/x.csv"),
            UsageError,
            "no/such/x.csv: cannot be written (No such file",
        ),
        (("plot", "20231114-1", "--png", "no/such/x.png"), UsageError, "no/such/x.png: the picture cannot be written (No such file"),
        (("delete", "20231114-1", "--json"), UsageError, "delete --json: nobody is asked; say --yes"),
        (("delete", "last", "--yes"), UsageError, "session 20231114-2-begun is running, or was cut off: end it, or say --running"),
        (
            ("list", "--store", "no.sqlite"),
            StoreError,
            "there is no history at no.sqlite yet: a session makes one,",
        ),
        (
            ("list", "--store", "mysql://x/y"),
            UsageError,
            "store mysql://...: not one of ours; give the path of an SQLite file",
        ),
        (("list", "--store", ""), UsageError, "the store has no name: give the path of a file, or postgresql://user@host/database"),
    ],
)
def test_what_is_wrong_is_said(run: Run, arguments: tuple[object, ...], kind: type[WavewrapError], text: str) -> None:
    assert refusal(run(*arguments), kind).startswith(text)


def test_a_file_that_is_no_history_is_left_alone(run: Run, tmp_path: Path) -> None:
    other = tmp_path / "letter.txt"
    other.write_text("Dear reader, " * 500, encoding="utf-8")
    told = refusal(run("list", "--store", other), StoreError)
    assert told == f"history {other}: the file is no SQLite database: the next session sets it aside and begins a new one"
    assert other.read_text(encoding="utf-8").startswith("Dear reader")


def test_a_server_out_of_reach_is_said_without_its_password(run: Run) -> None:
    told = refusal(run("list", "--store", "postgresql://anna:hush@127.0.0.1:9/clinic"), StoreError)
    assert told.startswith("history postgresql://anna:***@127.0.0.1:9/clinic: connection")
    assert "hush" not in told
    assert "\n" not in told


def test_delete_asks_first(run: Run, history: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.sqlite"
    copy.write_bytes(history.read_bytes())
    answered_no = run("delete", "20231114-1", "--store", copy)
    assert answered_no.exit_code == 1
    assert len(printed(run("list", "--store", copy, "--json"))["sessions"]) == 2  # type: ignore[arg-type]  # a list
    assert printed(run("delete", "20231114-1", "--yes", "--store", copy, "--json")) == {"deleted": ["20231114-1-whole"]}
    assert printed(run("delete", "last", "--yes", "--running", "--store", copy, "--json")) == {"deleted": ["20231114-2-begun"]}
    assert printed(run("list", "--store", copy, "--json")) == {"sessions": []}
    assert run("list", "--store", copy).stdout == "no session was recorded yet\n"
