"""What the gateway sends: control-point commands, the plan, the stop, the time ping.

Times are device ticks (0.1 ms), pressures 0.01 mmHg. Not responsible for the order in which a device takes them
(:mod:`wavewrap_protocol.states`).
"""

from dataclasses import dataclass
from struct import Struct
from struct import error as struct_error
from typing import ClassVar

from wavewrap_protocol.checksum import crc16
from wavewrap_protocol.enums import Opcode
from wavewrap_protocol.errors import RemoteError, WireRangeError
from wavewrap_protocol.limits import CHARACTERISTIC_MAX_BYTES
from wavewrap_protocol.message import Message, message, parse_enum, preview

__all__ = [
    "COMMANDS",
    "Acknowledge",
    "Arm",
    "Command",
    "ControlWrite",
    "End",
    "Flush",
    "Identify",
    "Plan",
    "Renew",
    "Replay",
    "Reports",
    "Step",
    "Stop",
    "Stream",
    "TimePing",
]


class Command(Message):
    """Payload of a control-point write. ``OPCODE`` says which."""

    __slots__ = ()
    OPCODE: ClassVar[Opcode]


@message("IHh")
class Arm(Command):
    """Open session ``session_id`` (not 0) under a lease of ``lease_ms``; ``ceiling_cmmhg`` may only lower the device's own ceiling."""

    OPCODE = Opcode.ARM
    session_id: int
    lease_ms: int
    ceiling_cmmhg: int


@message("IH")
class Renew(Command):
    """The lease now ends ``lease_ms`` from receipt."""

    OPCODE = Opcode.RENEW
    session_id: int
    lease_ms: int


@message("I")
class End(Command):
    """The session is over: vent, then idle."""

    OPCODE = Opcode.END
    session_id: int


@message("II")
class Flush(Command):
    """Forget every queued step due at ``from_tick`` or later. The answer's detail counts them."""

    OPCODE = Opcode.FLUSH
    session_id: int
    from_tick: int


@message("BB")
class Stream(Command):
    """Telemetry on (1) or off (0), ``batch`` samples a frame; 0 lets the device choose. It never exceeds what the MTU carries."""

    OPCODE = Opcode.STREAM
    enabled: int
    batch: int


@message("B")
class Acknowledge(Command):
    """A person has seen fault ``fault``; clears the latch when its cause is gone and every chamber is vented."""

    OPCODE = Opcode.ACKNOWLEDGE
    fault: int


@message("BII")
class Replay(Command):
    """Send samples ``first`` to ``last`` (inclusive) of ``epoch`` again, marked as a replay. The answer's detail counts them."""

    OPCODE = Opcode.REPLAY
    epoch: int
    first: int
    last: int


@message("H")
class Reports(Command):
    """Send every report from number ``first`` on again. The answer's detail counts them."""

    OPCODE = Opcode.REPORTS
    first: int


@message("B")
class Identify(Command):
    """Show the wrap's light for ``for_s``, so that a person sees which wrap it is; 0 puts it out. Nothing else of the wrap moves."""

    OPCODE = Opcode.IDENTIFY
    for_s: int


COMMANDS: dict[Opcode, type[Command]] = {
    command.OPCODE: command for command in (Arm, Renew, End, Flush, Stream, Acknowledge, Replay, Reports, Identify)
}


@dataclass(frozen=True, slots=True)
class ControlWrite:
    """One write to the control point: ``opcode u8, cmd_id u16, payload``."""

    cmd_id: int
    command: Command

    HEADER: ClassVar[Struct] = Struct("<BH")

    def encode(self) -> bytes:
        """The bytes. Raises :class:`WireRangeError`."""
        if not 0 <= self.cmd_id <= 0xFFFF:
            raise WireRangeError(f"cmd_id {self.cmd_id} does not fit u16")
        return self.HEADER.pack(self.command.OPCODE, self.cmd_id) + self.command.encode()

    @classmethod
    def decode(cls, data: bytes) -> "ControlWrite":
        """The write in ``data``. Raises :class:`RemoteError`."""
        if len(data) < cls.HEADER.size:
            raise RemoteError(f"a control write takes at least {cls.HEADER.size} bytes: {preview(data)}")
        number, cmd_id = cls.HEADER.unpack_from(data)
        opcode = parse_enum(Opcode, number, "control write")
        if opcode not in COMMANDS:
            raise RemoteError(f"{opcode.name} is not written to the control point")
        return cls(cmd_id, COMMANDS[opcode].decode(data[cls.HEADER.size :]))


