"""What a client is told of a program is what would be played."""

from pathlib import Path

import numpy as np
import pytest
from tests.support.session_programs import write_long_hold

from wavewrap_gateway.adapters.program_files import load_program
from wavewrap_gateway.app.config import GatewayConfig
from wavewrap_gateway.app.program_list import list_programs
from wavewrap_gateway.core.wave import compile_wave
from wavewrap_protocol.payloads import Side


def interpolate(corners: list[list[float]], at_s: float) -> float:
    times_s, levels = ([corner[at] for corner in corners] for at in (0, 1))
    return float(np.interp(at_s, times_s, levels))


@pytest.mark.parametrize("chambers", [1, 4, 6, 8])
def test_the_curve_is_the_wave(chambers: int, tmp_path: Path) -> None:
    listed = list_programs(GatewayConfig(programs=tmp_path), chambers).programs
    assert len(listed) >= 6
    assert [one.name for one in listed if one.preview is None and one.unfit is None] == []
    for one in listed:
        if one.preview is None:
            continue
        program = load_program(one.name, chambers)
        peaks = compile_wave(program, Side.LEFT, chambers, 1200.0).peaks_mmhg
        for side, curves in ((Side.LEFT, one.preview.left), (Side.RIGHT, one.preview.right)):
            wave = compile_wave(program, side, chambers, 1200.0)
            begin_s = len(program.soft_cycles_pct) * wave.cycle_s
            # Off the corners, where a jump has two values.
            for at_s in np.arange(0.013, wave.cycle_s, 0.37):
                drawn = [interpolate(corners, float(at_s)) for corners in curves]
                assert drawn == pytest.approx(wave.target_at(begin_s + at_s), abs=0.2), (one.name, at_s)
        assert one.preview.peaks_mmhg == pytest.approx(peaks, abs=0.1)
        assert max(one.preview.peaks_mmhg) <= one.preview.ceiling_mmhg


def test_a_plain_list_has_no_curves_and_a_program_that_does_not_fit_says_why(tmp_path: Path) -> None:
    write_long_hold(tmp_path)
    config = GatewayConfig(programs=tmp_path)
    assert {(one.preview, one.unfit) for one in list_programs(config, None).programs} == {(None, None)}
    tmp_path.joinpath("far.toml").write_text(
        """name = "far"
title = "Far"
description = "The sixth chamber alone."
pattern = "isolation"
chambers = [4]
duration_min = 1
pressure_mmhg = 40
inflate_s = 1
hold_s = 2
release_s = 0
rest_s = 5
""",
        encoding="utf-8",
    )
    listed = {one.name: one for one in list_programs(config, 2).programs}
    assert listed["far"].preview is None
    assert "chamber" in (listed["far"].unfit or "")
    assert listed["calf-wave"].preview is not None
