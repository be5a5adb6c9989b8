"""A bleak backend on a bumble host: the same bleak API over any HCI transport (simulator, dongle, serial).

:class:`BumbleScanner` and :class:`BumbleClient` are given to bleak as ``backend=``, with the open :class:`BumbleRadio` as the extra keyword
``radio``. Every bumble error leaves here as bleak's own. Not responsible for retries or timeouts of GATT calls
(:mod:`wavewrap_gateway.adapters.ble`).
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar, cast
from uuid import UUID

from bleak.args import SizedBuffer
from bleak.assigned_numbers import CharacteristicPropertyName
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.client import BaseBleakClient, NotifyCallback
from bleak.backends.descriptor import BleakGATTDescriptor
from bleak.backends.scanner import AdvertisementData, AdvertisementDataCallback, BaseBleakScanner
from bleak.backends.service import BleakGATTService, BleakGATTServiceCollection
from bleak.exc import BleakBluetoothNotAvailableError, BleakBluetoothNotAvailableReason, BleakError, BleakGATTProtocolError
from bumble import core, hci
from bumble.att import ATT_Error
from bumble.device import Advertisement, Device, Peer
from bumble.device import Connection as BumbleConnection
from bumble.gatt_client import CharacteristicProxy
from bumble.host import Host
from bumble.transport import open_transport
from bumble.transport.common import Transport

__all__ = ["BumbleClient", "BumbleRadio", "BumbleScanner", "ControllerGoneError"]

T = TypeVar("T")

_ATT_MTU = 247
"""Fills one data-length-extended link-layer packet (251 bytes less the 4 of L2CAP)."""

_PROPERTY_NAMES: tuple[tuple[int, CharacteristicPropertyName], ...] = (
    (0x02, "read"),
    (0x04, "write-without-response"),
    (0x08, "write"),
    (0x10, "notify"),
    (0x20, "indicate"),
)


_ABANDON_S = 2.0
"""Longest wait for a controller to drop a connect that nobody wants any more. Choice: it answers within one advertising interval."""


class ControllerGoneError(BleakError):
    """The transport has ended; bumble opens no second one under the same host."""


@contextmanager
def _as_bleak_errors() -> Iterator[None]:
    """Raise bumble's errors as bleak's."""
    try:
        yield
    except ATT_Error as cause:
        raise BleakGATTProtocolError(int(cause.error_code)) from cause
    except (core.TimeoutError, core.CommandTimeoutError) as cause:
        raise TimeoutError(str(cause) or "the controller did not answer in time") from cause
    except (core.BaseBumbleError, hci.HCI_Error) as cause:
        raise BleakError(str(cause) or type(cause).__name__) from cause
    except asyncio.CancelledError as cause:
        # bumble cancels the pending future when the link goes; a cancellation that was meant for us must pass.
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        raise BleakError("the link was lost during the operation") from cause


def _to_its_end(work: Awaitable[T]) -> Awaitable[T]:
    """``work``, which goes on when its caller is cancelled.

    bumble cannot bear to have a request cancelled whose answer is on its way: the answer raises inside its transport, or is taken for the
    next request's.
    """
    running = asyncio.ensure_future(work)
    # Nobody may be left to hear how it ended.
    running.add_done_callback(lambda done: done.cancelled() or done.exception())
    return asyncio.shield(running)


class BumbleRadio:
    """One HCI transport with a bumble host on it. ``open_transport`` turns ``transport_spec`` into the transport."""

    def __init__(self, transport_spec: str, open_transport: Callable[[str], Awaitable[Transport]] = open_transport) -> None:
        self._spec = transport_spec
        self._open_transport = open_transport
        self._transport: Transport | None = None
        self._device: Device | None = None
        self._connecting = asyncio.Lock()
        self.lost = asyncio.Event()

    async def open(self, timeout_s: float = 10.0) -> None:
        """Open the transport and reset the controller.

        Raises :class:`BleakBluetoothNotAvailableError`, and :class:`ValueError` for a specification that cannot be read.
        """
        try:
            async with asyncio.timeout(timeout_s):
                # A transport lets out whatever its library raises (usb1's errors and bumble's have no root in common).
                (transport,) = await asyncio.gather(self._open_transport(self._spec), return_exceptions=True)
                if isinstance(transport, ValueError):
                    raise ValueError(f"no transport can be read from it ({transport})") from transport
                if isinstance(transport, BaseException):
                    raise self._not_available(transport)
                self._transport = transport
                host = Host(transport.source, transport.sink)
                host.on("flush", self.lost.set)
                device = Device(name="wavewrap", address=hci.Address.generate_static_address(), host=host)
                await device.power_on()
        except (OSError, core.BaseBumbleError, hci.HCI_Error) as cause:
            await self.close()
            raise self._not_available(cause) from cause
        self._device = device

    def _not_available(self, cause: BaseException) -> BleakBluetoothNotAvailableError:
        detail = "no answer in time" if isinstance(cause, TimeoutError) else str(cause) or type(cause).__name__
        return BleakBluetoothNotAvailableError(f"no controller at {self._spec}: {detail}", BleakBluetoothNotAvailableReason.NO_BLUETOOTH)

    @property
    def device(self) -> Device:
        """The bumble device. Raises :class:`ControllerGoneError` when the radio is not open or its transport is gone."""
        if self._device is None or self.lost.is_set():
            raise ControllerGoneError(f"the controller at {self._spec} is gone")
        return self._device

    async def connect(self, address: str, timeout_s: float) -> BumbleConnection:
        """An LE connection; one attempt at a time, as a controller has only one initiator.

        Raises bumble's errors, and :class:`ControllerGoneError`.
        """
        async with self._connecting:
            device = self.device
            attempt = asyncio.ensure_future(
                device.connect(hci.Address(address), transport=core.PhysicalTransport.LE, timeout=timeout_s, always_resolve=False)
            )
            lost = asyncio.ensure_future(self.lost.wait())
            try:
                await asyncio.wait({attempt, lost}, return_when=asyncio.FIRST_COMPLETED)
                if lost.done():
                    raise ControllerGoneError(f"the controller at {self._spec} is gone")
                return attempt.result()
            finally:
                lost.cancel()
                if not attempt.done():
                    await self._abandon(device, attempt)

    async def _abandon(self, device: Device, attempt: asyncio.Task[BumbleConnection]) -> None:
        """End ``attempt``. Left alone, the controller would go on trying and refuse every later connect."""
        if not self.lost.is_set():
            cancelling = asyncio.ensure_future(device.send_sync_command(hci.HCI_LE_Create_Connection_Cancel_Command()))
            await asyncio.wait({attempt}, timeout=_ABANDON_S)
            cancelling.cancel()
            # Refused when the connect has just come through; its outcome is looked at below.
            await asyncio.gather(cancelling, return_exceptions=True)
        attempt.cancel()
        (outcome,) = await asyncio.gather(attempt, return_exceptions=True)
        if isinstance(outcome, BumbleConnection):
            with _as_bleak_errors():
                await outcome.disconnect()

    async def close(self) -> None:
        """Close the transport. Never raises for one that is already gone."""
        transport, self._transport = self._transport, None
        if transport is not None:
            await transport.close()


class BumbleScanner(BaseBleakScanner):
    """bleak's scanner on a :class:`BumbleRadio`."""

    def __init__(
        self,
        detection_callback: AdvertisementDataCallback | None,
        service_uuids: list[str] | None,
        scanning_mode: str,
        *,
        radio: BumbleRadio,
        **_other_platforms: object,
    ) -> None:
        super().__init__(detection_callback, service_uuids)
        self._radio = radio
        self._active = scanning_mode == "active"

    async def start(self) -> None:
        """Start scanning. Raises :class:`BleakError`."""
        self.seen_devices = {}
        with _as_bleak_errors():
            device = self._radio.device
            device.on(Device.EVENT_ADVERTISEMENT, self._on_advertisement)
            starting = asyncio.ensure_future(device.start_scanning(active=self._active))
            try:
                await _to_its_end(starting)
            except BaseException as cause:
                device.remove_listener(Device.EVENT_ADVERTISEMENT, self._on_advertisement)
                if isinstance(cause, asyncio.CancelledError) and not self._radio.lost.is_set():
                    await asyncio.wait({starting})
                    await device.stop_scanning()
                raise

    async def stop(self) -> None:
        """Stop scanning. Raises :class:`BleakError`."""
        with _as_bleak_errors():
            device = self._radio.device
            device.remove_listener(Device.EVENT_ADVERTISEMENT, self._on_advertisement)
            await _to_its_end(device.stop_scanning())

    def _on_advertisement(self, advertisement: Advertisement) -> None:
        data = advertisement.data
        kinds = core.AdvertisingData.Type
        uuids = [
            _spelled(uuid)
            for kind in (
                kinds.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS,
                kinds.INCOMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS,
            )
            for found in data.get_all(kind)
            for uuid in found
        ]
        makers = {int(company): bytes(content) for company, content in data.get_all(kinds.MANUFACTURER_SPECIFIC_DATA)}
        name = data.get(kinds.COMPLETE_LOCAL_NAME) or data.get(kinds.SHORTENED_LOCAL_NAME)
        seen = AdvertisementData(
            local_name=name,
            manufacturer_data=makers,
            service_data={},
            service_uuids=uuids,
            tx_power=None,
            rssi=advertisement.rssi,
            platform_data=(advertisement,),
        )
        if not self.is_allowed_uuid(seen.service_uuids):
            return
        address = str(advertisement.address).split("/")[0]
        device = self.create_or_update_device(address, address, seen.local_name, advertisement.address, seen)
        self.call_detection_callbacks(device, seen)


