"""The radio port on bleak: scan, connect, and GATT calls that cannot hang. The one place where bleak's errors become ours.

A link is usable until its first timeout: after that it is suspect and is closed. Not responsible for reconnecting
(:mod:`wavewrap_gateway.runtime.wrap_link`).
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from bleak import BleakClient, BleakScanner
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bleak.exc import BleakError

from wavewrap_gateway.adapters.bumble_radio import BumbleClient, BumbleRadio, BumbleScanner, ControllerGoneError
from wavewrap_gateway.runtime.ports import Connection, RadioLostError, Sighting
from wavewrap_protocol import uuids
from wavewrap_protocol.enums import AdvertisingFlag
from wavewrap_protocol.errors import LinkError, UsageError
from wavewrap_protocol.payloads import Side

__all__ = ["BleakConnection", "BleakRadio", "open_radio", "over_bumble"]

GATT_TIMEOUT_S = 5.0
"""Longest GATT call. Choice: bleak bounds only connect; five lease renewals fit, and the lease covers what is longer."""

PLATFORM_REMEDY = "switch the Bluetooth adapter on (on Linux bluetoothd must run), or use another with --radio bumble:usb:0"

_FAILURES = (BleakError, OSError, EOFError)
"""What bleak raises besides its own: time-outs (an OSError), a broken pipe, the end of a D-Bus stream."""

T = TypeVar("T")


class BleakConnection:
    """A connected client. Implements :class:`wavewrap_gateway.runtime.ports.Connection`."""

    def __init__(self, client: BleakClient, lost: asyncio.Event) -> None:
        self._client = client
        self._lost = lost

    @property
    def payload_bytes(self) -> int:
        """Bytes that one write carries, by the size the backend reports for the plan characteristic."""
        try:
            characteristic = self._client.services.get_characteristic(uuids.PLAN)
        except BleakError as cause:
            raise LinkError(f"the link was lost ({cause})") from cause
        if characteristic is None:
            raise LinkError("the device has no plan characteristic: it is no wavewrap wrap")
        return int(characteristic.max_write_without_response_size)

    async def _bounded(self, what: str, call: Awaitable[T]) -> T:
        """``call`` raced against the loss of the link and the time limit."""
        work = asyncio.ensure_future(call)
        lost = asyncio.ensure_future(self._lost.wait())
        try:
            await asyncio.wait({work, lost}, timeout=GATT_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                return work.result()
            if not self._lost.is_set():
                self._lost.set()
                raise LinkError(f"{what} took more than {GATT_TIMEOUT_S:g} s: the link is closed and made anew")
            raise LinkError(f"{what}: the link was lost")
        except _FAILURES as cause:
            raise LinkError(f"{what} failed: {_say(cause)}") from cause
        finally:
            lost.cancel()
            if not work.done():
                work.cancel()

    async def read(self, uuid: str) -> bytes:
        """Value of a characteristic."""
        return bytes(await self._bounded(f"reading {uuid}", self._client.read_gatt_char(uuid)))

    async def write(self, uuid: str, data: bytes, *, response: bool) -> None:
        """Write a characteristic."""
        await self._bounded(f"writing {uuid}", self._client.write_gatt_char(uuid, data, response=response))

    async def subscribe(self, uuid: str, receive: Callable[[bytes], None]) -> None:
        """Have ``receive`` called with every notification or indication."""
        await self._bounded(f"subscribing to {uuid}", self._client.start_notify(uuid, lambda _characteristic, data: receive(bytes(data))))

    async def wait_lost(self) -> None:
        """Return when the link is gone."""
        await self._lost.wait()

    async def disconnect(self) -> None:
        """Close the link; bounded, and quiet on one that is gone."""
        try:
            async with asyncio.timeout(GATT_TIMEOUT_S):
                await self._client.disconnect()
        except _FAILURES:
            # Already gone, which is what was asked for.
            self._lost.set()


class BleakRadio:
    """An adapter driven by bleak. Implements :class:`wavewrap_gateway.runtime.ports.Radio`."""

    def __init__(self, scanner: dict[str, Any], client: dict[str, Any], close: Callable[[], Awaitable[None]], remedy: str) -> None:
        self._remedy = remedy
        self._scanner_arguments = scanner
        self._client_arguments = client
        self._close = close
        # Starting a scan while a connect runs fails or freezes on BlueZ: one of them at a time.
        self._adapter = asyncio.Lock()

    async def scan(self, timeout_s: float, enough: Callable[[list[Sighting]], bool] | None = None) -> list[Sighting]:
        """Wraps seen within ``timeout_s``; returns early once ``enough`` says so. Raises :class:`LinkError`."""
        found: dict[str, Sighting] = {}
        satisfied = asyncio.Event()

        def on_seen(device: BLEDevice, advertisement: AdvertisementData) -> None:
            sighting = _sighting(device, advertisement)
            if sighting is not None:
                found[sighting.address] = sighting
                if enough is not None and enough(list(found.values())):
                    satisfied.set()

        try:
            async with self._adapter, BleakScanner(on_seen, service_uuids=[uuids.SERVICE], **self._scanner_arguments):
                try:
                    async with asyncio.timeout(timeout_s):
                        await satisfied.wait()
                except TimeoutError:
                    pass  # the whole scan was asked for
        except ControllerGoneError as cause:
            raise RadioLostError(f"{cause}: {self._remedy}") from cause
        except (*_FAILURES, ValueError) as cause:
            # A system bus that refuses the login, or has no usable address, is a ValueError of dbus-fast.
            raise LinkError(f"scanning failed ({_say(cause)}): {self._remedy}") from cause
        return sorted(found.values(), key=lambda sighting: sighting.address)

    async def connect(self, sighting: Sighting, timeout_s: float) -> Connection:
        """A new client for a fresh sighting. Raises :class:`LinkError`."""
        lost = asyncio.Event()
        assert isinstance(sighting.handle, BLEDevice)  # only our own scan makes sightings
        client = BleakClient(sighting.handle, disconnected_callback=lambda _client: lost.set(), timeout=timeout_s, **self._client_arguments)
        try:
            async with self._adapter:
                async with asyncio.timeout(timeout_s + GATT_TIMEOUT_S):
                    await client.connect()
        except TimeoutError as cause:
            raise LinkError(f"{sighting.address} did not answer within {timeout_s:g} s: bring the wrap nearer") from cause
        except ControllerGoneError as cause:
            raise RadioLostError(f"{cause}: {self._remedy}") from cause
        except _FAILURES as cause:
            raise LinkError(f"connecting to {sighting.address} failed: {_say(cause)}") from cause
        return BleakConnection(client, lost)

    async def close(self) -> None:
        """Give the adapter back."""
        await self._close()


def _say(cause: BaseException) -> str:
    """The text of ``cause``: bleak's errors and the system's carry a code before it, some carry nothing."""
    return str(cause.args[-1]) if cause.args else type(cause).__name__


def _sighting(device: BLEDevice, advertisement: AdvertisementData) -> Sighting | None:
    """What an advertisement says, or ``None`` when it carries no flags of ours."""
    content = advertisement.manufacturer_data.get(uuids.ADVERTISED_COMPANY_ID)
    if not content:
        return None
    flags = AdvertisingFlag(content[0] & 0x03)
    return Sighting(
        address=device.address,
        model=content[1:].decode("ascii", errors="replace"),
        side=Side.RIGHT if flags & AdvertisingFlag.RIGHT_SIDE else Side.LEFT,
        rssi_dbm=advertisement.rssi,
        pairing_window=bool(flags & AdvertisingFlag.PAIRING_WINDOW),
        handle=device,
    )


@asynccontextmanager
async def open_radio(radio: str) -> AsyncIterator[BleakRadio]:
    """The radio that ``radio`` names: ``platform``, or ``bumble:<transport>``. Raises :class:`UsageError` or :class:`LinkError`."""
    if radio == "platform":
        yield BleakRadio({}, {}, _nothing_to_close, PLATFORM_REMEDY)
        return
    kind, _, transport = radio.partition(":")
    if kind != "bumble" or not transport:
        raise UsageError(f"radio {radio!r}: use 'platform', or 'bumble:' and a transport such as 'bumble:usb:0'")
    host = BumbleRadio(transport)
    try:
        await host.open()
    except ValueError as cause:
        raise UsageError(f"radio {radio!r}: {cause}: write it as bumble:usb:0 or bumble:tcp-client:127.0.0.1:9001") from cause
    except BleakError as cause:
        raise LinkError(f"{cause.args[0]}: plug the adapter in, or start the simulator with 'wavewrap sim'") from cause
    opened = over_bumble(host)
    try:
        yield opened
    finally:
        await opened.close()


def over_bumble(host: BumbleRadio) -> BleakRadio:
    """bleak on an open ``host``, which is closed with it."""
    scanner, client = {"backend": BumbleScanner, "radio": host}, {"backend": BumbleClient, "radio": host}
    return BleakRadio(scanner, client, host.close, "see to the adapter or the simulator, then start again")


async def _nothing_to_close() -> None:
    """The platform's adapter belongs to the system."""
