"""An hour does not drift: clock and schedule together, over sixty minutes of a 50 ppm crystal behind a lossy radio, without the radio."""

from random import Random

import pytest

from wavewrap_gateway.core.clock_sync import ClockSync
from wavewrap_gateway.core.safety import SafetyLimits
from wavewrap_gateway.core.scheduler import Scheduler
from wavewrap_gateway.core.wave import WaveStep
from wavewrap_protocol.enums import StepOutcome
from wavewrap_protocol.reports import StepRecord
from wavewrap_protocol.units import TICK_MODULUS, TICKS_PER_S

HOUR_S = 3_600
INTERVAL_S = 0.015


@pytest.mark.parametrize("ppm", [50.0, -50.0])
def test_the_last_minute_is_as_true_as_the_second(ppm: float) -> None:
    rng, sync = Random(1), ClockSync()
    start_tick = TICK_MODULUS - 5_000_000  # the 32-bit count wraps on the way
    steps = [WaveStep(float(number), number % 2, 40.0 if number // 2 % 2 == 0 else 0.0, 0.0, 0) for number in range(HOUR_S)]
    scheduler = Scheduler(steps, SafetyLimits(80.0, 2), queue_depth=64, batch_steps=8)
    scheduler.start(20.0)

    def true_tick(host_s: float) -> float:
        return start_tick + host_s * (1.0 + ppm * 1e-6) * TICKS_PER_S

    def delay_s() -> float:
        return rng.uniform(0.0, INTERVAL_S) + INTERVAL_S * (rng.random() < 0.1) + rng.expovariate(3.0) * (rng.random() < 0.01)

    sync.reset(1)
    errors_s: dict[int, list[float]] = {}
    for second in range(10, 20 + HOUR_S):
        sent_s = second + rng.uniform(0.0, 0.05)
        out_s, hold_s, back_s = delay_s(), rng.uniform(0.0, 0.05), delay_s()
        received, answered = int(true_tick(sent_s + out_s)), int(true_tick(sent_s + out_s + hold_s))
        sync.add_ping(sent_s, received % TICK_MODULUS, answered % TICK_MODULUS, sent_s + out_s + hold_s + back_s)
        estimate = sync.estimate
        assert estimate is not None
        while (batch := scheduler.next_batch(float(second), second + 5.0, estimate)) is not None:
            for seq in range(batch.first_seq, batch.first_seq + len(batch.steps)):
                step = scheduler.sent[seq]
                # The estimator counts on from the first tick it saw, which was not wrapped yet.
                error_s = (step.due_tick - true_tick(step.due_s)) / TICKS_PER_S
                errors_s.setdefault(int(step.due_s // 60), []).append(abs(error_s))
                assert abs(error_s) <= step.uncertainty_s + 2e-4
                scheduler.record(
                    [StepRecord(seq, step.due_tick % TICK_MODULUS, step.due_tick % TICK_MODULUS, StepOutcome.EXECUTED)], [step.due_tick]
                )
    assert scheduler.done
    minutes = sorted(errors_s)
    assert len(minutes) >= 60
    assert max(errors_s[minutes[-2]]) < 0.004
    assert max(max(errors) for minute, errors in errors_s.items() if minute > 3) < 0.006
