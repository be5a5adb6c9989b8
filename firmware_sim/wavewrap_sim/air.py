"""The virtual air: bumble's link with what it lacks to behave like a radio.

In a timed scenario every connection has connection events, loss, stalls, a supervision timeout and back-pressure
(:mod:`wavewrap_sim.link_layer`); in an untimed one a packet arrives in the next turn of the loop. Advertisements are lost and out of
range as the scenario says. Not modelled: channel hopping, collisions, the PHY's own error rate.
"""

import asyncio
from dataclasses import dataclass
from functools import partial
from math import ceil
from random import Random

from bumble import core, hci, ll
from bumble.controller import Connection, Controller
from bumble.link import LocalLink

from wavewrap_sim.air_controller import TIMEOUT_UNIT_S, AirController, timing_from_units
from wavewrap_sim.link_layer import Direction, LinkLayer, LinkTiming
from wavewrap_sim.outages import Outages
from wavewrap_sim.scenario import CLEAR, Scenario

__all__ = ["Air", "AirController"]

TRANSMIT_WINDOW_S = 1.25e-3
"""From the connect request to the first possible event (Bluetooth Core, Vol 6 Part B 4.5.3)."""

ESTABLISH_EVENTS = 6
"""A connection of which nothing is heard for so many events was never established (Vol 6 Part B 4.5)."""

CONTROL_PDU_BYTES = 12
"""Size taken for a link-layer control PDU; the longest common one is the connection update."""


@dataclass(slots=True, eq=False)
class _TimedLink:
    """A connection, as each of its controllers knows it; ``layer`` is its time."""

    central: Connection
    peripheral: Connection
    layer: LinkLayer

    def ends(self) -> list[Connection]:
        """Those ends whose controller still knows the connection; the next one between the same two is another."""
        return [end for end in (self.central, self.peripheral) if _is_up(end)]

    def across(self, connection: Connection) -> tuple[Connection, Direction]:
        """The end that hears what ``connection`` sends, and which way that is."""
        if connection is self.central:
            return self.peripheral, Direction.TO_PERIPHERAL
        return self.central, Direction.TO_CENTRAL


def _is_up(connection: Connection) -> bool:
    return connection.controller.le_connections.get(connection.peer_address) is connection


