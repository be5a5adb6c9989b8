"""A controller on the air: bumble's, with what it lacks in flow control, connection parameters and connects that are given up.

Not responsible for when a packet arrives (:mod:`wavewrap_sim.air`).
"""

from typing import TYPE_CHECKING

from bumble import hci, ll
from bumble.controller import Connection, Controller
from bumble.transport.common import TransportSink, TransportSource

from wavewrap_sim.link_layer import LinkTiming

if TYPE_CHECKING:
    from wavewrap_sim.air import Air

__all__ = ["AirController", "timing_from_units"]

INTERVAL_UNIT_S = 1.25e-3
TIMEOUT_UNIT_S = 10e-3
"""Units of the connection parameters (Bluetooth Core, Vol 4 Part E 7.8.12)."""


def timing_from_units(interval: int, latency: int, timeout: int) -> LinkTiming:
    """Connection parameters as HCI and the link layer carry them."""
    return LinkTiming(interval * INTERVAL_UNIT_S, latency, timeout * TIMEOUT_UNIT_S)


def _units_of(timing: LinkTiming) -> tuple[int, int, int]:
    return round(timing.interval_s / INTERVAL_UNIT_S), timing.latency, round(timing.supervision_s / TIMEOUT_UNIT_S)


class AirController(Controller):
    """A controller with real back-pressure, true connection parameters, and a connect that can be cancelled.

    ``wrap`` counts the simulated wraps from 0 and is ``None`` for a gateway's controller.
    """

    le_acl_data_packet_length = 251
    """With data-length extension (Vol 6 Part B 4.5.10): a notification is one packet."""

    total_num_le_acl_data_packets = 8
    """Choice: a small buffer, as controllers have; more waits in the host."""

    def __init__(
        self,
        name: str,
        host_source: TransportSource | None = None,
        host_sink: TransportSink | None = None,
        *,
        link: "Air",
        public_address: str,
        wrap: int | None = None,
    ) -> None:
        super().__init__(name, host_source, host_sink, link, public_address)
        self._air = link
        self.wrap = wrap
        self._fragments: dict[int, int] = {}
        self._asked: LinkTiming | None = None

    def on_hci_acl_data_packet(self, packet: hci.HCI_AclDataPacket) -> None:
        """Unlike the base class, a packet counts as completed when it was on air."""
        connection = self.find_connection_by_handle(packet.connection_handle)
        if connection is not None:
            self._fragments[packet.connection_handle] = self._fragments.get(packet.connection_handle, 0) + 1
            connection.assembler.feed_packet(packet)

    def take_fragments(self, connection: Connection | None) -> int:
        """HCI packets that made up the data sent now."""
        return 0 if connection is None else self._fragments.pop(connection.handle, 0)

    def complete(self, connection: Connection, packets: int) -> None:
        """Tell the host that its buffers are free again."""
        if packets:
            self.send_hci_packet(
                hci.HCI_Number_Of_Completed_Packets_Event(connection_handles=[connection.handle], num_completed_packets=[packets])
            )

    def send_hci_packet(self, packet: hci.HCI_Packet) -> None:
        """Corrects what the base class invents about a new connection."""
        if isinstance(packet, hci.HCI_LE_Connection_Complete_Event) and packet.status == hci.HCI_ErrorCode.SUCCESS:
            asked = (
                self._asked
                if self._asked is not None
                else timing_from_units(packet.connection_interval, packet.peripheral_latency, packet.supervision_timeout)
            )
            granted = _units_of(self._air.grant(asked))
            packet.connection_interval, packet.peripheral_latency, packet.supervision_timeout = granted
        super().send_hci_packet(packet)

    def on_le_connect_ind(self, packet: ll.ConnectInd) -> None:
        """The host is told the parameters that the central really asked for."""
        self._asked = timing_from_units(packet.interval, packet.latency, packet.timeout)
        super().on_le_connect_ind(packet)
        self._asked = None

    def on_le_disconnected(self, connection: Connection, reason: int) -> None:
        """What the host has handed over in part is not counted for the next connection with this handle."""
        self._fragments.pop(connection.handle, None)
        super().on_le_disconnected(connection, reason)

    def tell_update(self, timing: LinkTiming, connection: Connection) -> None:
        """Tell the host that ``timing`` is in force."""
        interval, latency, timeout = _units_of(timing)
        self.send_hci_packet(
            hci.HCI_LE_Connection_Update_Complete_Event(
                status=hci.HCI_ErrorCode.SUCCESS,
                connection_handle=connection.handle,
                connection_interval=interval,
                peripheral_latency=latency,
                supervision_timeout=timeout,
            )
        )

    def on_hci_le_connection_update_command(self, command: hci.HCI_LE_Connection_Update_Command) -> None:
        """Unlike the base class, the change takes effect some events later, for both sides (Bluetooth Core, Vol 4 Part E 7.8.18)."""
        connection = self.find_le_connection_by_handle(command.connection_handle)
        if connection is None:
            self._send_hci_command_status(hci.HCI_ErrorCode.UNKNOWN_CONNECTION_IDENTIFIER_ERROR, command.op_code)
            return
        self._send_hci_command_status(hci.HCI_COMMAND_STATUS_PENDING, command.op_code)
        asked = timing_from_units(command.connection_interval_max, command.max_latency, command.supervision_timeout)
        self._air.update(connection, asked)

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
