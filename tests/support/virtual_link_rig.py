"""The link rig on the virtual radio: real bleak API, bumble hosts and controllers on both sides, one process, for virtual time."""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from tests.support.link_rig import NotOnThisRigError, Trouble
from tests.support.rig_truth import Truth, WrapAddress
from tests.support.virtual_wraps import GatewayRadio, open_gateway_radio
from tests.support.wrap_station import SCENARIO, WrapStation
from wavewrap_gateway.runtime.ports import Radio
from wavewrap_sim.air import Air

__all__ = ["VirtualLinkRig", "open_virtual_rig"]


class VirtualLinkRig:
    """Implements :class:`tests.support.link_rig.LinkRig`. ``folder`` takes what both sides store; ``air`` may be a special one."""

    quiet_s = 30.0

    def __init__(self, folder: Path, air: Air | None = None) -> None:
        self._folder = folder
        self.notes: list[str] = []
        self.air = Air(SCENARIO) if air is None else air
        self.station = WrapStation(self.air, folder)
        self.wraps: Sequence[WrapAddress] = ()
        self._gateway: GatewayRadio | None = None
        self._gateway_stack = AsyncExitStack()

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
    def address(self) -> str:
        """Of the first wrap."""
        return self.wraps[0].address

    async def open(self, wraps: int) -> None:
        """Everything is switched on."""
        self.wraps = await self.station.begin(wraps)
        await self.restart_gateway()

    async def close(self) -> None:
        """Leave the air."""
        await self._gateway_stack.aclose()
        await self.station.end()

    async def pairings(self) -> list[str]:
        """What came of the attempts to pair with the first wrap since it was switched on."""
        return [event for event in (await self.truth()).pairings if not event.startswith("window")]

    async def press_pairing_button(self, wrap: int = 0) -> int:
        """As the wrap's display says."""
        return await self.station.press_pairing_button(wrap)

    async def forget_bonds(self, wrap: int = 0) -> None:
        """All of them."""
        await self.station.forget_bonds(wrap)

    async def restart_gateway(self) -> None:
        """A new host on a new controller and the same key file."""
        await self._gateway_stack.aclose()
        self._gateway = await self._gateway_stack.enter_async_context(open_gateway_radio(self.air, self.keys))

    async def restart_wrap(self, wrap: int = 0) -> None:
        """A new wrap with the old one's bonds file."""
        await self.station.restart(wrap)

    async def reboot(self, wrap: int = 0) -> None:
        """Its links die with it."""
        await self.station.reboot(wrap)

    async def fade(self, wrap: int, for_s: float) -> None:
        """In virtual time."""
        await self.station.fade(wrap, for_s)

    async def steal(self, wrap: int, for_s: float) -> None:
        """A bumble central on the same air."""
        await self.station.steal(wrap, for_s)

    async def truth(self, wrap: int = 0) -> Truth:
        """Of the simulated wrap."""
        return await self.station.truth(wrap)

    @asynccontextmanager
    async def scanner(self) -> AsyncIterator[None]:
        """A second gateway on the same air, with a controller of its own: two programs never share one here."""
        async with open_gateway_radio(self.air, number=2) as other:
            scanning = asyncio.create_task(other.radio.scan(600.0))
            await asyncio.sleep(0.5)
            try:
                yield
            finally:
                scanning.cancel()
                await asyncio.gather(scanning, return_exceptions=True)

    @asynccontextmanager
    async def trouble(self, trouble: Trouble) -> AsyncIterator[None]:
        """There is neither a daemon nor a bus, and no switch: only the controller can go and come."""
        if trouble is not Trouble.ADAPTER_GONE:
            raise NotOnThisRigError(f"{trouble.value}: bumble's host is in this process, with nothing between it and its controller")
        self.gateway.pull_out()
        try:
            yield
        finally:
            self.gateway.plug_in()

    async def open_things(self) -> dict[str, int]:
        """The loop's tasks and the process's descriptors."""
        return {"tasks": len(asyncio.all_tasks()), "file descriptors": len(os.listdir("/proc/self/fd"))}


@asynccontextmanager
async def open_virtual_rig(folder: Path, wraps: int = 1, air: Air | None = None) -> AsyncIterator[VirtualLinkRig]:
    """Everything switched on."""
    rig = VirtualLinkRig(folder, air)
    await rig.open(wraps)
    try:
        yield rig
    finally:
        await rig.close()