@message("IBhH")
class Step(Message):
    """From ``due_tick`` on, move the set-point of ``chamber`` (0 is distal) to ``target_cmmhg`` over ``ramp_ms``. Target 0 vents."""

    due_tick: int
    chamber: int
    target_cmmhg: int
    ramp_ms: int


@dataclass(frozen=True, slots=True)
class Plan:
    """A batch of steps: ``cmd_id u16, session_id u32, first_seq u32, steps, crc16``.

    Step ``i`` has number ``first_seq + i``; numbers run on without a gap within a session.
    """

    cmd_id: int
    session_id: int
    first_seq: int
    steps: tuple[Step, ...]

    HEADER: ClassVar[Struct] = Struct("<HII")
    CRC: ClassVar[Struct] = Struct("<H")

    @classmethod
    def capacity(cls, payload_bytes: int) -> int:
        """How many steps one write of ``payload_bytes`` carries; at least 0."""
        return max(0, (min(payload_bytes, CHARACTERISTIC_MAX_BYTES) - cls.HEADER.size - cls.CRC.size) // Step.STRUCT.size)

    def encode(self) -> bytes:
        """The bytes. Raises :class:`WireRangeError` for an empty plan, one longer than an attribute, or a field that does not fit."""
        most = self.capacity(CHARACTERISTIC_MAX_BYTES)
        if not 1 <= len(self.steps) <= most:
            raise WireRangeError(f"a plan carries 1 to {most} steps, not {len(self.steps)}: split it")
        try:
            header = self.HEADER.pack(self.cmd_id, self.session_id, self.first_seq)
        except struct_error as cause:
            raise WireRangeError(f"the header of {self} does not fit: {cause}") from cause
        body = header + b"".join(step.encode() for step in self.steps)
        return body + self.CRC.pack(crc16(body))

    @classmethod
    def decode(cls, data: bytes) -> "Plan":
        """The plan in ``data``. Raises :class:`RemoteError`, also for a wrong checksum."""
        size = Step.STRUCT.size
        steps_bytes = len(data) - cls.HEADER.size - cls.CRC.size
        if steps_bytes <= 0 or steps_bytes % size:
            raise RemoteError(f"a plan of {len(data)} bytes holds no whole steps: {preview(data)}")
        if len(data) > CHARACTERISTIC_MAX_BYTES:
            raise RemoteError(f"a plan of {len(data)} bytes is longer than an attribute ({CHARACTERISTIC_MAX_BYTES}): {preview(data)}")
        body, (checksum,) = data[: -cls.CRC.size], cls.CRC.unpack(data[-cls.CRC.size :])
        if crc16(body) != checksum:
            raise RemoteError(f"plan checksum {checksum:#06x} does not match {crc16(body):#06x}")
        cmd_id, session_id, first_seq = cls.HEADER.unpack_from(body)
        starts = range(cls.HEADER.size, len(body), size)
        return cls(cmd_id, session_id, first_seq, tuple(Step.decode(body[at : at + size]) for at in starts))


@dataclass(frozen=True, slots=True)
class Stop:
    """Vent now. Any bytes, none included, mean stop: the device never refuses one. The first byte says why, for the log.

    A stop must always come out, so a ``reason`` over one byte is cut to its low byte and not refused.
    """

    reason: int = 0

    def encode(self) -> bytes:
        """One byte."""
        return bytes((self.reason & 0xFF,))

    @classmethod
    def decode(cls, data: bytes) -> "Stop":
        """Never raises."""
        return cls(data[0] if data else 0)


@message("H")
class TimePing(Message):
    """Ask the device for its clock; ``ping_id`` comes back in the answer."""

    ping_id: int
