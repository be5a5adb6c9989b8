"""``wavewrap programs``."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from wavewrap_gateway.adapters.program_files import load_program, preset_names
from wavewrap_gateway.cli.programs import app
from wavewrap_gateway.cli.wave_chart import chart_lines
from wavewrap_gateway.core.wave import compile_wave
from wavewrap_protocol.errors import UsageError
from wavewrap_protocol.payloads import Side

HASTY = """name = "hasty"
title = "Hasty"
description = ""
pattern = "sequential_hold"
duration_min = 20
pressure_mmhg = 80
inflate_s = 0.5
hold_s = 5
release_s = 2
rest_s = 30
"""


def _run(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments), env={"COLUMNS": "80"}, catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_list() -> None:
    lines = _run("list").splitlines()
    assert [line.split()[0] for line in lines[1:]] == preset_names()
    assert all(len(line) <= 80 and "…" not in line for line in lines)
    assert [entry["name"] for entry in json.loads(_run("list", "--json"))["programs"]] == preset_names()


def test_show() -> None:
    text = _run("show", "calf-wave", "--chambers", "3")
    assert "pressures_mmhg    50 45 40" in text
    shown = json.loads(_run("show", "calf-wave", "--chambers", "3", "--json"))
    assert shown["on_wrap"]["pressures_mmhg"] == [50, 45, 40]
    assert shown["program"]["pattern"] == "sequential_hold"


@pytest.mark.parametrize("name", preset_names())
@pytest.mark.parametrize("chambers", ["1", "4", "8"])
def test_plot_in_the_terminal(name: str, chambers: str) -> None:
    lines = _run("plot", name, "--chambers", chambers).splitlines()
    assert len(lines) == 1 + 3 * int(chambers) + 2
    assert all(len(line) <= 80 for line in lines)


def test_the_strips_show_the_wave() -> None:
    # One cycle of 60 s on 60 columns: one second a column.
    wave = compile_wave(load_program("recovery", 2), Side.LEFT, 2, 60)
    lines = chart_lines(wave, 60, 71)
    assert lines[0].split("│")[0].strip() == "2"
    assert lines[3].split("│")[0].strip() == "1 distal"
    proximal, distal = lines[2].split("│")[1], lines[5].split("│")[1]
    assert distal.rstrip() == distal
    assert (len(distal), len(proximal), len(proximal) - len(proximal.lstrip())) == (50, 50, 25)
    assert lines[-1].split() == ["s", "0", "10", "20", "30", "40", "50"]


def test_plot_a_picture(tmp_path: Path) -> None:
    path = tmp_path / "wave.png"
    assert _run("plot", "alternating-legs", "--side", "right", "--cycles", "1", "--png", str(path)).strip() == f"wrote {path}"
    assert path.read_bytes().startswith(b"\x89PNG")
    with pytest.raises(UsageError, match="give a path in a folder that exists"):
        _run("plot", "recovery", "--png", str(tmp_path / "gone" / "wave.png"))


def test_plot_for_machines() -> None:
    plot = json.loads(_run("plot", "alternating-legs", "--side", "right", "--cycles", "1", "--chambers", "1", "--json"))
    assert plot["targets"] == [{"chamber": 1, "points_s_mmhg": [[0, 0], [22.5, 0], [24.8, 36], [26.8, 36], [26.8, 0], [45, 0]]}]


def test_check(tmp_path: Path) -> None:
    assert "every chamber is up in time" in _run("check", "recovery")
    checked = json.loads(_run("check", "recovery", "--json"))
    assert checked["ok"]
    assert checked["achievable"]["ok"]
    path = tmp_path / "hasty.toml"
    path.write_text(HASTY, encoding="utf-8")
    text = _run("check", str(path))
    assert "NOT achievable" in text
    assert "not 0.50 s" in text
    reach = json.loads(_run("check", str(path), "--json"))["achievable"]
    assert (reach["ok"], reach["asked_delay_s"]) == (False, 0.5)
    assert reach["achieved_delay_s"] > 0.55


def test_check_for_another_board() -> None:
    checked = json.loads(_run("check", "calf-wave", "--board", "wrap_rev_b", "--json"))
    assert (checked["board"], checked["chambers"], checked["achievable"]["ok"]) == ("wrap_rev_b", 6, True)
    fewer = json.loads(_run("check", "calf-wave", "--board", "wrap_rev_b", "--chambers", "2", "--json"))
    assert fewer["chambers"] == 2
    assert len(fewer["achievable"]["fill_s"]) == 2
    assert fewer["achievable"]["fill_s"][0] == checked["achievable"]["fill_s"][0]
    with pytest.raises(UsageError, match="no board is called 'wrap_rev_c': did you mean wrap_rev_"):
        _run("check", "recovery", "--board", "wrap_rev_c")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["show", "recvery"], "did you mean recovery"),
        (["check", "recovery", "--ceiling", "60"], "recovery.toml:10: pressure_mmhg 70: over the ceiling of 60 mmHg"),
        (["plot", "recovery", "--chambers", "9"], "a wrap has 1 to 8"),
        (["plot", "recovery", "--cycles", "0"], "--cycles 0: give 1 or more"),
    ],
)
def test_wrong_input_propagates_as_one_line(arguments: list[str], words: str) -> None:
    with pytest.raises(UsageError) as caught:
        _run(*arguments)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
