"""A radio and wraps that ask for pairing, as the link cases drive them, whatever stands behind.

Implementations: :mod:`tests.support.virtual_link_rig` (bumble, one process, virtual time), :mod:`tests.support.platform_link_rig` (the
system's own stack) and :mod:`tests.support.hardware_link_rig` (the same, and a wrap that somebody holds in their hands).
"""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from enum import Enum
from typing import Protocol

from tests.support.rig_truth import Truth, WrapAddress
from wavewrap_gateway.runtime.ports import Radio

__all__ = ["LinkRig", "NotOnThisRigError", "Trouble"]


class NotOnThisRigError(Exception):
    """The rig cannot do it, for the reason that it names; the case is skipped then."""


class Trouble(Enum):
    """What befalls the gateway's own radio."""

    DAEMON_KILLED = "the Bluetooth daemon is killed"
    ADAPTER_OFF = "the adapter is powered off"
    ADAPTER_GONE = "the adapter is pulled out"
    BUS_GONE = "the system's D-Bus is killed"


class LinkRig(Protocol):
    """What a case may do. Nobody is bonded at its start, and no pairing window is open. ``wrap`` counts from 0."""

    quiet_s: float
    """So long nothing may happen where nothing must."""

    notes: list[str]
    """What a case has measured, for whoever reads the run."""

    @property
    def radio(self) -> Radio:
        """The gateway's radio; another object after :meth:`restart_gateway`."""

    @property
    def wraps(self) -> Sequence[WrapAddress]:
        """All there are: two, or the one that somebody holds."""

    async def press_pairing_button(self, wrap: int = 0) -> int:
        """Open the wrap's pairing window; the passkey that it shows."""

    async def forget_bonds(self, wrap: int = 0) -> None:
        """The wrap forgets every gateway."""

    async def restart_gateway(self) -> None:
        """End the gateway's radio or what stands for it, and start it anew on what it has stored."""

    async def restart_wrap(self, wrap: int = 0) -> None:
        """Switch the wrap off and on."""

    async def reboot(self, wrap: int = 0) -> None:
        """The wrap loses power for an instant."""

    async def fade(self, wrap: int, for_s: float) -> None:
        """Out of reach from now on for so long; returns at once."""

    async def steal(self, wrap: int, for_s: float) -> None:
        """A stranger's central takes the wrap as soon as it is free and keeps it for so long; returns when it has let go."""

    async def truth(self, wrap: int = 0) -> Truth:
        """What the wrap truly did."""

    def scanner(self) -> AbstractAsyncContextManager[None]:
        """Another program of this machine scans while the context is open."""

    def trouble(self, trouble: Trouble) -> AbstractAsyncContextManager[None]:
        """It holds while the context is open, and is over when the context has ended."""

    async def open_things(self) -> dict[str, int]:
        """What could leak, by name and count: tasks, file descriptors, whatever else the rig can see."""
