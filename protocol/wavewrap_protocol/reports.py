"""What the device sends: capabilities, answers, time, telemetry, reports.

Times are device ticks (0.1 ms), pressures 0.01 mmHg.
"""

from dataclasses import dataclass
from struct import Struct, pack, unpack
from struct import error as struct_error
from typing import ClassVar

from wavewrap_protocol.checksum import crc16
from wavewrap_protocol.enums import (
    Cause,
    DeviceState,
    Fault,
    Opcode,
    ReportKind,
    Result,
    StepOutcome,
    TelemetryFlag,
)
from wavewrap_protocol.errors import RemoteError, VersionError, WireRangeError
from wavewrap_protocol.limits import CHAMBERS_MAX, CHARACTERISTIC_MAX_BYTES, VERSION_MAJOR
from wavewrap_protocol.message import Message, message, parse_enum, preview
from wavewrap_protocol.units import tick_add

__all__ = [
    "Answer",
    "Capabilities",
    "FaultReport",
    "Report",
    "StateReport",
    "StepRecord",
    "StepsReport",
    "Telemetry",
    "TimePong",
    "decode_report",
    "frame_wait_ticks",
]


@message("BBBBBHIhhHHHHHH")
class Capabilities(Message):
    """What the device is and what it enforces. A later minor version may append bytes, so a longer value is read as far as known."""

    version_major: int
    version_minor: int
    chambers: int
    sample_period_ms: int
    batch_max: int
    queue_depth: int
    boot_id: int
    ceiling_cmmhg: int
    ceiling_max_cmmhg: int
    lease_max_ms: int
    hold_max_ds: int
    """Longest time over 15 mmHg, 0.1 s."""
    vent_min_ds: int
    """Shortest time between two compressions of a chamber, 0.1 s."""
    session_max_s: int
    ring_s: int
    reports_kept: int

    @classmethod
    def decode(cls, data: bytes) -> "Capabilities":
        """Raises :class:`VersionError` for another major version, :class:`RemoteError` for what no device can be."""
        if not data:
            raise RemoteError("the capabilities are empty")
        if data[0] != VERSION_MAJOR:
            raise VersionError(data[0], VERSION_MAJOR)
        found = cls._unpack(data[: cls.STRUCT.size])
        if not 1 <= found.chambers <= CHAMBERS_MAX:
            raise RemoteError(f"a wrap has 1 to {CHAMBERS_MAX} chambers, this one says {found.chambers}")
        if found.sample_period_ms == 0:
            raise RemoteError("the wrap says that its sample period is 0 ms")
        return found


@dataclass(frozen=True, slots=True)
class Answer:
    """Indicated on the control point: ``0x80, opcode u8, cmd_id u16, result u8, detail u32``.

    ``opcode`` is the raw byte that was asked, so that an unknown one can be answered too.
    """

    opcode: int
    cmd_id: int
    result: Result
    detail: int = 0

    MARK: ClassVar[int] = 0x80
    STRUCT: ClassVar[Struct] = Struct("<BBHBI")

    def encode(self) -> bytes:
        """The bytes. Raises :class:`WireRangeError`."""
        try:
            return self.STRUCT.pack(self.MARK, self.opcode, self.cmd_id, self.result, self.detail)
        except struct_error as cause:
            raise WireRangeError(f"{self} does not fit its wire format: {cause}") from cause

    @classmethod
    def decode(cls, data: bytes) -> "Answer":
        """Raises :class:`RemoteError`."""
        if len(data) != cls.STRUCT.size:
            raise RemoteError(f"an answer takes {cls.STRUCT.size} bytes, {len(data)} came: {preview(data)}")
        mark, opcode, cmd_id, result, detail = cls.STRUCT.unpack(data)
        if mark != cls.MARK:
            raise RemoteError(f"an answer begins with {cls.MARK:#04x}, not {mark:#04x}")
        return cls(opcode, cmd_id, parse_enum(Result, result, "answer"), detail)

    @property
    def opcode_name(self) -> str:
        """Name of the opcode, or its number when this version has none."""
        try:
            return Opcode(self.opcode).name
        except ValueError:
            return f"opcode {self.opcode:#04x}"


