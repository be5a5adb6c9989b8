"""Every enumeration on the wire. Numbers are normative; a number missing here is refused as :class:`RemoteError`."""

from enum import IntEnum, IntFlag


class Opcode(IntEnum):
    """First byte of a control-point write; ``PLAN`` only names its answer, plans have their own characteristic."""

    ARM = 0x01
    RENEW = 0x02
    END = 0x03
    FLUSH = 0x04
    STREAM = 0x05
    ACKNOWLEDGE = 0x06
    REPLAY = 0x07
    REPORTS = 0x08
    IDENTIFY = 0x09
    PLAN = 0x10


class Result(IntEnum):
    """What became of a command."""

    OK = 0
    MALFORMED = 1
    UNKNOWN_OPCODE = 2
    WRONG_STATE = 3
    WRONG_SESSION = 4
    OUT_OF_RANGE = 5
    QUEUE_FULL = 6
    OUT_OF_ORDER = 7
    NOT_VENTED = 8
    FAULT_PRESENT = 9
    BATTERY_LOW = 10
    NOT_AVAILABLE = 11
    CHECKSUM = 12


class DeviceState(IntEnum):
    """State of the device; the table of transitions is :mod:`wavewrap_protocol.states`."""

    IDLE = 0
    ARMED = 1
    RUNNING = 2
    VENTING = 3
    FAULT = 4


class Cause(IntEnum):
    """Why a state changed."""

    BOOT = 0
    COMMAND = 1
    FIRST_STEP = 2
    STOP = 3
    LEASE_END = 4
    SESSION_END = 5
    SESSION_LIMIT = 6
    VENTED = 7
    FAULT = 8
    ACKNOWLEDGED = 9
    BOOT_WATCHDOG = 10
    BOOT_BROWN_OUT = 11
    BATTERY_LOW = 12


class Fault(IntEnum):
    """What latched the device. ``NONE`` only fills the field of a report without one."""

    NONE = 0
    OVER_PRESSURE = 1
    SENSOR = 2
    HOLD_TOO_LONG = 3
    NO_RISE = 4
    VENT_FAILED = 5
    WATCHDOG = 6
    BATTERY = 7
    LEAK = 8
    BLOCKED = 9
    PUMP_WEAK = 10
    PUMP_STUCK = 11
    INLET_STUCK = 12
    POOR_FIT = 13
    SENSOR_DRIFT = 14
    LIMITER = 15


class StepOutcome(IntEnum):
    """What the device did with one step."""

    EXECUTED = 0
    RELEASED_LATE = 1
    TOO_LATE = 2
    VENT_TOO_SHORT = 3
    FLUSHED = 4
    EASED = 5


class ReportKind(IntEnum):
    """First byte of a report."""

    STATE = 0x01
    STEPS = 0x02
    FAULT = 0x03


class TelemetryFlag(IntFlag):
    """Low nibble of the telemetry flags; the high nibble is the :class:`DeviceState`."""

    REPLAY = 0x01


class AdvertisingFlag(IntFlag):
    """Flag byte of the advertised manufacturer data."""

    PAIRING_WINDOW = 0x01
    RIGHT_SIDE = 0x02
