"""The virtual air: bumble's link and controllers, with what they lack to behave like a radio.

What is modelled: delivery in order, link loss seen by both sides, a connect request that can be cancelled. Time on the air (connection
events, loss, stalls) is not modelled yet: a packet arrives in the next turn of the loop.
"""

import asyncio

from bumble import core, hci
from bumble.controller import Controller
from bumble.link import LocalLink

__all__ = ["Air", "AirController"]


class Air(LocalLink):
    """The medium that all controllers share."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # bumble leaves it unannotated

    def send_acl_data(
        self, sender_controller: Controller, destination_address: hci.Address, transport: core.PhysicalTransport, data: bytes
    ) -> None:
        """Deliver ``data``; unlike the base class, from the address that the link was made with, so public addresses work too."""
        connection = sender_controller.le_connections.get(destination_address)
        receiver = self.find_le_controller(destination_address)
        if connection is None or receiver is None:
            return
        asyncio.get_running_loop().call_soon(receiver.on_link_acl_data, connection.self_address, transport, data)

    def leave(self, controller: Controller) -> None:
        """Take ``controller`` off the air, as when its host died: its peers see a supervision timeout."""
        for connection in list(controller.le_connections.values()):
            peer = self.find_le_controller(connection.peer_address)
            if peer is not None and (theirs := peer.le_connections.get(connection.self_address)) is not None:
                peer.on_le_disconnected(theirs, hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR)
        controller.le_connections.clear()
        controller.le_legacy_advertiser.stop()
        controller.set_packet_sink(None)
        self.remove_controller(controller)


class AirController(Controller):
    """A controller whose pending connect can be cancelled."""

    def on_hci_le_create_connection_cancel_command(
        self, command: hci.HCI_LE_Create_Connection_Cancel_Command
    ) -> hci.HCI_StatusReturnParameters:
        """Drop the pending connect and say so (Bluetooth Core, Vol 4 Part E 7.8.13)."""
        pending, self.pending_le_connection = self.pending_le_connection, None
        if pending is None:
            return hci.HCI_StatusReturnParameters(status=hci.HCI_ErrorCode.COMMAND_DISALLOWED_ERROR)
        self.send_hci_packet(
            hci.HCI_LE_Connection_Complete_Event(
                status=hci.HCI_ErrorCode.UNKNOWN_CONNECTION_IDENTIFIER_ERROR,
                connection_handle=0,
                role=hci.Role.CENTRAL,
                peer_address_type=pending.peer_address_type,
                peer_address=pending.peer_address,
                connection_interval=0,
                peripheral_latency=0,
                supervision_timeout=0,
                central_clock_accuracy=0,
            )
        )
        return hci.HCI_StatusReturnParameters(status=hci.HCI_ErrorCode.SUCCESS)
