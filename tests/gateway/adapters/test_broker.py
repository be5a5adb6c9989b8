"""The embedded broker as a process: found at its URL, alone on loopback, and gone when its owner goes."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pydantic import SecretStr
from tests.support.brokers import Collector, find_free_port

from wavewrap_gateway.adapters import mqtt
from wavewrap_gateway.adapters.broker import EMBEDDED_VERSION, EmbeddedBroker
from wavewrap_gateway.adapters.broker_child import PACKET_MAX_BYTES
from wavewrap_gateway.adapters.broker_users import set_user
from wavewrap_gateway.adapters.mqtt import MqttPublisher, MqttSettings
from wavewrap_protocol.errors import BrokerError, UsageError
from wavewrap_protocol.payloads import BridgeEvent


def event(seq: int) -> BridgeEvent:
    return BridgeEvent(gateway="g", gateway_boot=1, seq=seq, unix_s=0.0, kind="test", text="text")


def port_of(url: str) -> int:
    return int(url.rsplit(":", 1)[1])


def listens(port: int, address: str = "127.0.0.1") -> bool:
    try:
        socket.create_connection((address, port), 1.0).close()
    except ConnectionRefusedError:
        return False
    return True


def test_it_carries_messages_and_ends_on_close() -> None:
    async def scene() -> None:
        broker = EmbeddedBroker()
        url = await broker.start()
        pid = broker.pid
        assert pid is not None
        assert listens(port_of(url))
        assert not listens(port_of(url), "127.0.0.2")  # as it would on every address, or a network's
        async with Collector(port_of(url)) as collector:
            publisher = MqttPublisher(MqttSettings.from_url(url, version=EMBEDDED_VERSION), "wavewrap-test")
            await publisher.start()
            for seq in range(200):
                publisher.publish("bridge_event", event(seq))
            assert await publisher.drain(5.0)
            counts = publisher.counts()
            assert (counts.published, counts.acknowledged, counts.dropped) == (200, 200, 0)
            await publisher.close()
            assert await asyncio.to_thread(collector.wait_until, lambda c: len(c.bodies("wavewrap/bridge/state")) == 2)
            assert [BridgeEvent.model_validate_json(body).seq for body in collector.bodies("wavewrap/bridge/event")] == list(range(200))
            assert collector.bodies("wavewrap/bridge/state") == [b'{"state":"online"}', b'{"state":"offline"}']
        await broker.close()
        await broker.close()
        assert broker.pid is None
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
        assert not listens(port_of(url))

    asyncio.run(scene())


def test_a_port_in_use_is_said_in_one_line_and_leaves_nothing_running() -> None:
    async def scene() -> None:
        port = find_free_port()
        first = EmbeddedBroker(port)
        assert await first.start() == f"mqtt://127.0.0.1:{port}"
        second = EmbeddedBroker(port)
        with pytest.raises(BrokerError, match=rf"cannot listen on 127\.0\.0\.1:{port} \(Address already in use\): end what") as caught:
            await second.start()
        assert "\n" not in str(caught.value)
        assert second.pid is None
        await first.close()

    asyncio.run(scene())


def test_it_dies_with_its_parent() -> None:
    script = """
