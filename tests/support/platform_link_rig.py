"""The link rig on the system's own Bluetooth, in the guest of ``make test-bluez``: real bluetoothd and kernel, simulated wraps elsewhere.

The guest's script (``tests/bluez/guest``) keeps D-Bus and bluetoothd running and restarts them when they end, as a service manager does; a
file in ``/run/rig`` holds it back. Everything here may kill them, for nothing else lives in the guest.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
from bleak.exc import BleakError
from dbus_fast import Message, MessageType, Variant
from dbus_fast.aio import MessageBus

from tests.support.link_rig import Trouble
from tests.support.rig_truth import Truth, WrapAddress
from wavewrap_gateway.adapters.ble import BleakRadio, open_radio
from wavewrap_gateway.adapters.bluez_bus import call, find_device, open_system_bus
from wavewrap_gateway.runtime.ports import Radio

__all__ = ["Machine", "PlatformLinkRig", "open_platform_rig"]

RUN = Path("/run/rig")
ADAPTER = "/org/bluez/hci0"
BRIDGE = Path(__file__).parent.parent / "bluez" / "bridge.py"
PATIENCE_S = 30.0


async def _ask_bus(bus: MessageBus, member: str, signature: str = "", *body: str, interface: str = "org.freedesktop.DBus") -> list[Any]:
    """Of the D-Bus daemon itself."""
    path = "/org/freedesktop/DBus"
    reply = await bus.call(
        Message(destination="org.freedesktop.DBus", path=path, interface=interface, member=member, signature=signature, body=list(body))
    )
    assert reply.message_type is MessageType.METHOD_RETURN, reply.body
    return list(reply.body)


class Machine:
    """The guest: its daemons, its controller, and the way to the station of the wraps."""

    def __init__(self, host: str, hci_port: int, control_port: int) -> None:
        self._host = host
        self._hci_port = hci_port
        self._control_port = control_port
        self.paired = False
        """Whether the wraps and this machine share bonds that the last case left intact."""
        self._bridge: subprocess.Popen[bytes] | None = None

    @staticmethod
    def from_environment() -> "Machine":
        """What ``RIG_STATION`` says: host and two ports."""
        host, hci_port, control_port = os.environ["RIG_STATION"].split()
        return Machine(host, int(hci_port), int(control_port))

    def open(self) -> None:
        """Plug the controller in."""
        assert self._bridge is None
        self._bridge = subprocess.Popen([sys.executable, "-S", str(BRIDGE), self._host, str(self._hci_port)])

    def close(self) -> None:
        """Pull it out."""
        bridge, self._bridge = self._bridge, None
        if bridge is not None:
            bridge.terminate()
            bridge.wait(PATIENCE_S)

    async def station(self, name: str, *arguments: object) -> Any:
        """Have the station do ``name``."""
        reader, writer = await asyncio.open_connection(self._host, self._control_port)
        try:
            writer.write(json.dumps([name, arguments]).encode() + b"\n")
            answer = json.loads(await reader.readline())
        finally:
            writer.close()
            await writer.wait_closed()
        assert "error" not in answer, answer["error"]
        return answer["made"]

    async def powered(self) -> None:
        """Return when bluetoothd has the adapter and it is on."""
        await until(self._is_powered, "adapter that is on")

    async def _is_powered(self) -> bool:
        try:
            async with open_system_bus() as bus:
                (value,) = await call(bus, ADAPTER, "org.freedesktop.DBus.Properties", "Get", "ss", "org.bluez.Adapter1", "Powered")
        except (BleakError, OSError, EOFError):
            return False
        return bool(value.value)

    async def set_powered(self, powered: bool) -> None:
        """As with ``bluetoothctl power``."""
        async with open_system_bus() as bus:
            value = Variant("b", powered)
            await call(bus, ADAPTER, "org.freedesktop.DBus.Properties", "Set", "ssv", "org.bluez.Adapter1", "Powered", value)

    async def count_match_rules(self, pid: int) -> int:
        """Of the process ``pid``."""
        async with open_system_bus() as bus:
            (rules,) = await _ask_bus(bus, "GetAllMatchRules", interface="org.freedesktop.DBus.Debug.Stats")
            found = 0
            for name, of_name in rules.items():
                if name != bus.unique_name and (await _ask_bus(bus, "GetConnectionUnixProcessID", "s", name))[0] == pid:
                    found += len(of_name)
            return found

    async def remove(self, address: str) -> None:
        """Make BlueZ forget all of a device."""
        async with open_system_bus() as bus:
            found = await find_device(bus, address)
            if found is not None:
                await call(bus, ADAPTER, "org.bluez.Adapter1", "RemoveDevice", "o", found[0])

    def pid(self, daemon: str) -> int | None:
        """Of ``bluetoothd`` or ``dbus-daemon``, while it runs."""
        with suppress(FileNotFoundError, ValueError):
            pid = int((RUN / f"{daemon}.pid").read_text())
            if psutil.pid_exists(pid):
                return pid
        return None

    @asynccontextmanager
    async def killed(self, daemon: str, number: signal.Signals) -> AsyncIterator[None]:
        """It is dead, and stays so while the context is open."""
        hold = RUN / f"{daemon}.hold"
        hold.touch()
        try:
            pid = self.pid(daemon)
            assert pid is not None, f"{daemon} does not run"
            os.kill(pid, number)
            await until(lambda: _is_gone(pid), f"end of {daemon}")
            yield
        finally:
            hold.unlink()


async def until(holds: Callable[[], Any], what: str) -> None:
    """Ask four times a second."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not await holds():
        assert time.monotonic() < deadline_s, f"no {what} within {PATIENCE_S:g} s"
        await asyncio.sleep(0.25)


