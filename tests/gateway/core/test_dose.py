"""Dose against curves made by hand, whose figures are known without measuring."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from tests.support.programs import make_program

from wavewrap_gateway.core.account import SessionAccount
from wavewrap_gateway.core.dose import ChamberDose, compare_doses, measure_dose, over_threshold_s, pressure_time_mmhg_s
from wavewrap_gateway.core.timeline import ScheduledStep, number_compressions
from wavewrap_gateway.core.wave import Wave, compile_wave
from wavewrap_protocol.enums import StepOutcome
from wavewrap_protocol.payloads import Side

CHAMBERS, TARGET_MMHG, RAMP_S, HOLD_S, DELAY_S, CYCLE_S, CYCLES = 2, 50.0, 2.0, 6.0, 3.0, 20.0, 5
"""Two chambers, the second one 3 s after the first; both are let go together, 6 s after the second one is up."""

PERIOD_TICK = 200
START_TICK = 50_000
VENT_S = 0.5
"""From the release on the pressure falls evenly to 0 within this time."""


Floats = NDArray[np.float64]


def make_wave() -> Wave:
    program = make_program(
        pressure_mmhg=TARGET_MMHG, inflate_s=RAMP_S + 1.0, hold_s=HOLD_S, release_s=1.0, rest_s=None, period_s=CYCLE_S, overlap_s=0.0
    )
    return compile_wave(program, Side.LEFT, CHAMBERS, CYCLES * CYCLE_S)


def carry_out(wave: Wave) -> list[ScheduledStep]:
    steps: list[ScheduledStep] = []
    for number, (step, compression) in enumerate(number_compressions(wave.steps)):
        tick = START_TICK + round(step.at_s * 10_000)
        steps.append(ScheduledStep(step, step.at_s, number, step.at_s, tick, 0.0, StepOutcome.EXECUTED, tick, compression=compression))
    return steps


def build_account(
    *, late_s: tuple[float, float] = (0.0, 0.0), share: float = 1.0, leak_mmhg_s: tuple[float, float] = (0.0, 0.0)
) -> SessionAccount:
    """Pressures that follow the set-point, each chamber so much late, up to ``share`` of it, and leak."""
    wave = make_wave()
    account = SessionAccount(wave)
    steps = carry_out(wave)
    account.add_steps(steps)
    ticks = np.arange(START_TICK, START_TICK + round(CYCLES * CYCLE_S * 10_000), PERIOD_TICK)
    columns = [follow(steps, chamber, ticks / 10_000, late_s[chamber], share, leak_mmhg_s[chamber]) for chamber in range(CHAMBERS)]
    account.add_samples(ticks, np.rint(np.stack(columns, axis=1) * 100.0).astype(np.int16))
    return account


def follow(steps: list[ScheduledStep], chamber: int, time_s: Floats, late_s: float, share: float, leak_mmhg_s: float) -> Floats:
    own = [step for step in steps if step.wave.chamber == chamber]
    corners_s, levels = [0.0], [0.0]
    leaking = np.zeros_like(time_s)
    for up, down in zip(own[::2], own[1::2], strict=True):
        assert up.actual_tick is not None
        assert down.actual_tick is not None
        begin_s, release_s = up.actual_tick / 10_000 + late_s, down.actual_tick / 10_000
        full = up.target_mmhg * share
        corners_s += [begin_s, begin_s + up.wave.ramp_s, release_s, release_s + VENT_S]
        levels += [0.0, full, full, 0.0]
        held_s = time_s - (begin_s + up.wave.ramp_s)
        leaking += np.where((held_s > 0) & (time_s < release_s), held_s * leak_mmhg_s, 0.0)
    return np.asarray(np.maximum(np.interp(time_s, corners_s, levels) - leaking, 0.0))


def test_a_session_that_goes_as_planned() -> None:
    first, second = measure_dose(build_account())
    ramp_s = make_wave().steps[0].ramp_s
    held_s = [last - begin for begin, last in spans()]
    for dose, hold in zip((first, second), held_s, strict=True):
        # Over 15 of 50 mmHg from 30 % of the ramp on, and to 70 % of the vent.
        assert dose.over_threshold_s == pytest.approx(CYCLES * (hold - 0.3 * ramp_s + 0.7 * VENT_S), abs=CYCLES * 0.04)
        area = TARGET_MMHG * (hold - ramp_s) + TARGET_MMHG * ramp_s / 2.0 + TARGET_MMHG * VENT_S / 2.0
        assert dose.pressure_time_mmhg_s == pytest.approx(CYCLES * area, rel=0.01)
        assert (dose.compressions, dose.reached, dose.peak_mmhg) == (CYCLES, CYCLES, TARGET_MMHG)
        assert dose.rise_s == pytest.approx(0.9 * ramp_s, abs=0.03)
        assert dose.vent_s == pytest.approx(0.7 * VENT_S, abs=0.03)
        assert dose.leak_mmhg_s == 0.0
    assert (first.delay_s, first.asked_delay_s) == (None, None)
    assert second.asked_delay_s == DELAY_S
    assert second.delay_s == pytest.approx(DELAY_S, abs=0.03)
    # The only error is the vent, which the set-point does not know of.
    assert first.tracking_rms_mmhg == pytest.approx(second.tracking_rms_mmhg, abs=0.01)
    assert (first.chamber, second.chamber) == (1, 2)


def spans() -> list[tuple[float, float]]:
    """First step and release of each chamber in a cycle."""
    times_s = [[step.at_s for step in make_wave().steps if (step.cycle, step.chamber) == (0, chamber)] for chamber in range(CHAMBERS)]
    return [(min(own_s), max(own_s)) for own_s in times_s]


def test_a_chamber_that_is_late_shows_in_rise_delay_and_tracking() -> None:
    plain, late = measure_dose(build_account()), measure_dose(build_account(late_s=(0.0, 1.0)))
    assert plain[1].rise_s is not None
    assert late[1].rise_s == pytest.approx(plain[1].rise_s + 1.0, abs=0.03)
    assert late[1].delay_s == pytest.approx(DELAY_S + 1.0, abs=0.03)
    assert late[1].asked_delay_s == DELAY_S
    assert late[1].tracking_rms_mmhg > plain[1].tracking_rms_mmhg + 1.0
    assert late[0] == plain[0]
    (same, difference) = compare_doses(late, plain)
    assert (same.over_threshold_s, same.pressure_time_mmhg_s, same.peak_mmhg, same.rise_s, same.delay_s) == (0.0, 0.0, 0.0, 0.0, None)
    assert difference.rise_s == pytest.approx(1.0, abs=0.03)
    assert difference.over_threshold_s == pytest.approx(-CYCLES * 1.0, abs=0.2)
    assert difference.pressure_time_mmhg_s == pytest.approx(-CYCLES * TARGET_MMHG, rel=0.01)


def test_a_chamber_that_stays_low_is_not_reached_and_has_no_rise() -> None:
    for dose in measure_dose(build_account(share=0.8)):
        assert (dose.compressions, dose.reached) == (CYCLES, 0)
        assert (dose.rise_s, dose.delay_s) == (None, None)
        assert dose.peak_mmhg == pytest.approx(0.8 * TARGET_MMHG, abs=0.1)


def test_a_leak_is_what_falls_faster_than_the_others() -> None:
    tight, leaking = measure_dose(build_account(leak_mmhg_s=(0.05, 0.85)))
    assert tight.leak_mmhg_s == 0.0
    assert leaking.leak_mmhg_s == pytest.approx(0.8, abs=0.05)


def test_nothing_recorded_is_no_dose() -> None:
    account = SessionAccount(make_wave())
    assert measure_dose(account) == [
        ChamberDose(chamber, 0.0, 0.0, 0.0, 0, 0, None, None, None, None, 0.0, None) for chamber in range(1, CHAMBERS + 1)
    ]


PRESSURES = arrays.arrays(np.float64, st.tuples(st.integers(2, 80), st.integers(1, 4)), elements=st.floats(-20.0, 150.0))


@given(PRESSURES, st.integers(0, 4_000_000_000))
def test_laws_of_time_and_pressure(pressure: Floats, first_tick: int) -> None:
    ticks = first_tick + np.arange(len(pressure)) * PERIOD_TICK
    all_s = len(pressure) * PERIOD_TICK / 10_000
    over_s, dose = over_threshold_s(ticks, pressure), pressure_time_mmhg_s(ticks, pressure)
    assert np.all((over_s >= 0.0) & (over_s <= all_s + 1e-9))
    # Time over 15 mmHg brings at least 15 mmHg·s a second, and no time brings more than the peak.
    assert np.all(dose >= 15.0 * over_s - 1e-6)
    assert np.all(dose <= np.maximum(pressure.max(axis=0), 0.0) * all_s + 1e-6)
    # A higher threshold is passed for no longer; more pressure brings no less of either.
    assert np.all(over_threshold_s(ticks, pressure, 30.0) <= over_s)
    assert np.all(over_threshold_s(ticks, pressure + 1.0) >= over_s)
    assert np.all(pressure_time_mmhg_s(ticks, pressure + 1.0) >= dose)
    # The second half adds to the first, and the order of chambers does not matter.
    cut = len(pressure) // 2
    if cut >= 2 and len(pressure) - cut >= 2:
        halves = sum(pressure_time_mmhg_s(ticks[part], pressure[part]) for part in (slice(cut), slice(cut, None)))
        assert np.allclose(halves, dose)
    assert np.array_equal(pressure_time_mmhg_s(ticks, pressure[:, ::-1]), dose[::-1])


@given(PRESSURES, st.sets(st.integers(0, 79), max_size=20))
def test_what_is_missing_counts_for_nothing(pressure: Floats, lost: set[int]) -> None:
    """A hole in the samples is never filled with what came before it."""
    kept = [at for at in range(len(pressure)) if at not in lost]
    ticks = np.array(kept) * PERIOD_TICK
    gaps = np.diff(ticks)
    if len(kept) < 3 or np.median(gaps) != PERIOD_TICK:
        return
    every_tick = np.arange(len(pressure)) * PERIOD_TICK
    assert np.all(over_threshold_s(ticks, pressure[kept]) <= over_threshold_s(every_tick, pressure) + 1e-9)
    assert np.all(pressure_time_mmhg_s(ticks, pressure[kept]) <= pressure_time_mmhg_s(every_tick, pressure) + 1e-6)
