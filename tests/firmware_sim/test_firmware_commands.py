"""Commands, plans, the stream and the reports, with pressures set by hand."""

import pytest
from tests.support.firmware_bench import PAYLOAD_BYTES, SESSION, FirmwareBench, bench_config, only_answer

from wavewrap_protocol import limits, uuids
from wavewrap_protocol.commands import (
    Acknowledge,
    Arm,
    Command,
    ControlWrite,
    End,
    Flush,
    Identify,
    Plan,
    Renew,
    Replay,
    Reports,
    Step,
    Stream,
    TimePing,
)
from wavewrap_protocol.enums import Cause, DeviceState, Opcode, Result, StepOutcome
from wavewrap_protocol.errors import UsageError
from wavewrap_protocol.reports import Answer, Capabilities, StateReport, TimePong
from wavewrap_protocol.units import TICK_MODULUS, tick_difference
from wavewrap_sim.firmware_config import LightShown
from wavewrap_sim.pong_queue import DITHER_TICKS, WAITING_MAX


def test_boot_is_reported_to_whoever_asks_later() -> None:
    bench = FirmwareBench(linked=False)
    bench.run(1.0)
    assert bench.seen == []
    bench.firmware.link_up(bench.tick, PAYLOAD_BYTES)
    answer, report = bench.write(uuids.CONTROL, ControlWrite(1, Reports(0)).encode())
    assert isinstance(answer, Answer)
    assert (answer.result, answer.detail) == (Result.OK, 1)
    assert isinstance(report, StateReport)
    assert (report.number, report.state, report.cause) == (0, DeviceState.IDLE, Cause.BOOT)
    assert bench.command(Reports(7)).result is Result.NOT_AVAILABLE


def test_capabilities_tell_what_is_enforced() -> None:
    bench = FirmwareBench(bench_config(chambers=6, ceiling_cmmhg=7_000))
    told = Capabilities.decode(bench.firmware.read(0, uuids.CAPABILITIES))
    assert (told.chambers, told.ceiling_cmmhg, told.boot_id, told.hold_max_ds) == (6, 7_000, 0x01020304, 700)
    with pytest.raises(UsageError, match="cannot be read"):
        bench.firmware.read(0, uuids.TELEMETRY)


def test_a_time_ping_is_stamped_at_once_and_answered_after_a_spread_wait_stamped_again() -> None:
    bench = FirmwareBench(boot_tick=TICK_MODULUS - 5)
    bench.run_ticks(37)
    waits: list[int] = []
    for ping_id in range(40):
        asked_tick = bench.tick
        bench.seen.clear()
        assert bench.write(uuids.TIME, TimePing(ping_id).encode()) == []
        bench.run_ticks(DITHER_TICKS)
        pongs = [message for message in bench.seen if isinstance(message, TimePong)]
        assert [(pong.ping_id, pong.boot_id, pong.received_tick) for pong in pongs] == [(ping_id, 0x01020304, asked_tick)]
        waits.append(tick_difference(pongs[0].sent_tick, asked_tick))
    assert 0 <= min(waits) < 0.1 * DITHER_TICKS
    assert 0.9 * DITHER_TICKS < max(waits) < DITHER_TICKS
    assert len(set(waits)) > 30


def test_pings_beyond_what_waits_are_dropped_and_a_lost_link_forgets_them() -> None:
    bench = FirmwareBench()
    for ping_id in range(WAITING_MAX + 5):
        bench.write(uuids.TIME, TimePing(ping_id).encode())
    bench.run_ticks(DITHER_TICKS)
    assert {message.ping_id for message in bench.seen if isinstance(message, TimePong)} == set(range(WAITING_MAX))
    bench.write(uuids.TIME, TimePing(99).encode())
    bench.firmware.link_down(bench.tick)
    bench.seen.clear()
    bench.run_ticks(DITHER_TICKS)
    assert not [message for message in bench.seen if isinstance(message, TimePong)]


