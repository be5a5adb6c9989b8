"""The link rig on the system's own Bluetooth and one real wrap that somebody holds in their hands: it says what to do, and waits.

Needs a terminal. What no hands can do (a fade of so many seconds, the truth about a chamber) is left out with its reason.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from tests.support.link_rig import NotOnThisRigError, Trouble
from tests.support.rig_truth import Truth, WrapAddress
from wavewrap_gateway.adapters.ble import BleakRadio, open_radio
from wavewrap_gateway.runtime.ports import Radio
from wavewrap_protocol import uuids
from wavewrap_protocol.errors import LinkError

__all__ = ["Hands", "HardwareLinkRig", "ask_on_terminal", "open_hardware_rig"]

Hands = Callable[[str], Awaitable[str]]
"""Does what it is told; what it answers."""

SCAN_S = 5.0
CONNECT_S = 20.0


async def ask_on_terminal(what: str) -> str:
    """Past pytest's capture."""

    def ask() -> str:
        with Path("/dev/tty").open("r+", encoding="utf-8") as terminal:
            terminal.write(f"\n>>> {what}, then Enter: ")
            terminal.flush()
            return terminal.readline().strip()

    return await asyncio.to_thread(ask)


class HardwareLinkRig:
    """Implements :class:`tests.support.link_rig.LinkRig` for the wrap with ``serial`` on ``radio``."""

    quiet_s = 10.0

    def __init__(self, serial: str, hands: Hands, radio: str = "platform") -> None:
        self._serial = serial
        self._hands = hands
        self._radio_name = radio
        self._radio: BleakRadio | None = None
        self._stack = AsyncExitStack()
        self.notes: list[str] = []
        self.wraps: Sequence[WrapAddress] = ()

    @property
    def radio(self) -> Radio:
        """The production adapters."""
        assert self._radio is not None
        return self._radio

    async def open(self) -> None:
        """Find the wrap by its serial number, which every link may read, and part with its bonds on both sides."""
        self._radio = await self._stack.enter_async_context(open_radio(self._radio_name))
        address = await self._find()
        self.wraps = [WrapAddress(address, self._serial)]
        await self._hands(f"Make {self._serial} forget every gateway")
        await self._radio.forget(address)

    async def close(self) -> None:
        """Give the radio back."""
        await self._stack.aclose()

    async def _find(self) -> str:
        seen: list[str] = []
        for sighting in await self.radio.scan(SCAN_S):
            connection = await self.radio.connect(sighting, CONNECT_S)
            try:
                serial = (await connection.read(uuids.SERIAL_NUMBER)).decode("utf-8", errors="replace")
            finally:
                await connection.disconnect()
            if serial == self._serial:
                return sighting.address
            seen.append(serial)
        raise LinkError(
            f"{self._serial} is not on the air, only {', '.join(seen) or 'nothing'}: switch it on, or name another with --hardware"
        )

    async def press_pairing_button(self, wrap: int = 0) -> int:
        """By hand."""
        return int(await self._hands(f"Press the pairing button of {self.wraps[wrap].serial} and type the passkey that it shows"))

    async def forget_bonds(self, wrap: int = 0) -> None:
        """By hand."""
        await self._hands(f"Make {self.wraps[wrap].serial} forget every gateway")

    async def restart_gateway(self) -> None:
        """A new radio; the daemon belongs to the system."""
        await self._stack.aclose()
        self._radio = await self._stack.enter_async_context(open_radio(self._radio_name))

    async def restart_wrap(self, wrap: int = 0) -> None:
        """By hand."""
        await self._hands(f"Switch {self.wraps[wrap].serial} off and on")

    async def reboot(self, wrap: int = 0) -> None:
        """By hand."""
        await self._hands(f"Switch {self.wraps[wrap].serial} off and on")

    async def fade(self, wrap: int, for_s: float) -> None:
        """Nobody walks to the second."""
        raise NotOnThisRigError(f"nobody walks out of reach of {self.wraps[wrap].serial} for {for_s:g} s sharp")

    async def steal(self, wrap: int, for_s: float) -> None:
        """There is no second central."""
        raise NotOnThisRigError(f"no second central to take {self.wraps[wrap].serial} for {for_s:g} s")

    async def truth(self, wrap: int = 0) -> Truth:
        """Only a simulated wrap tells."""
        raise NotOnThisRigError(f"only a simulated wrap tells what is true in it, and {self.wraps[wrap].serial} is a real one")

    @asynccontextmanager
    async def scanner(self) -> AsyncIterator[None]:
        """By hand."""
        await self._hands("Start a scan in another terminal (bluetoothctl scan le)")
        yield

    @asynccontextmanager
    async def trouble(self, trouble: Trouble) -> AsyncIterator[None]:
        """By hand."""
        await self._hands(f"See to it that {trouble.value}")
        yield
        await self._hands(f"Undo it: {trouble.value}")

    async def open_things(self) -> dict[str, int]:
        """The loop's tasks."""
        return {"tasks": len(asyncio.all_tasks())}


@asynccontextmanager
async def open_hardware_rig(serial: str, hands: Hands = ask_on_terminal, radio: str = "platform") -> AsyncIterator[HardwareLinkRig]:
    """The wrap with ``serial``, parted with this host. Another ``radio`` and other ``hands`` are for its own test."""
    rig = HardwareLinkRig(serial, hands, radio)
    try:
        await rig.open()
        yield rig
    finally:
        await rig.close()
