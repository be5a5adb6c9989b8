"""What the device finds wrong with its own air: each defect provoked on the plant, each disturbance that is none left alone."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.air_bench import AirBench

from wavewrap_protocol.enums import DeviceState, Fault, Result
from wavewrap_sim.pressure_control import Drive

ALL = 255


def hose_off(bench: AirBench) -> None:
    bench.conditions.hose_on[0, 1] = 0.0


def leak(bench: AirBench) -> None:
    bench.conditions.leak_at_60_ml_s[0, 1] = 25.0


def kinked_hose(bench: AirBench) -> None:
    bench.conditions.kink_mmhg_s_ml[0, 1] = 20.0


def inlet_shut(bench: AirBench) -> None:
    bench.conditions.inlet_held[0, 1] = 0.0


def inlet_open(bench: AirBench) -> None:
    bench.conditions.inlet_held[0, 1] = 1.0


def inlet_half_open(bench: AirBench) -> None:
    bench.conditions.inlet_held[0, 1] = 0.5


def vent_open(bench: AirBench) -> None:
    bench.conditions.vent_held[0, 1] = 1.0


def vent_shut(bench: AirBench) -> None:
    bench.conditions.vent_held[0, 1] = 0.0


def dump_open(bench: AirBench) -> None:
    bench.conditions.dump_held[0] = 1.0


def dump_shut(bench: AirBench) -> None:
    bench.conditions.dump_held[0] = 0.0


def pump_dead(bench: AirBench) -> None:
    bench.conditions.pump_efficiency[0] = 0.0


def pump_by_itself(bench: AirBench) -> None:
    bench.runs_by_itself = True


def loose(bench: AirBench) -> None:
    bench.conditions.slack_ml[0, 1] = 80.0


def sensor_falls_off(bench: AirBench) -> None:
    shift = [0.0]

    def distort(readings: list[int]) -> None:
        shift[0] += 1.5
        readings[1] -= round(shift[0])

    bench.distort = distort


def sensor_stands_still(bench: AirBench) -> None:
    held: list[int] = []

    def distort(readings: list[int]) -> None:
        held.append(readings[1])
        readings[1] = held[0]

    bench.distort = distort


def manifold_sensor_stands_still(bench: AirBench) -> None:
    held: list[int] = []

    def distort(readings: list[int]) -> None:
        held.append(readings[-1])
        readings[-1] = held[0]

    bench.distort = distort


DEFECTS: list[tuple[Callable[[AirBench], None], set[Fault], int, float]] = [
    (hose_off, {Fault.NO_RISE, Fault.LEAK}, 1, 0.0),
    (hose_off, {Fault.NO_RISE, Fault.LEAK}, 1, 4.0),
    (leak, {Fault.LEAK}, 1, 0.0),
    (kinked_hose, {Fault.BLOCKED}, 1, 0.0),
    (inlet_shut, {Fault.BLOCKED}, 1, 0.0),
    (inlet_open, {Fault.INLET_STUCK}, 1, 0.0),
    (inlet_open, {Fault.INLET_STUCK}, 1, 4.0),
    (inlet_half_open, {Fault.INLET_STUCK}, 1, 4.0),
    (vent_open, {Fault.LEAK, Fault.NO_RISE}, 1, 0.0),
    (vent_open, {Fault.LEAK, Fault.NO_RISE}, 1, 4.0),
    (vent_shut, {Fault.VENT_FAILED}, 1, 4.0),
    (dump_open, {Fault.PUMP_WEAK}, ALL, 4.0),
    (dump_shut, {Fault.VENT_FAILED}, ALL, 4.0),
    (pump_dead, {Fault.PUMP_WEAK}, ALL, 0.0),
    (pump_dead, {Fault.PUMP_WEAK}, ALL, 4.0),
    (pump_by_itself, {Fault.PUMP_STUCK}, ALL, 0.0),
    (loose, {Fault.POOR_FIT}, 1, 0.0),
    (sensor_falls_off, {Fault.SENSOR_DRIFT}, 1, 4.0),
    (sensor_stands_still, {Fault.SENSOR}, 1, 4.0),
    (manifold_sensor_stands_still, {Fault.SENSOR}, ALL, 0.0),
]


@pytest.mark.parametrize(("defect", "faults", "chamber", "from_s"), DEFECTS, ids=[f"{d[0].__name__}-{d[3]:g}" for d in DEFECTS])
def test_a_defect_is_found_stops_the_pump_and_is_acknowledged_when_it_is_gone(
    defect: Callable[[AirBench], None], faults: set[Fault], chamber: int, from_s: float
) -> None:
    bench = AirBench(seed=3)
    bench.wave()
    bench.run(from_s)
    assert bench.faults == []
    defect(bench)
    assert bench.run_to_fault(12.0) in faults
    assert bench.faults[0].chamber == chamber
    assert bench.firmware.state is DeviceState.FAULT
    assert bench.firmware.drive.pump_duty == 0.0
    assert not bench.firmware.drive.pump_enabled
    assert max(bench.pressure_mmhg) < bench.config.ceiling_cmmhg / 100 + 5.0
    bench.conditions.kink_mmhg_s_ml[:] = 0.0
    bench.conditions.dump_held[:] = float("nan")
    bench.distort = None
    bench.run(5.0)
    assert max(bench.pressure_mmhg) < 5.0
    assert bench.acknowledge().result is Result.OK
    assert bench.firmware.fault is Fault.NONE
    assert bench.firmware.drive == Drive.safe(bench.chambers)


def test_a_vent_that_does_not_open_is_seen_within_2_s_and_its_chamber_relieved_through_the_inlet() -> None:
    bench = AirBench(seed=5)
    bench.wave(hold_s=3.0)
    bench.run(4.0)
    vent_shut(bench)
    bench.run(1.0)
    released_tick = bench.tick
    assert bench.run_to_fault(4.0) is Fault.VENT_FAILED
    assert bench.tick - released_tick < 20_000
    assert bench.firmware.drive == Drive.safe(bench.chambers, (1,))
    bench.run(1.0)
    assert bench.pressure_mmhg[1] < 15.0
    bench.run(3.0)
    assert bench.firmware.drive == Drive.safe(bench.chambers), "the inlet shuts when the chamber is empty"


@pytest.mark.parametrize(("air", "fault"), [(True, Fault.VENT_FAILED), (False, Fault.SENSOR_DRIFT)])
def test_what_stands_in_a_released_chamber_is_told_by_a_probe(*, air: bool, fault: Fault) -> None:
    """A vent that shuts half way and a zero that has moved read the same; behind an inlet opened on the empty manifold only air shows."""
    bench = AirBench(seed=6)
    bench.wave(hold_s=2.0)
    bench.run(4.3)
    while bench.pressure_mmhg[1] > 8.0:
        bench.run(0.01)
    if air:
        vent_shut(bench)
    else:
        bench.distort = lambda readings: readings.__setitem__(1, readings[1] + 800)
    assert bench.faults == []
    assert bench.run_to_fault(4.0) is fault
    assert bench.faults[0].chamber == 1


def test_a_vent_that_does_not_open_is_seen_while_its_chamber_is_let_down() -> None:
    bench = AirBench(seed=7)
    bench.plan([(0.1, 1, 50.0, 0), (3.0, 1, 30.0, 1_000), (9.0, 1, 0.0, 0)])
    bench.run(2.5)
    vent_shut(bench)
    assert bench.run_to_fault(4.0) is Fault.VENT_FAILED
    assert bench.pressure_mmhg[1] > 40.0, "while it was still held"


def test_a_leak_too_small_for_one_short_hold_is_told_by_the_next_one() -> None:
    bench = AirBench(seed=8)
    bench.conditions.leak_at_60_ml_s[0, 1] = 14.0
    for hold in range(3):
        bench.plan([(0.1, 1, 30.0, 1_000), (4.0, 1, 0.0, 0)])
        bench.run_to_fault(8.0)
        if bench.faults:
            break
        assert hold < 2
    assert (hold, bench.firmware.fault) == (1, Fault.LEAK)


def test_a_sensor_that_falls_off_slowly_is_probed_though_its_chamber_always_asks_for_air() -> None:
    """Each touch-up raises the true pressure; only the manifold's sensor knows."""
    bench = AirBench(seed=9)
    bench.wave(hold_s=30.0)
    bench.run(3.0)
    shift = [0.0]

    def distort(readings: list[int]) -> None:
        shift[0] += 1.8
        readings[1] -= round(shift[0])

    bench.distort = distort
    assert bench.run_to_fault(12.0) is Fault.SENSOR_DRIFT
    assert max(bench.pressure_mmhg) < 50.0 + 20.0


@settings(max_examples=3, deadline=None)
@given(seed=st.integers(0, 1_000), swell_ml=st.floats(-2.5, 2.5), warmth_k=st.floats(0.0, 8.0))
def test_a_moving_limb_and_warming_air_are_no_defects_on_plants_30_percent_off(seed: int, swell_ml: float, warmth_k: float) -> None:
    bench = AirBench(seed, 0.3)

    def befall(since_s: float) -> None:
        phase = (since_s / 1.3) % 2.0
        bench.conditions.swell_ml[0, :] = swell_ml * (phase * (2.0 - phase)) if phase < 2.0 else 0.0
        bench.conditions.warmth_k[0, :] = warmth_k * min(1.0, since_s / 20.0)

    bench.befall = befall
    for _ in range(2):
        bench.wave()
        bench.run(11.0)
    assert bench.faults == []
    assert bench.firmware.state is DeviceState.RUNNING