@pytest.mark.parametrize(
    ("command", "result"),
    [
        (Arm(0, 5_000, 8_000), Result.OUT_OF_RANGE),
        (Arm(1, 999, 8_000), Result.OUT_OF_RANGE),
        (Arm(1, 5_001, 8_000), Result.OUT_OF_RANGE),
        (Arm(1, 5_000, 0), Result.OUT_OF_RANGE),
        (Renew(1, 5_000), Result.WRONG_STATE),
        (End(1), Result.WRONG_STATE),
        (Flush(1, 0), Result.WRONG_STATE),
        (Acknowledge(0), Result.WRONG_STATE),
        (Stream(2, 0), Result.OUT_OF_RANGE),
        (Identify(61), Result.OUT_OF_RANGE),
        (Replay(0x04, 5, 4), Result.OUT_OF_RANGE),
        (Replay(0x05, 0, 4), Result.NOT_AVAILABLE),
        (Replay(0x04, 900, 901), Result.NOT_AVAILABLE),
    ],
)
def test_refused_while_idle(command: Command, result: Result) -> None:
    bench = FirmwareBench()
    bench.run(1.0)
    assert bench.command(command).result is result
    assert bench.firmware.state is DeviceState.IDLE


def test_identify_shows_a_light_in_any_state_and_moves_nothing() -> None:
    bench = FirmwareBench()
    bench.run(1.0)
    bench.firmware.take_events()
    for state in (DeviceState.IDLE, DeviceState.ARMED):
        drive = bench.firmware.drive
        assert bench.command(Identify(15)).result is Result.OK
        assert (bench.firmware.state, bench.firmware.drive) == (state, drive)
        assert [event.for_s for event in bench.firmware.take_events() if isinstance(event, LightShown)] == [15]
        if state is DeviceState.IDLE:
            bench.arm()


def test_arm_needs_rest_charge_and_a_zero() -> None:
    bench = FirmwareBench()
    assert bench.command(Arm(SESSION, 5_000, 8_000)).result is Result.NOT_VENTED, "nothing was sensed yet"
    bench.pressure_mmhg[2] = 5.1
    bench.run(1.0)
    assert bench.command(Arm(SESSION, 5_000, 8_000)).result is Result.NOT_VENTED
    bench.pressure_mmhg[2] = 1.5
    arm_pct = bench.config.battery.arm_pct
    bench.battery_pct = arm_pct - 0.1
    bench.run(1.0)
    assert bench.command(Arm(SESSION, 5_000, 8_000)).result is Result.BATTERY_LOW
    bench.battery_pct = arm_pct
    bench.run(0.01)
    assert bench.command(Arm(SESSION, 5_000, 8_000)).result is Result.OK
    assert bench.command(Arm(SESSION, 5_000, 8_000)).result is Result.WRONG_STATE
    bench.command(Stream(1, 1))
    bench.run(0.02)
    assert abs(bench.frames()[-1].samples_cmmhg[0][2]) <= 1, "the offset of 1.5 mmHg is gone"


def test_an_armed_wrap_rests_with_open_vents() -> None:
    bench = FirmwareBench()
    bench.arm()
    bench.run(0.5)
    assert bench.firmware.state is DeviceState.ARMED
    assert (bench.firmware.drive.pump_duty, all(bench.firmware.drive.vent_open)) == (0.0, True)


def test_renewing_carries_a_session_and_ending_it_vents() -> None:
    bench = FirmwareBench()
    bench.arm()
    bench.run(12.0)
    assert bench.firmware.state is DeviceState.ARMED
    assert bench.command(Renew(1, 5_000)).result is Result.WRONG_SESSION
    assert bench.command(Renew(SESSION, 500)).result is Result.OUT_OF_RANGE
    assert bench.command(End(SESSION)).result is Result.OK
    bench.lease_session = None
    bench.run(0.1)
    assert [(r.state, r.cause, r.session_id) for r in bench.states()[-2:]] == [
        (DeviceState.VENTING, Cause.SESSION_END, SESSION),
        (DeviceState.IDLE, Cause.VENTED, SESSION),
    ]
    assert bench.command(Renew(SESSION, 5_000)).result is Result.WRONG_STATE