async def _is_gone(pid: int) -> bool:
    return not psutil.pid_exists(pid)


class PlatformLinkRig:
    """Implements :class:`tests.support.link_rig.LinkRig`."""

    quiet_s = 4.0

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.notes: list[str] = []
        self.wraps: Sequence[WrapAddress] = ()
        self._radio: BleakRadio | None = None
        self._stack = AsyncExitStack()

    @property
    def radio(self) -> Radio:
        """The production adapters."""
        assert self._radio is not None
        return self._radio

    async def open(self, wraps: int, *, paired: bool) -> None:
        """New wraps, and a BlueZ that knows none of them; or both sides as they were left."""
        await self.machine.powered()
        self.wraps = [WrapAddress(**one) for one in await self.machine.station("begin", wraps, paired)]
        # What the wraps before them advertised is past by then, and not heard as theirs.
        await asyncio.sleep(0.5)
        for wrap in self.wraps:
            if not paired:
                await self.machine.remove(wrap.address)
        self._radio = await self._stack.enter_async_context(open_radio("platform"))

    async def close(self) -> None:
        """The wraps are gone."""
        await self._stack.aclose()
        await self.machine.station("end")

    async def press_pairing_button(self, wrap: int = 0) -> int:
        """As the wrap's display says."""
        return int(await self.machine.station("press_pairing_button", wrap))

    async def forget_bonds(self, wrap: int = 0) -> None:
        """All of them."""
        await self.machine.station("forget_bonds", wrap)

    async def restart_gateway(self) -> None:
        """The bonds are bluetoothd's: it is what starts anew, and bleak on it."""
        await self._stack.aclose()
        async with self.machine.killed("bluetoothd", signal.SIGTERM):
            pass
        await self.machine.powered()
        self._radio = await self._stack.enter_async_context(open_radio("platform"))

    async def restart_wrap(self, wrap: int = 0) -> None:
        """In the station."""
        await self.machine.station("restart", wrap)

    async def reboot(self, wrap: int = 0) -> None:
        """In the station."""
        await self.machine.station("reboot", wrap)

    async def fade(self, wrap: int, for_s: float) -> None:
        """On the station's air."""
        await self.machine.station("fade", wrap, for_s)

    async def steal(self, wrap: int, for_s: float) -> None:
        """A bumble central on the station's air."""
        await self.machine.station("steal", wrap, for_s)

    async def truth(self, wrap: int = 0) -> Truth:
        """Of the simulated wrap."""
        made = await self.machine.station("truth", wrap)
        return Truth(**{**made, "states": [(at_s, state, cause) for at_s, state, cause in made["states"]]})

    @asynccontextmanager
    async def scanner(self) -> AsyncIterator[None]:
        """``bluetoothctl``, another client of the same bluetoothd."""
        process = await asyncio.create_subprocess_exec(
            "bluetoothctl", "--timeout", "600", "scan", "le", stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL
        )
        await asyncio.sleep(2.0)
        assert process.returncode is None
        try:
            yield
        finally:
            process.terminate()
            await process.wait()

    @asynccontextmanager
    async def trouble(self, trouble: Trouble) -> AsyncIterator[None]:
        """All there are."""
        match trouble:
            case Trouble.DAEMON_KILLED:
                async with self.machine.killed("bluetoothd", signal.SIGKILL):
                    yield
            case Trouble.BUS_GONE:
                async with self.machine.killed("dbus-daemon", signal.SIGKILL):
                    yield
            case Trouble.ADAPTER_OFF:
                await self.machine.set_powered(False)
                yield
                await self.machine.set_powered(True)
            case Trouble.ADAPTER_GONE:
                self.machine.close()
                yield
                self.machine.open()
        await self.machine.powered()

    async def open_things(self) -> dict[str, int]:
        """Match rules too, as the D-Bus daemon counts them, of whatever connections this process has."""
        rules = await self.machine.count_match_rules(os.getpid())
        return {"tasks": len(asyncio.all_tasks()), "file descriptors": len(os.listdir("/proc/self/fd")), "match rules": rules}


@asynccontextmanager
async def open_platform_rig(machine: Machine, wraps: int, *, paired: bool = False) -> AsyncIterator[PlatformLinkRig]:
    """New wraps, known to nobody; ``paired``: as the last case left them, if it went well and was of this kind."""
    rig = PlatformLinkRig(machine)
    kept, machine.paired = machine.paired and paired, False
    await rig.open(wraps, paired=kept)
    try:
        yield rig
        machine.paired = paired
    finally:
        await rig.close()
