"""A short form of ``wavewrap bench control``: the same limits over fewer plants."""

import numpy as np
import pytest

from wavewrap_bench.control_runs import Method, measure_control
from wavewrap_board.files import REFERENCE_BOARD, load_board

PLANTS = 20


@pytest.mark.parametrize("method", ["bang_bang", "pi_pwm"])
def test_both_ways_reach_and_hold_60_mmhg_on_scattered_plants(method: Method) -> None:
    figures = measure_control(load_board(REFERENCE_BOARD), method, PLANTS, 2, 0.3)
    assert np.median(figures.inside_s) < 2.5
    assert np.percentile(figures.overshoot_mmhg, 95) < 2.0
    # The 95th percentile of 20 hangs on two plants: the limit of 1.6 and 2.5 mmHg is that of the bench, over 300.
    assert np.percentile(figures.quiet_mmhg, 90) < 1.6
    assert np.percentile(figures.moving_mmhg, 90) < 2.5
    assert (figures.quiet_operations > 0).all()
