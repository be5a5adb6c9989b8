"""A broker that belongs to no gateway: mosquitto where it is installed, else the embedded one started by hand."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.brokers import Mosquitto, find_mosquitto

__all__ = ["AnyBroker", "run_any_broker"]


class AnyBroker:
    """Where it listens; ``kill`` ends it without a word."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._mosquitto: Mosquitto | None = None
        self._child: subprocess.Popen[bytes] | None = None
        self.port = 0

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    def start(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        if find_mosquitto() is not None:
            self._mosquitto = Mosquitto(self._folder)
            self._mosquitto.start()
            self.port = self._mosquitto.port
            return
        command = [sys.executable, "-m", "wavewrap_gateway.adapters.broker_child", "0"]
        self._child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._child.stdout is not None
        self.port = int(json.loads(self._child.stdout.readline())["port"])

    def kill(self) -> None:
        """SIGKILL; more than once does no harm."""
        if self._mosquitto is not None:
            self._mosquitto.kill()
        if self._child is not None:
            self._child.kill()
            self._child.communicate()
            self._child = None


@contextmanager
def run_any_broker(folder: Path) -> Iterator[AnyBroker]:
    """A running broker that is gone afterwards."""
    broker = AnyBroker(folder)
    broker.start()
    try:
        yield broker
    finally:
        broker.kill()
