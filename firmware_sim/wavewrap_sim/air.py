"""The virtual air: bumble's link and controllers, with what they lack to behave like a radio.

In a timed scenario every connection has connection events, loss, stalls, a supervision timeout and back-pressure
(:mod:`wavewrap_sim.link_layer`); in an untimed one a packet arrives in the next turn of the loop. Advertisements are lost and out of
range as the scenario says. Not modelled: channel hopping, collisions, the PHY's own error rate.
"""

import asyncio
from dataclasses import dataclass
from functools import partial
from random import Random

from bumble import core, hci, ll
from bumble.controller import Connection, Controller
from bumble.link import LocalLink
from bumble.transport.common import TransportSink, TransportSource

from wavewrap_sim.link_layer import Direction, LinkLayer, LinkTiming
from wavewrap_sim.outages import Outages
from wavewrap_sim.scenario import CLEAR, Scenario

__all__ = ["Air", "AirController"]

INTERVAL_UNIT_S = 1.25e-3
TIMEOUT_UNIT_S = 10e-3
"""Units of the connection parameters (Bluetooth Core, Vol 4 Part E 7.8.12)."""

TRANSMIT_WINDOW_S = 1.25e-3
"""From the connect request to the first possible event (Vol 6 Part B 4.5.3)."""

CONTROL_PDU_BYTES = 12
"""Size taken for a link-layer control PDU; the longest common one is the connection update."""


@dataclass(slots=True, eq=False)
class _TimedLink:
    """A connection between two controllers; ``layer`` is its time."""

    central: "AirController"
    peripheral: "AirController"
    central_address: hci.Address
    peripheral_address: hci.Address
    layer: LinkLayer

    def connections(self) -> list[tuple["AirController", Connection]]:
        """Each controller that still knows the connection, and what it knows it as."""
        ends = ((self.central, self.peripheral_address), (self.peripheral, self.central_address))
        return [(end, end.le_connections[peer]) for end, peer in ends if peer in end.le_connections]


