"""Bonds in BlueZ: bleak pairs, our agent hands the passkey over, and BlueZ keeps the keys. Linux only."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bleak import BleakClient
from bleak.exc import BleakDBusError, BleakError
from dbus_fast.aio import MessageBus

from wavewrap_gateway.adapters.bluez_agent import PasskeyAgent, open_agent
from wavewrap_gateway.adapters.bluez_bus import call, find_device, open_system_bus
from wavewrap_gateway.adapters.bonds import BondWith
from wavewrap_gateway.runtime.ports import PairingRefusedError, Passkey

__all__ = ["BluezBonds"]

_POLL_S = 0.2
_TIDY_UP_S = 5.0
"""Longest wait for BlueZ to remove a wrap after a pairing that failed, which is told in any case. Choice: it first ends the link, for which
BlueZ 5.66 took 2 s."""

_log = logging.getLogger(__name__)

_IN_PROGRESS = "org.bluez.Error.InProgress"
_ALREADY_EXISTS = "org.bluez.Error.AlreadyExists"

_REASONS = {
    "org.bluez.Error.AuthenticationFailed": "the passkey is wrong, or its pairing window is closed: press its pairing button and try again",
    "org.bluez.Error.AuthenticationRejected": "its pairing window is closed: press its pairing button",
    "org.bluez.Error.AuthenticationCanceled": "the pairing was broken off: press its pairing button and try again",
    "org.bluez.Error.AuthenticationTimeout": "the passkey came too late: press its pairing button and type it sooner",
}


class BluezBonds:
    """The bonds that BlueZ keeps. Implements :class:`wavewrap_gateway.adapters.bonds.Bonds`."""

    tells = False

    @asynccontextmanager
    async def pairing(self, address: str, passkey: Passkey) -> AsyncIterator[BondWith]:
        """Our agent is the system's while the context is open; a pairing that ends in an error leaves nothing in BlueZ."""
        async with open_system_bus() as bus, open_agent(bus, address, passkey) as agent:

            async def bond_with(client: BleakClient) -> None:
                try:
                    await _bond(bus, agent, client)
                except BaseException:
                    # Also when nobody wants it any more: BlueZ would go on, and bleak has marked the wrap as trusted.
                    await _tidy_up(bus, address)
                    raise

            yield bond_with

    async def is_bonded(self, address: str) -> bool | None:
        """What BlueZ says."""
        async with open_system_bus() as bus:
            return await _is_paired(bus, address)

    async def forget(self, address: str) -> None:
        """Remove what BlueZ has of the wrap; it must be seen again before the next connect."""
        async with open_system_bus() as bus:
            await _remove(bus, address)


async def _bond(bus: MessageBus, agent: PasskeyAgent, client: BleakClient) -> None:
    try:
        await client.pair()
    except BleakDBusError as cause:
        if cause.dbus_error == _IN_PROGRESS:
            # BlueZ has begun by itself, with our agent, because something of its own read a protected value.
            await _until_paired(bus, client)
        elif cause.dbus_error != _ALREADY_EXISTS:
            reason = "no passkey was given" if agent.broken_off else _REASONS.get(cause.dbus_error, f"{cause}: press its pairing button")
            raise PairingRefusedError(f"{client.address} did not pair: {reason}") from cause
    if not agent.asked:
        raise PairingRefusedError(
            f"{client.address} did not pair: it asked for no passkey, so nobody can tell who it is: use a wrap with a display"
        )


async def _until_paired(bus: MessageBus, client: BleakClient) -> None:
    while not await _is_paired(bus, client.address):
        if not client.is_connected:
            raise PairingRefusedError(f"{client.address} did not pair: {_REASONS['org.bluez.Error.AuthenticationFailed']}")
        await asyncio.sleep(_POLL_S)


async def _is_paired(bus: MessageBus, address: str) -> bool:
    found = await find_device(bus, address)
    # "Bonded" (the keys are stored) came with BlueZ 5.65; before it "Paired" said both.
    return found is not None and bool(found[1].get("Bonded", found[1].get("Paired", False)))


async def _tidy_up(bus: MessageBus, address: str) -> None:
    try:
        async with asyncio.timeout(_TIDY_UP_S):
            await _remove(bus, address)
    except (BleakError, OSError, EOFError) as cause:
        _log.warning("%s may be left in BlueZ: %s", address, str(cause) or "no answer in time")


async def _remove(bus: MessageBus, address: str) -> None:
    found = await find_device(bus, address)
    if found is not None:
        path, _ = found
        await call(bus, path.rsplit("/", 1)[0], "org.bluez.Adapter1", "RemoveDevice", "o", path)