def test_a_repeated_command_is_answered_and_not_carried_out_again() -> None:
    bench = FirmwareBench()
    bench.run(1.0)
    first = bench.command(Arm(SESSION, 5_000, 8_000), cmd_id=500)
    assert bench.command(Arm(SESSION, 5_000, 8_000), cmd_id=500) == first
    bench.tick += 1
    data = Plan(501, SESSION, 0, (Step(bench.tick + 50_000, 0, 3_000, 0),)).encode()
    taken = only_answer(bench.write(uuids.PLAN, data))
    bench.firmware.link_down(bench.tick)
    bench.firmware.link_up(bench.tick, PAYLOAD_BYTES)
    assert only_answer(bench.write(uuids.PLAN, data)) == taken == Answer(Opcode.PLAN, 501, Result.OK, 63)
    assert bench.command(Renew(SESSION, 4_000), cmd_id=501).result is Result.OK, "other bytes are another command"
    for _ in range(limits.COMMANDS_REMEMBERED):
        bench.command(Renew(SESSION, 5_000))
    assert only_answer(bench.write(uuids.PLAN, data)).result is Result.OUT_OF_ORDER, "sixteen later it is forgotten"


def test_a_stream_asked_for_again_after_a_reconnect_streams() -> None:
    bench = FirmwareBench()
    assert bench.command(Stream(1, 2), cmd_id=9).detail == 2
    bench.run(0.1)
    assert bench.frames()
    bench.firmware.link_down(bench.tick)
    bench.firmware.link_up(bench.tick, PAYLOAD_BYTES)
    bench.seen.clear()
    bench.run(0.1)
    assert not bench.frames(), "a link begins without a stream"
    bench.command(Stream(1, 2), cmd_id=9)
    bench.run(0.1)
    assert bench.frames()


@pytest.mark.parametrize(
    ("data", "answer"),
    [
        (b"", Answer(0, 0, Result.MALFORMED)),
        (b"\x01", Answer(1, 0, Result.MALFORMED)),
        (b"\x01\x34\x12", Answer(1, 0x1234, Result.MALFORMED)),
        (b"\x10\x34\x12", Answer(0x10, 0x1234, Result.UNKNOWN_OPCODE)),
        (b"\xff\x34\x12abc", Answer(0xFF, 0x1234, Result.UNKNOWN_OPCODE)),
        (b"\xff", Answer(0xFF, 0, Result.UNKNOWN_OPCODE)),
    ],
)
def test_bytes_that_are_no_command_are_answered(data: bytes, answer: Answer) -> None:
    assert FirmwareBench().write(uuids.CONTROL, data) == [answer]


def test_a_broken_plan_is_told_apart_from_a_malformed_one() -> None:
    bench = FirmwareBench()
    data = bytearray(Plan(0x1234, SESSION, 0, (Step(1, 0, 0, 0),)).encode())
    data[12] ^= 1
    assert bench.write(uuids.PLAN, bytes(data)) == [Answer(Opcode.PLAN, 0x1234, Result.CHECKSUM)]
    assert bench.write(uuids.PLAN, bytes(data[:-1])) == [Answer(Opcode.PLAN, 0x1234, Result.MALFORMED)]
    assert bench.write(uuids.PLAN, b"\x01") == [Answer(Opcode.PLAN, 0, Result.MALFORMED)]


def test_plans_are_taken_whole_or_not_at_all() -> None:
    bench = FirmwareBench()
    bench.run(1.0)
    assert bench.plan(0, [(bench.tick, 0, 10.0, 0)]).result is Result.WRONG_STATE
    bench.arm(ceiling_mmhg=50.0)
    later = bench.tick + 30_000
    assert bench.plan(0, [(later, 0, 10.0, 0)], session_id=1).result is Result.WRONG_SESSION
    for bad in (
        [(later, 0, 10.0, 0), (later, 4, 10.0, 0)],
        [(later, 0, 10.0, 0), (later, 0, 50.01, 0)],
        [(later, 0, -0.01, 0)],
        [(later, 0, 10.0, 60_001)],
        [(later + 1, 0, 10.0, 0), (later, 0, 0.0, 0)],
    ):
        assert bench.plan(0, bad).result is Result.OUT_OF_RANGE
    assert (bench.plan(1, [(later, 0, 10.0, 0)]).result, bench.plan(1, [(later, 0, 10.0, 0)]).detail) == (Result.OUT_OF_ORDER, 0)
    assert bench.plan(0, [(later + at, 0, 10.0, 0) for at in range(50)]).detail == 14
    full = bench.plan(50, [(later + 100, 0, 10.0, 0)] * 15)
    assert (full.result, full.detail) == (Result.QUEUE_FULL, 14)
    assert bench.plan(50, [(later + 48, 0, 0.0, 0)]).result is Result.OUT_OF_RANGE, "due ticks never run backwards"
    assert bench.plan(50, [(later + 49, 0, 0.0, 0)]).result is Result.OK


