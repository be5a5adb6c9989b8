"""The service manager's end of sd_notify: a datagram socket that keeps what it is told, and when."""

import asyncio
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["Heard", "listen"]


@dataclass
class Heard:
    """Datagrams in order, each with the second of the machine's monotonic clock at which it was read."""

    address: str
    told: list[tuple[float, str]] = field(default_factory=list)

    @property
    def texts(self) -> list[str]:
        return [text for _, text in self.told]

    def times_s(self, text: str) -> list[float]:
        """When ``text`` was told."""
        return [at_s for at_s, one in self.told if one == text]


@contextmanager
def listen(address: str | Path) -> Iterator[Heard]:
    """Reads on the running loop; ``address`` as in NOTIFY_SOCKET, ``@`` for an abstract name."""
    heard = Heard(str(address))
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(f"\0{heard.address[1:]}" if heard.address.startswith("@") else heard.address)
        receiver.setblocking(False)
        loop.add_reader(receiver, lambda: heard.told.append((time.monotonic(), receiver.recv(4096).decode())))
        try:
            yield heard
        finally:
            loop.remove_reader(receiver)
