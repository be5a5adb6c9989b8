"""Somebody on MQTT who asks a gateway: a plain paho client of MQTT 5 or 3.1.1 that shares no code with the gateway."""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

__all__ = ["Answer", "Asker", "expiring"]

PATIENCE_S = 30.0


@dataclass(frozen=True)
class Answer:
    """One answer as it came; ``took_s`` counts from the publish."""

    topic: str
    body: dict[str, Any]
    correlation: bytes | None
    retained: bool
    at_s: float

    @property
    def reason(self) -> str | None:
        """Why it was refused."""
        reason = self.body["reason"]
        assert reason is None or isinstance(reason, str)
        return reason


def expiring(ttl_s: float = 10.0, **keys: object) -> dict[str, object]:
    """``keys`` with the pair that says until when they are good."""
    return {"unix_s": time.clock_gettime(time.CLOCK_REALTIME), "ttl_s": ttl_s, **keys}


class Asker:
    """``with`` it. Transactions count up by themselves unless given."""

    def __init__(
        self,
        port: int,
        version: MQTTProtocolVersion = MQTTProtocolVersion.MQTTv5,
        base: str = "wavewrap",
        name: str = "asker",
        **login: Any,
    ) -> None:
        self._base = base
        self._name = name
        self._port = port
        self._mqtt_5 = version is MQTTProtocolVersion.MQTTv5
        self._client = paho.Client(CallbackAPIVersion.VERSION2, protocol=version)
        if login:
            self._client.username_pw_set(**login)
        self._changed = threading.Condition()
        self._subscribed = threading.Event()
        self._number = 0
        self.answers: list[Answer] = []
        self._client.on_connect = lambda client, *_: client.subscribe([(f"{base}/bridge/response/#", 1), ("answers/#", 1)])
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = self._keep

    def __enter__(self) -> "Asker":
        self._client.connect("127.0.0.1", self._port)
        self._client.loop_start()
        assert self._subscribed.wait(PATIENCE_S)
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _keep(self, _client: object, _data: object, message: paho.MQTTMessage) -> None:
        correlation = getattr(message.properties, "CorrelationData", None)
        answer = Answer(message.topic, json.loads(message.payload), correlation, bool(message.retain), time.monotonic())
        with self._changed:
            self.answers.append(answer)
            self._changed.notify_all()

    def new_transaction(self) -> str:
        """One that was not used before."""
        self._number += 1
        return f"{self._name}-{self._number}"

    def send(
        self,
        command: str,
        body: bytes,
        *,
        retain: bool = False,
        expiry_s: int | None = None,
        response_topic: str | None = None,
        correlation: bytes | None = None,
        wait: bool = True,
    ) -> None:
        """Publish ``body`` as it is; without ``wait`` as fast as that goes."""
        properties = None
        if self._mqtt_5:
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho has left it so
            for key, value in (("MessageExpiryInterval", expiry_s), ("ResponseTopic", response_topic), ("CorrelationData", correlation)):
                if value is not None:
                    setattr(properties, key, value)
        sent = self._client.publish(f"{self._base}/bridge/request/{command}", body, 1, retain, properties)
        if wait:
            sent.wait_for_publish(PATIENCE_S)

    def is_answered(self) -> bool:
        """Whether anybody answers now; a gateway may be on the broker a moment before it listens there."""
        since = len(self.answers)
        self.send("health", json.dumps({"transaction": self.new_transaction()}).encode())
        with self._changed:
            return self._changed.wait_for(lambda: len(self.answers) > since, 0.5)

    def wait(self, found: Callable[[Answer], bool], since: int = 0) -> Answer:
        """The first answer after the ``since`` first ones that ``found`` holds for."""
        deadline_s = time.monotonic() + PATIENCE_S
        with self._changed:
            while True:
                for answer in self.answers[since:]:
                    if found(answer):
                        return answer
                assert self._changed.wait(deadline_s - time.monotonic()), f"no answer; there were {self.answers[since:]}"

    def ask_raw(self, command: str, body: bytes, **options: Any) -> Answer:
        """The next answer on the topic of ``command`` (or on the response topic given) after ``body`` was sent."""
        since = len(self.answers)
        topic = options.get("response_topic") or f"{self._base}/bridge/response/{command}"
        self.send(command, body, **options)
        return self.wait(lambda answer: answer.topic == topic, since)

    def ask(self, command: str, keys: dict[str, object] | None = None, *, transaction: str | None = None, **options: Any) -> Answer:
        """The answer to a request with ``keys`` by its transaction."""
        chosen = self.new_transaction() if transaction is None else transaction
        since = len(self.answers)
        self.send(command, json.dumps({"transaction": chosen, **(keys or {})}).encode(), **options)
        return self.wait(lambda answer: answer.body["transaction"] == chosen, since)

    def do(self, command: str, **keys: object) -> dict[str, Any]:
        """The data of a request that must be carried out; it expires soon."""
        answer = self.ask(command, {**expiring(), **keys})
        assert answer.body["status"] == "ok", answer.body
        data = answer.body["data"]
        assert isinstance(data, dict)
        return data
