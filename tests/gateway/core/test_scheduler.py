"""The queue stays between guard and horizon, within credit; a slip shortens no rest and lengthens no hold."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from wavewrap_gateway.core.clock_sync import ClockEstimate
from wavewrap_gateway.core.safety import SafetyLimits
from wavewrap_gateway.core.scheduler import GUARD_S, HORIZON_S, SLIP_AHEAD_S, Scheduler
from wavewrap_gateway.core.wave import WaveStep
from wavewrap_protocol.enums import StepOutcome
from wavewrap_protocol.reports import StepRecord

CLOCK = ClockEstimate(boot_id=1, origin_s=0.0, origin_tick=0, rate=1.0, uncertainty_s=0.001, uncertainty_ahead_s=0.002)
LIMITS = SafetyLimits(ceiling_mmhg=80.0, chambers=4)
NEVER_S = 1e9


def pulses(count: int, period_s: float = 2.0) -> list[WaveStep]:
    """Inflate chamber 0 at 0, 2, 4 ... and release it a second later."""
    steps: list[WaveStep] = []
    for cycle in range(count):
        steps.append(WaveStep(cycle * period_s, 0, 50.0, 0.5, cycle))
        steps.append(WaveStep(cycle * period_s + 1.0, 0, 0.0, 0.0, cycle))
    return steps


def execute(scheduler: Scheduler, *seqs: int) -> None:
    """The device carries the steps ``seqs`` out on time."""
    records = [StepRecord(seq, scheduler.sent[seq].due_tick, scheduler.sent[seq].due_tick, StepOutcome.EXECUTED) for seq in seqs]
    scheduler.record(records, [record.actual_tick for record in records])


def test_steps_reach_the_horizon_and_no_further() -> None:
    scheduler = Scheduler(pulses(10), LIMITS, queue_depth=64, batch_steps=64)
    scheduler.start(1.0)
    batch = scheduler.next_batch(0.0, NEVER_S, CLOCK)
    assert batch is not None
    assert batch.first_seq == 0
    assert [step.due_tick for step in batch.steps] == [10_000, 20_000, 30_000, 40_000, 50_000]
    assert scheduler.next_batch(0.0, NEVER_S, CLOCK) is None
    later = scheduler.next_batch(1.0, NEVER_S, CLOCK)
    assert later is not None
    assert later.first_seq == 5
    assert [step.due_tick for step in later.steps] == [60_000]


def test_nothing_is_planned_past_the_lease() -> None:
    scheduler = Scheduler(pulses(10), LIMITS, queue_depth=64, batch_steps=64)
    scheduler.start(1.0)
    batch = scheduler.next_batch(0.0, 2.5, CLOCK)
    assert batch is not None
    assert [step.due_tick for step in batch.steps] == [10_000, 20_000]


def test_credit_bounds_what_is_outstanding_and_comes_back_with_reports() -> None:
    scheduler = Scheduler(pulses(10), LIMITS, queue_depth=3, batch_steps=2)
    scheduler.start(1.0)
    first, second = scheduler.next_batch(0.0, NEVER_S, CLOCK), scheduler.next_batch(0.0, NEVER_S, CLOCK)
    assert first is not None
    assert second is not None
    assert (len(first.steps), len(second.steps)) == (2, 1)
    assert scheduler.next_batch(0.0, NEVER_S, CLOCK) is None
    execute(scheduler, 0)
    third = scheduler.next_batch(0.0, NEVER_S, CLOCK)
    assert third is not None
    assert (third.first_seq, len(third.steps)) == (3, 1)


def test_a_record_that_comes_twice_counts_once() -> None:
    scheduler = Scheduler(pulses(2), LIMITS, queue_depth=8, batch_steps=8)
    scheduler.start(1.0)
    scheduler.next_batch(0.0, NEVER_S, CLOCK)
    record = StepRecord(0, 10_000, 10_003, StepOutcome.EXECUTED)
    assert len(scheduler.record([record, record], [10_003, 10_003])) == 1
    assert scheduler.record([StepRecord(99, 0, 0, StepOutcome.EXECUTED)], [0]) == []


def test_done_only_when_every_step_is_answered_for() -> None:
    scheduler = Scheduler(pulses(1), LIMITS, queue_depth=8, batch_steps=8)
    scheduler.start(1.0)
    assert not scheduler.done
    scheduler.next_batch(0.0, NEVER_S, CLOCK)
    execute(scheduler, 0)
    assert not scheduler.done
    execute(scheduler, 1)
    assert scheduler.done


def test_overdue_says_how_much_too_late_an_inflation_is_and_ignores_releases() -> None:
    scheduler = Scheduler(pulses(2), LIMITS, queue_depth=8, batch_steps=1)
    scheduler.start(1.0)
    assert scheduler.overdue_s(0.0) == 0.0
    assert abs(scheduler.overdue_s(2.0) - (1.0 + SLIP_AHEAD_S)) < 1e-9
    scheduler.next_batch(0.0, NEVER_S, CLOCK)
    execute(scheduler, 0)
    # Next is the release at host second 2: late or not, it is sent; the inflation after it is due at 3.
    assert scheduler.overdue_s(2.5) == 0.0
    assert scheduler.overdue_s(2.9) > 0.0


def test_a_flush_takes_back_what_it_reaches_and_numbers_go_on_without_a_gap() -> None:
    scheduler = Scheduler(pulses(4), LIMITS, queue_depth=64, batch_steps=64)
    scheduler.start(1.0)
    scheduler.next_batch(0.0, NEVER_S, CLOCK)
    execute(scheduler, 0)
    assert scheduler.flushable_from(1.9 + GUARD_S) == 30_000, "the release at 2.0 is inside the guard and stays"
    assert [step.due_tick for step in scheduler.sent] == [10_000, 20_000, 30_000, 40_000, 50_000]
    scheduler.rewind(3)
    scheduler.slip(1.0)
    again = scheduler.next_batch(1.9, NEVER_S, CLOCK)
    assert again is not None
    assert again.first_seq == 2
    assert [step.due_tick for step in again.steps] == [40_000, 50_000, 60_000]


def test_a_slip_leaves_the_release_of_an_inflated_chamber_where_it_was() -> None:
    steps = [
        WaveStep(0.0, 0, 70.0, 0.5, 0),
        WaveStep(3.0, 0, 45.0, 0.5, 0),
        WaveStep(3.0, 1, 60.0, 0.5, 0),
        WaveStep(4.0, 0, 0.0, 0.0, 0),
        WaveStep(4.5, 1, 0.0, 0.0, 0),
    ]
    scheduler = Scheduler(steps, LIMITS, queue_depth=64, batch_steps=1)
    scheduler.start(0.0)
    scheduler.next_batch(-0.5, NEVER_S, CLOCK)
    execute(scheduler, 0)
    scheduler.slip(2.0)
    planned = []
    while (batch := scheduler.next_batch(2.0, NEVER_S, CLOCK)) is not None:
        planned.append((batch.steps[0].due_tick, batch.steps[0].chamber, batch.steps[0].target_cmmhg))
    assert planned == [(30_000, 0, 4_500), (40_000, 0, 0), (50_000, 1, 6_000), (65_000, 1, 0)]


@settings(max_examples=60, deadline=None)
@given(shift_s=st.floats(0.01, 20.0), at=st.integers(0, 19), data=st.data())
def test_no_slip_ever_lengthens_a_hold_or_shortens_a_rest(shift_s: float, at: int, data: st.DataObject) -> None:
    starts = data.draw(st.lists(st.floats(0.5, 3.0), min_size=20, max_size=20))
    holds = data.draw(st.lists(st.floats(0.2, 2.0), min_size=20, max_size=20))
    steps, now_s = list[WaveStep](), 0.0
    for cycle, (rest_s, hold_s) in enumerate(zip(starts, holds, strict=True)):
        now_s += rest_s
        steps.append(WaveStep(now_s, 0, 40.0, 0.1, cycle))
        now_s += hold_s
        steps.append(WaveStep(now_s, 0, 0.0, 0.0, cycle))
    scheduler = Scheduler(steps, LIMITS, queue_depth=1, batch_steps=1)
    scheduler.start(0.0)
    for number in range(at):
        assert scheduler.next_batch(steps[number].at_s, NEVER_S, CLOCK, 0.0) is not None
        execute(scheduler, number)
    scheduler.slip(shift_s)
    for number in range(at, len(steps)):
        assert scheduler.next_batch(1e6, NEVER_S, CLOCK, -1e6) is not None
        execute(scheduler, number)
    due = [step.due_s for step in scheduler.sent]
    planned = [step.at_s for step in steps]
    assert due == sorted(due)
    for inflate in range(0, len(due), 2):
        assert due[inflate + 1] - due[inflate] <= planned[inflate + 1] - planned[inflate] + 1e-6
    for release in range(1, len(due) - 1, 2):
        assert due[release + 1] - due[release] >= planned[release + 1] - planned[release] - 1e-6


def test_a_flush_that_comes_too_late_for_a_step_leaves_it_sent() -> None:
    scheduler = Scheduler(pulses(3), LIMITS, queue_depth=64, batch_steps=64)
    scheduler.start(1.0)
    scheduler.next_batch(0.0, NEVER_S, CLOCK)
    assert scheduler.flushable_from(0.7 + GUARD_S) == 10_000
    scheduler.rewind(4)
    assert [step.due_tick for step in scheduler.sent] == [10_000]
    execute(scheduler, 0)
    scheduler.slip(0.5)
    again = scheduler.next_batch(1.1, NEVER_S, CLOCK)
    assert again is not None
    assert again.first_seq == 1
    assert [step.due_tick for step in again.steps] == [20_000, 35_000, 45_000, 55_000]


def test_horizon_fits_the_lease_and_a_slip_reaches_what_was_sent() -> None:
    assert SLIP_AHEAD_S - 0.2 > GUARD_S, "a round of the session lies between"
    assert HORIZON_S <= 5.0


EASED = SafetyLimits(ceiling_mmhg=80.0, chambers=4, ease_mmhg=(40.0, 45.0))


def test_the_first_two_compressions_are_asked_for_no_more_than_the_device_gives() -> None:
    scheduler = Scheduler(pulses(4, period_s=1.5), EASED, queue_depth=64, batch_steps=64)
    scheduler.start(0.5)
    scheduler.boost.change(5.0, None)
    batch = scheduler.next_batch(0.0, NEVER_S, CLOCK)
    assert batch is not None
    assert [step.target_cmmhg for step in batch.steps if step.target_cmmhg] == [4_000, 4_500, 5_500, 5_500]
    assert [step.target_mmhg for step in scheduler.sent if step.wave.target_mmhg] == [40.0, 45.0, 55.0, 55.0]
    assert max(scheduler.set_points_mmhg(0.9)) == 32.0, "0.4 of 0.5 s on the way to the eased target"


def test_a_rise_within_a_compression_begins_no_other() -> None:
    steps = [WaveStep(0.0, 0, 20.0, 0.0, 0), WaveStep(0.5, 0, 60.0, 0.0, 0), WaveStep(1.0, 0, 0.0, 0.0, 0), WaveStep(2.0, 0, 60.0, 0.0, 1)]
    scheduler = Scheduler(steps, EASED, queue_depth=64, batch_steps=64)
    scheduler.start(0.5)
    batch = scheduler.next_batch(0.0, NEVER_S, CLOCK)
    assert batch is not None
    assert [step.target_cmmhg for step in batch.steps] == [2_000, 4_000, 0, 4_500]


def test_what_the_device_eased_further_counts_with_the_target_it_was_given() -> None:
    scheduler = Scheduler(pulses(2), EASED, queue_depth=64, batch_steps=64)
    scheduler.start(0.5)
    scheduler.next_batch(0.0, NEVER_S, CLOCK)
    second = scheduler.sent[2]
    assert second.target_mmhg == 45.0
    scheduler.record([StepRecord(2, second.due_tick, second.due_tick, StepOutcome.EASED)], [second.due_tick])
    assert second.target_mmhg == 40.0


def test_the_path_of_the_set_points_is_exact_between_its_corners() -> None:
    scheduler = Scheduler(pulses(4), LIMITS, queue_depth=64, batch_steps=64)
    scheduler.start(1.0)
    scheduler.next_batch(0.0, NEVER_S, CLOCK)
    path = scheduler.path_mmhg(0.5, 4.5)
    assert (path[0][0], path[-1][0]) == (0.5, 4.5)
    assert max(targets[0] for _, targets in path) == scheduler.set_points_mmhg(1.9)[0] > 30.0
    for (before_s, before), (after_s, after) in pairwise(path):
        for share in (0.0, 0.25, 0.75):
            at_s = before_s + (after_s - before_s) * share
            expected = before[0] + (after[0] - before[0]) * share
            # A jump takes a tick of 0.1 ms.
            assert abs(scheduler.set_points_mmhg(at_s)[0] - expected) < 0.01 or after_s - before_s < 2e-4
    assert len(path) <= 12
