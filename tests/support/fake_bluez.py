"""A D-Bus daemon of our own and, on it, a peer that behaves as BlueZ does towards agents and bonds.

It is the other side of :mod:`wavewrap_gateway.adapters.bluez_agent` and no part of it; the real bluetoothd is met elsewhere.
"""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from dbus_fast import DBusError, Message, MessageType, PropertyAccess
from dbus_fast.aio import MessageBus
from dbus_fast.annotations import DBusBool, DBusObjectPath, DBusStr
from dbus_fast.service import ServiceInterface, dbus_method, dbus_property

__all__ = ["ADDRESS", "DAEMON", "DEVICE_PATH", "FakeBluez", "run_bluez", "run_bus"]

DAEMON = shutil.which("dbus-daemon")

ADDRESS = "F0:57:52:00:00:01"
ADAPTER_PATH = "/org/bluez/hci0"
DEVICE_PATH = f"{ADAPTER_PATH}/dev_{ADDRESS.replace(':', '_')}"

_CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:dir={folder}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>
"""


@asynccontextmanager
async def run_bus() -> AsyncIterator[str]:
    """A bus daemon in a folder of its own; its address."""
    assert DAEMON is not None
    with tempfile.TemporaryDirectory(prefix="bus-") as name:
        config = Path(name) / "bus.conf"
        config.write_text(_CONFIG.format(folder=name), encoding="utf-8")
        daemon = await asyncio.create_subprocess_exec(
            DAEMON, f"--config-file={config}", "--nofork", "--print-address", stdout=asyncio.subprocess.PIPE
        )
        assert daemon.stdout is not None
        try:
            yield (await daemon.stdout.readline()).decode().strip()
        finally:
            daemon.terminate()
            await daemon.wait()


class _AgentManager(ServiceInterface):
    def __init__(self, bluez: "FakeBluez") -> None:
        super().__init__("org.bluez.AgentManager1")
        self._bluez = bluez

    @dbus_method("RegisterAgent")
    def register(self, agent: DBusObjectPath, capability: DBusStr) -> None:
        self._bluez.calls.append(f"register {capability}")
        self._bluez.agent_path = agent

    @dbus_method("RequestDefaultAgent")
    def request_default(self, _agent: DBusObjectPath) -> None:
        self._bluez.calls.append("default")

    @dbus_method("UnregisterAgent")
    def unregister(self, _agent: DBusObjectPath) -> None:
        self._bluez.calls.append("unregister")
        self._bluez.agent_path = None


class _Adapter(ServiceInterface):
    def __init__(self, bluez: "FakeBluez") -> None:
        super().__init__("org.bluez.Adapter1")
        self._bluez = bluez

    @dbus_method("RemoveDevice")
    def remove(self, device: DBusObjectPath) -> None:
        self._bluez.calls.append("remove")
        self._bluez.bus.unexport(device)


class _Device(ServiceInterface):
    def __init__(self, bluez: "FakeBluez") -> None:
        super().__init__("org.bluez.Device1")
        self._bluez = bluez
        self.paired = False

    @dbus_property(PropertyAccess.READ, name="Address")
    def address(self) -> DBusStr:
        return ADDRESS

    @dbus_property(PropertyAccess.READ, name="Paired")
    def is_paired(self) -> DBusBool:
        return self.paired

    @dbus_property(PropertyAccess.READ, name="Bonded")
    def is_bonded(self) -> DBusBool:
        return self.paired

    @dbus_method("Pair")
    async def pair(self) -> None:
        if self._bluez.passkey is not None:
            reply = await self._bluez.ask_agent("RequestPasskey", "o", DEVICE_PATH)
            if reply.message_type is MessageType.ERROR:
                raise DBusError("org.bluez.Error.AuthenticationCanceled", "Authentication Canceled")
            if reply.body != [self._bluez.passkey]:
                raise DBusError("org.bluez.Error.AuthenticationFailed", "Authentication Failed")
        self.paired = True


class FakeBluez:
    """``passkey`` is what the wrap shows, ``None`` for one that pairs without any. ``calls`` is what was asked of it."""

    def __init__(self, bus: MessageBus) -> None:
        self.bus = bus
        self.passkey: int | None = 123_456
        self.calls: list[str] = []
        self.agent_path: str | None = None
        self._agent_bus = ""

    async def start(self) -> None:
        """On the bus under its name, knowing one wrap."""
        self.bus.add_message_handler(self._note_sender)
        self.bus.export("/org/bluez", _AgentManager(self))
        self.bus.export(ADAPTER_PATH, _Adapter(self))
        self.bus.export(DEVICE_PATH, _Device(self))
        await self.bus.request_name("org.bluez")

    def _note_sender(self, message: Message) -> None:
        if message.member == "RegisterAgent":
            self._agent_bus = message.sender or ""

    async def ask_agent(self, member: str, signature: str, *body: object) -> Message:
        """As BlueZ asks the agent that was registered, also after it has gone."""
        return await self.bus.call(
            Message(
                destination=self._agent_bus,
                path=self.agent_path or "/org/wavewrap/agent",
                interface="org.bluez.Agent1",
                member=member,
                signature=signature,
                body=list(body),
            )
        )


@asynccontextmanager
async def run_bluez(address: str) -> AsyncIterator[FakeBluez]:
    """On the bus at ``address``."""
    bus = await MessageBus(bus_address=address).connect()
    try:
        bluez = FakeBluez(bus)
        await bluez.start()
        yield bluez
    finally:
        bus.disconnect()
        await bus.wait_for_disconnect()  # type: ignore[no-untyped-call]  # of dbus-fast
