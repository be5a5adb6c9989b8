"""Real brokers for tests, ended by their own process; and a subscriber that shares no code with the gateway."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

START_S = 10.0


def find_mosquitto(program: str = "mosquitto") -> str | None:
    """Path of mosquitto (or of a tool that comes with it); Debian puts the broker where a user's PATH does not look."""
    return shutil.which(program, path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"]))


needs_mosquitto = pytest.mark.skipif(find_mosquitto() is None, reason="mosquitto is not installed: apt-get install mosquitto")


def find_free_port() -> int:
    """A loopback TCP port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Mosquitto:
    """A mosquitto on loopback. ``options`` are lines of its configuration; anonymous clients are let in unless they say otherwise."""

    def __init__(self, directory: Path, options: Sequence[str] = (), port: int | None = None) -> None:
        self.port = find_free_port() if port is None else port
        self._directory = directory
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start, and wait until connections are accepted."""
        program = find_mosquitto()
        assert program is not None
        lines = [f"listener {self.port} 127.0.0.1", "set_tcp_nodelay true", "persistence false", "max_queued_messages 100000", "user root"]
        if not any(option.startswith("allow_anonymous") for option in self._options):
            lines.append("allow_anonymous true")
        config = self._directory / f"mosquitto-{self.port}.conf"
        config.write_text("\n".join([*lines, *self._options, ""]))
        log = (self._directory / f"mosquitto-{self.port}.log").open("ab")
        with log:
            self._process = subprocess.Popen([program, "-c", str(config)], stdout=log, stderr=log)
        deadline_s = time.monotonic() + START_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1.0).close()
            except ConnectionRefusedError:
                assert self._process.poll() is None, Path(log.name).read_text()
                assert time.monotonic() < deadline_s, "mosquitto does not listen"
                time.sleep(0.02)
            else:
                return

    def pause(self) -> None:
        """Stop it where it is (SIGSTOP): its sockets stay open and nothing is read; only ``kill`` ends this."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def kill(self) -> None:
        """End it without a word (SIGKILL); ``start`` brings it back on the same port."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@contextmanager
def run_mosquitto(directory: Path, options: Sequence[str] = (), port: int | None = None) -> Iterator[Mosquitto]:
    """A running mosquitto that is gone afterwards."""
    broker = Mosquitto(directory, options, port)
    broker.start()
    try:
        yield broker
    finally:
        broker.kill()


@dataclass(frozen=True)
class Received:
    """One message as a subscriber got it."""

    topic: str
    body: bytes
    retained: bool
    qos: int


class Collector:
    """A plain paho subscriber on a thread of its own that keeps every message in order: ``with`` or ``async with`` it."""

    def __init__(
        self, port: int, topics: str = "wavewrap/#", version: MQTTProtocolVersion = MQTTProtocolVersion.MQTTv311, **login: Any
    ) -> None:
        self.messages: list[Received] = []
        self._changed = threading.Condition()
        self._subscribed = threading.Event()
        self._topics = topics
        self._port = port
        self._client = paho.Client(CallbackAPIVersion.VERSION2, protocol=version)
        if login:
            self._client.username_pw_set(**login)
        self._client.on_connect = self._subscribe
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = self._keep

    def __enter__(self) -> "Collector":
        self._client.connect("127.0.0.1", self._port)
        self._client.loop_start()
        assert self._subscribed.wait(START_S), "the collector could not subscribe"
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    async def __aenter__(self) -> "Collector":
        return await asyncio.to_thread(self.__enter__)

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self.__exit__)

    def _subscribe(self, client: paho.Client, *_: object) -> None:
        client.subscribe(self._topics, qos=1)

    def _keep(self, _client: object, _data: object, message: paho.MQTTMessage) -> None:
        with self._changed:
            self.messages.append(Received(message.topic, bytes(message.payload), message.retain, message.qos))
            self._changed.notify_all()

    def bodies(self, topic: str) -> list[bytes]:
        """Bodies received on ``topic`` so far, in order."""
        with self._changed:
            return [message.body for message in self.messages if message.topic == topic]

    def wait_until(self, condition: Callable[["Collector"], bool], timeout_s: float = 10.0) -> bool:
        """Wait until ``condition`` of this collector holds; blocks its thread, so call it from a test's thread or ``to_thread``."""
        deadline_s = time.monotonic() + timeout_s
        while not condition(self):
            with self._changed:
                if not self._changed.wait(min(0.05, max(0.0, deadline_s - time.monotonic()))) and time.monotonic() >= deadline_s:
                    return condition(self)
        return True


async def got(collector: Collector, count: int, topic: str) -> bool:
    """Whether ``count`` messages come on ``topic`` in time."""
    return await asyncio.to_thread(collector.wait_until, lambda one: len(one.bodies(topic)) >= count)
