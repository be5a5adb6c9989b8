"""bleak's client on a bumble host: given to bleak as ``backend=``, with the open radio as the extra keyword ``radio``.

Every bumble error leaves here as bleak's own. Not responsible for retries or timeouts of GATT calls
(:mod:`wavewrap_gateway.adapters.ble_connection`).
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar, cast

from bleak.args import SizedBuffer
from bleak.assigned_numbers import CharacteristicPropertyName
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.client import BaseBleakClient, NotifyCallback
from bleak.backends.descriptor import BleakGATTDescriptor
from bleak.backends.service import BleakGATTService, BleakGATTServiceCollection
from bleak.exc import BleakError
from bumble.device import Peer
from bumble.gatt_client import CharacteristicProxy
from bumble.hci import HCI_ErrorCode

from wavewrap_gateway.adapters.bumble_errors import KeyRefusedError, as_bleak_errors, to_its_end
from wavewrap_gateway.adapters.bumble_radio import BumbleRadio
from wavewrap_gateway.adapters.bumble_scanner import spelled

__all__ = ["BumbleClient"]

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
        self._ended_by: int | None = None
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
        """Connect, encrypt where there is a bond, negotiate the MTU and discover the services.

        Raises :class:`BleakError`, as :class:`KeyRefusedError` when the peer has no key for the bond, or :class:`TimeoutError`.
        """
        timeout_s = kwargs.get("timeout", self._timeout)
        with as_bleak_errors():
            connection = await self._radio.connect(self.address, timeout_s)
            connection.on(connection.EVENT_DISCONNECTION, self._on_disconnection)
            peer = Peer(connection)
            self._peer = peer
            try:
                async with asyncio.timeout(timeout_s):
                    await self._encrypt(peer)
                    await to_its_end(self._explore(peer, pair))
                self.services = self._collect_services(peer)
            except BaseException:
                # This ends what still explores, too.
                await self.disconnect()
                raise

    async def _encrypt(self, peer: Peer) -> None:
        """Encrypt with the bond's key, if there is one; a peer with another key ends the link (Bluetooth Core, Vol 6 Part B 5.1.3.1)."""
        if await self._radio.keys.get(self.address) is None:
            return
        try:
            with as_bleak_errors():
                await to_its_end(peer.connection.encrypt())
        except BleakError as cause:
            if self._ended_by == HCI_ErrorCode.CONNECTION_TERMINATED_DUE_TO_MIC_FAILURE_ERROR:
                raise KeyRefusedError("the peer has another key for this link") from cause
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
            service = BleakGATTService(found, found.handle, spelled(found.uuid))
            collection.add_service(service)
            for proxy in found.characteristics:
                properties = [name for bit, name in _PROPERTY_NAMES if int(proxy.properties) & bit]
                collection.add_characteristic(
                    BleakGATTCharacteristic(proxy, proxy.handle, spelled(proxy.uuid), properties, lambda: peer.gatt_client.mtu - 3, service)
                )
        return collection

    def _on_disconnection(self, reason: int) -> None:
        self._ended_by = reason
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
        with as_bleak_errors():
            async with self._requesting:
                if self._unanswered is not None:
                    await asyncio.wait({self._unanswered})
                self._unanswered = asyncio.ensure_future(request())
                return await to_its_end(self._unanswered)

    async def disconnect(self) -> None:
        """Close the link; a lost one is closed already."""
        peer, self._peer = self._peer, None
        if peer is not None and not self._radio.lost.is_set():
            with as_bleak_errors():
                await peer.connection.disconnect()

    async def pair(self, *args: Any, **kwargs: Any) -> None:
        """Pair with the passkey that :meth:`BumbleRadio.pairing` asks for. Raises :class:`SmpError` when that fails."""
        with as_bleak_errors():
            await self._connected_peer.connection.pair()

    async def unpair(self) -> None:
        """Forget the bond of this address."""
        await self._radio.keys.delete(self.address)

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
        with as_bleak_errors():
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
