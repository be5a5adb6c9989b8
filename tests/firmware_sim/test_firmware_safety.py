"""What the device decides itself: step rules, limits, faults, and that no bytes can talk it out of them."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.firmware_bench import SESSION, FirmwareBench, armed, bench_config, inflate

from wavewrap_protocol import uuids
from wavewrap_protocol.commands import Acknowledge, Arm, End, Renew, Stream
from wavewrap_protocol.enums import Cause, DeviceState, Fault, Result, StepOutcome
from wavewrap_protocol.states import PRESSURISING
from wavewrap_protocol.units import TICK_MODULUS
from wavewrap_sim.firmware import Inputs
from wavewrap_sim.firmware_config import CONTROL_PERIOD_TICK
from wavewrap_sim.pressure_control import Drive

SAFE = Drive.safe(4)


def keeps_the_law(bench: FirmwareBench) -> bool:
    """Outside a session the drive is safe; the inlet of a chamber may be open that has no other way out."""
    drive, state = bench.firmware.drive, bench.firmware.state
    if state in PRESSURISING:
        return sum(drive.inlet_open) <= 1 and 0.0 <= drive.pump_duty <= 1.0
    relieved = [at for at, inlet in enumerate(drive.inlet_open) if inlet]
    return drive == Drive.safe(bench.config.chambers, relieved) and (not relieved or bench.firmware.fault is Fault.VENT_FAILED)


def only_fault(bench: FirmwareBench) -> tuple[Fault, int]:
    assert bench.firmware.state is DeviceState.FAULT
    assert keeps_the_law(bench)
    report = bench.faults()[-1]
    assert bench.states()[-1].fault is report.fault is bench.firmware.fault
    return report.fault, report.chamber


@pytest.mark.parametrize("boot_tick", [0, TICK_MODULUS - 15_000])
def test_steps_run_at_their_very_tick(boot_tick: int) -> None:
    bench = armed(boot_tick)
    dues = [(bench.tick + offset) % TICK_MODULUS for offset in (1, 777, 4_999, 5_000, 5_001, 9_999)]
    bench.plan(0, [(due, 0, 10.0 + at, 0) for at, due in enumerate(dues)])
    bench.run(1.5)
    assert [(r.planned_tick, r.actual_tick, r.outcome) for r in bench.records()] == [(d, d, StepOutcome.EXECUTED) for d in dues]
    assert [(r.state, r.cause) for r in bench.states()[-1:]] == [(DeviceState.RUNNING, Cause.FIRST_STEP)]


def test_a_late_inflation_is_refused_and_a_late_release_is_not() -> None:
    bench = armed()
    bench.plan(0, [(bench.tick - 50, 0, 30.0, 0), (bench.tick - 49, 1, 30.0, 0)])
    bench.run_ticks(1)
    bench.run(0.2)
    assert [r.outcome for r in bench.records()] == [StepOutcome.EXECUTED, StepOutcome.EXECUTED]
    bench.plan(2, [(bench.tick - 60, 0, 40.0, 0), (bench.tick - 60, 0, 0.0, 2_000), (bench.tick - 60, 2, 0.0, 0)])
    bench.run(0.2)
    assert [r.outcome for r in bench.records()[2:]] == [StepOutcome.TOO_LATE, StepOutcome.RELEASED_LATE, StepOutcome.RELEASED_LATE]


def test_a_refused_inflation_does_not_start_the_session() -> None:
    bench = armed()
    bench.run(0.5)
    bench.plan(0, [(bench.tick - 1_000, 0, 30.0, 0)])
    bench.run(0.2)
    assert [r.outcome for r in bench.records()] == [StepOutcome.TOO_LATE]
    assert bench.firmware.state is DeviceState.ARMED
    assert bench.firmware.drive == SAFE


@pytest.mark.parametrize(("rest_s", "outcome"), [(1.9, StepOutcome.VENT_TOO_SHORT), (2.1, StepOutcome.EXECUTED)])
def test_a_chamber_must_rest_between_compressions(rest_s: float, outcome: StepOutcome) -> None:
    bench = armed()
    inflate(bench, 40.0)
    bench.run(1.0)
    bench.plan(1, [(bench.tick + 1, 0, 0.0, 0)])
    bench.run(0.02)
    bench.pressure_mmhg[0], bench.moves = 16.0, False
    bench.run(0.2)
    bench.pressure_mmhg[0], bench.moves = 14.0, True
    bench.run(rest_s)
    bench.plan(2, [(bench.tick + 1, 0, 40.0, 0), (bench.tick + 1, 1, 40.0, 0)])
    bench.run(0.2)
    assert [r.outcome for r in bench.records()[2:]] == [outcome, StepOutcome.EXECUTED], "chamber 1 never compressed"


def test_the_lease_ends_the_session_even_with_a_link() -> None:
    bench = FirmwareBench()
    bench.arm(keep=False)
    armed_tick = bench.tick
    inflate(bench, 40.0)
    bench.run(4.9)
    assert bench.firmware.state is DeviceState.RUNNING
    bench.run(0.1)
    report = bench.states()[-1]
    assert (report.state, report.cause) == (DeviceState.VENTING, Cause.LEASE_END)
    assert 0 <= report.tick - armed_tick - 50_000 <= CONTROL_PERIOD_TICK
    assert bench.firmware.drive == SAFE


def test_a_late_renewal_does_not_raise_the_dead() -> None:
    bench = FirmwareBench()
    bench.arm(keep=False)
    bench.run_ticks(49_999)
    bench.tick += 1
    assert bench.command(Renew(SESSION, 5_000)).result is Result.WRONG_STATE
    assert bench.firmware.state is DeviceState.VENTING


def test_the_session_limit() -> None:
    bench = armed(config=bench_config(session_max_s=3.0))
    bench.run(3.1)
    assert bench.states()[-2].cause is Cause.SESSION_LIMIT


def test_stop_acts_before_the_next_tick() -> None:
    bench = armed()
    inflate(bench, 40.0)
    bench.moves = False
    bench.plan(1, [(bench.tick + 1, 0, 50.0, 0)])
    bench.run(0.1)
    assert bench.firmware.drive.pump_duty > 0
    bench.write(uuids.STOP, b"\x01")
    assert bench.firmware.drive == SAFE
    assert (bench.states()[-1].state, bench.states()[-1].cause) == (DeviceState.VENTING, Cause.STOP)
    bench.write(uuids.STOP, b"")
    assert bench.command(Arm(2, 5_000, 8_000)).result is Result.NOT_VENTED
    bench.pressure_mmhg[0] = 0.0
    bench.run(0.1)
    assert bench.states()[-1].state is DeviceState.IDLE


def over_pressure(bench: FirmwareBench) -> None:
    inflate(bench, 50.0)
    bench.pressure_mmhg[0] = 53.5
    bench.run(0.05)


def sensor_out_of_range(bench: FirmwareBench) -> None:
    bench.pressure_mmhg[0] = -25.0
    bench.run(0.05)


def sensor_frozen(bench: FirmwareBench) -> None:
    bench.dither = False
    bench.plan(0, [(bench.tick + 1, 0, 40.0, 0)])
    bench.run(1.3)


def held_too_long(bench: FirmwareBench) -> None:
    """Over the limit in two parts: a dip that is no rest does not restart the clock."""
    inflate(bench, 40.0)
    bench.run(3.0)
    for seq, target_mmhg, hold_s in ((1, 14.0, 0.5), (2, 40.0, 1.6)):
        bench.plan(seq, [(bench.tick + 1, 0, target_mmhg, 0)])
        bench.run(0.02)
        bench.pressure_mmhg[0] = target_mmhg
        bench.run(hold_s)


def vent_failed(bench: FirmwareBench) -> None:
    inflate(bench, 40.0)
    bench.plan(1, [(bench.tick + 1, 0, 0.0, 0)])
    bench.run(0.1)
    bench.pressure_mmhg[0] = 35.0
    bench.run(1.5)


def limiter_tripped(bench: FirmwareBench) -> None:
    inflate(bench, 40.0)
    bench.limiter_tripped = True
    bench.run(0.02)
    bench.limiter_tripped = False


def stalled(bench: FirmwareBench) -> None:
    bench.tick += 1_200
    bench.run(0.02)


def flat_battery(bench: FirmwareBench) -> None:
    bench.battery_pct = 4.9
    bench.run(0.02)


FAULTS: list[tuple[Callable[[FirmwareBench], None], Fault, int]] = [
    (over_pressure, Fault.OVER_PRESSURE, 0),
    (sensor_out_of_range, Fault.SENSOR, 0),
    (sensor_frozen, Fault.SENSOR, 0),
    (held_too_long, Fault.HOLD_TOO_LONG, 0),
    (vent_failed, Fault.VENT_FAILED, 0),
    (stalled, Fault.WATCHDOG, 255),
    (flat_battery, Fault.BATTERY, 255),
    (limiter_tripped, Fault.LIMITER, 255),
]


@pytest.mark.parametrize(("cause", "fault", "chamber"), FAULTS, ids=[cause.__name__ for cause, _, _ in FAULTS])
def test_a_fault_vents_latches_and_waits_for_a_person(cause: Callable[[FirmwareBench], None], fault: Fault, chamber: int) -> None:
    bench = armed(config=bench_config(hold_max_s=5.0), ceiling_mmhg=50.0)
    bench.moves = False
    cause(bench)
    assert only_fault(bench) == (fault, chamber)
    assert bench.command(Arm(2, 5_000, 5_000)).result is Result.FAULT_PRESENT
    assert bench.command(End(SESSION)).result is Result.WRONG_STATE
    assert bench.command(Acknowledge(fault % 7 + 1)).result is Result.OUT_OF_RANGE
    bench.write(uuids.STOP, b"")
    bench.lease_session = None
    bench.pressure_mmhg, bench.battery_pct, bench.dither = [6.0, 0.0, 0.0, 0.0], 90.0, True
    bench.run(0.1)
    assert bench.command(Acknowledge(fault)).result is Result.NOT_VENTED
    bench.pressure_mmhg[0] = 0.0
    bench.run(5.0)
    assert only_fault(bench) == (fault, chamber), "time alone clears nothing"
    assert bench.command(Acknowledge(fault)).result is Result.OK
    assert (bench.states()[-1].state, bench.states()[-1].cause) == (DeviceState.IDLE, Cause.ACKNOWLEDGED)
    bench.arm()


@pytest.mark.parametrize(("cause", "fault"), [(sensor_out_of_range, Fault.SENSOR), (flat_battery, Fault.BATTERY)])
def test_a_fault_whose_cause_stays_cannot_be_acknowledged(cause: Callable[[FirmwareBench], None], fault: Fault) -> None:
    bench = armed()
    bench.moves = False
    cause(bench)
    assert bench.command(Acknowledge(fault)).result is Result.FAULT_PRESENT


def test_a_vent_that_fails_shows_through_another_fault() -> None:
    bench = armed(ceiling_mmhg=50.0)
    bench.moves = False
    over_pressure(bench)
    bench.run(3.0)
    assert [report.fault for report in bench.faults()] == [Fault.OVER_PRESSURE, Fault.VENT_FAILED]


def test_air_left_by_a_reboot_is_a_failed_vent_too() -> None:
    bench = FirmwareBench()
    bench.pressure_mmhg[3], bench.moves = 20.0, False
    bench.run(3.0)
    assert only_fault(bench) == (Fault.VENT_FAILED, 3)


def test_one_noisy_reading_faults_nobody() -> None:
    bench = armed(ceiling_mmhg=50.0)
    inflate(bench, 50.0)
    bench.moves = False
    for _ in range(5):
        bench.pressure_mmhg[0] = 60.0
        bench.run(0.02)
        bench.pressure_mmhg[0] = 50.0
        bench.run(0.01)
    assert bench.firmware.state is DeviceState.RUNNING


CHARACTERISTICS = [uuids.CONTROL, uuids.STOP, uuids.PLAN, uuids.TIME, uuids.TELEMETRY, uuids.REPORT, uuids.CAPABILITIES, "none"]


def put_into(bench: FirmwareBench, state: DeviceState) -> None:
    if state is DeviceState.IDLE:
        bench.run(1.0)
        return
    bench.arm()
    if state is DeviceState.FAULT:
        flat_battery(bench)
        bench.battery_pct = 90.0
    elif state is not DeviceState.ARMED:
        inflate(bench, 40.0)
        if state is DeviceState.VENTING:
            bench.write(uuids.STOP, b"")
    assert bench.firmware.state is state


control_writes = st.builds(lambda opcode, rest: bytes((opcode,)) + rest, st.integers(0, 16), st.binary(max_size=16))
own_session = st.builds(
    lambda opcode, cmd_id, rest: bytes((opcode, cmd_id, 0)) + SESSION.to_bytes(4, "little") + rest,
    st.integers(1, 8),
    st.integers(0, 255),
    st.binary(max_size=5),
)


@settings(max_examples=60, deadline=None)
@given(
    state=st.sampled_from(DeviceState),
    boot_tick=st.sampled_from([0, TICK_MODULUS - 20_000]),
    writes=st.lists(
        st.tuples(st.sampled_from(CHARACTERISTICS), st.one_of(st.binary(max_size=80), control_writes, own_session), st.integers(0, 700)),
        max_size=12,
    ),
)
def test_no_bytes_in_any_state_raise_or_open_an_inlet_outside_a_session(
    state: DeviceState, boot_tick: int, writes: list[tuple[str, bytes, int]]
) -> None:
    bench = FirmwareBench(boot_tick=boot_tick)
    put_into(bench, state)
    for characteristic, data, ticks in writes:
        bench.firmware.write(bench.tick, characteristic, data)
        assert keeps_the_law(bench)
        bench.run_ticks(ticks)
        assert keeps_the_law(bench)
    bench.write(uuids.STOP, b"")
    assert bench.firmware.state not in PRESSURISING
    assert keeps_the_law(bench)


some_steps = st.lists(
    st.tuples(st.integers(-200, 3_000), st.integers(0, 3), st.sampled_from([0.0, 0.0, 5.0, 30.0, 80.0]), st.sampled_from([0, 150])),
    max_size=25,
)


@settings(max_examples=30, deadline=None)
@given(steps=some_steps, pressures=st.lists(st.lists(st.integers(-3_000, 12_000), min_size=5, max_size=5), min_size=1, max_size=40))
def test_any_plan_and_any_reading_keep_the_law(steps: list[tuple[int, int, float, int]], pressures: list[list[int]]) -> None:
    bench = armed()
    if steps:
        bench.plan(0, [(bench.tick + due, chamber, target, ramp) for due, chamber, target, ramp in sorted(steps)])
    for readings in pressures:
        bench.tick = bench.firmware.next_wake_tick(bench.tick)
        bench.firmware.tick(bench.tick, Inputs(tuple(readings[:4]), 50.0, readings[4]))
        assert keeps_the_law(bench)
    bench.collect()
    numbers = [record.seq for record in bench.records()]
    assert numbers == sorted(set(numbers)), "each step is reported once, in order"


def test_ticks_that_stand_still_or_run_back_do_no_harm() -> None:
    bench = armed()
    bench.command(Stream(1, 0))
    inputs = Inputs((0, 0, 0, 0), 90.0, 0)
    bench.firmware.tick(bench.tick, inputs)
    bench.firmware.tick(bench.tick, inputs)
    bench.firmware.tick(bench.tick - 5_000, inputs)
    bench.run(1.0)
    assert bench.firmware.state is DeviceState.ARMED
