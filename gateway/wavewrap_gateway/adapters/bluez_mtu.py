"""How much one write carries on a link of BlueZ's. Linux only.

BlueZ says it when a characteristic appears, and not when it changes: those of a bonded wrap it keeps from link to link, and for whoever
looked while the wrap was away the ATT MTU stays 23 (tried with BlueZ 5.66 and bleak 3.1). So it is asked for anew on every link.
"""

from bleak import BleakClient
from bleak.exc import BleakDBusError

from wavewrap_gateway.adapters.bluez_bus import call, open_system_bus

__all__ = ["read_payload_bytes"]

_HEADER_BYTES = 3
"""Opcode and handle of a write (Bluetooth Core, Vol 3 Part F 3.4.5.1)."""

_UNKNOWN = ("org.freedesktop.DBus.Error.InvalidArgs", "org.freedesktop.DBus.Error.UnknownProperty")
"""BlueZ before 5.62, which does not tell."""


async def read_payload_bytes(client: BleakClient, uuid: str) -> int | None:
    """Of the characteristic ``uuid`` on the link of ``client``; ``None`` when the device has none. Raises bleak's errors."""
    characteristic = client.services.get_characteristic(uuid)
    if characteristic is None:
        return None
    path, _ = characteristic.obj
    async with open_system_bus() as bus:
        try:
            (mtu,) = await call(bus, path, "org.freedesktop.DBus.Properties", "Get", "ss", "org.bluez.GattCharacteristic1", "MTU")
        except BleakDBusError as cause:
            if cause.dbus_error not in _UNKNOWN:
                raise
            return int(characteristic.max_write_without_response_size)
    return int(mtu.value) - _HEADER_BYTES
