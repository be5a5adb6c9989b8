"""HCI over TCP: every connection gets a controller of its own on the shared air, gone when the connection is."""

import asyncio
from collections.abc import Callable
from itertools import count

from bumble.hci import LeFeatureMask
from bumble.transport.common import StreamPacketSource

from wavewrap_sim.air import Air, AirController

__all__ = ["HciServer"]

_ENHANCED = LeFeatureMask.LL_PRIVACY | LeFeatureMask.LE_EXTENDED_ADVERTISING
"""A host that is told of these, as Linux is, asks for the enhanced events of Bluetooth Core, Vol 4 Part E 7.7.65.10; bumble's controller
has only the plain ones."""


class _HostLink(asyncio.Protocol):
    """One gateway's HCI stream and its controller."""

    def __init__(self, air: Air, number: int, withheld: LeFeatureMask, free: Callable[[int], None]) -> None:
        self._air = air
        self._number = number
        self._withheld = withheld
        self._free = free
        self._source = StreamPacketSource()
        self._controller: AirController | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # create_server makes no other
        self._transport = transport
        self._controller = AirController(
            "gateway", host_source=self._source, host_sink=self, link=self._air, public_address=f"00:00:5E:00:53:{self._number:02X}"
        )
        self._controller.le_features &= ~self._withheld

    def data_received(self, data: bytes) -> None:
        self._source.data_received(data)

    def on_packet(self, packet: bytes) -> None:
        """A packet from the controller to the gateway's host."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(packet)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._controller is not None:
            self._air.leave(self._controller)
            self._controller = None
            self._free(self._number)


class HciServer:
    """Listens on loopback for gateways. ``for_linux``: what connects is the kernel of a Linux, not a host of bumble's."""

    def __init__(self, air: Air, *, for_linux: bool = False) -> None:
        self._air = air
        self._withheld = _ENHANCED if for_linux else LeFeatureMask(0)
        self._server: asyncio.Server | None = None
        self._numbers: set[int] = set()

    async def start(self, host: str, port: int) -> int:
        """Listen and return the port taken (the given one, or a free one for 0). Raises :class:`OSError`."""
        self._server = await asyncio.get_running_loop().create_server(self._accept, host, port)
        return int(self._server.sockets[0].getsockname()[1])

    def _accept(self) -> _HostLink:
        # The lowest that is free: a controller that is pulled out and plugged in again is the same one, and hosts keep bonds by that.
        number = next(number for number in count(1) if number not in self._numbers)
        self._numbers.add(number)
        return _HostLink(self._air, number, self._withheld, self._numbers.discard)

    async def close(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()
            self._server = None
