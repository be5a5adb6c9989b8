"""A system bus of a test's own: a real dbus-daemon, and a peer on it that answers as BlueZ does."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

import pytest
from dbus_fast import BusType, PropertyAccess
from dbus_fast.aio import MessageBus
from dbus_fast.annotations import DBusBool, DBusSignature, DBusStr
from dbus_fast.service import ServiceInterface, dbus_property

needs_dbus = pytest.mark.skipif(shutil.which("dbus-daemon") is None, reason="dbus-daemon is not installed: apt-get install dbus")

_CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <allow own="*"/>
    <allow send_type="*"/>
    <allow receive_type="*"/>
    {rule}
  </policy>
</busconfig>
"""

REFUSE_BLUEZ = '<deny send_destination="org.bluez"/>'
"""The rule of BlueZ's own policy for who is neither root nor in the group bluetooth."""


@asynccontextmanager
async def run_bus(folder: Path, rule: str = "") -> AsyncIterator[str]:
    """The address of a bus with ``rule`` in the policy for everybody."""
    config = folder / "bus.conf"
    config.write_text(_CONFIG.format(socket=folder / "bus", rule=rule), encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        "dbus-daemon",
        f"--config-file={config}",
        "--nofork",
        "--nopidfile",
        "--print-address=1",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,  # it tells there what it refuses, which is asked for here
    )
    try:
        assert process.stdout is not None
        yield (await process.stdout.readline()).decode().strip()
    finally:
        process.kill()
        await process.wait()


class Adapter(ServiceInterface):
    """``org.bluez.Adapter1``, as far as it is read."""

    def __init__(self, *, powered: bool, roles: Sequence[str]) -> None:
        super().__init__("org.bluez.Adapter1")
        self._powered = powered
        self._roles = list(roles)

    @dbus_property(access=PropertyAccess.READ, name="Powered")
    def powered(self) -> DBusBool:
        return self._powered

    @dbus_property(access=PropertyAccess.READ, name="Roles")
    def roles(self) -> Annotated[list[str], DBusSignature("as")]:
        return self._roles

    @dbus_property(access=PropertyAccess.READ, name="Address")
    def address(self) -> DBusStr:
        return "00:11:22:33:44:55"


@asynccontextmanager
async def serve_bluez(address: str, **adapters: Adapter) -> AsyncIterator[MessageBus]:
    """Own org.bluez on the bus at ``address`` and export ``adapters`` by name."""
    bus = await MessageBus(bus_address=address, bus_type=BusType.SYSTEM).connect()
    try:
        for name, adapter in adapters.items():
            bus.export(f"/org/bluez/{name}", adapter)
        await bus.request_name("org.bluez")
        yield bus
    finally:
        bus.disconnect()