@message("HIII")
class TimePong(Message):
    """The device's clock when ping ``ping_id`` came in and when this answer was handed to its radio."""

    ping_id: int
    boot_id: int
    received_tick: int
    sent_tick: int


def frame_wait_ticks(seq: int) -> int:
    """How long a device holds back the live frame that begins with sample ``seq``: 0 to 9.6 ms, spread by its number.

    Samples lie on a grid that falls into step with the connection interval; the wait breaks the step, so that some frame always leaves
    right after its stamp and bounds the clock. 61 and 97 are coprime: the waits of any evenly numbered frames cover the range.
    """
    return seq * 61 % 97


@dataclass(frozen=True, slots=True)
class Telemetry:
    """A batch of samples: ``epoch u8, flags u8, seq u32, tick u32, period_ms u8, mask u8``, then int16 rows, one per sample.

    ``samples_cmmhg`` has shape (samples, channels of ``mask``), lowest channel first. A replay ends with a crc16.
    """

    epoch: int
    state: DeviceState
    replay: bool
    seq: int
    tick: int
    period_ms: int
    mask: int
    samples_cmmhg: tuple[tuple[int, ...], ...]

    HEADER: ClassVar[Struct] = Struct("<BBIIBB")
    CRC_SIZE: ClassVar[int] = 2

    @property
    def channels(self) -> int:
        """Channels in a row."""
        return self.mask.bit_count()

    @classmethod
    def capacity(cls, payload_bytes: int, channels: int) -> int:
        """How many samples of ``channels`` channels fit a live frame of ``payload_bytes``; at least 0.

        A replayed frame is :attr:`CRC_SIZE` bytes longer: pass so much less.
        """
        return max(0, (min(payload_bytes, CHARACTERISTIC_MAX_BYTES) - cls.HEADER.size) // (2 * channels))

    @property
    def sent_tick(self) -> int:
        """Device tick at which a live frame was handed to the radio, or before."""
        return tick_add(self.tick_of(len(self.samples_cmmhg) - 1), frame_wait_ticks(self.seq))

    def tick_of(self, index: int) -> int:
        """Device tick of sample ``index`` of this frame."""
        return tick_add(self.tick, index * self.period_ms * 10)

    def encode(self) -> bytes:
        """The bytes. Raises :class:`WireRangeError`."""
        flags = (self.state << 4) | (TelemetryFlag.REPLAY if self.replay else 0)
        if not self.samples_cmmhg or any(len(row) != self.channels for row in self.samples_cmmhg):
            raise WireRangeError(f"telemetry needs rows of {self.channels} samples, as its mask says")
        if self.mask == 0 or self.period_ms == 0:
            raise WireRangeError(f"telemetry needs a channel and a period, not mask {self.mask:#04x} and {self.period_ms} ms")
        try:
            body = self.HEADER.pack(self.epoch, flags, self.seq, self.tick, self.period_ms, self.mask)
            body += pack(
                f"<{len(self.samples_cmmhg) * self.channels}h",
                *(v for row in self.samples_cmmhg for v in row),
            )
        except struct_error as cause:
            raise WireRangeError(f"{self} does not fit its wire format: {cause}") from cause
        return body + pack("<H", crc16(body)) if self.replay else body

    @classmethod
    def decode(cls, data: bytes) -> "Telemetry":
        """Raises :class:`RemoteError`."""
        if len(data) < cls.HEADER.size:
            raise RemoteError(f"telemetry takes at least {cls.HEADER.size} bytes: {preview(data)}")
        epoch, flags, seq, tick, period_ms, mask = cls.HEADER.unpack_from(data)
        state = parse_enum(DeviceState, flags >> 4, "telemetry")
        # In plain integers: from Python 3.11 on the complement of an IntFlag no longer holds the bits that have no name.
        if flags & 0x0F & ~int(TelemetryFlag.REPLAY) or mask == 0 or period_ms == 0:
            raise RemoteError(f"telemetry flags {flags:#04x}, mask {mask:#04x}, period {period_ms} ms: not of this version")
        replay = bool(flags & TelemetryFlag.REPLAY)
        samples = data[cls.HEADER.size : -cls.CRC_SIZE] if replay else data[cls.HEADER.size :]
        channels = int(mask).bit_count()
        if not samples or len(samples) % (2 * channels):
            raise RemoteError(f"{len(samples)} bytes of samples are no whole rows of {channels} channels")
        if replay and crc16(data[: -cls.CRC_SIZE]) != unpack("<H", data[-cls.CRC_SIZE :])[0]:
            raise RemoteError(f"the checksum of replayed samples from {seq} does not match")
        values = unpack(f"<{len(samples) // 2}h", samples)
        rows = tuple(values[at : at + channels] for at in range(0, len(values), channels))
        return cls(epoch, state, replay, seq, tick, period_ms, mask, rows)


@message("BHIBBBI")
class StateReport(Message):
    """The device is now in ``state``, because of ``cause``; ``fault`` is the one latched, if any."""

    kind: ReportKind
    number: int
    tick: int
    state: DeviceState
    cause: Cause
    fault: Fault
    session_id: int


@message("BHIBBh")
class FaultReport(Message):
    """``fault`` was found at ``tick`` in ``chamber`` (255: none in particular), at pressure ``value_cmmhg``."""

    kind: ReportKind
    number: int
    tick: int
    fault: Fault
    chamber: int
    value_cmmhg: int


@message("IIIB")
class StepRecord(Message):
    """Step ``seq`` was planned for ``planned_tick`` and dealt with at ``actual_tick``."""

    seq: int
    planned_tick: int
    actual_tick: int
    outcome: StepOutcome


@dataclass(frozen=True, slots=True)
class StepsReport:
    """``kind u8, number u16``, then one :class:`StepRecord` after the other."""

    number: int
    records: tuple[StepRecord, ...]

    HEADER: ClassVar[Struct] = Struct("<BH")

    @classmethod
    def capacity(cls, payload_bytes: int) -> int:
        """How many records fit ``payload_bytes``; at least 0."""
        return max(0, (min(payload_bytes, CHARACTERISTIC_MAX_BYTES) - cls.HEADER.size) // StepRecord.STRUCT.size)

    def encode(self) -> bytes:
        """The bytes. Raises :class:`WireRangeError`."""
        if not self.records or not 0 <= self.number <= 0xFFFF:
            raise WireRangeError(f"a steps report needs a number in u16 and a record: {self}")
        return self.HEADER.pack(ReportKind.STEPS, self.number) + b"".join(record.encode() for record in self.records)

    @classmethod
    def decode(cls, data: bytes) -> "StepsReport":
        """Raises :class:`RemoteError`."""
        size = StepRecord.STRUCT.size
        body = data[cls.HEADER.size :]
        if not body or len(body) % size:
            raise RemoteError(f"a steps report of {len(data)} bytes holds no whole records")
        kind, number = cls.HEADER.unpack_from(data)
        if kind != ReportKind.STEPS:
            raise RemoteError(f"a steps report begins with {ReportKind.STEPS:#04x}, not {kind:#04x}")
        return cls(number, tuple(StepRecord.decode(body[at : at + size]) for at in range(0, len(body), size)))


Report = StateReport | StepsReport | FaultReport


def decode_report(data: bytes) -> Report:
    """The report in ``data``. Raises :class:`RemoteError`."""
    if not data:
        raise RemoteError("an empty report")
    match parse_enum(ReportKind, data[0], "report"):
        case ReportKind.STATE:
            return StateReport.decode(data)
        case ReportKind.STEPS:
            return StepsReport.decode(data)
        case ReportKind.FAULT:
            return FaultReport.decode(data)