def test_flushed_steps_are_counted_and_their_numbers_used_again() -> None:
    bench = FirmwareBench()
    bench.arm()
    start = bench.tick
    bench.plan(0, [(start + 1_000 * at, 0, 10.0 + at, 0) for at in range(1, 6)])
    bench.run_ticks(2_500)
    answer = bench.command(Flush(SESSION, start + 4_000))
    assert (answer.result, answer.detail) == (Result.OK, 2)
    assert bench.plan(3, [(start + 3_500, 1, 12.0, 0)]).result is Result.OK
    bench.run(1.0)
    assert [(r.seq, r.planned_tick, r.actual_tick, r.outcome) for r in bench.records()] == [
        (at, due, due, StepOutcome.EXECUTED) for at, due in enumerate((start + 1_000, start + 2_000, start + 3_000, start + 3_500))
    ]


def test_what_a_session_leaves_behind_is_reported_flushed() -> None:
    bench = FirmwareBench()
    bench.arm()
    bench.plan(0, [(bench.tick + 20_000 + at, 0, 10.0, 0) for at in range(30)])
    bench.write(uuids.STOP, b"")
    bench.run(0.2)
    assert [(r.seq, r.outcome) for r in bench.records()] == [(seq, StepOutcome.FLUSHED) for seq in range(30)]


def test_telemetry_counts_from_boot_and_misses_nothing() -> None:
    bench = FirmwareBench(boot_tick=TICK_MODULUS - 4_321)
    bench.command(Stream(1, 0))
    bench.run(2.0)
    frames = bench.frames()
    assert frames[0].seq == 0
    assert frames[0].tick == TICK_MODULUS - 4_321
    assert all(len(frame.samples_cmmhg) == 5 for frame in frames)
    for at, frame in enumerate(frames):
        assert (frame.seq, frame.tick) == (5 * at, (TICK_MODULUS - 4_321 + 1_000 * at) % TICK_MODULUS)
        assert (frame.epoch, frame.mask, frame.replay) == (0x04, 0x0F, False)


def test_frames_fit_the_link() -> None:
    bench = FirmwareBench(linked=False)
    bench.firmware.link_up(0, 20)
    assert bench.command(Stream(1, 25)).detail == 1
    bench.firmware.link_up(0, 12 + 8 * 3 + 7)
    bench.run(0.2)
    assert {len(frame.samples_cmmhg) for frame in bench.frames()} == {3}
    eight = FirmwareBench(bench_config(chambers=8), linked=False)
    eight.firmware.link_up(0, 20)
    assert eight.command(Stream(1, 0)).result is Result.OUT_OF_RANGE


def test_a_fade_costs_no_sample() -> None:
    bench = FirmwareBench()
    bench.command(Stream(1, 0))
    bench.run(1.0)
    bench.firmware.link_down(bench.tick)
    bench.run(30.0)
    bench.firmware.link_up(bench.tick, PAYLOAD_BYTES)
    bench.command(Stream(1, 0))
    bench.run(1.0)
    have = {frame.seq + at for frame in bench.frames() for at in range(len(frame.samples_cmmhg))}
    missing = sorted(set(range(max(have))) - have)
    assert len(missing) >= 1_490
    answer = bench.command(Replay(0x04, missing[0], missing[-1]))
    assert (answer.result, answer.detail) == (Result.OK, len(missing))
    bench.run(3.0)
    replays = [frame for frame in bench.frames() if frame.replay]
    assert all(len(frame.encode()) <= PAYLOAD_BYTES for frame in replays)
    assert [frame.seq + at for frame in replays for at in range(len(frame.samples_cmmhg))] == missing


def test_reports_are_sent_again_by_number() -> None:
    bench = FirmwareBench()
    bench.arm()
    bench.write(uuids.STOP, b"")
    bench.run(0.1)
    told = bench.states()
    assert [report.number for report in told] == [1, 2, 3]
    bench.seen.clear()
    assert bench.command(Reports(2)).detail == 2
    assert bench.states() == told[1:]
