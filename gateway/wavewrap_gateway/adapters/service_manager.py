"""systemd as the service manager: its protocol of datagrams (sd_notify(3), sd_watchdog_enabled(3)), without its library.

Outside of a service with Type=notify there is nobody to tell, and nothing is told.
"""

import logging
import os
import socket
from collections.abc import Mapping

from wavewrap_gateway.runtime.supervision import ServiceManager
from wavewrap_protocol.errors import UsageError

__all__ = ["NotifySocket", "Unsupervised", "open_service_manager"]

_log = logging.getLogger(__name__)


class NotifySocket:
    """Sends to ``address``: a path, or after an ``@`` a name in the abstract space. Implements :class:`ServiceManager`."""

    def __init__(self, address: str, watchdog_s: float | None) -> None:
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._watchdog_s = watchdog_s
        self._failed = False

    @property
    def watchdog_s(self) -> float | None:
        """As :class:`ServiceManager`."""
        return self._watchdog_s

    def ready(self) -> None:
        """As :class:`ServiceManager`."""
        self._send("READY=1")

    def ping(self) -> None:
        """As :class:`ServiceManager`."""
        self._send("WATCHDOG=1")

    def say(self, status: str) -> None:
        """As :class:`ServiceManager`; a line break would begin another assignment."""
        self._send(f"STATUS={' '.join(status.split())}")

    def stopping(self) -> None:
        """As :class:`ServiceManager`."""
        self._send("STOPPING=1")

    def _send(self, assignment: str) -> None:
        """Never waits: a manager whose queue is full must not stall the loop, and misses at most a ping."""
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.setblocking(False)
                sender.sendto(assignment.encode(), self._address)
        except OSError as cause:
            if not self._failed:
                self._failed = True
                _log.warning("the service manager cannot be told %s (%s): it may take this process for dead", assignment, cause)


class Unsupervised:
    """Nobody watches. Implements :class:`ServiceManager`."""

    watchdog_s: float | None = None

    def ready(self) -> None:
        """Nobody to tell."""

    def ping(self) -> None:
        """Nobody to tell."""

    def say(self, status: str) -> None:
        """Nobody to tell."""

    def stopping(self) -> None:
        """Nobody to tell."""


def open_service_manager(environment: Mapping[str, str]) -> ServiceManager:
    """The one that ``environment`` names. Raises :class:`UsageError` for a name or an interval that makes no sense."""
    address = environment.get("NOTIFY_SOCKET", "")
    if not address:
        return Unsupervised()
    if address[0] not in "/@" or len(address) < 2:
        raise UsageError(f"environment NOTIFY_SOCKET: {address!r}: is neither a path nor an abstract name; let systemd set it")
    return NotifySocket(address, _read_watchdog_s(environment))


def _read_watchdog_s(environment: Mapping[str, str]) -> float | None:
    """What the watchdog allows, ``None`` where there is none or it watches another process."""
    text = environment.get("WATCHDOG_USEC", "")
    if not text or environment.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    if not text.isdecimal() or int(text) == 0:
        raise UsageError(f"environment WATCHDOG_USEC: {text!r}: is no number of microseconds; let systemd set it")
    return int(text) / 1e6
