"""A radio and a wrap that asks for pairing, as the link cases drive them; and the virtual one, on bumble in one process.

Another rig (real daemons, real controllers) implements :class:`LinkRig` and runs the same cases of ``tests/integration/link/cases.py``.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Protocol

from tests.support.virtual_air import CuttableAir
from tests.support.virtual_wraps import GatewayRadio, Station, make_station, open_gateway_radio
from wavewrap_gateway.runtime.ports import Radio
from wavewrap_sim.bonds import BondFile
from wavewrap_sim.log import PairingEntry

__all__ = ["LinkRig", "VirtualLinkRig", "open_virtual_rig"]


class LinkRig(Protocol):
    """What a case may do. Nobody is bonded at its start, and the pairing window is closed."""

    @property
    def radio(self) -> Radio:
        """The gateway's radio; another object after :meth:`restart_gateway`."""

    @property
    def address(self) -> str:
        """Where the wrap is seen."""

    @property
    def serial(self) -> str:
        """Who the wrap is."""

    async def press_pairing_button(self) -> int:
        """Open the wrap's pairing window; the passkey that it shows."""

    async def forget_bonds(self) -> None:
        """The wrap forgets every gateway."""

    async def restart_gateway(self) -> None:
        """End the gateway's process or what stands for it, and start it anew on what it has stored."""

    async def restart_wrap(self) -> None:
        """Switch the wrap off and on."""


class VirtualLinkRig:
    """Implements :class:`LinkRig` on the virtual radio. ``folder`` takes what both sides store."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.air = CuttableAir()
        self._gateway: GatewayRadio | None = None
        self._gateway_stack = AsyncExitStack()
        self._station: Station | None = None

    @property
    def keys(self) -> Path:
        """The gateway's key file."""
        return self._folder / "keys.json"

    @property
    def gateway(self) -> GatewayRadio:
        """What the gateway's radio is made of."""
        assert self._gateway is not None
        return self._gateway

    @property
    def radio(self) -> Radio:
        """The production adapters."""
        return self.gateway.radio

    @property
    def station(self) -> Station:
        """The wrap."""
        assert self._station is not None
        return self._station

    @property
    def address(self) -> str:
        """Of the wrap."""
        return self.station.address

    @property
    def serial(self) -> str:
        """Of the wrap."""
        return self.station.wrap.settings.serial

    async def press_pairing_button(self) -> int:
        """As the wrap's display says."""
        self.station.peripheral.press_pairing_button()
        passkey = self.station.peripheral.passkey
        assert passkey is not None
        return passkey

    async def forget_bonds(self) -> None:
        """All of them."""
        self.station.peripheral.forget_bonds()
        await asyncio.sleep(0.5)

    def pairings(self) -> list[str]:
        """What came of the attempts to pair since the wrap was switched on."""
        return [entry.event for entry in self.station.log if isinstance(entry, PairingEntry) and not entry.event.startswith("window")]

    async def restart_gateway(self) -> None:
        """A new host on a new controller and the same key file."""
        await self._gateway_stack.aclose()
        self._gateway = await self._gateway_stack.enter_async_context(open_gateway_radio(self.air, self.keys))

    async def restart_wrap(self) -> None:
        """A new wrap with the old one's bonds file."""
        await self.switch_off()
        self._station = make_station(self.air, 0, bonds=BondFile(self._folder / "bonds.json"))
        await self._station.peripheral.start()

    async def switch_off(self) -> None:
        """The wrap is gone."""
        if self._station is not None:
            await self._station.peripheral.stop()
            self.air.leave(self._station.controller)
            await asyncio.sleep(0.5)
            self._station = None

    async def close(self) -> None:
        """Leave the air."""
        await self._gateway_stack.aclose()
        await self.switch_off()


@asynccontextmanager
async def open_virtual_rig(folder: Path) -> AsyncIterator[VirtualLinkRig]:
    """Both switched on."""
    rig = VirtualLinkRig(folder)
    await rig.restart_wrap()
    await rig.restart_gateway()
    try:
        yield rig
    finally:
        await rig.close()
