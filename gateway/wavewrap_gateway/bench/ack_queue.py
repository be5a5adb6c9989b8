"""persist-queue's SQLiteAckQueue in the outbox's place, over the same connection: the reference of ``bench throughput``."""

import asyncio
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

from wavewrap_gateway.adapters.mqtt_connection import MqttConnection
from wavewrap_gateway.adapters.mqtt_failures import Refusal
from wavewrap_gateway.adapters.mqtt_settings import MqttSettings
from wavewrap_gateway.runtime.publishing import Message

if TYPE_CHECKING:
    from persistqueue import SQLiteAckQueue

__all__ = ["HAS_ACK_QUEUE", "AckQueuePath"]

WINDOW = 100
CONNECT_S = 5.0

HAS_ACK_QUEUE = importlib.util.find_spec("persistqueue") is not None
"""An extra of the benches: without it the report leaves its rows out."""


class AckQueuePath:
    """Sends from the queue what the window has room for, and acknowledges there what the broker has acknowledged."""

    def __init__(self, folder: Path, settings: MqttSettings) -> None:
        self._queue = self.make_queue(folder)
        self._connection = MqttConnection(settings, "wavewrap-bench-reference", "5", None, self._settle, self._pump)
        self._in_flight: dict[int, Message] = {}
        self._queued = 0
        self._pump_due = False

    @staticmethod
    def make_queue(folder: Path) -> "SQLiteAckQueue":
        """As its documentation makes one for several threads."""
        from persistqueue import SQLiteAckQueue

        return SQLiteAckQueue(str(folder), auto_commit=True, multithreading=True)

    @property
    def waiting(self) -> int:
        """Messages that the broker has not acknowledged. Counted here: the queue's own count is a search each time."""
        return self._queued + len(self._in_flight)

    async def start(self) -> None:
        """Connect."""
        await self._connection.open(CONNECT_S, CONNECT_S)

    def put(self, message: Message) -> None:
        """Into the queue, and on when there is room."""
        self._queue.put(message)
        self._queued += 1
        if not self._pump_due:
            self._pump_due = True
            asyncio.get_running_loop().call_soon(self._pump)

    def _pump(self) -> None:
        self._pump_due = False
        with self._connection.together():
            while self._queued and len(self._in_flight) < min(WINDOW, self._connection.receive_maximum):
                message = self._queue.get(block=False)
                self._queued -= 1
                self._in_flight[self._connection.send(message)] = message

    def _settle(self, mid: int, _refusal: Refusal | None) -> None:
        self._queue.ack(self._in_flight.pop(mid))

    async def close(self) -> None:
        """Disconnect."""
        await self._connection.close(CONNECT_S)
