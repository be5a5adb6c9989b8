"""An air in this process: empty, or with one wrap that claims another major version of the protocol. Both yield a ``--radio``."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from wavewrap_protocol import uuids
from wavewrap_protocol.payloads import Side
from wavewrap_sim.air import Air, AirController
from wavewrap_sim.gatt import WrapPeripheral
from wavewrap_sim.hci_pipe import host_on
from wavewrap_sim.hci_server import HciServer
from wavewrap_sim.wrap import SimulatedWrap, WrapSettings

ADDRESS = "F0:57:52:00:00:01"


class _FutureWrap(SimulatedWrap):
    """Its capabilities begin with ``version_major``; everything else is a common wrap's."""

    version_major = 2

    def read(self, now_s: float, characteristic_uuid: str) -> bytes:
        data = super().read(now_s, characteristic_uuid)
        return bytes((self.version_major,)) + data[1:] if characteristic_uuid == uuids.CAPABILITIES else data


@asynccontextmanager
async def run_empty_air(air: Air | None = None) -> AsyncIterator[str]:
    """Nothing but what is on ``air`` already."""
    server = HciServer(Air() if air is None else air)
    port = await server.start("127.0.0.1", 0)
    try:
        yield f"bumble:tcp-client:127.0.0.1:{port}"
    finally:
        await server.close()


@asynccontextmanager
async def run_future_wrap(clock: Callable[[], float]) -> AsyncIterator[str]:
    """A wrap of major version 2 at :data:`ADDRESS`."""
    air = Air()
    wrap = _FutureWrap(WrapSettings(serial="FUTURE", side=Side.LEFT), clock(), lambda _entry: None)
    peripheral = WrapPeripheral(wrap, host_on(AirController("future", link=air, public_address="00:00:5E:00:52:FE")), ADDRESS, clock)
    await peripheral.start()
    try:
        async with run_empty_air(air) as radio:
            yield radio
    finally:
        await peripheral.stop()
