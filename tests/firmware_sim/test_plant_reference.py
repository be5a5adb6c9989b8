"""Short form of ``bench plant``: the plant against Radau over the first seconds of its wave."""

import numpy as np

from wavewrap_bench.plant import ERROR_MAX_MMHG, measure_errors
from wavewrap_bench.plant_wave import make_wave
from wavewrap_board.files import REFERENCE_BOARD, load_board
from wavewrap_sim.from_board import plant_of


def test_the_plant_agrees_with_radau_and_is_of_second_order() -> None:
    """Fill, hand over, relief blowing, equalising chambers, an emptied manifold, vents, the way out by inlet and dump."""
    rows = measure_errors(plant_of(load_board(REFERENCE_BOARD)), make_wave(short=True), (0.5e-3, 1e-3, 2e-3))
    halves, ones, twos = (row["max_mmhg"] for row in rows)
    assert ones < ERROR_MAX_MMHG
    assert twos / halves > 6.0, "an error of the second order grows sixteenfold from 0.5 to 2 ms, one of the first fourfold"
    assert rows[1]["manifold_p99_mmhg"] < 0.5


def test_the_wave_is_a_minute_within_the_working_range() -> None:
    wave = make_wave()
    assert np.isclose(sum(segment.duration_s for segment in wave), 60.0)
    patterns = {(bool(segment.inlets), bool(segment.vents), segment.dump, segment.duty > 0.0) for segment in wave}
    assert len(patterns) >= 10, "of the sixteen combinations of inlets, vents, dump and pump"
    named = {name for segment in wave for name in segment.conditions}
    assert named == {"kink_mmhg_s_ml", "leak_at_60_ml_s", "hose_on"}
    assert any(any(segment.swell_ml) for segment in wave)
    assert any(any(segment.warmth_k) for segment in wave)
