"""The clock bound holds: whatever the delays, the true tick lies inside the stated uncertainty."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wavewrap_gateway.core.clock_sync import AHEAD_S, SKEW_MAX_PPM, ClockSync
from wavewrap_protocol.units import TICK_MODULUS, TICKS_PER_S

QUANTUM_S = 1.0 / TICKS_PER_S


class Crystal:
    """A device clock: ``tick(host_s)`` is never wrapped."""

    def __init__(self, ppm: float, boot_s: float, start_tick: int = 0) -> None:
        self.rate = 1.0 + ppm * 1e-6
        self.boot_s = boot_s
        self.start_tick = start_tick

    def tick(self, host_s: float) -> int:
        return self.start_tick + int((host_s - self.boot_s) * self.rate * TICKS_PER_S)


def exchange(sync: ClockSync, crystal: Crystal, at_s: float, out_s: float, back_s: float) -> float:
    """One ping with the given delays; returns when it was back."""
    tick = crystal.tick(at_s + out_s) % TICK_MODULUS
    sync.add_ping(at_s, tick, tick, at_s + out_s + back_s)
    return at_s + out_s + back_s


def error_s(sync: ClockSync, crystal: Crystal, host_s: float) -> float:
    assert sync.estimate is not None
    difference = sync.estimate.tick_at(host_s) - crystal.tick(host_s)
    # Both count from the same boot, but the estimator began at the wrapped tick.
    wrapped = (difference + TICK_MODULUS // 2) % TICK_MODULUS - TICK_MODULUS // 2
    return wrapped * QUANTUM_S


@settings(max_examples=40, deadline=None)
@given(
    ppm=st.floats(-500.0, 500.0),
    seed=st.integers(0, 1 << 30),
    mean_delay_s=st.sampled_from([0.0005, 0.005, 0.03]),
    start_tick=st.sampled_from([0, TICK_MODULUS - 100_000]),
)
def test_the_true_tick_lies_inside_the_uncertainty_now_and_a_horizon_ahead(
    ppm: float, seed: int, mean_delay_s: float, start_tick: int
) -> None:
    rng, sync, crystal = Random(seed), ClockSync(), Crystal(ppm, 3.7, start_tick)
    sync.reset(7)
    at_s = 10.0
    for number in range(25):
        back_s = exchange(sync, crystal, at_s, rng.expovariate(1 / mean_delay_s), rng.expovariate(1 / mean_delay_s))
        assert sync.estimate is not None
        for due_s in (back_s, back_s + AHEAD_S):
            assert abs(error_s(sync, crystal, due_s)) <= sync.estimate.uncertainty_at(due_s) + 2 * QUANTUM_S
        at_s = back_s + (rng.uniform(0.03, 0.12) if number < 12 else rng.uniform(0.7, 1.3))


def test_uncertainty_shrinks_as_pings_come_in_and_skew_is_found() -> None:
    rng, sync, crystal = Random(1), ClockSync(), Crystal(40.0, 0.0)
    at_s, widths_s = 5.0, []
    for _ in range(90):
        at_s = exchange(sync, crystal, at_s, 0.001 + rng.expovariate(2000), 0.001 + rng.expovariate(2000)) + 1.0
        assert sync.estimate is not None
        widths_s.append(sync.estimate.uncertainty_at(at_s + 5.0))
    assert widths_s[-1] < widths_s[3] / 2
    assert sync.estimate is not None
    assert sync.estimate.skew_ppm == pytest.approx(40.0, abs=15.0)


def test_a_single_ping_gives_half_its_round_trip_and_nothing_better() -> None:
    sync, crystal = ClockSync(), Crystal(0.0, 0.0)
    exchange(sync, crystal, 1.0, 0.004, 0.006)
    assert sync.estimate is not None
    assert sync.estimate.uncertainty_s == pytest.approx(0.005, abs=2 * QUANTUM_S)
    assert sync.estimate.uncertainty_at(1.0 + AHEAD_S) >= SKEW_MAX_PPM * 1e-6 * AHEAD_S


def test_a_crystal_that_jumps_starts_the_estimate_over_instead_of_lying() -> None:
    sync, crystal = ClockSync(), Crystal(0.0, 0.0)
    for number in range(10):
        exchange(sync, crystal, 1.0 + number, 0.001, 0.001)
    jumped = Crystal(0.0, -0.5)
    back_s = exchange(sync, jumped, 20.0, 0.001, 0.001)
    assert sync.stamps == (1, 1)
    assert abs(error_s(sync, jumped, back_s)) <= 0.002


def test_reset_forgets_and_estimate_is_unknown_until_the_first_ping() -> None:
    sync = ClockSync()
    exchange(sync, Crystal(0.0, 0.0), 1.0, 0.001, 0.001)
    sync.reset(9)
    assert sync.estimate is None
    assert sync.boot_id == 9
    assert sync.stamps == (0, 0)


def test_a_device_that_answers_before_it_was_asked_is_not_believed() -> None:
    sync = ClockSync()
    sync.add_ping(1.0, 10_000, 30_000, 1.001)
    assert sync.estimate is None


def test_frames_that_arrive_tighten_the_estimate() -> None:
    crystal, lone, helped = Crystal(0.0, 0.0), ClockSync(), ClockSync()
    for number in range(4):
        for sync in (lone, helped):
            exchange(sync, crystal, 1.0 + number, 0.001, 0.030)
        helped.add_arrival(crystal.tick(1.2 + number), 1.2 + number + 0.002)
    exchange(lone, crystal, 6.0, 0.001, 0.030)
    back_s = exchange(helped, crystal, 6.0, 0.001, 0.030)
    assert lone.estimate is not None
    assert helped.estimate is not None
    assert helped.estimate.uncertainty_at(back_s) < lone.estimate.uncertainty_at(back_s) / 3
    assert abs(error_s(helped, crystal, back_s)) <= helped.estimate.uncertainty_at(back_s)
