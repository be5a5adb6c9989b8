"""A mosquitto on loopback for the benches, told to give its data up as little as it can; it can be killed and brought back."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from wavewrap_protocol.errors import LocalError

__all__ = ["Mosquitto", "run_mosquitto"]

START_S = 10.0


class Mosquitto:
    """``options`` are further lines of its configuration. ``port`` stays the same over kill and start."""

    def __init__(self, folder: Path, options: Sequence[str] = ()) -> None:
        self._folder = folder
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])

    @property
    def url(self) -> str:
        """For a gateway."""
        return f"mqtt://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """Of the running broker. Raises :class:`LocalError` when it does not run."""
        if self._process is None:
            raise LocalError("mosquitto does not run")
        return self._process.pid

    def start(self) -> None:
        """Start, and wait until it accepts connections. Raises :class:`LocalError`."""
        places = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])  # Debian's PATH of a user lacks the first
        program = shutil.which("mosquitto", path=places)
        if program is None:
            raise LocalError("mosquitto is not installed: install it, the benches of the data path want a real broker")
        config = self._folder / "mosquitto.conf"
        # Its default of 1000 queued messages throws away what it has acknowledged.
        lines = [
            f"listener {self.port} 127.0.0.1",
            "allow_anonymous true",
            "set_tcp_nodelay true",
            "max_queued_messages 100000",
            "user root",
        ]
        config.write_text("\n".join([*lines, *self._options, ""]))
        with (self._folder / "mosquitto.log").open("ab") as log:
            self._process = subprocess.Popen([program, "-c", str(config)], stdout=log, stderr=log)
        deadline_s = time.monotonic() + START_S
        while time.monotonic() < deadline_s and self._process.poll() is None:
            with suppress(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", self.port), 1.0).close()
                return
            time.sleep(0.02)
        raise LocalError(f"mosquitto did not start: {(self._folder / 'mosquitto.log').read_text()[-300:]}")

    def kill(self) -> None:
        """SIGKILL; more than once does no harm."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@contextmanager
def run_mosquitto(folder: Path, options: Sequence[str] = ()) -> Iterator[Mosquitto]:
    """A running mosquitto that is gone afterwards. Raises :class:`LocalError`."""
    broker = Mosquitto(folder, options)
    broker.start()
    try:
        yield broker
    finally:
        broker.kill()
