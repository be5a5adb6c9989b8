"""The radio port on bleak: scan, connect and pair. With :mod:`wavewrap_gateway.adapters.ble_connection` the one place where bleak's errors
become ours.

Not responsible for reconnecting (:mod:`wavewrap_gateway.runtime.wrap_link`), nor for how each backend pairs
(:mod:`wavewrap_gateway.adapters.bonds`).
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from bleak import BleakClient, BleakScanner
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bleak.exc import BleakBluetoothNotAvailableError, BleakDBusError, BleakDeviceNotFoundError, BleakError

from wavewrap_gateway.adapters.ble_connection import FAILURES, GATT_TIMEOUT_S, BleakConnection, say
from wavewrap_gateway.adapters.bonds import Bonds
from wavewrap_gateway.adapters.bumble_bonds import BumbleBonds
from wavewrap_gateway.adapters.bumble_client import BumbleClient
from wavewrap_gateway.adapters.bumble_errors import ControllerGoneError, KeyRefusedError
from wavewrap_gateway.adapters.bumble_keys import BumbleKeys
from wavewrap_gateway.adapters.bumble_radio import BumbleRadio
from wavewrap_gateway.adapters.bumble_scanner import BumbleScanner
from wavewrap_gateway.adapters.system_bonds import SystemBonds
from wavewrap_gateway.runtime.ports import (
    BondDoubtedError,
    BondLostError,
    Connection,
    PairingRefusedError,
    PairingWantedError,
    Passkey,
    RadioDownError,
    Sighting,
)
from wavewrap_protocol import uuids
from wavewrap_protocol.enums import AdvertisingFlag
from wavewrap_protocol.errors import LinkError, UsageError
from wavewrap_protocol.payloads import Side

__all__ = ["BleakRadio", "forget_bond", "open_radio", "over_bumble"]

PLATFORM_REMEDY = "switch the Bluetooth adapter on (on Linux bluetoothd must run), or use another with --radio bumble:usb:0"

_NO_RADIO = ("org.freedesktop.DBus.Error.ServiceUnknown", "org.freedesktop.DBus.Error.NameHasNoOwner", "org.bluez.Error.NotReady")
"""D-Bus when bluetoothd does not run, and BlueZ when the adapter is off."""

BUMBLE_REMEDY = "plug the adapter in again, or start the simulator again"

CONNECT_S = 20.0
"""Of the connect that comes before a pairing, as for any other."""


Measure = Callable[[BleakClient, str], Awaitable[int | None]]
"""How many bytes one write to the characteristic of that UUID carries on a fresh link; ``None`` when the device has none."""


class BleakRadio:
    """An adapter driven by bleak. Implements :class:`wavewrap_gateway.runtime.ports.Radio`."""

    def __init__(
        self,
        scanner: dict[str, Any],
        client: dict[str, Any],
        bonds: Bonds,
        remedy: str,
        *,
        measure: Measure,
        revive: Callable[[], Awaitable[None]],
        close: Callable[[], Awaitable[None]],
    ) -> None:
        self._remedy = remedy
        self._bonds = bonds
        self._scanner_arguments = scanner
        self._client_arguments = client
        self._measure = measure
        self._revive = revive
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
            async with self._adapter:
                await self._revive()
                async with BleakScanner(on_seen, service_uuids=[uuids.SERVICE], **self._scanner_arguments):
                    try:
                        async with asyncio.timeout(timeout_s):
                            await satisfied.wait()
                    except TimeoutError:
                        pass  # the whole scan was asked for
        except ControllerGoneError as cause:
            raise RadioDownError(f"{cause}: {self._remedy}") from cause
        except (*FAILURES, ValueError) as cause:
            # No wrap has a part in it. A system bus that refuses the login, or has no usable address, is a ValueError of dbus-fast.
            raise RadioDownError(f"scanning failed ({say(cause)}): {self._remedy}") from cause
        return sorted(found.values(), key=lambda sighting: sighting.address)

    async def connect(self, sighting: Sighting, timeout_s: float) -> Connection:
        """A new client for a fresh sighting. Raises :class:`LinkError`."""
        async with self._adapter:
            return await self._connect(sighting, timeout_s)

    async def _connect(self, sighting: Sighting, timeout_s: float) -> BleakConnection:
        lost = asyncio.Event()
        client = self._client(sighting, timeout_s, lost)
        bonded: bool | None = None
        try:
            async with asyncio.timeout(timeout_s + GATT_TIMEOUT_S):
                bonded = await self._bonds.is_bonded(sighting.address)
                await client.connect()
                payload_bytes = await self._measure_or_close(client)
        except KeyRefusedError as cause:
            raise BondLostError(sighting.address) from cause
        except ControllerGoneError as cause:
            raise RadioDownError(f"{cause}: {self._remedy}") from cause
        except UsageError as cause:
            raise RadioDownError(str(cause)) from cause
        except FAILURES as cause:
            if isinstance(cause, BleakDBusError) and cause.dbus_error in _NO_RADIO:
                raise RadioDownError(f"connecting to {sighting.address} failed ({say(cause)}): {self._remedy}") from cause
            if isinstance(cause, TimeoutError):
                text = f"{sighting.address} did not answer within {timeout_s:g} s: bring the wrap nearer"
            else:
                text = f"connecting to {sighting.address} failed: {say(cause)}"
            if bonded and not self._bonds.tells and _may_be_a_lost_bond(cause):
                raise BondDoubtedError(f"{text}; if that goes on, it has forgotten this gateway: run 'wavewrap pair'") from cause
            if bonded is False and not self._bonds.tells and _was_let_go(cause):
                raise PairingWantedError(f"{text}; if that goes on and the wrap has a pairing button, run 'wavewrap pair'") from cause
            raise LinkError(text) from cause
        return BleakConnection(client, lost, payload_bytes, bonded=bonded, tells=self._bonds.tells)

    async def _measure_or_close(self, client: BleakClient) -> int | None:
        try:
            return await self._measure(client, uuids.PLAN)
        except BaseException:
            await client.disconnect()
            raise

    def _client(self, sighting: Sighting, timeout_s: float, lost: asyncio.Event) -> BleakClient:
        assert isinstance(sighting.handle, BLEDevice)  # only our own scan makes sightings
        return BleakClient(sighting.handle, disconnected_callback=lambda _client: lost.set(), timeout=timeout_s, **self._client_arguments)

    async def pair(self, sighting: Sighting, passkey: Passkey, timeout_s: float) -> None:
        """Bond, and leave the link to be made anew with the key. Raises :class:`LinkError`, mostly as :class:`PairingRefusedError`."""
        try:
            async with self._adapter, self._bonds.pairing(sighting.address, passkey) as bond_with:
                connection = await self._connect(sighting, CONNECT_S)
                try:
                    async with asyncio.timeout(timeout_s):
                        await bond_with(connection.client)
                finally:
                    await connection.disconnect()
        except TimeoutError as cause:
            raise PairingRefusedError(
                f"{sighting.address} did not pair within {timeout_s:g} s: press its pairing button and type the passkey sooner"
            ) from cause
        except ControllerGoneError as cause:
            raise RadioDownError(f"{cause}: {self._remedy}") from cause
        except FAILURES as cause:
            raise PairingRefusedError(f"{sighting.address} did not pair: {say(cause)}: press its pairing button and retry") from cause

    async def is_bonded(self, address: str) -> bool | None:
        """Whether this host has a bond with ``address``; ``None`` where the system does not tell. Raises :class:`LinkError`."""
        try:
            async with asyncio.timeout(GATT_TIMEOUT_S):
                return await self._bonds.is_bonded(address)
        except FAILURES as cause:
            raise LinkError(f"asking for the bond with {address} failed ({say(cause)}): {self._remedy}") from cause

    async def forget(self, address: str) -> None:
        """Remove this host's bond with ``address``, if there is one. Raises :class:`LinkError`."""
        try:
            async with self._adapter, asyncio.timeout(GATT_TIMEOUT_S):
                await self._bonds.forget(address)
        except FAILURES as cause:
            raise LinkError(f"removing the bond with {address} failed ({say(cause)}): {self._remedy}") from cause

    async def close(self) -> None:
        """Give the adapter back."""
        await self._close()


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


