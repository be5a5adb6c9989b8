"""The system's D-Bus as far as BlueZ needs it. Linux only. Every error leaves as bleak's own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from bleak.exc import BleakDBusError, BleakError
from dbus_fast import BusType, Message, MessageType
from dbus_fast.aio import MessageBus
from dbus_fast.errors import DBusFastError

__all__ = ["BLUEZ", "call", "find_device", "open_system_bus"]

BLUEZ = "org.bluez"


@asynccontextmanager
async def open_system_bus() -> AsyncIterator[MessageBus]:
    """A connection of our own; BlueZ forgets what was registered on it when it closes. Raises :class:`BleakError`."""
    bus: MessageBus | None = None
    try:
        try:
            bus = await MessageBus(bus_type=BusType.SYSTEM).connect()
        except (DBusFastError, OSError, EOFError, ValueError) as cause:
            raise BleakError(f"no system bus ({cause})") from cause
        yield bus
    finally:
        if bus is not None:
            bus.disconnect()


async def call(bus: MessageBus, path: str, interface: str, member: str, signature: str = "", *body: object) -> list[Any]:
    """Call BlueZ and return what it says. Raises :class:`BleakDBusError`."""
    message = Message(destination=BLUEZ, path=path, interface=interface, member=member, signature=signature, body=list(body))
    reply = await bus.call(message)
    if reply.message_type is MessageType.ERROR:
        raise BleakDBusError(str(reply.error_name), reply.body)
    return list(reply.body)


async def find_device(bus: MessageBus, address: str) -> tuple[str, dict[str, Any]] | None:
    """Object path and properties of the device with ``address``, on whichever adapter; ``None`` when BlueZ knows none."""
    (objects,) = await call(bus, "/", "org.freedesktop.DBus.ObjectManager", "GetManagedObjects")
    for path, interfaces in objects.items():
        properties = {name: value.value for name, value in interfaces.get("org.bluez.Device1", {}).items()}
        if str(properties.get("Address", "")).upper() == address.upper():
            return path, properties
    return None
