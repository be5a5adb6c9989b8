"""Bonds on macOS and Windows, where the system pairs: it shows a dialog of its own and asks the person for the passkey."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bleak import BleakClient
from bleak.exc import BleakError

from wavewrap_gateway.adapters.bonds import BondWith
from wavewrap_gateway.runtime.ports import PairingRefusedError, Passkey
from wavewrap_protocol import uuids
from wavewrap_protocol.errors import LinkError

__all__ = ["SystemBonds"]


class SystemBonds:
    """The system's own. Implements :class:`wavewrap_gateway.adapters.bonds.Bonds`."""

    tells = True

    @asynccontextmanager
    async def pairing(self, address: str, passkey: Passkey) -> AsyncIterator[BondWith]:
        """Reaching for something protected opens the system's dialog; ``passkey`` is typed there, not here."""
        del passkey

        async def bond_with(client: BleakClient) -> None:
            try:
                await client.read_gatt_char(uuids.CAPABILITIES)
            except BleakError as cause:
                raise PairingRefusedError(f"{address}: the system did not pair ({cause}): open its pairing window and retry") from cause

        yield bond_with

    async def is_bonded(self, address: str) -> bool | None:
        """The system does not tell."""
        del address
        return None

    async def forget(self, address: str) -> None:
        """Only a person can, in the system's settings; nothing to do for a bond that nobody knows of."""
        raise LinkError(f"{address}: this system keeps its bonds to itself: remove the wrap in its Bluetooth settings")
