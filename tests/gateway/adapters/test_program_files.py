"""Presets and program files."""

from pathlib import Path

import pytest
from tests.support.programs import board_of

from wavewrap_gateway.adapters.program_files import load_program, preset_names
from wavewrap_gateway.core.achievability import assess_wave
from wavewrap_gateway.core.program_check import longest_compression_s, shortest_vent_s
from wavewrap_gateway.core.wave import compile_wave
from wavewrap_protocol.errors import UsageError
from wavewrap_protocol.limits import HOLD_MAX_S, VENT_MIN_S
from wavewrap_protocol.payloads import Side

PRESETS = ["alternating-legs", "calf-express", "calf-wave", "gentle-flush", "isolate-distal", "recovery"]


def test_the_presets() -> None:
    assert preset_names() == PRESETS


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("chambers", range(1, 9))
def test_every_preset_suits_every_wrap(name: str, chambers: int) -> None:
    program = load_program(name, chambers)
    assert program.name == name
    for side in Side:
        wave = compile_wave(program, side, chambers)
        # With margin: a plant 30 % off its figures must not come near a limit of the device.
        assert longest_compression_s(wave, board_of(chambers)) < 0.8 * HOLD_MAX_S
        assert shortest_vent_s(wave, board_of(chambers)) > 3 * VENT_MIN_S
        reach = assess_wave(wave, board_of(chambers)).cycle
        assert reach.lag_s == 0, "one pump must be able to follow a preset"


@pytest.mark.parametrize(
    ("name", "pressures_mmhg", "cycle_s", "duration_min"),
    [
        ("calf-wave", (50, 45, 40, 35), 45, 20),
        ("recovery", (70, 70, 70, 70), 60, 30),
        ("calf-express", (60, 60, 60, 60), 60, 15),
        ("gentle-flush", (40, 35, 30, 30), 60, 20),
    ],
)
def test_the_figures_of_the_presets(name: str, pressures_mmhg: tuple[float, ...], cycle_s: float, duration_min: float) -> None:
    program = load_program(name)
    wave = compile_wave(program, Side.LEFT, 4)
    assert wave.peaks_mmhg == pressures_mmhg
    assert wave.cycle_s == pytest.approx(cycle_s)
    assert program.duration_min == duration_min


@pytest.mark.parametrize("chambers", range(1, 9))
def test_one_minute_of_recovery_is_one_whole_cycle(chambers: int) -> None:
    wave = compile_wave(load_program("recovery", chambers), Side.LEFT, chambers, 60)
    assert wave.cycles == 1
    assert wave.duration_s == pytest.approx(60)
    assert wave.steps[-1].at_s <= 52
    assert wave.peaks_mmhg == pytest.approx((56,) * chambers)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("recvery", "no preset is called 'recvery': did you mean recovery?"),
        ("calf", "did you mean calf-wave"),
        ("zzz", "there are alternating-legs, calf-express, calf-wave"),
        ("", "no preset is called ''"),
        ("gone.toml", "gone.toml: cannot be read (No such file or directory)"),
        ("./gone", "gone: cannot be read (No such file or directory)"),
    ],
)
def test_an_unknown_program_is_refused_with_a_hint(source: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_program(source)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        '# é\nname = "mine"\ntitle = "Mine"\ndescription = ""\npattern = "isolation"\nchambers = [2]\nduration_min = 5\n'
        "pressure_mmhg = 40\ninflate_s = 2\nhold_s = 5\nrelease_s = 2\nrest_s = 5\n",
        encoding="utf-8",
    )
    assert load_program(str(path)).name == "mine"
    with pytest.raises(UsageError, match=r"mine\.toml:6: chambers\[0\] 2: the wrap has 1 chambers"):
        load_program(str(path), chambers=1)
    with pytest.raises(UsageError, match=r"mine\.toml:8: pressure_mmhg 40: over the ceiling of 35 mmHg"):
        load_program(str(path), ceiling_mmhg=35)


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(b'name = "\xff"\n')
    with pytest.raises(UsageError, match="byte 8 is not UTF-8"):
        load_program(str(path))
    with pytest.raises(UsageError, match="cannot be read"):
        load_program(f"{tmp_path}/")
