"""An MQTT subscriber of its own, at QoS 1, that shares nothing with the gateway: what somebody else gets.

As a program it counts: ``python -m wavewrap_gateway.bench.subscriber PORT TOPIC COUNT`` says "ready", then "done" and the monotonic time
at which COUNT different messages had come.
"""

import sys
import threading
import time
from collections.abc import Callable

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

__all__ = ["Subscriber"]

RECONNECT_S = 1


class Subscriber:
    """Calls ``receive(topic, body, retained)`` in a thread of paho's. It comes back after every loss of the broker, remembering nothing."""

    def __init__(self, port: int, topics: str, receive: Callable[[str, bytes, bool], None]) -> None:
        self._port = port
        self._topics = topics
        self._receive = receive
        self._subscribed = threading.Event()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        self._client.reconnect_delay_set(RECONNECT_S, RECONNECT_S)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message

    def start(self) -> None:
        """Return once subscribed."""
        self._client.connect("127.0.0.1", self._port, keepalive=10)
        self._client.loop_start()
        self._subscribed.wait()

    def stop(self) -> None:
        """Leave."""
        self._client.disconnect()
        self._client.loop_stop()

    def _on_connect(self, client: paho.Client, *_: object) -> None:
        client.subscribe(self._topics, qos=1)

    def _on_subscribe(self, *_: object) -> None:
        self._subscribed.set()

    def _on_message(self, _client: object, _data: object, message: paho.MQTTMessage) -> None:
        self._receive(message.topic, bytes(message.payload), message.retain)


def _count(port: int, topics: str, count: int) -> None:
    seen: set[bytes] = set()
    done = threading.Event()

    def receive(_topic: str, body: bytes, _retained: bool) -> None:
        seen.add(body)
        if len(seen) == count:
            done.set()

    subscriber = Subscriber(port, topics, receive)
    subscriber.start()
    print("ready", flush=True)
    done.wait()
    print(f"done {time.monotonic()}", flush=True)
    subscriber.stop()


if __name__ == "__main__":
    _count(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