def _may_be_a_lost_bond(cause: BaseException) -> bool:
    """A wrap that has no key drops the link, which a stack may show as a time-out or as a failed connect."""
    if isinstance(cause, BleakDeviceNotFoundError | BleakBluetoothNotAvailableError):
        return False
    return isinstance(cause, TimeoutError | BleakError)


def _was_let_go(cause: BaseException) -> bool:
    """Linked, and let go before its services were known: bluetoothd reads protected values by itself, and who wants a pairing hangs up."""
    return isinstance(cause, BleakError) and not isinstance(
        cause, BleakDBusError | BleakDeviceNotFoundError | BleakBluetoothNotAvailableError
    )


@asynccontextmanager
async def open_radio(radio: str, keys: Path | None = None) -> AsyncIterator[BleakRadio]:
    """The radio that ``radio`` names: ``platform``, or ``bumble:<transport>``, whose bonds are in the file ``keys``.

    Without a file such a radio knows no wrap and none knows it, which is enough to scan. Raises :class:`UsageError` or :class:`LinkError`.
    """
    if radio == "platform":
        yield BleakRadio({}, {}, _platform_bonds(), PLATFORM_REMEDY, measure=_platform_measure(), revive=_leave_it, close=_leave_it)
        return
    kind, _, transport = radio.partition(":")
    if kind != "bumble" or not transport:
        raise UsageError(f"radio {radio!r}: use 'platform', or 'bumble:' and a transport such as 'bumble:usb:0'")
    host = BumbleRadio(transport, keys=BumbleKeys(keys, transport))
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


async def forget_bond(radio: str, keys: Path, address: str) -> bool:
    """Remove this host's bond with ``address`` on ``radio``, which need not be plugged in for that. Raises :class:`LinkError`.

    False where only the system itself can.
    """
    kind, _, transport = radio.partition(":")
    if kind == "bumble":
        await BumbleKeys(keys, transport).delete(address)
        return True
    async with open_radio(radio) as opened:
        bonded = await opened.is_bonded(address)
        if bonded:
            await opened.forget(address)
        return bonded is not None


def over_bumble(host: BumbleRadio) -> BleakRadio:
    """bleak on an open ``host``, which is closed with it."""
    scanner, client = {"backend": BumbleScanner, "radio": host}, {"backend": BumbleClient, "radio": host}
    return BleakRadio(scanner, client, BumbleBonds(host), BUMBLE_REMEDY, measure=_as_bleak_says, revive=host.revive, close=host.close)


def _platform_bonds() -> Bonds:
    if sys.platform == "linux":
        # dbus-fast is there on Linux only.
        from wavewrap_gateway.adapters.bluez_bonds import BluezBonds

        return BluezBonds()
    return SystemBonds()


def _platform_measure() -> Measure:
    if sys.platform == "linux":
        from wavewrap_gateway.adapters.bluez_mtu import read_payload_bytes

        return read_payload_bytes
    return _as_bleak_says


async def _as_bleak_says(client: BleakClient, uuid: str) -> int | None:
    characteristic = client.services.get_characteristic(uuid)
    return None if characteristic is None else int(characteristic.max_write_without_response_size)


async def _leave_it() -> None:
    """The platform's adapter belongs to the system."""