class Air(LocalLink):
    """The medium that all controllers share, in ``scenario``. ``seed`` makes its losses and stalls repeat."""

    def __init__(self, scenario: Scenario = CLEAR, seed: int = 0) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # bumble leaves it unannotated
        self._loop = asyncio.get_running_loop()
        self._scenario = scenario
        self._interval_s = scenario.interval_ms / 1000.0
        self._begin_s = self._loop.time()
        self._seed = seed
        self._advertising_rng = Random(f"{seed}/advertising")
        # The base class has a set, which goes by memory addresses: losses would not repeat.
        self._in_order: list[Controller] = []
        self._links: list[_TimedLink] = []
        self._outages: dict[int, Outages] = {}
        self._connects = 0
        for change in scenario.interval_changes:
            self._loop.call_at(self._begin_s + change.at_s, self._change_intervals, change.interval_ms / 1000.0)

    def add_controller(self, controller: Controller) -> None:
        """``controller`` is on the air from now on."""
        super().add_controller(controller)  # type: ignore[no-untyped-call]  # bumble leaves it unannotated
        self._in_order.append(controller)

    def remove_controller(self, controller: Controller) -> None:
        """``controller`` hears nothing any more; :meth:`leave` ends its links too."""
        super().remove_controller(controller)  # type: ignore[no-untyped-call]  # bumble leaves it unannotated
        self._in_order.remove(controller)

    # Advertising and connecting.

    def send_advertising_pdu(self, sender_controller: Controller, packet: ll.AdvertisingPdu) -> None:
        """Everybody in range hears it, unless it is lost; a connect request is for one."""
        if isinstance(packet, ll.ConnectInd):
            self._loop.call_soon(self._connect, sender_controller, packet)
            return
        for receiver in self._in_order:
            if receiver is not sender_controller and self._in_range(sender_controller, receiver) and not self._loses_advertisement():
                self._loop.call_soon(receiver.on_ll_advertising_pdu, packet)

    def _in_range(self, sender: Controller, receiver: Controller) -> bool:
        wrap = next((end.wrap for end in (sender, receiver) if isinstance(end, AirController) and end.wrap is not None), None)
        return wrap is None or self._outages_of(wrap).end_at(self._loop.time()) is None

    def _loses_advertisement(self) -> bool:
        loss_pct = self._scenario.advertising_loss_pct
        return loss_pct > 0.0 and self._advertising_rng.random() * 100.0 < loss_pct

    def _connect(self, sender: Controller, request: ll.ConnectInd) -> None:
        """The advertiser takes the request, unless somebody was faster or it is out of range; the sender believes it has a link."""
        central = sender.le_connections.get(request.advertiser_address)
        if central is None:
            return
        peripheral = self._accept(sender, request)
        asked = timing_from_units(request.interval, request.latency, request.timeout)
        if peripheral is None:
            self._loop.call_later(ESTABLISH_EVENTS * asked.interval_s, self._give_up, central)
        elif self._scenario.timed:
            self._open_link(central, peripheral, self.grant(asked))

    def _accept(self, sender: Controller, request: ll.ConnectInd) -> Connection | None:
        for receiver in self._in_order:
            before = receiver.le_connections.get(request.initiator_address)
            if receiver is not sender and self._in_range(sender, receiver):
                receiver.on_ll_advertising_pdu(request)
            after = receiver.le_connections.get(request.initiator_address)
            if after is not None and after is not before:
                return after
        return None

    def _give_up(self, connection: Connection) -> None:
        if _is_up(connection):
            connection.controller.on_le_disconnected(connection, hci.HCI_ErrorCode.CONNECTION_FAILED_TO_BE_ESTABLISHED_ERROR)

    def grant(self, asked: LinkTiming) -> LinkTiming:
        """What a central gives to one who asks: no shorter interval than its own, and a supervision timeout that the interval allows."""
        if not self._scenario.timed:
            return asked
        interval_s = max(asked.interval_s, self._interval_s)
        # More than twice the longest silence (Vol 4 Part E 7.8.12).
        least_s = (ceil(2.0 * (1 + asked.latency) * interval_s / TIMEOUT_UNIT_S) + 1) * TIMEOUT_UNIT_S
        return LinkTiming(interval_s, asked.latency, max(asked.supervision_s, least_s))

    def _open_link(self, central: Connection, peripheral: Connection, timing: LinkTiming) -> None:
        wrap = _wrap_of(peripheral.controller)
        self._connects += 1
        rng = Random(f"{self._seed}/{wrap}/{self._connects}")
        anchor_s = self._loop.time() + TRANSMIT_WINDOW_S + rng.uniform(0.0, timing.interval_s)
        loss = self._scenario.event_loss_pct / 100.0
        share = partial(self._share, central.controller)
        layer = LinkLayer(timing, anchor_s, loss, self._outages_of(wrap), rng, share, lambda: self._lose(link))
        link = _TimedLink(central, peripheral, layer)
        self._links.append(link)

    def _outages_of(self, wrap: int) -> Outages:
        if wrap not in self._outages:
            self._outages[wrap] = Outages(self._scenario, wrap, Random(f"{self._seed}/{wrap}/stalls"), self._begin_s)
        return self._outages[wrap]

    def _share(self, central: Controller) -> float:
        return 1.0 / max(1, sum(link.central.controller is central for link in self._links))

    def _link_of(self, connection: Connection) -> _TimedLink | None:
        return next((link for link in self._links if connection in (link.central, link.peripheral)), None)

    # Traffic.

    def send_acl_data(
        self, sender_controller: Controller, destination_address: hci.Address, transport: core.PhysicalTransport, data: bytes
    ) -> None:
        """Deliver ``data``; unlike the base class, from the address that the link was made with, so public addresses work too."""
        assert isinstance(sender_controller, AirController)  # only our controllers are on this air
        connection = sender_controller.le_connections.get(destination_address)
        fragments = sender_controller.take_fragments(connection)
        if connection is None:
            return
        link = self._link_of(connection)
        if link is not None:
            receiver, direction = link.across(connection)
            link.layer.send(direction, len(data), partial(self._arrive, connection, receiver, fragments, transport, data))
        elif not self._scenario.timed:
            peer = self.find_le_controller(destination_address)
            theirs = None if peer is None else peer.le_connections.get(connection.self_address)
            if theirs is not None:
                self._loop.call_soon(self._arrive, connection, theirs, fragments, transport, data)

    def _arrive(self, sender: Connection, receiver: Connection, fragments: int, transport: core.PhysicalTransport, data: bytes) -> None:
        if _is_up(sender) and isinstance(sender.controller, AirController):
            sender.controller.complete(sender, fragments)
        if _is_up(receiver):
            receiver.controller.on_link_acl_data(receiver.peer_address, transport, data)

    def send_ll_control_pdu(self, sender_address: hci.Address, receiver_address: hci.Address, packet: ll.ControlPdu) -> None:
        """A control PDU takes its turn among the data, so that a disconnect does not overtake what was sent before it."""
        for link in self._links:
            for connection in (link.central, link.peripheral):
                if (connection.self_address, connection.peer_address) == (sender_address, receiver_address):
                    receiver, direction = link.across(connection)
                    link.layer.send(direction, CONTROL_PDU_BYTES, partial(self._arrive_control, link, receiver, packet))
                    return
        peer = None if self._scenario.timed else self.find_le_controller(receiver_address)
        if peer is not None and sender_address in peer.le_connections:
            self._loop.call_soon(self._obey, peer.le_connections[sender_address], packet)

    def _arrive_control(self, link: _TimedLink, receiver: Connection, packet: ll.ControlPdu) -> None:
        self._obey(receiver, packet)
        if isinstance(packet, ll.TerminateInd):
            self._close(link)

    @staticmethod
    def _obey(receiver: Connection, packet: ll.ControlPdu) -> None:
        if _is_up(receiver):
            receiver.controller.on_ll_control_pdu(receiver.peer_address, packet)

    def update(self, connection: Connection, asked: LinkTiming) -> None:
        """The central moves the link to ``asked``, as far as it grants that; both hosts hear of it at the instant it takes effect."""
        timing, link = self.grant(asked), self._link_of(connection)
        if link is not None:
            link.layer.update(timing, partial(self._tell_update, link, timing))
        elif not self._scenario.timed:
            peer = self.find_le_controller(connection.peer_address)
            theirs = None if peer is None else peer.le_connections.get(connection.self_address)
            for end in (connection, theirs):
                if end is not None and isinstance(end.controller, AirController):
                    end.controller.tell_update(timing, end)

    @staticmethod
    def _tell_update(link: _TimedLink, timing: LinkTiming) -> None:
        for end in link.ends():
            if isinstance(end.controller, AirController):
                end.controller.tell_update(timing, end)

    def _change_intervals(self, interval_s: float) -> None:
        self._interval_s = interval_s
        for link in self._links:
            now = link.layer.timing
            timing = self.grant(LinkTiming(interval_s, now.latency, now.supervision_s))
            link.layer.update(timing, partial(self._tell_update, link, timing))

    # Ends.

    def _close(self, link: _TimedLink) -> None:
        link.layer.close()
        if link in self._links:
            self._links.remove(link)

    def _lose(self, link: _TimedLink) -> None:
        """The supervision timeout has run out: both sides are told."""
        self._close(link)
        for end in link.ends():
            end.controller.on_le_disconnected(end, hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR)

    def fall_silent(self, controller: Controller) -> None:
        """``controller`` lost power: its links are gone at once for itself, after the supervision timeout for its peers."""
        for connection in list(controller.le_connections.values()):
            link = self._link_of(connection)
            peer = self.find_le_controller(connection.peer_address)
            controller.on_le_disconnected(connection, hci.HCI_ErrorCode.CONNECTION_TERMINATED_BY_LOCAL_HOST_ERROR)
            if link is not None:
                self._close(link)
                self._loop.call_later(link.layer.timing.supervision_s, self._lose, link)
            elif peer is not None and connection.self_address in peer.le_connections:
                peer.on_le_disconnected(peer.le_connections[connection.self_address], hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR)

    def leave(self, controller: Controller) -> None:
        """Take ``controller`` off the air for good, as when its host died."""
        controller.set_packet_sink(None)
        self.fall_silent(controller)
        controller.le_legacy_advertiser.stop()
        self.remove_controller(controller)


def _wrap_of(controller: Controller) -> int:
    """Whose fades and stalls its links have."""
    return controller.wrap if isinstance(controller, AirController) and controller.wrap is not None else 0
