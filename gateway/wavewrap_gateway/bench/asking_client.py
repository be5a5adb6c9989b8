"""A client of ``bench requests``: asks a daemon over MQTT and times the answers. It shares no code with the daemon's side."""

import json
import socket
import threading
import time
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from wavewrap_gateway.adapters.mqtt_settings import MqttSettings
from wavewrap_protocol.errors import BrokerError

__all__ = ["AskingClient"]

ANSWER_S = 5.0


class AskingClient:
    """``with`` it, in a thread of its own."""

    def __init__(self, settings: MqttSettings, name: str) -> None:
        self._settings = settings
        self._name = name
        self._base = f"{settings.base_topic}/bridge"
        self._listening = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.on_connect = lambda client, *_: client.subscribe(f"{self._base}/response/#", 1)
        self._client.on_subscribe = lambda *_: self._listening.set()
        self._client.on_message = self._keep
        self._client.on_socket_open = _set_nodelay
        self._answered = threading.Condition()
        self._answers: dict[str, tuple[float, dict[str, Any]]] = {}
        self._number = 0

    def __enter__(self) -> "AskingClient":
        self._client.connect(self._settings.host, self._settings.port)
        self._client.loop_start()
        if not self._listening.wait(ANSWER_S):
            raise BrokerError(f"{self._settings.safe_url} does not let the bench listen: run it without --broker")
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _keep(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        at_s = time.perf_counter()
        body = json.loads(message.payload)
        with self._answered:
            self._answers[str(body["transaction"])] = (at_s, body)
            self._answered.notify_all()

    def send(self, command: str, **keys: object) -> str:
        """Send a request that expires soon, and return its transaction."""
        self._number += 1
        transaction = f"{self._name}-{self._number}"
        body = {"transaction": transaction, "unix_s": time.clock_gettime(time.CLOCK_REALTIME), "ttl_s": 10.0, **keys}
        self._client.publish(f"{self._base}/request/{command}", json.dumps(body), 1)
        return transaction

    def ask(self, command: str, **keys: object) -> tuple[float, dict[str, Any]] | None:
        """Seconds until the answer, and the answer; ``None`` when none came."""
        begun_s = time.perf_counter()
        transaction = self.send(command, **keys)
        with self._answered:
            if not self._answered.wait_for(lambda: transaction in self._answers, ANSWER_S):
                return None
            at_s, body = self._answers.pop(transaction)
        return at_s - begun_s, body


def _set_nodelay(_client: Client, _data: object, sock: object) -> None:
    # Else the client's own Nagle would be measured.
    if isinstance(sock, socket.socket):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
