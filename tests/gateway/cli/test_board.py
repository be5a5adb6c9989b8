"""``wavewrap board``."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from wavewrap_board.board import Board
from wavewrap_board.files import board_names, load_board
from wavewrap_board.sizing import size_chamber
from wavewrap_gateway.adapters.program_files import preset_names
from wavewrap_gateway.cli.board import app
from wavewrap_protocol.errors import UsageError


def _run(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments), env={"COLUMNS": "80"}, catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_list() -> None:
    assert [line.split()[0] for line in _run("list").splitlines()[1:]] == board_names()
    assert [entry["name"] for entry in json.loads(_run("list", "--json"))["boards"]] == board_names()


def test_show_gives_every_figure() -> None:
    assert Board.model_validate(json.loads(_run("show", "wrap_rev_a", "--json"))) == load_board("wrap_rev_a")
    text = _run("show", "wrap_rev_a")
    for words in ("chambers 4", "trip_mmhg", "upper calf", "P0.02", "method"):
        assert words in text


@pytest.mark.parametrize("name", board_names())
def test_size(name: str) -> None:
    sized = json.loads(_run("size", name, "--json"))
    board = load_board(name)
    assert sized["target_mmhg"] == 60
    assert [entry["rise_s"] for entry in sized["chambers"]] == [
        pytest.approx(size_chamber(board, chamber, 60.0).rise_s, abs=1e-4) for chamber in range(len(board.chambers))
    ]
    assert list(sized["programs"]) == preset_names()
    for program, reach in sized["programs"].items():
        assert reach["ok"], program
        assert reach["lag_s"] == 0
        assert reach["in_time_pct"] >= 75
        assert reach["sessions_per_charge"] >= 5
    wave = sized["programs"]["calf-wave"]
    assert (wave["asked_delay_s"], wave["achieved_delay_s"]) == (0.5, 0.5)


def test_size_of_one_program_and_another_pressure() -> None:
    text = _run("size", "wrap_rev_a", "--program", "recovery", "--target", "40")
    assert "40 mmHg" in text
    assert "recovery" in text
    assert "calf-wave" not in text
    assert "NO" not in text


def test_a_weak_pump_is_told(tmp_path: Path) -> None:
    path = tmp_path / "weak.toml"
    text = (Path(__file__).parents[3] / "hardware" / "boards" / "wrap_rev_a.toml").read_text(encoding="utf-8")
    assert "free_flow_ml_s = 167.0" in text
    path.write_text(text.replace("free_flow_ml_s = 167.0", "free_flow_ml_s = 60.0"), encoding="utf-8")
    lines = _run("size", str(path)).splitlines()
    verdicts = {line.split()[0]: " yes " in line for line in lines if line.split()[:1] and line.split()[0] in preset_names()}
    assert verdicts == {**dict.fromkeys(preset_names(), True), "calf-wave": False}
    assert any("NO, 1." in line for line in lines)


@pytest.mark.parametrize("arguments", [["list"], ["size", "wrap_rev_b"], ["bom", "wrap_rev_a"]])
def test_tables_fit_a_narrow_terminal(arguments: list[str]) -> None:
    lines = _run(*arguments).splitlines()
    assert all(len(line) <= 80 and "…" not in line for line in lines), lines


def test_draw_and_bom_write_files(tmp_path: Path) -> None:
    drawn = json.loads(_run("draw", "wrap_rev_b", "--to", str(tmp_path), "--json"))
    assert Path(drawn["pneumatics"]).read_text(encoding="utf-8").startswith("<svg")
    assert Path(drawn["wiring"]).read_text(encoding="utf-8").startswith("<svg")
    csv_path = tmp_path / "bom.csv"
    assert _run("bom", "wrap_rev_b", "--to", str(csv_path)).strip() == f"wrote {csv_path}"
    lines = csv_path.read_text(encoding="utf-8").splitlines()
    parts = json.loads(_run("bom", "wrap_rev_b", "--json"))["parts"]
    assert len(lines) == len(parts) + 1
    assert "watchdog timer" in _run("bom", "wrap_rev_b")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["show", "wrap_rev_z"], "no board is called 'wrap_rev_z'"),
        (["size", "wrap_rev_a", "--target", "85"], "--target 85: over the ceiling of 80 mmHg of wrap_rev_a"),
        (["size", "wrap_rev_a", "--program", "recvery"], "did you mean recovery"),
        (["draw", "wrap_rev_a", "--to", "gone/away"], "cannot be written .No such file or directory.; give a path in a folder that exists"),
        (["bom", "wrap_rev_a", "--to", "gone/away.csv"], "gone/away.csv: cannot be written"),
    ],
)
def test_wrong_input_propagates_as_one_line(arguments: list[str], words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        _run(*arguments)
    assert "\n" not in str(caught.value)


def test_the_sizing_table_in_the_text_is_the_command_s() -> None:
    text = (Path(__file__).parents[3] / "hardware" / "README.md").read_text(encoding="utf-8")
    printed = "\n".join(line.rstrip() for line in _run("size", "wrap_rev_a").splitlines())
    assert f"```\n{printed}\n```" in text, "put the output of `wavewrap board size wrap_rev_a | cat` there"
