"""What the runtime asks of a radio. The adapters implement it; the runtime imports no radio library.

Errors: every method raises only :class:`wavewrap_protocol.errors.LinkError`, as one of the subclasses here where more is known::

    LinkError
    ├── RadioDownError        the radio itself does not work: no wrap's doing, and tried again until it does
    ├── NotPairedError        the wrap wants a paired gateway, and this one is not, or not with a passkey
    ├── PairingRefusedError   the wrap, the person or this gateway broke a pairing off
    ├── BondLostError         the wrap has no key for the bond that this gateway has with it
    ├── BondDoubtedError      a wrap that this gateway has a bond with did not let it in: once is bad luck, see ``runtime.wrap_link``
    └── PairingWantedError    a wrap that this gateway has no bond with let it go where one that wants a pairing does: once is bad luck, too
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from wavewrap_protocol.errors import LinkError
from wavewrap_protocol.payloads import Side

__all__ = [
    "BondDoubtedError",
    "BondLostError",
    "Connection",
    "NotPairedError",
    "PairingRefusedError",
    "PairingWantedError",
    "Passkey",
    "Radio",
    "RadioDownError",
    "Sighting",
]

Passkey = Callable[[], Awaitable[int | None]]
"""Asks a person for the six digits that the wrap shows; ``None`` breaks the pairing off. Called when the wrap shows them."""


class RadioDownError(LinkError):
    """The radio itself does not work for now: the adapter is off or pulled out, its daemon, the bus to it or the simulator is gone."""


class NotPairedError(LinkError):
    """The wrap wants a link that is paired with a passkey: trying again cannot help until a person has paired."""


class PairingRefusedError(LinkError):
    """No bond was made."""


class BondLostError(LinkError):
    """The wrap has forgotten this gateway: trying again cannot help until a person has paired anew."""

    def __init__(self, address: str) -> None:
        super().__init__(f"{address} has forgotten this gateway: open its pairing window and run 'wavewrap pair'")


class BondDoubtedError(LinkError):
    """A bond that the wrap has forgotten may show like this, and a bad moment of the radio may, too."""


class PairingWantedError(LinkError):
    """A wrap that wants a pairing may show like this, and a bad moment of the radio may, too."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """One advertisement of a wrap. ``address`` is a radio address, not an identity; ``handle`` belongs to the radio that saw it."""

    address: str
    model: str
    side: Side
    rssi_dbm: int
    pairing_window: bool
    handle: object


class Connection(Protocol):
    """An open link to one wrap, encrypted where there is a bond. Every call is bounded in time."""

    @property
    def bonded(self) -> bool | None:
        """Whether this host had a bond with the wrap when the link was made; ``None`` where the system does not tell."""

    @property
    def payload_bytes(self) -> int:
        """Bytes that one write carries."""

    async def read(self, uuid: str) -> bytes:
        """Value of a characteristic."""

    async def write(self, uuid: str, data: bytes, *, response: bool) -> None:
        """Write a characteristic."""

    async def subscribe(self, uuid: str, receive: Callable[[bytes], None]) -> None:
        """Have ``receive`` called with every notification or indication."""

    async def wait_lost(self) -> None:
        """Return when the link is gone."""

    async def disconnect(self) -> None:
        """Close the link; safe to call on a lost one."""


class Radio(Protocol):
    """A Bluetooth LE adapter in the central role."""

    async def scan(self, timeout_s: float, enough: Callable[[list[Sighting]], bool] | None = None) -> list[Sighting]:
        """Wraps seen within ``timeout_s``, newest sighting of each; returns early once ``enough`` says so."""

    async def connect(self, sighting: Sighting, timeout_s: float) -> Connection:
        """Open a link. Never pairs."""

    async def pair(self, sighting: Sighting, passkey: Passkey, timeout_s: float) -> None:
        """Bond by LE Secure Connections with a passkey, then close the link. There is no bond before, and none after an error."""

    async def is_bonded(self, address: str) -> bool | None:
        """Whether this host has a bond with ``address``; ``None`` where the system does not tell."""

    async def forget(self, address: str) -> None:
        """Remove this host's bond with ``address``, if there is one."""

    async def close(self) -> None:
        """Give the adapter back."""