def _spelled(uuid: core.UUID) -> str:
    """``uuid`` at full length in bleak's spelling; bumble keeps the bytes in wire order."""
    return str(UUID(bytes=bytes(reversed(uuid.uuid_128_bytes))))


class BumbleClient(BaseBleakClient):
    """bleak's client on a :class:`BumbleRadio`."""

    def __init__(
        self,
        address_or_ble_device: Any,
        *,
        disconnected_callback: Callable[[], None] | None,
        timeout: float,
        radio: BumbleRadio,
        **_other_platforms: object,
    ) -> None:
        super().__init__(address_or_ble_device, disconnected_callback=disconnected_callback, timeout=timeout)
        self._radio = radio
        self._peer: Peer | None = None
        self._subscriptions: dict[int, Callable[[bytes], None]] = {}
        self._requesting = asyncio.Lock()
        self._unanswered: asyncio.Future[Any] | None = None

    @property
    def name(self) -> str:
        """The address: bumble keeps no names."""
        return self.address

    @property
    def mtu_size(self) -> int:
        """Negotiated ATT MTU in bytes."""
        return self._connected_peer.gatt_client.mtu

    @property
    def is_connected(self) -> bool:
        """Whether the link is up."""
        return self._peer is not None

    async def connect(self, pair: bool, **kwargs: Any) -> None:
        """Connect, negotiate the MTU and discover the services. Raises :class:`BleakError` or :class:`TimeoutError`."""
        timeout_s = kwargs.get("timeout", self._timeout)
        with _as_bleak_errors():
            connection = await self._radio.connect(self.address, timeout_s)
            connection.on(connection.EVENT_DISCONNECTION, self._on_disconnection)
            peer = Peer(connection)
            self._peer = peer
            try:
                async with asyncio.timeout(timeout_s):
                    await _to_its_end(self._explore(peer, pair))
                self.services = self._collect_services(peer)
            except BaseException:
                # This ends what still explores, too.
                await self.disconnect()
                raise

    @staticmethod
    async def _explore(peer: Peer, pair: bool) -> None:
        await peer.request_mtu(_ATT_MTU)
        if pair:
            await peer.connection.pair()
        await peer.discover_services()
        for service in peer.services:
            await service.discover_characteristics()

    def _collect_services(self, peer: Peer) -> BleakGATTServiceCollection:
        collection = BleakGATTServiceCollection()
        for found in peer.services:
            service = BleakGATTService(found, found.handle, _spelled(found.uuid))
            collection.add_service(service)
            for proxy in found.characteristics:
                properties = [name for bit, name in _PROPERTY_NAMES if int(proxy.properties) & bit]
                collection.add_characteristic(
                    BleakGATTCharacteristic(
                        proxy, proxy.handle, _spelled(proxy.uuid), properties, lambda: peer.gatt_client.mtu - 3, service
                    )
                )
        return collection

    def _on_disconnection(self, _reason: int) -> None:
        self._peer = None
        self.services = None
        self._subscriptions.clear()
        if self._disconnected_callback is not None:
            self._disconnected_callback()

    @property
    def _connected_peer(self) -> Peer:
        if self._peer is None:
            raise BleakError("not connected")
        return self._peer

    async def _request(self, request: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run ``request``, one at a time. Raises :class:`BleakError`.

        A caller that gives up leaves it running: ATT answers carry no number, so the late one could be taken for the next request's.
        """
        with _as_bleak_errors():
            async with self._requesting:
                if self._unanswered is not None:
                    await asyncio.wait({self._unanswered})
                self._unanswered = asyncio.ensure_future(request())
                return await _to_its_end(self._unanswered)

    async def disconnect(self) -> None:
        """Close the link; a lost one is closed already."""
        peer, self._peer = self._peer, None
        if peer is not None and not self._radio.lost.is_set():
            with _as_bleak_errors():
                await peer.connection.disconnect()

    async def pair(self, *args: Any, **kwargs: Any) -> None:
        """Pair as the radio's pairing configuration says. Raises :class:`BleakError`."""
        with _as_bleak_errors():
            await self._connected_peer.connection.pair()

    async def unpair(self) -> None:
        """Forget the bond of this address."""
        keystore = self._radio.device.keystore
        if keystore is not None:
            with _as_bleak_errors():
                await keystore.delete(self.address)

    async def read_gatt_char(self, characteristic: BleakGATTCharacteristic, *, use_cached: bool = False, **kwargs: Any) -> bytearray:
        """Value of a characteristic, always read from the device. Raises :class:`BleakError`."""
        return bytearray(await self._request(lambda: self._connected_peer.read_value(characteristic.handle)))

    async def read_gatt_descriptor(self, descriptor: BleakGATTDescriptor, *, use_cached: bool = False, **kwargs: Any) -> bytearray:
        """Value of a descriptor, always read from the device. Raises :class:`BleakError`."""
        return bytearray(await self._request(lambda: self._connected_peer.read_value(descriptor.handle)))

    async def write_gatt_char(self, characteristic: BleakGATTCharacteristic, data: SizedBuffer, response: bool) -> None:
        """Write a characteristic. Raises :class:`BleakError`."""
        if response:
            await self._request(lambda: self._connected_peer.write_value(characteristic.handle, bytes(data), with_response=True))
            return
        with _as_bleak_errors():
            await self._connected_peer.write_value(characteristic.handle, bytes(data), with_response=False)

    async def write_gatt_descriptor(self, descriptor: BleakGATTDescriptor, data: SizedBuffer) -> None:
        """Write a descriptor. Raises :class:`BleakError`."""
        await self._request(lambda: self._connected_peer.write_value(descriptor.handle, bytes(data), with_response=True))

    async def start_notify(self, characteristic: BleakGATTCharacteristic, callback: NotifyCallback, **kwargs: Any) -> None:
        """Subscribe. Raises :class:`BleakError`."""

        def receive(value: bytes) -> None:
            callback(bytearray(value))

        proxy = cast("CharacteristicProxy[bytes]", characteristic.obj)
        await self._request(lambda: self._connected_peer.subscribe(proxy, receive))
        self._subscriptions[characteristic.handle] = receive

    async def stop_notify(self, characteristic: BleakGATTCharacteristic) -> None:
        """Unsubscribe. Raises :class:`BleakError`."""
        receive = self._subscriptions.pop(characteristic.handle, None)
        proxy = cast("CharacteristicProxy[bytes]", characteristic.obj)
        await self._request(lambda: self._connected_peer.unsubscribe(proxy, receive))