import asyncio
from wavewrap_gateway.adapters.broker import EmbeddedBroker
async def main():
    broker = EmbeddedBroker()
    print(await broker.start(), flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        port = port_of(parent.stdout.readline().decode())
        assert listens(port)
        parent.kill()
        parent.wait()
        deadline_s = time.monotonic() + 5.0
        while listens(port):
            assert time.monotonic() < deadline_s, "the broker outlives its parent"
            time.sleep(0.05)


def test_ctrl_c_on_the_terminal_does_not_take_it_away() -> None:
    async def scene() -> None:
        broker = EmbeddedBroker()
        url = await broker.start()
        assert broker.pid is not None
        os.kill(broker.pid, signal.SIGINT)  # as the terminal does to the whole group
        publisher = MqttPublisher(MqttSettings.from_url(url, version=EMBEDDED_VERSION), "wavewrap-test")
        await publisher.start()
        publisher.publish("bridge_event", event(0))
        assert await publisher.drain(5.0)
        await publisher.close()
        await broker.close()

    asyncio.run(scene())


def test_the_child_is_silent_and_imports_without_a_warning() -> None:
    child = [sys.executable, "-W", "error", "-m", "wavewrap_gateway.adapters.broker_child", "0"]
    done = subprocess.run(child, input=b"", capture_output=True, timeout=20, check=False)
    assert done.returncode == 0
    assert done.stdout.startswith(b'{"port": ')
    assert done.stderr == b""


def test_another_address_needs_users(tmp_path: Path) -> None:
    for listen in ("0.0.0.0", "::", "192.0.2.1"):
        broker = EmbeddedBroker(0, listen)
        with pytest.raises(UsageError, match=r"anybody there could start a session: give mqtt\.users_file too"):
            asyncio.run(broker.start())
        assert broker.pid is None
    with pytest.raises(UsageError, match=r"mqtt.listen 'home': is no IP address"):
        asyncio.run(EmbeddedBroker(0, "home").start())
    users = tmp_path / "users"
    set_user(users, "attic", SecretStr("geheim-geheim"))
    users.chmod(0o644)
    with pytest.raises(UsageError, match="open to every user here: chmod o-rwx"):
        asyncio.run(EmbeddedBroker(0, "0.0.0.0", users).start())


def test_with_users_it_listens_elsewhere_and_lets_in_whom_the_file_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mqtt, "CONNECT_S", 30.0)  # a hash on a busy core
    users = tmp_path / "users"
    assert set_user(users, "attic", SecretStr("geheim-geheim"))
    assert set_user(users, "cellar", SecretStr("anderes-wort"))
    assert not set_user(users, "attic", SecretStr("neues-geheimnis"))
    assert users.stat().st_mode & 0o777 == 0o600
    assert "geheim" not in users.read_text()

    async def scene() -> None:
        broker = EmbeddedBroker(0, "0.0.0.0", users)
        url = await broker.start()
        assert listens(port_of(url), "127.0.0.2")

        async def log_in(**login: str) -> None:
            publisher = MqttPublisher(MqttSettings.from_url(url, version=EMBEDDED_VERSION, **login), "wavewrap-test")
            await publisher.start()
            publisher.publish("bridge_event", event(0))
            assert await publisher.drain(30.0)
            await publisher.close()

        await log_in(username="attic", password="neues-geheimnis")
        await log_in(username="cellar", password="anderes-wort")
        for login in ({}, {"username": "attic", "password": "geheim-geheim"}, {"username": "stranger", "password": "anderes-wort"}):
            with pytest.raises(BrokerError):
                await log_in(**login)
        await broker.close()

    asyncio.run(scene())


@pytest.mark.parametrize(
    ("name", "password", "says"), [("a:b", "long enough", "a name has 1 to 64"), ("ann", "short", "10 characters or more")]
)
def test_users_that_are_no_use_are_refused(name: str, password: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=says) as caught:
        set_user(tmp_path / "users", name, SecretStr(password))
    assert password not in str(caught.value)
    assert not (tmp_path / "users").exists()


def test_a_packet_that_is_too_large_ends_its_sender_and_nobody_else() -> None:
    def publish_packet(body_bytes: int) -> bytes:
        topic = b"wavewrap/x"
        left, size = 2 + len(topic) + body_bytes, b""
        while True:
            left, digit = divmod(left, 128)
            size += bytes([digit | (0x80 if left else 0)])
            if not left:
                return b"\x30" + size + len(topic).to_bytes(2) + topic

    async def scene() -> None:
        broker = EmbeddedBroker()
        port = port_of(await broker.start())
        async with Collector(port) as collector:
            for body_bytes, is_kept in ((200_000, True), (PACKET_MAX_BYTES + 1, False)):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01" + b"ab"[is_kept : is_kept + 1])
                assert await reader.readexactly(4) == b"\x20\x02\x00\x00"
                writer.write(publish_packet(body_bytes))
                if is_kept:
                    writer.write(b"x" * body_bytes)
                    assert await asyncio.to_thread(collector.wait_until, lambda c: bool(c.bodies("wavewrap/x")))
                else:  # hung up before a byte of the body was sent
                    async with asyncio.timeout(5.0):
                        assert await reader.read() == b""
                writer.close()
            assert [len(body) for body in collector.bodies("wavewrap/x")] == [200_000]
        await broker.close()

    asyncio.run(scene())
