"""Pairing through bumble: a keyboard for the passkey that the wrap shows, and nothing less secure than that."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from bleak import BleakClient
from bumble import smp

from wavewrap_gateway.adapters.bonds import BondWith
from wavewrap_gateway.adapters.bumble_errors import SmpError
from wavewrap_gateway.adapters.bumble_radio import BumbleRadio, Keypad
from wavewrap_gateway.runtime.ports import PairingRefusedError, Passkey

__all__ = ["BumbleBonds"]

_REASONS: dict[int, str] = {
    smp.ErrorCode.CONFIRM_VALUE_FAILED: "the passkey is wrong: type what the wrap shows now",
    smp.ErrorCode.PAIRING_NOT_SUPPORTED: "its pairing window is closed: press its pairing button",
    smp.ErrorCode.REPEATED_ATTEMPTS: "it has had too many attempts: wait a little, then press its pairing button",
}


class BumbleBonds:
    """The bonds of ``radio``. Implements :class:`wavewrap_gateway.adapters.bonds.Bonds`."""

    tells = True

    def __init__(self, radio: BumbleRadio) -> None:
        self._radio = radio

    @asynccontextmanager
    async def pairing(self, address: str, passkey: Passkey) -> AsyncIterator[BondWith]:
        """The radio has a keypad while the context is open."""
        with self._radio.pairing(passkey) as keypad:
            yield partial(self._bond, address, keypad)

    async def _bond(self, address: str, keypad: Keypad, client: BleakClient) -> None:
        """A bond that came about without a passkey or with an old method is none."""
        try:
            await client.pair()
        except SmpError as cause:
            if keypad.broken_off is not None:
                reason = keypad.broken_off
            elif not keypad.asked and cause.code == smp.ErrorCode.CONFIRM_VALUE_FAILED:
                reason = "it asked for no passkey, so nobody can tell who it is: use a wrap with a display"
            else:
                reason = _REASONS.get(cause.code, f"{cause}: press its pairing button and try again")
            raise PairingRefusedError(f"{address} did not pair: {reason}") from cause
        if self._radio.keys.failure is not None:
            raise PairingRefusedError(str(self._radio.keys.failure)) from self._radio.keys.failure
        keys = await self._radio.keys.get(address)
        if keys is None or keys.ltk is None or not keys.ltk.authenticated:
            await self.forget(address)
            raise PairingRefusedError(f"{address} did not pair: it cannot do LE Secure Connections: update its firmware")

    async def is_bonded(self, address: str) -> bool | None:
        """Whether there are keys."""
        return await self._radio.keys.get(address) is not None

    async def forget(self, address: str) -> None:
        """Remove the keys."""
        await self._radio.keys.delete(address)
