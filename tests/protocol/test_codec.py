"""Laws of the codec over all messages and over any bytes."""

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.vectors import read_vectors
from tests.support.wire_strategies import messages

from wavewrap_protocol import uuids
from wavewrap_protocol.codec import FROM_DEVICE, TO_DEVICE
from wavewrap_protocol.commands import Arm, ControlWrite, Plan, Renew, Step, Stop, TimePing
from wavewrap_protocol.enums import DeviceState, Result, StepOutcome
from wavewrap_protocol.errors import RemoteError, WireRangeError
from wavewrap_protocol.limits import CHARACTERISTIC_MAX_BYTES
from wavewrap_protocol.reports import Answer, Capabilities, StepRecord, StepsReport, Telemetry, TimePong, decode_report

DECODERS = [(f"{uuid[4:8]} {way}", decode) for way, table in (("in", TO_DEVICE), ("out", FROM_DEVICE)) for uuid, decode in table.items()]
READER = {
    "plan": Plan.decode,
    "stop": Stop.decode,
    "answer": Answer.decode,
    "capabilities": Capabilities.decode,
    "telemetry": Telemetry.decode,
    "state report": decode_report,
    "fault report": decode_report,
    "steps report": decode_report,
}


@pytest.mark.parametrize("name", messages())
def test_every_message_survives_the_wire(name: str) -> None:
    read = READER.get(name, ControlWrite.decode)

    @given(messages()[name])
    def check(message: Any) -> None:
        assert read(message.encode()) == message

    check()


@given(st.integers(0, 0xFFFF), *[st.integers(0, 0xFFFFFFFF)] * 3)
def test_time_messages_survive_the_wire(ping_id: int, boot_id: int, received_tick: int, sent_tick: int) -> None:
    ping, pong = TimePing(ping_id), TimePong(ping_id, boot_id, received_tick, sent_tick)
    assert TimePing.decode(ping.encode()) == ping
    assert TimePong.decode(pong.encode()) == pong


VALID = [vector.data for vector in read_vectors() + read_vectors("tolerated")]


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A golden vector with some bytes changed, cut off or put on."""
    data = bytearray(draw(st.sampled_from(VALID)))
    for _ in range(draw(st.integers(0, 3))):
        if data:
            data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 0xFF))
    return bytes(data[: draw(st.integers(0, len(data)))]) + draw(st.binary(max_size=4))


@pytest.mark.parametrize("decode", [decode for _, decode in DECODERS], ids=[name for name, _ in DECODERS])
def test_any_bytes_are_a_message_or_a_remote_error(decode: Any) -> None:
    @given(st.one_of(st.binary(max_size=600), damaged()))
    def check(data: bytes) -> None:
        try:
            message = decode(data)
        except RemoteError:
            return
        # What was read can be written again, and reads the same: nothing lives in a message that the wire does not carry.
        assert decode(encode(message)) == message

    check()


def encode(message: Any) -> bytes:
    return bytes(message.encode())


def test_characteristics_are_those_of_the_service() -> None:
    assert set(TO_DEVICE) == {uuids.CONTROL, uuids.STOP, uuids.PLAN, uuids.TIME}
    assert set(FROM_DEVICE) == {uuids.CAPABILITIES, uuids.CONTROL, uuids.TIME, uuids.TELEMETRY, uuids.REPORT}


STEP = Step(1, 0, 5000, 100)
FRAME = Telemetry(1, DeviceState.IDLE, False, 0, 0, 20, 3, ((1, 2),))


@pytest.mark.parametrize(
    "message",
    [
        ControlWrite(-1, Renew(1, 2)),
        ControlWrite(0x10000, Renew(1, 2)),
        ControlWrite(1, Arm(1, 70_000, 0)),
        ControlWrite(1, Arm(1, 5000, 32_768)),
        TimePing(0x10000),
        Plan(1, 1, 0, ()),
        Plan(1, 1, 0, (STEP,) * 56),
        Plan(0x10000, 1, 0, (STEP,)),
        Plan(1, 1, 0, (dataclasses.replace(STEP, due_tick=1 << 32),)),
        Answer(256, 0, Result.OK),
        Answer(1, 0, Result.OK, -1),
        StepsReport(0, ()),
        StepsReport(0x10000, ()),
        dataclasses.replace(FRAME, samples_cmmhg=()),
        dataclasses.replace(FRAME, samples_cmmhg=((1,),)),
        dataclasses.replace(FRAME, samples_cmmhg=((1, 40_000),)),
        dataclasses.replace(FRAME, mask=0, samples_cmmhg=((),)),
        dataclasses.replace(FRAME, period_ms=0),
        dataclasses.replace(FRAME, seq=1 << 32),
    ],
    ids=repr,
)
def test_values_that_the_wire_cannot_carry_are_refused_here(message: Any) -> None:
    with pytest.raises(WireRangeError):
        encode(message)


def test_a_stop_is_never_refused() -> None:
    assert Stop(300).encode() == b"\x2c"
    assert Stop.decode(b"") == Stop(0)


@given(st.integers(0, 2000))
def test_capacity_is_the_most_that_fits(payload_bytes: int) -> None:
    room = min(payload_bytes, CHARACTERISTIC_MAX_BYTES)
    most_and_sizes = [
        (Plan.capacity(payload_bytes), Plan.HEADER.size + Plan.CRC.size, Step.STRUCT.size),
        (StepsReport.capacity(payload_bytes), StepsReport.HEADER.size, StepRecord.STRUCT.size),
        (Telemetry.capacity(payload_bytes, 2), Telemetry.HEADER.size, 4),
    ]
    for most, head_bytes, each_bytes in most_and_sizes:
        assert most == 0 or head_bytes + most * each_bytes <= room
        assert head_bytes + (most + 1) * each_bytes > room


@pytest.mark.parametrize("payload_bytes", [21, 182, 244, 512, 600])
def test_messages_filled_to_capacity_fit(payload_bytes: int) -> None:
    room = min(payload_bytes, CHARACTERISTIC_MAX_BYTES)
    assert len(Plan(1, 1, 0, (STEP,) * Plan.capacity(payload_bytes)).encode()) <= room
    record = StepRecord(0, 0, 0, StepOutcome.EXECUTED)
    assert len(StepsReport(0, (record,) * StepsReport.capacity(payload_bytes)).encode()) <= room
    samples = ((1, 2),) * Telemetry.capacity(payload_bytes, 2)
    assert len(dataclasses.replace(FRAME, samples_cmmhg=samples).encode()) <= room


def test_smallest_mtu_carries_what_the_text_says() -> None:
    assert Telemetry.capacity(20, 4) == 1
    assert Telemetry.capacity(20 - Telemetry.CRC_SIZE, 4) == 0
    assert (Plan.capacity(20), Plan.capacity(21)) == (0, 1)


def test_ticks_of_a_frame_run_over_the_wrap() -> None:
    frame = dataclasses.replace(FRAME, tick=(1 << 32) - 100)
    assert [frame.tick_of(index) for index in range(3)] == [(1 << 32) - 100, 100, 300]


def test_opcode_names() -> None:
    assert Answer(0x10, 1, Result.OK).opcode_name == "PLAN"
    assert Answer(0x7F, 1, Result.UNKNOWN_OPCODE).opcode_name == "opcode 0x7f"
