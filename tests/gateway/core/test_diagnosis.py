"""What the gateway reads from pressures: drawn traces with one thing wrong, and what must not be taken for it."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from wavewrap_gateway.core.advice import FindingKind, advise_finding, describe_fault, explain_end, explain_fault
from wavewrap_gateway.core.compressions import Compression, measure_compressions
from wavewrap_gateway.core.diagnosis import diagnose
from wavewrap_gateway.core.timeline import ScheduledStep
from wavewrap_gateway.core.wave import WaveStep
from wavewrap_protocol.enums import Cause, Fault, StepOutcome

TARGET_MMHG, RAMP_S, RELEASE_S, CYCLE_S, CYCLES = 50.0, 2.0, 12.0, 25.0, 8
RATE_HZ = 50
Trace = NDArray[np.float64]


def carried_out(step: WaveStep) -> ScheduledStep:
    return ScheduledStep(step, step.at_s, outcome=StepOutcome.EXECUTED, actual_tick=round(step.at_s * 10_000))


def steps(chamber: int = 0) -> list[ScheduledStep]:
    pairs = ((cycle * CYCLE_S, cycle * CYCLE_S + RELEASE_S) for cycle in range(CYCLES))
    return [
        carried_out(WaveStep(at_s, chamber, target_mmhg, ramp_s, 0))
        for up_s, down_s in pairs
        for at_s, target_mmhg, ramp_s in ((up_s, TARGET_MMHG, RAMP_S), (down_s, 0.0, 0.0))
    ]


def draw(
    seed: int = 1,
    late_s: Callable[[int], float] = lambda _cycle: 0.1,
    slack_s: float = 0.2,
    fall_mmhg_s: float = 0.02,
    tau_s: float = 0.9,
    rest_mmhg: float = 0.0,
) -> tuple[NDArray[np.int64], Trace]:
    """A chamber that rises after ``slack_s`` of unfolding, ``late_s`` slower than its ramp, falls and is refilled, vents by ``tau_s``."""
    time_s = np.arange(0.0, CYCLES * CYCLE_S, 1.0 / RATE_HZ)
    pressure = np.zeros_like(time_s)
    for cycle in range(CYCLES):
        t = time_s - cycle * CYCLE_S
        rising = np.clip((t - slack_s) / (RAMP_S + late_s(cycle)), 0.0, 1.0) * TARGET_MMHG
        sag = (np.maximum(0.0, t - slack_s - RAMP_S - late_s(cycle)) * fall_mmhg_s) % 1.5
        up = (t >= 0.0) & (t < RELEASE_S)
        down = (t >= RELEASE_S) & (t < CYCLE_S)
        pressure[up] = (rising - sag * (rising >= TARGET_MMHG))[up]
        pressure[down] = (TARGET_MMHG * np.exp(-(t - RELEASE_S) / tau_s) + rest_mmhg * (t > RELEASE_S + 3.0))[down]
    noise = np.random.default_rng(seed).normal(0.0, 0.1, len(time_s))
    return np.round(time_s * 10_000).astype(np.int64), pressure + noise


def measured(*traces: tuple[NDArray[np.int64], Trace]) -> list[Compression]:
    return [one for chamber, (ticks, trace) in enumerate(traces) for one in measure_compressions(ticks, trace, steps(chamber), chamber)[0]]


def kinds(*traces: tuple[NDArray[np.int64], Trace]) -> list[tuple[FindingKind, int | None]]:
    return [(finding.kind, finding.chamber) for finding in diagnose(measured(*traces))]


def test_a_compression_is_measured() -> None:
    one = measured(draw())[3]
    assert (one.chamber, one.number, one.target_mmhg) == (0, 3, TARGET_MMHG)
    assert one.onset_s == pytest.approx(0.41, abs=0.05)
    assert one.lag_s == pytest.approx(0.29, abs=0.05)
    assert one.fall_mmhg_s == pytest.approx(0.02, abs=0.2)
    assert one.vent_tau_s == pytest.approx(0.9, rel=0.05)
    assert one.rest_mmhg == pytest.approx(0.2, abs=0.2)
    assert one.moved_s == 0.0


@given(known=st.integers(0, CYCLES))
def test_what_is_known_is_not_measured_again(known: int) -> None:
    ticks, trace = draw()
    whole, over = measure_compressions(ticks, trace, steps(), 0)
    assert (len(whole), over) == (CYCLES, CYCLES - 1)
    assert measure_compressions(ticks, trace, steps(), 0, known) == (whole[known:], over)


def test_a_sound_wrap_has_no_findings() -> None:
    assert kinds(draw(1), draw(2), draw(3), draw(4)) == []


def test_one_chamber_alone_is_compared_with_nothing_and_says_nothing() -> None:
    assert kinds(draw(fall_mmhg_s=0.5, tau_s=3.0, slack_s=2.0)) == []


@pytest.mark.parametrize(
    ("wrong", "kind"),
    [
        (draw(9, fall_mmhg_s=0.4), FindingKind.LEAK),
        (draw(9, tau_s=2.2), FindingKind.SLOW_VENT),
        (draw(9, slack_s=1.2), FindingKind.LOOSE),
        (draw(9, rest_mmhg=3.5), FindingKind.OFFSET),
        (draw(9, late_s=lambda cycle: 0.15 * cycle), FindingKind.SLOW_FILL),
    ],
)
def test_what_is_wrong_with_one_chamber_is_found_there(wrong: tuple[NDArray[np.int64], Trace], kind: FindingKind) -> None:
    assert kinds(draw(1), wrong, draw(3)) == [(kind, 1)]


def graded(compressions: list[Compression], targets_mmhg: tuple[float, ...], falls_mmhg_s: tuple[float, ...]) -> list[Compression]:
    return [replace(one, target_mmhg=targets_mmhg[one.chamber], fall_mmhg_s=falls_mmhg_s[one.chamber]) for one in compressions]


def test_in_a_graded_wave_a_chamber_may_fall_faster_in_proportion_to_its_pressure() -> None:
    four = measured(draw(1), draw(2), draw(3), draw(4))
    # As bladders do that give way by two hundredths of their pressure in a second; the first is 0.37 over the median of the others.
    even = graded(four, (55.0, 45.0, 40.0, 35.0), (1.25, 1.02, 0.88, 0.77))
    assert [finding.kind for finding in diagnose(even)] == []
    leaking = graded(four, (55.0, 45.0, 40.0, 35.0), (1.25, 1.02, 1.30, 0.77))
    assert [(finding.kind, finding.chamber) for finding in diagnose(leaking)] == [(FindingKind.LEAK, 2)]


def test_all_chambers_late_is_the_pump() -> None:
    def late_s(cycle: int) -> float:
        return 0.15 * cycle

    assert kinds(draw(1, late_s), draw(2, late_s), draw(3, late_s)) == [(FindingKind.WEAK_SUPPLY, None)]


def test_a_hold_that_was_lowered_on_the_way_is_no_measure_for_one_that_was_not() -> None:
    """As in a sequential pulse: the chambers behind the last one are let down while it holds, and creep the other way."""
    ticks, trace = draw(fall_mmhg_s=0.6)
    found = list(measured((ticks, trace)))
    for chamber in (1, 2):
        lowered = [*steps(chamber)]
        for cycle in range(CYCLES):
            at_s = cycle * CYCLE_S + RAMP_S + 1.0
            lowered.append(carried_out(WaveStep(at_s, chamber, 30.0, 0.0, 0)))
        lowered.sort(key=lambda step: step.actual_tick or 0)
        flat = np.where(trace > 30.0, 30.0, trace)
        found += measure_compressions(ticks, flat, lowered, chamber)[0]
    assert {one.fall_mmhg_s for one in found if one.chamber > 0} == {None}
    assert all(one.fall_mmhg_s is not None for one in found if one.chamber == 0)
    assert [one for one in diagnose(found) if one.kind is FindingKind.LEAK] == []


@settings(max_examples=20, deadline=None)
@given(drift_mmhg_s=st.floats(-0.6, 0.6), seed=st.integers(0, 99))
def test_air_that_warms_or_cools_in_all_chambers_is_no_leak(drift_mmhg_s: float, seed: int) -> None:
    def drifting(at: int) -> tuple[NDArray[np.int64], Trace]:
        ticks, trace = draw(seed + at)
        in_cycle_s = (ticks / 10_000.0) % CYCLE_S
        held = (in_cycle_s > RAMP_S + 0.5) & (in_cycle_s < RELEASE_S)
        return ticks, trace + held * ((in_cycle_s * drift_mmhg_s) % 1.5)

    assert FindingKind.LEAK not in {kind for kind, _ in kinds(*(drifting(at) for at in range(4)))}


def test_a_leg_that_moves_is_told_as_that_and_as_nothing_else() -> None:
    ticks, trace = draw(2)
    in_cycle_s = (ticks / 10_000.0) % CYCLE_S
    pushed = trace + 8.0 * ((in_cycle_s > 7.0) & (in_cycle_s < 7.6)) - 6.0 * ((in_cycle_s > 9.0) & (in_cycle_s < 9.6))
    assert kinds(draw(1), (ticks, pushed), draw(3)) == [(FindingKind.LIMB_MOVED, None)]


def test_a_session_that_has_hardly_begun_says_nothing() -> None:
    assert diagnose([one for one in measured(draw(1), draw(2, tau_s=4.0)) if one.number < 3]) == []


def test_a_compression_in_two_rises_is_one() -> None:
    wave = (WaveStep(0.0, 0, 20.0, 1.0, 0), WaveStep(4.0, 0, TARGET_MMHG, 1.0, 0), WaveStep(9.0, 0, 0.0, 0.0, 0))
    own = [carried_out(step) for step in wave]
    ticks = np.arange(0, 200_000, 200)
    (one,), over = measure_compressions(
        ticks, np.interp(ticks, [0, 10_000, 40_000, 50_000, 90_000, 91_000], [0, 20, 20, 50, 50, 0]), own, 0
    )
    assert one.target_mmhg == TARGET_MMHG
    assert over == 0, "its rest goes on"
    assert one.onset_s == pytest.approx(0.25, abs=0.05)
    assert one.lag_s == pytest.approx(0.0, abs=0.3)


def test_everything_a_device_can_report_has_words() -> None:
    for fault in set(Fault) - {Fault.NONE}:
        advice = explain_fault(fault)
        assert fault.name in describe_fault(fault)
        assert advice.meaning
        assert advice.remedy
    for kind in FindingKind:
        assert str(advise_finding(kind))
    with pytest.raises(KeyError):
        explain_fault(Fault.NONE)
    assert "not named" in describe_fault(Fault.NONE)
    assert "charge" in explain_end(Cause.BATTERY_LOW)
    assert explain_end(None) == explain_end(Cause.FIRST_STEP) == "it has not said why yet"
