"""What a link must be worth to read, write or subscribe: section 2 of the protocol, characteristic by characteristic. No radio, no keys.

How a link comes to be worth something: :mod:`wavewrap_sim.gatt_security`.
"""

from enum import IntEnum

from wavewrap_protocol import uuids

__all__ = ["REQUIRED", "WRITABLE", "SecurityLevel", "may_write"]


class SecurityLevel(IntEnum):
    """Of a link, or asked of one; each includes those before it. The words are those of the protocol, section 2."""

    OPEN = 0
    ENCRYPTED = 1
    AUTHENTICATED = 2


REQUIRED: dict[str, SecurityLevel] = {
    uuids.CAPABILITIES: SecurityLevel.ENCRYPTED,
    uuids.CONTROL: SecurityLevel.AUTHENTICATED,
    uuids.STOP: SecurityLevel.ENCRYPTED,
    uuids.PLAN: SecurityLevel.AUTHENTICATED,
    uuids.TIME: SecurityLevel.ENCRYPTED,
    uuids.TELEMETRY: SecurityLevel.ENCRYPTED,
    uuids.REPORT: SecurityLevel.ENCRYPTED,
    uuids.BATTERY_LEVEL: SecurityLevel.ENCRYPTED,
    uuids.MANUFACTURER_NAME: SecurityLevel.OPEN,
    uuids.MODEL_NUMBER: SecurityLevel.OPEN,
    uuids.SERIAL_NUMBER: SecurityLevel.OPEN,
    uuids.HARDWARE_REVISION: SecurityLevel.OPEN,
    uuids.FIRMWARE_REVISION: SecurityLevel.OPEN,
}
"""What each characteristic asks of a link."""

WRITABLE = frozenset({uuids.CONTROL, uuids.STOP, uuids.PLAN, uuids.TIME})
"""The only characteristics that take a write at all."""


def may_write(level: SecurityLevel, uuid: str) -> bool:
    """Whether a link of ``level`` gets a write to ``uuid`` through to the firmware. An unknown characteristic takes none."""
    return uuid in WRITABLE and level >= REQUIRED[uuid]
