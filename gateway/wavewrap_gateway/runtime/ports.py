"""What the runtime asks of a radio. The adapters implement it; the runtime imports no radio library.

Errors: every method raises only :class:`wavewrap_protocol.errors.LinkError`, as :class:`RadioLostError` when no link can come back.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from wavewrap_protocol.errors import LinkError
from wavewrap_protocol.payloads import Side

__all__ = ["Connection", "Radio", "RadioLostError", "Sighting"]


class RadioLostError(LinkError):
    """The radio itself is gone for good: trying again cannot help while this process lives."""


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
    """An open link to one wrap. Every call is bounded in time."""

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
        """Open a link."""

    async def close(self) -> None:
        """Give the adapter back."""