class Air(LocalLink):
    """The medium that all controllers share, in ``scenario``. ``seed`` makes its losses and stalls repeat."""

    def __init__(self, scenario: Scenario = CLEAR, seed: int = 0) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # bumble leaves it unannotated
        self._loop = asyncio.get_running_loop()
        self._scenario = scenario
        self._begin_s = self._loop.time()
        self._seed = seed
        self._advertising_rng = Random(f"{seed}/advertising")
        self._links: list[_TimedLink] = []
        self._outages: dict[int, Outages] = {}
        self._connects = 0
        for change in scenario.interval_changes:
            self._loop.call_at(self._begin_s + change.at_s, self._change_intervals, change.interval_ms / 1000.0)

    # Advertising and connecting.

    def send_advertising_pdu(self, sender_controller: Controller, packet: ll.AdvertisingPdu) -> None:
        """Everybody in range hears it, unless it is lost; a connect request makes a link. Who has left is not heard."""
        if sender_controller not in self.controllers:
            return
        for receiver in sorted(self.controllers, key=lambda one: one.name):  # a set has no order that repeats
            if receiver is sender_controller or not self._hears(sender_controller, receiver, packet):
                continue
            self._loop.call_soon(self._deliver_advertising, sender_controller, receiver, packet)

    def _hears(self, sender: Controller, receiver: Controller, packet: ll.AdvertisingPdu) -> bool:
        wrap = next((end.wrap for end in (sender, receiver) if isinstance(end, AirController) and end.wrap is not None), None)
        if wrap is not None and self._outages_of(wrap).end_at(self._loop.time()) is not None:
            return False
        if isinstance(packet, ll.ConnectInd) or self._scenario.advertising_loss_pct == 0.0:
            return True
        return self._advertising_rng.random() * 100.0 >= self._scenario.advertising_loss_pct

    def _deliver_advertising(self, sender: Controller, receiver: Controller, packet: ll.AdvertisingPdu) -> None:
        known = set(receiver.le_connections)
        receiver.on_ll_advertising_pdu(packet)
        if isinstance(packet, ll.ConnectInd) and self._scenario.timed and set(receiver.le_connections) - known:
            assert isinstance(sender, AirController)  # only our controllers are on this air
            assert isinstance(receiver, AirController)
            self._open_link(sender, receiver, packet)

    def granted(self, interval_s: float) -> float:
        """The interval that a central gives to one who asks for ``interval_s``."""
        return max(interval_s, self._scenario.interval_ms / 1000.0) if self._scenario.timed else interval_s

    def _open_link(self, central: "AirController", peripheral: "AirController", request: ll.ConnectInd) -> None:
        timing = LinkTiming(self.granted(request.interval * INTERVAL_UNIT_S), request.latency, request.timeout * TIMEOUT_UNIT_S)
        self._connects += 1
        rng = Random(f"{self._seed}/{peripheral.wrap}/{self._connects}")
        anchor_s = self._loop.time() + TRANSMIT_WINDOW_S + rng.uniform(0.0, timing.interval_s)
        outages = self._outages_of(peripheral.wrap or 0)
        loss = self._scenario.event_loss_pct / 100.0
        layer = LinkLayer(timing, anchor_s, loss, outages, rng, lambda: self._share(central), lambda: self._lose(link))
        link = _TimedLink(central, peripheral, request.initiator_address, request.advertiser_address, layer)
        self._links.append(link)

    def _outages_of(self, wrap: int) -> Outages:
        if wrap not in self._outages:
            self._outages[wrap] = Outages(self._scenario, wrap, Random(f"{self._seed}/{wrap}/stalls"), self._begin_s)
        return self._outages[wrap]

    def fade(self, wrap: int, for_s: float) -> None:
        """From now on nothing gets through to ``wrap`` for ``for_s``, as when somebody walks off with it. In a timed scenario only."""
        now_s = self._loop.time()
        self._outages_of(wrap).add_fade(now_s, now_s + for_s)
        for link in self._links:
            if link.peripheral.wrap == wrap:
                link.layer.watch()

    def _share(self, central: Controller) -> float:
        return 1.0 / max(1, sum(link.central is central for link in self._links))

    def _link_of(self, controller: Controller, peer: hci.Address) -> tuple[_TimedLink, Direction] | None:
        for link in self._links:
            if link.central is controller and link.peripheral_address == peer:
                return link, Direction.TO_PERIPHERAL
            if link.peripheral is controller and link.central_address == peer:
                return link, Direction.TO_CENTRAL
        return None

    # Traffic.

    def send_acl_data(
        self, sender_controller: Controller, destination_address: hci.Address, transport: core.PhysicalTransport, data: bytes
    ) -> None:
        """Deliver ``data``; unlike the base class, from the address that the link was made with, so public addresses work too."""
        assert isinstance(sender_controller, AirController)  # only our controllers are on this air
        connection = sender_controller.le_connections.get(destination_address)
        receiver = self.find_le_controller(destination_address)
        fragments = sender_controller.take_fragments(connection)
        if connection is None or receiver is None:
            return
        source, handle = connection.self_address, connection.handle

        def arrive() -> None:
            sender_controller.complete(handle, fragments)
            if source in receiver.le_connections:
                receiver.on_link_acl_data(source, transport, data)

        found = self._link_of(sender_controller, destination_address)
        if found is not None:
            link, direction = found
            link.layer.send(direction, len(data), arrive)
        elif not self._scenario.timed:
            self._loop.call_soon(arrive)

    def send_ll_control_pdu(self, sender_address: hci.Address, receiver_address: hci.Address, packet: ll.ControlPdu) -> None:
        """A control PDU takes its turn among the data, so that a disconnect does not overtake what was sent before it."""
        receiver = self.find_le_controller(receiver_address)
        if receiver is None:
            return
        found = self._link_of(receiver, sender_address)
        if found is None:
            self._loop.call_soon(receiver.on_ll_control_pdu, sender_address, packet)
            return
        link, direction = found

        def arrive() -> None:
            if sender_address in receiver.le_connections:
                receiver.on_ll_control_pdu(sender_address, packet)
            if isinstance(packet, ll.TerminateInd):
                self._close(link)

        opposite = Direction.TO_CENTRAL if direction is Direction.TO_PERIPHERAL else Direction.TO_PERIPHERAL
        link.layer.send(opposite, CONTROL_PDU_BYTES, arrive)

    def update(self, controller: "AirController", connection: Connection, timing: LinkTiming) -> None:
        """The central moves the link to ``timing``; both hosts hear of it at the instant it takes effect."""
        found = self._link_of(controller, connection.peer_address)
        if found is None:
            for end in (controller, self.find_le_controller(connection.peer_address)):
                if isinstance(end, AirController):
                    end.tell_update(timing)
            return
        link, _ = found
        link.layer.update(timing, partial(self._tell_update, link, timing))

    def _tell_update(self, link: _TimedLink, timing: LinkTiming) -> None:
        for end, connection in link.connections():
            end.tell_update(timing, connection)

    def _change_intervals(self, interval_s: float) -> None:
        for link in list(self._links):
            now = link.layer.timing
            timing = LinkTiming(interval_s, now.latency, now.supervision_s)
            link.layer.update(timing, partial(self._tell_update, link, timing))

    # Ends.

    def _close(self, link: _TimedLink) -> None:
        link.layer.close()
        if link in self._links:
            self._links.remove(link)

    def _lose(self, link: _TimedLink) -> None:
        """The supervision timeout has run out: both sides are told."""
        self._close(link)
        for end, connection in link.connections():
            end.on_le_disconnected(connection, hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR)

    def fall_silent(self, controller: Controller) -> None:
        """``controller`` lost power: its links are gone at once for itself, after the supervision timeout for its peers."""
        for connection in list(controller.le_connections.values()):
            found = self._link_of(controller, connection.peer_address)
            peer = self.find_le_controller(connection.peer_address)
            controller.on_le_disconnected(connection, hci.HCI_ErrorCode.CONNECTION_TERMINATED_BY_LOCAL_HOST_ERROR)
            if found is not None:
                link, _ = found
                link.layer.close()
                self._loop.call_later(link.layer.timing.supervision_s, self._lose, link)
            elif peer is not None and connection.self_address in peer.le_connections:
                peer.on_le_disconnected(peer.le_connections[connection.self_address], hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR)

    def leave(self, controller: Controller) -> None:
        """Take ``controller`` off the air for good, as when its host died."""
        controller.set_packet_sink(None)
        self.fall_silent(controller)
        controller.le_legacy_advertiser.stop()
        self.remove_controller(controller)


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
        link: Air,
        public_address: str,
        wrap: int | None = None,
    ) -> None:
        super().__init__(name, host_source, host_sink, link, public_address)
        self._air = link
        self.wrap = wrap
        self._fragments: dict[int, int] = {}
        self._asked: ll.ConnectInd | None = None

    def on_hci_acl_data_packet(self, packet: hci.HCI_AclDataPacket) -> None:
        """Unlike the base class, a packet counts as completed when it was on air."""
        connection = self.find_connection_by_handle(packet.connection_handle)
        if connection is not None:
            self._fragments[packet.connection_handle] = self._fragments.get(packet.connection_handle, 0) + 1
            connection.assembler.feed_packet(packet)

    def take_fragments(self, connection: Connection | None) -> int:
        """HCI packets that made up the data sent now."""
        return 0 if connection is None else self._fragments.pop(connection.handle, 0)

    def complete(self, handle: int, packets: int) -> None:
        """Tell the host that its buffers are free again."""
        if packets and self.find_connection_by_handle(handle) is not None:
            self.send_hci_packet(hci.HCI_Number_Of_Completed_Packets_Event(connection_handles=[handle], num_completed_packets=[packets]))

    def send_hci_packet(self, packet: hci.HCI_Packet) -> None:
        """Corrects what the base class invents about a new connection."""
        if isinstance(packet, hci.HCI_LE_Connection_Complete_Event) and packet.status == hci.HCI_ErrorCode.SUCCESS:
            asked, self._asked = self._asked, None
            if asked is not None:
                packet.connection_interval, packet.peripheral_latency = asked.interval, asked.latency
                packet.supervision_timeout = asked.timeout
            interval_s = self._air.granted(packet.connection_interval * INTERVAL_UNIT_S)
            packet.connection_interval = round(interval_s / INTERVAL_UNIT_S)
        super().send_hci_packet(packet)

    def on_le_connect_ind(self, packet: ll.ConnectInd) -> None:
        """The host is told the parameters that the central really asked for."""
        self._asked = packet
        super().on_le_connect_ind(packet)

    def tell_update(self, timing: LinkTiming, connection: Connection | None = None) -> None:
        """Tell the host that ``timing`` is in force."""
        for one in [connection] if connection is not None else list(self.le_connections.values()):
            self.send_hci_packet(
                hci.HCI_LE_Connection_Update_Complete_Event(
                    status=hci.HCI_ErrorCode.SUCCESS,
                    connection_handle=one.handle,
                    connection_interval=round(timing.interval_s / INTERVAL_UNIT_S),
                    peripheral_latency=timing.latency,
                    supervision_timeout=round(timing.supervision_s / TIMEOUT_UNIT_S),
                )
            )

    def on_hci_le_connection_update_command(self, command: hci.HCI_LE_Connection_Update_Command) -> None:
        """Unlike the base class, the change takes effect some events later, for both sides (Bluetooth Core, Vol 4 Part E 7.8.18)."""
        connection = self.find_le_connection_by_handle(command.connection_handle)
        if connection is None:
            self._send_hci_command_status(hci.HCI_ErrorCode.UNKNOWN_CONNECTION_IDENTIFIER_ERROR, command.op_code)
            return
        self._send_hci_command_status(hci.HCI_COMMAND_STATUS_PENDING, command.op_code)
        interval_s = self._air.granted(command.connection_interval_max * INTERVAL_UNIT_S)
        timing = LinkTiming(interval_s, command.max_latency, command.supervision_timeout * TIMEOUT_UNIT_S)
        self._air.update(self, connection, timing)

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
