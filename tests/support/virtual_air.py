"""An air on which wraps go out of reach, fall silent or answer late when a test says so.

Not responsible for who is on it (:mod:`tests.support.virtual_wraps`).
"""

import asyncio
from collections import defaultdict, deque

from bumble import core, hci, ll
from bumble.controller import Connection, Controller

from wavewrap_sim.air import Air

__all__ = ["CuttableAir"]

_Held = tuple[Connection, hci.Address, core.PhysicalTransport, bytes]


class CuttableAir(Air):
    """An air on which controllers go out of reach (:meth:`cut`) or fall silent (:meth:`stall`) until :meth:`restore`."""

    def __init__(self) -> None:
        super().__init__()
        self._cut: set[Controller] = set()
        self._stalled: set[Controller] = set()
        self._held: deque[_Held] = deque()
        self._delays_s: dict[Controller, float] = {}
        self._flying: defaultdict[tuple[Controller, hci.Address], deque[_Held]] = defaultdict(deque)

    def cut(self, controller: Controller) -> None:
        """Out of reach: both ends of its links see the supervision timeout, and nobody hears it advertise."""
        self._cut.add(controller)
        for connection in list(controller.le_connections.values()):
            peer = self.find_le_controller(connection.peer_address)
            theirs = None if peer is None else peer.le_connections.get(connection.self_address)
            for side in (connection, theirs):
                if side is not None:
                    side.controller.on_le_disconnected(side, hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR)

    def stall(self, controller: Controller) -> None:
        """Its links stay up, and what they carry waits: the link layer delays, it does not drop."""
        self._stalled.add(controller)

    def delay(self, controller: Controller, delay_s: float) -> None:
        """From now on what it sends or gets takes ``delay_s`` longer, each way."""
        self._delays_s[controller] = delay_s

    def restore(self, controller: Controller) -> None:
        """In reach again; what waited arrives, in order, where its link still exists."""
        self._cut.discard(controller)
        self._stalled.discard(controller)
        held, self._held = self._held, deque()
        for connection, destination, transport, data in held:
            if connection in connection.controller.le_connections.values():
                self.send_acl_data(connection.controller, destination, transport, data)

    def send_acl_data(
        self, sender_controller: Controller, destination_address: hci.Address, transport: core.PhysicalTransport, data: bytes
    ) -> None:
        connection = sender_controller.le_connections.get(destination_address)
        if connection is None:
            super().send_acl_data(sender_controller, destination_address, transport, data)
            return
        packet = (connection, destination_address, transport, data)
        ends = {sender_controller, self.find_le_controller(destination_address)}
        delay_s = sum(self._delays_s[end] for end in ends if end in self._delays_s)
        if self._stalled & ends:
            self._held.append(packet)
        elif delay_s > 0.0 or self._flying[sender_controller, destination_address]:
            self._flying[sender_controller, destination_address].append(packet)
            asyncio.get_running_loop().call_later(delay_s, self._land, sender_controller, destination_address)
        else:
            super().send_acl_data(sender_controller, destination_address, transport, data)

    def _land(self, sender: Controller, destination_address: hci.Address) -> None:
        # Timers of the same instant fire in any order, and a delay may shrink; the queue keeps the order of sending.
        connection, _, transport, data = self._flying[sender, destination_address].popleft()
        if sender.le_connections.get(destination_address) is connection:
            super().send_acl_data(sender, destination_address, transport, data)

    def send_advertising_pdu(self, sender_controller: Controller, packet: ll.AdvertisingPdu) -> None:
        if sender_controller not in self._cut:
            super().send_advertising_pdu(sender_controller, packet)
