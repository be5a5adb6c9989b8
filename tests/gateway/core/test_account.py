"""The books: samples counted by number, targets rebuilt from what ran, errors bounded with the clock's uncertainty."""

import pytest

from wavewrap_gateway.core.account import SessionAccount, quantiles, skew_ms
from wavewrap_gateway.core.program import PROGRAM
from wavewrap_gateway.core.scheduler import ScheduledStep
from wavewrap_gateway.core.telemetry import Gap, SampleLedger
from wavewrap_gateway.core.wave import Wave, compile_wave
from wavewrap_protocol.enums import DeviceState, StepOutcome
from wavewrap_protocol.payloads import SampleCounts, Side
from wavewrap_protocol.reports import Telemetry


def frame(seq: int, count: int, *, epoch: int = 1, replay: bool = False, value_cmmhg: int = 0) -> Telemetry:
    return Telemetry(epoch, DeviceState.RUNNING, replay, seq, seq * 200, 20, 0x01, ((value_cmmhg,),) * count)


def counts(expected: int, received: int, replayed: int, missing: int) -> SampleCounts:
    return SampleCounts(expected=expected, received=received, replayed=replayed, missing=missing)


def test_a_gap_is_known_exactly_and_a_replay_fills_it_once() -> None:
    ledger = SampleLedger()
    assert ledger.add(frame(100, 5)) is None
    assert ledger.add(frame(110, 5)) == Gap(1, 105, 109)
    assert ledger.counts() == counts(15, 10, 0, 5)
    ledger.add(frame(105, 3, replay=True))
    ledger.add(frame(105, 3, replay=True))
    assert ledger.counts() == counts(15, 10, 3, 2)


def test_an_overlap_is_not_counted_twice() -> None:
    ledger = SampleLedger()
    ledger.add(frame(0, 5))
    ledger.add(frame(3, 5))
    ledger.add(frame(0, 5))
    assert ledger.counts() == counts(8, 8, 0, 0)


def test_a_new_boot_opens_a_new_account_and_keeps_the_old_sums() -> None:
    ledger = SampleLedger()
    ledger.add(frame(0, 5))
    ledger.add(frame(10, 5))
    ledger.add(frame(3, 5, epoch=2))
    ledger.add(frame(5, 5, replay=True))
    assert ledger.counts() == counts(20, 15, 0, 5)


@pytest.fixture
def wave() -> Wave:
    program = PROGRAM.validate_python(
        {
            "name": "two-holds",
            "title": "Two holds",
            "description": "For a test.",
            "pattern": "isolation",
            "duration_min": 1.0,
            "pressure_mmhg": 40.0,
            "chambers": [1],
            "inflate_s": 4.0,
            "release_s": 0.0,
            "hold_s": 6.0,
            "rest_s": 10.0,
        }
    )
    return compile_wave(program, Side.LEFT, 1)


def played(wave: Wave, *, late_ticks: int = 0, uncertainty_s: float = 0.001) -> list[ScheduledStep]:
    steps: list[ScheduledStep] = []
    for seq, step in enumerate(wave.steps):
        due_tick = round(step.at_s * 10_000)
        steps.append(ScheduledStep(step, step.at_s, seq, step.at_s, due_tick, uncertainty_s, StepOutcome.EXECUTED, due_tick + late_ticks))
    return steps


def follow(account: SessionAccount, wave: Wave, *, short_mmhg: float = 0.0) -> None:
    """Feed 50 Hz samples of a plant that follows its target exactly, less ``short_mmhg``."""
    for seq in range(round(wave.duration_s * 50)):
        target_mmhg = wave.target_at(seq * 0.02)[0]
        account.add_frame(frame(seq, 1, value_cmmhg=round(max(0.0, target_mmhg - short_mmhg) * 100)), seq * 200)


def test_a_plant_that_follows_has_no_tracking_error_and_delivers_every_cycle(wave: Wave) -> None:
    account = SessionAccount(wave)
    account.add_steps(played(wave))
    follow(account, wave)
    cycles, shortfalls = account.cycles_and_shortfalls()
    assert (cycles.planned, cycles.delivered, shortfalls) == (wave.cycles, wave.cycles, [])
    assert account.tracking_rms_mmhg() < 0.1
    assert account.peaks_mmhg() == [40.0]
    assert account.finals_mmhg() == [0.0]


def test_a_constant_shortfall_is_the_tracking_error_and_is_named(wave: Wave) -> None:
    account = SessionAccount(wave)
    account.add_steps(played(wave))
    follow(account, wave, short_mmhg=8.0)
    cycles, shortfalls = account.cycles_and_shortfalls()
    assert cycles.delivered == 0
    assert len(shortfalls) == wave.cycles
    assert "32.0 of 40.0 mmHg" in shortfalls[0]
    assert 3.0 < account.tracking_rms_mmhg() <= 8.0


def test_of_a_stopped_session_only_the_cycles_that_had_begun_are_named(wave: Wave) -> None:
    account = SessionAccount(wave)
    steps = [step for step in played(wave) if step.wave.cycle < 2]
    steps[-1].outcome = StepOutcome.FLUSHED
    account.add_steps([step for step in steps if step.wave.cycle == 0 or step.outcome is StepOutcome.FLUSHED])
    follow(account, wave, short_mmhg=8.0)
    cycles, shortfalls = account.cycles_and_shortfalls()
    assert cycles.planned == wave.cycles > 2
    assert [line.split(",")[0] for line in shortfalls] == ["cycle 1"]


def test_the_timing_bound_is_the_devices_error_plus_the_clocks(wave: Wave) -> None:
    account = SessionAccount(wave)
    account.add_steps(played(wave, late_ticks=30, uncertainty_s=0.002))
    assert account.timing_errors_ms() == pytest.approx([5.0] * len(wave.steps))


def test_late_and_refused_steps_are_counted_apart_from_executed_ones(wave: Wave) -> None:
    account = SessionAccount(wave)
    steps = played(wave)
    steps[0].outcome = StepOutcome.TOO_LATE
    steps[1].outcome = StepOutcome.RELEASED_LATE
    account.add_steps(steps)
    found = account.step_counts(planned=len(steps))
    assert (found.planned, found.executed, found.late) == (len(steps), len(steps) - 1, 2)
    assert "not carried out" in account.cycles_and_shortfalls()[1][0]


def test_skew_is_the_spread_between_wraps_with_both_uncertainties(wave: Wave) -> None:
    left, right = SessionAccount(wave), SessionAccount(wave)
    left.add_steps(played(wave, late_ticks=10, uncertainty_s=0.001))
    right.add_steps(played(wave, late_ticks=-20, uncertainty_s=0.002))
    assert skew_ms([left, right]) == pytest.approx([6.0] * len(wave.steps))
    assert skew_ms([left]) == []


def test_quantiles_of_nothing_are_zero() -> None:
    assert quantiles([]).max == 0.0
    assert quantiles([1.0, 2.0, 3.0]).p50 == 2.0
