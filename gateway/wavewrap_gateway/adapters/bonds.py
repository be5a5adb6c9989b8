"""What a backend of bleak has to bring along for pairing, which bleak itself does only halfway.

Implementations: :mod:`wavewrap_gateway.adapters.bluez_bonds`, :mod:`wavewrap_gateway.adapters.bumble_bonds`,
:mod:`wavewrap_gateway.adapters.system_bonds`.
"""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from bleak import BleakClient

from wavewrap_gateway.runtime.ports import Passkey

__all__ = ["BondWith", "Bonds"]

BondWith = Callable[[BleakClient], Awaitable[None]]
"""Bonds with the wrap that the client is connected to; leaves no bond behind an error."""


class Bonds(Protocol):
    """The bonds of this host on one radio. Besides the errors named here every call raises what bleak does."""

    tells: bool
    """Whether the stack itself says that a bond is missing or lost. Elsewhere it shows only in calls that time out."""

    def pairing(self, address: str, passkey: Passkey) -> AbstractAsyncContextManager[BondWith]:
        """While the context is open this host pairs with ``address``, and with nobody else.

        It opens before the connect, because some systems begin to pair by themselves as soon as there is a link. What it gives raises
        :class:`wavewrap_gateway.runtime.ports.PairingRefusedError`.
        """

    async def is_bonded(self, address: str) -> bool | None:
        """Whether there is a bond; ``None``: the system does not tell."""

    async def forget(self, address: str) -> None:
        """Remove the bond, if there is one. Raises :class:`wavewrap_protocol.errors.LinkError` where only the system's own settings can."""
