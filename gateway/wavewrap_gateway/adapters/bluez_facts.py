"""Reads the facts about Bluetooth on Linux: from sysfs, from BlueZ over D-Bus, from its own tool. Changes nothing."""

import asyncio
import getpass
import os
import sys
from typing import Any

from wavewrap_gateway.adapters.machine import Machine
from wavewrap_gateway.core.doctor_bluetooth import AdapterFacts, Attachment, BluetoothFacts, BusFacts, Daemon

__all__ = ["read_bluetooth"]

CALL_S = 3.0
"""Longest call over the bus. Choice: bluetoothd answers in milliseconds; one that hangs is restarted, not waited for."""

_REFUSED = "org.freedesktop.DBus.Error.AccessDenied"
_SUPERVISION_UNIT_MS = 10
"""Bluetooth Core 5.4, vol 4 part E 7.8.12: the supervision timeout counts 10 ms."""

Properties = dict[str, Any]


async def read_bluetooth(machine: Machine) -> BluetoothFacts:
    """All of it."""
    bus, properties = await _ask_bluez(machine.bus_address)
    return BluetoothFacts(
        bus=bus,
        program=machine.find("bluetoothd") is not None,
        version=await machine.ask("bluetoothctl", "--version"),
        adapters=tuple(_read_adapter(machine, name, properties.get(name)) for name in _adapter_names(machine, properties)),
        user=getpass.getuser(),
        in_group=_is_in_group(machine, "bluetooth"),
    )


def _adapter_names(machine: Machine, properties: dict[str, Properties]) -> list[str]:
    """As the kernel numbers them; connections (``hci0:64``) stand beside them in sysfs."""
    names = {name for name in machine.listing("/sys/class/bluetooth") if ":" not in name} | set(properties)
    return sorted(names, key=lambda name: (len(name), name))


def _read_adapter(machine: Machine, name: str, properties: Properties | None) -> AdapterFacts:
    folder = f"/sys/class/bluetooth/{name}"
    where = str(machine.path(folder).resolve())
    attachment = Attachment.ONBOARD
    if "/usb" in where:
        attachment = Attachment.USB
    elif "/virtual/" in where:
        attachment = Attachment.VIRTUAL
    soft, hard = _blocks(machine, name)
    timeout = machine.read(f"/sys/kernel/debug/bluetooth/{name}/supervision_timeout")
    roles = None if properties is None else properties.get("Roles")
    return AdapterFacts(
        name=name,
        attachment=attachment,
        known=properties is not None,
        powered=properties is not None and bool(properties.get("Powered")),
        roles=None if roles is None else tuple(roles),
        soft_blocked=soft,
        hard_blocked=hard,
        supervision_ms=None if timeout is None or not timeout.isdecimal() else int(timeout) * _SUPERVISION_UNIT_MS,
    )


def _blocks(machine: Machine, name: str) -> tuple[bool, bool]:
    """Whether a switch in software, or one in hardware, keeps the adapter off; one without a name of its own counts for all."""
    soft = hard = False
    for switch in machine.listing("/sys/class/rfkill"):
        folder = f"/sys/class/rfkill/{switch}"
        named = machine.read(f"{folder}/name") or ""
        if machine.read(f"{folder}/type") == "bluetooth" and (named == name or not named.startswith("hci")):
            soft = soft or machine.read(f"{folder}/soft") == "1"
            hard = hard or machine.read(f"{folder}/hard") == "1"
    return soft, hard


def _is_in_group(machine: Machine, group: str) -> bool:
    for line in (machine.read("/etc/group") or "").splitlines():
        name, _, number, *_ = (*line.split(":"), "", "")
        if name == group and number.isdecimal():
            return int(number) in {os.getegid(), *os.getgroups()}
    return False


if sys.platform == "linux":
    from dbus_fast import BusType, DBusError, DBusFastError, Message, MessageFlag, MessageType
    from dbus_fast.aio import MessageBus

    async def _ask_bluez(address: str) -> tuple[BusFacts, dict[str, Properties]]:
        """How BlueZ can be reached, and the properties of its adapters by name."""
        try:
            bus = MessageBus(bus_address=address, bus_type=BusType.SYSTEM)
        except (DBusFastError, OSError, ValueError) as cause:  # it opens its socket here; an address that is none is a ValueError
            return BusFacts(_say(cause), Daemon.ABSENT, ""), {}
        try:
            try:
                async with asyncio.timeout(CALL_S):
                    await bus.connect()
            except (DBusFastError, OSError, EOFError) as cause:  # a time-out is an OSError
                return BusFacts(_say(cause), Daemon.ABSENT, ""), {}
            async with asyncio.timeout(CALL_S):
                return await _ask_over(bus)
        except (DBusFastError, OSError, EOFError) as cause:
            return BusFacts(None, Daemon.SILENT, _say(cause)), {}
        finally:
            bus.disconnect()

    async def _ask_over(bus: MessageBus) -> tuple[BusFacts, dict[str, Properties]]:
        owned = await _call(bus, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "NameHasOwner", "org.bluez")
        if not owned:
            return BusFacts(None, Daemon.ABSENT, ""), {}
        try:
            objects = await _call(bus, "org.bluez", "/", "org.freedesktop.DBus.ObjectManager", "GetManagedObjects")
        except DBusError as cause:
            if cause.type == _REFUSED:
                return BusFacts(None, Daemon.REFUSES, ""), {}
            return BusFacts(None, Daemon.SILENT, _say(cause)), {}
        adapters = {path.rpartition("/")[2]: one["org.bluez.Adapter1"] for path, one in objects.items() if "org.bluez.Adapter1" in one}
        plain = {name: {key: value.value for key, value in properties.items()} for name, properties in adapters.items()}
        return BusFacts(None, Daemon.ANSWERS, ""), plain

    async def _call(bus: MessageBus, destination: str, path: str, interface: str, member: str, *arguments: str) -> Any:
        """The first value of the answer. Raises :class:`DBusError`. Without autostart: to look must not start a daemon."""
        reply = await bus.call(
            Message(
                destination=destination,
                path=path,
                interface=interface,
                member=member,
                signature="s" * len(arguments),
                body=list(arguments),
                flags=MessageFlag.NO_AUTOSTART,
            )
        )
        if reply.message_type is MessageType.ERROR:
            raise DBusError(str(reply.error_name), str(reply.body[0] if reply.body else reply.error_name))
        return reply.body[0]

    def _say(cause: Exception) -> str:
        if isinstance(cause, TimeoutError):
            return f"no answer within {CALL_S:g} s"
        text = cause.text if isinstance(cause, DBusError) else getattr(cause, "strerror", None) or str(cause)
        return " ".join(str(text).split()) or type(cause).__name__
else:

    async def _ask_bluez(address: str) -> tuple[BusFacts, dict[str, Properties]]:
        return BusFacts(f"{address}: D-Bus is asked on Linux only", Daemon.ABSENT, ""), {}
