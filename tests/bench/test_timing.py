"""The bench of step times, short: every method plays in virtual time, and a queue on a known clock beats writing when the time has come."""

import pytest

from wavewrap_bench.__main__ import SCENARIOS
from wavewrap_bench.timing import TimingRow, run_cell
from wavewrap_bench.timing_methods import METHODS
from wavewrap_sim.scenario import load_scenario

STEPS = 160


@pytest.fixture(scope="module")
def rows() -> dict[str, TimingRow]:
    scenario = load_scenario(SCENARIOS / "clean.toml")
    return {method: run_cell(scenario, method, 1, STEPS) for method in METHODS}


def test_every_method_plays_every_step(rows: dict[str, TimingRow]) -> None:
    assert set(rows) == set(METHODS)
    for row in rows.values():
        assert row.steps >= 2 * STEPS
        assert (row.late, row.missed) == (0, 0)


def test_a_queue_on_a_known_clock_is_many_times_nearer(rows: dict[str, TimingRow]) -> None:
    assert rows["ours"].error_ms.p50 * 5.0 < rows["write_with_lead"].error_ms.p50 < rows["write_at_t"].error_ms.p50
    assert rows["ours"].skew_ms.p99 < rows["write_at_t"].skew_ms.p99
