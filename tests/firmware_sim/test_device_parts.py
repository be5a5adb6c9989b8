"""Crystal, sensors, battery, and the small stores of the firmware."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wavewrap_board.files import REFERENCE_BOARD, load_board
from wavewrap_protocol.commands import Step
from wavewrap_protocol.enums import Cause, DeviceState, Fault, ReportKind
from wavewrap_protocol.reports import Report, StateReport, decode_report
from wavewrap_sim.answer_memory import AnswerMemory
from wavewrap_sim.battery import Battery
from wavewrap_sim.detection_figures import DetectionFigures
from wavewrap_sim.device_clock import DeviceClock
from wavewrap_sim.from_board import battery_of, sensors_of
from wavewrap_sim.record_ring import RecordRing, Sample
from wavewrap_sim.report_log import ReportLog
from wavewrap_sim.sensor_watch import SensorWatch
from wavewrap_sim.sensor_zero import SensorZero
from wavewrap_sim.sensors import PressureSensors, to_cmmhg
from wavewrap_sim.set_point import SetPoint
from wavewrap_sim.step_queue import QueuedStep, StepQueue

BOARD = load_board(REFERENCE_BOARD)


@given(
    start_s=st.floats(0.0, 1e7),
    start_tick=st.sampled_from([0, 1, (1 << 32) - 1, (1 << 32) - 12_345]),
    ppm=st.floats(-200.0, 200.0),
    ticks=st.integers(0, 1 << 33),
)
def test_the_clock_is_exact_both_ways(start_s: float, start_tick: int, ppm: float, ticks: int) -> None:
    clock = DeviceClock(start_s, start_tick, ppm)
    assert clock.count_at(clock.host_s_of(start_tick + ticks)) == start_tick + ticks
    assert 0 <= clock.tick_of(start_tick + ticks) < 1 << 32


def test_the_clock_gains_its_ppm() -> None:
    assert DeviceClock(100.0, 0, 50.0).count_at(160.001) == 600_010 + 30


def test_sensors_show_offset_noise_and_lag() -> None:
    parameters = sensors_of(BOARD)
    sensors = PressureSensors(parameters, (4,), np.random.default_rng(3))
    readings = np.array([sensors.read_mmhg(np.full(4, 40.0), 0.01) for _ in range(2_000)])
    assert (np.abs(sensors.offset_mmhg) <= parameters.offset_mmhg).all()
    assert np.ptp(sensors.offset_mmhg) > 0.1 * parameters.offset_mmhg
    np.testing.assert_allclose(readings[10:].mean(axis=0), 40.0 + sensors.offset_mmhg, atol=0.02)
    np.testing.assert_allclose(readings[10:].std(axis=0), parameters.noise_mmhg, rtol=0.1)
    quiet = replace(parameters, noise_mmhg=0.0, offset_mmhg=0.0, lag_s=0.002, resolution_mmhg=0.01)
    early = PressureSensors(quiet, (1,), np.random.default_rng(0))
    # Pressure goes to 100 mmHg in one lag and stays.
    assert to_cmmhg(early.read_mmhg(np.array([100.0]), 0.002)) == (3_679,)
    assert to_cmmhg(early.read_mmhg(np.array([100.0]), 0.002)) == (7_675,)
    ramp = [early.read_mmhg(np.array([100.0 + step]), 0.01)[0] for step in range(10)]
    assert ramp[-1] == pytest.approx(109.0 - 0.002 * 100.0), "a ramp is seen one lag late"


def test_a_sensor_shows_whole_steps_of_its_resolution() -> None:
    quiet = replace(sensors_of(BOARD), noise_mmhg=0.0, offset_mmhg=0.0, resolution_mmhg=0.5)
    sensors = PressureSensors(quiet, (2, 2), np.random.default_rng(0))
    readings = [sensors.read_mmhg(np.array([[0.2, 0.3], [40.7, 40.8]]), 1.0) for _ in range(2)][-1]
    np.testing.assert_allclose(readings, [[0.0, 0.5], [40.5, 41.0]])


def test_sensors_saturate_inside_the_wire() -> None:
    sensors = PressureSensors(sensors_of(BOARD), (1,), np.random.default_rng(0))
    assert to_cmmhg(sensors.read_mmhg(np.array([5_000.0]), 1.0)) == (round(100 * BOARD.sensors.range_mmhg),)


def test_the_battery_pays_for_work() -> None:
    parameters = battery_of(BOARD)
    idle, busy = (Battery(parameters, 50.0) for _ in range(2))
    idle.draw(60.0, 0.0, (False, False), (True, True), True)
    busy.draw(60.0, 1.0, (True, False), (False, False), False)
    assert 50.0 - idle.charge_pct == pytest.approx(100 * parameters.electronics_w * 60 / parameters.capacity_j)
    coils_w = parameters.inlet_w + 2 * parameters.vent_w + parameters.dump_w
    assert 50.0 - busy.charge_pct == pytest.approx(
        100 * (parameters.electronics_w + parameters.pump_w + coils_w) * 60 / parameters.capacity_j
    )
    busy.draw(1e6, 1.0, (True, False), (False, False), False)
    assert busy.charge_pct == 0.0


def test_a_set_point_moves_in_a_line_and_bends_from_where_it_is() -> None:
    line = SetPoint().moved(1_000, 60.0, 2.0)
    assert [line.at(count) for count in (0, 1_000, 11_000, 21_000, 90_000)] == [0.0, 0.0, 30.0, 60.0, 60.0]
    assert line.moved(11_000, 10.0, 1.0).at(16_000) == 20.0
    assert line.moved(11_000, 0.0, 0.0).at(11_000) == 0.0


def queued(seq: int, due_count: int) -> QueuedStep:
    return QueuedStep(seq, Step(due_count, 0, 0, 0), due_count)


def test_the_queue_flushes_its_tail_and_counts_back() -> None:
    queue = StepQueue(4)
    queue.extend([queued(0, 10), queued(1, 20), queued(2, 30)])
    assert (queue.free, queue.expected_seq, queue.next_due_count, queue.last_due_count) == (1, 3, 10, 30)
    assert queue.flush(20) == 2
    assert (queue.expected_seq, queue.last_due_count) == (1, 10)
    assert queue.take_due(9) is None
    assert queue.take_due(10) == queued(0, 10)
    assert queue.flush(0) == 0
    assert queue.expected_seq == 1
    queue.extend([queued(1, 5)])
    assert queue.clear() == [queued(1, 5)]
    assert queue.expected_seq == 0


def test_the_ring_forgets_the_oldest_and_shows_its_holes() -> None:
    ring = RecordRing(5)
    for seq in (0, 1, 2, 3, 5, 6):
        ring.append(Sample(seq, seq * 200, (seq,)))
    assert [[s.seq for s in run] for run in ring.runs(0, 99, 10)] == [[2, 3], [5, 6]]
    assert [[s.seq for s in run] for run in ring.runs(2, 6, 1)] == [[2], [3], [5], [6]]
    assert ring.runs(4, 4, 10) == []
    assert RecordRing(5).runs(0, 9, 10) == []


def test_report_numbers_wrap() -> None:
    def build(number: int) -> Report:
        return StateReport(ReportKind.STATE, number, 0, DeviceState.IDLE, Cause.BOOT, Fault.NONE, 0)

    log = ReportLog(4)
    for _ in range((1 << 16) + 2):
        log.add(build)

    def numbers(first: int) -> list[int] | None:
        kept = log.since(first)
        return None if kept is None else [decode_report(data).number for data in kept]

    assert numbers(0xFFFF) == [0xFFFF, 0, 1]
    assert numbers(0xFF00) == [0xFFFE, 0xFFFF, 0, 1]
    assert numbers(2) == []
    assert numbers(3) is None


def test_answers_are_recalled_by_id_and_bytes() -> None:
    memory = AnswerMemory(2)
    memory.remember(1, "a", b"x", b"one", of_link=False)
    memory.remember(2, "a", b"y", b"two", of_link=True)
    assert memory.recall(1, "a", b"x") == b"one"
    assert memory.recall(1, "a", b"z") is None
    assert memory.recall(1, "b", b"x") is None
    memory.forget_link()
    assert memory.recall(2, "a", b"y") is None
    memory.remember(3, "a", b"z", b"three", of_link=False)
    memory.remember(4, "a", b"z", b"four", of_link=False)
    assert memory.recall(1, "a", b"x") is None


def watch_zero(zero: SensorZero, readings: list[int], *, empty: bool = True) -> list[int]:
    return [drifted for reading in readings for drifted in zero.watch((reading,), (empty,))]


def test_the_zero_is_not_taken_on_a_falling_tail() -> None:
    zero = SensorZero(1, 800, 300)
    assert watch_zero(zero, [400 - at for at in range(80)]) == []
    assert not zero.is_taken
    assert watch_zero(zero, [150 + at % 3 for at in range(120)]) == []
    assert zero.is_taken
    assert zero.corrected((151,)) == (0,)
    watch_zero(zero, [400 - at for at in range(80)])
    assert zero.corrected((151,)) == (0,), "an earlier zero is kept"


def test_the_zero_follows_an_empty_chamber_only_and_never_far() -> None:
    zero = SensorZero(1, 800, 300)
    watch_zero(zero, [0] * 80)
    assert watch_zero(zero, [200] * 200, empty=False) == []
    assert zero.corrected((200,)) == (200,)
    assert watch_zero(zero, [200] * 80) == []
    assert zero.corrected((200,)) == (0,)
    assert watch_zero(zero, [501] * 80) == [0], "a zero that moves by more than its bound is told, not taken"
    assert zero.corrected((200,)) == (0,)
    fresh = SensorZero(1, 800, 300)
    assert watch_zero(fresh, [801] * 80) == [0]
    assert not fresh.is_taken


def read_pulses(period_ticks: int, ticks: int, high_cmmhg: int = 4_000) -> tuple[list[int], bool]:
    """A good channel, the manifold's, and between them one that stands at ``high_cmmhg`` for three ticks of every ``period_ticks``.

    Ticks at which it was found, and whether the last one left a doubt.
    """
    watch = SensorWatch(2, 258.0, DetectionFigures())
    found = []
    for tick in range(ticks):
        noise = tick % 7
        pulse = high_cmmhg if tick % period_ticks >= period_ticks - 3 else 0
        findings = watch.check((noise, pulse + noise, noise))
        assert {(finding.fault, finding.chamber) for finding in findings} <= {(Fault.SENSOR, 1)}
        found += [tick] if findings else []
    return found, watch.is_doubtful


def test_a_loose_wire_is_told_before_its_doubt_hides_everything_else() -> None:
    found, _ = read_pulses(period_ticks=15, ticks=60)
    assert found[0] == 27, "with its third leap"


def test_a_reading_that_leaps_once_and_comes_back_is_doubted_for_a_while_and_then_believed() -> None:
    assert read_pulses(period_ticks=40, ticks=41) == ([], True)
    assert read_pulses(period_ticks=100, ticks=199, high_cmmhg=2_000) == ([], False)
    assert read_pulses(period_ticks=100, ticks=150) == ([], False)
