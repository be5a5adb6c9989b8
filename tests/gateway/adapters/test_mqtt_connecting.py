"""Logging in: the version that a broker speaks, and every way of failing, each said in one line with its remedy."""

import asyncio
import socket
import subprocess
import time
from pathlib import Path

import pytest
from tests.support.brokers import find_free_port, find_mosquitto, needs_mosquitto, run_mosquitto
from tests.support.certificates import Authority
from tests.support.scripted_broker import CONNACK_V311, connack_v5, run_scripted_broker

from wavewrap_gateway.adapters import mqtt
from wavewrap_gateway.adapters.broker import EmbeddedBroker
from wavewrap_gateway.adapters.mqtt import MqttPublisher, MqttSettings
from wavewrap_protocol.errors import BrokerError, UsageError

REFUSE_V5_AS_V311 = bytes([0x20, 2, 0, 1])  # how a broker of 3.1.1 answers a higher version


def connect(settings: MqttSettings) -> MqttPublisher:
    """Connect once and leave in order; the publisher tells afterwards how it went."""

    async def scene() -> MqttPublisher:
        publisher = MqttPublisher(settings, "wavewrap-test")
        await publisher.start()
        assert publisher.connected
        await publisher.close()
        assert not publisher.connected
        return publisher

    return asyncio.run(scene())


def fail(settings: MqttSettings, says: str) -> None:
    with pytest.raises((BrokerError, UsageError), match=says) as caught:
        connect(settings)
    assert "\n" not in str(caught.value)
    assert "hush" not in str(caught.value)


@needs_mosquitto
def test_mqtt_5_is_spoken_where_it_is_understood(tmp_path: Path) -> None:
    with run_mosquitto(tmp_path) as broker:
        assert connect(MqttSettings.from_url(broker.url)).version == "5"
        assert connect(MqttSettings.from_url(broker.url, version="3.1.1")).version == "3.1.1"


def test_the_embedded_broker_is_found_out_to_speak_3_1_1_and_remembered() -> None:
    async def scene() -> None:
        broker = EmbeddedBroker()
        settings = MqttSettings.from_url(await broker.start())
        publisher = MqttPublisher(settings, "wavewrap-test")
        began_s = time.monotonic()
        await publisher.start()
        assert time.monotonic() - began_s < mqtt.FALLBACK_S + 1.0
        assert publisher.version == "3.1.1"
        await publisher.close()
        await broker.close()

    asyncio.run(scene())


@pytest.mark.parametrize("answer", [REFUSE_V5_AS_V311, connack_v5(0x84), b""], ids=["refused-311", "refused-5", "hung-up"])
def test_a_broker_that_refuses_mqtt_5_is_asked_again_at_once(answer: bytes) -> None:
    async def scene() -> None:
        async with run_scripted_broker({5: answer, 4: CONNACK_V311}) as broker:
            publisher = MqttPublisher(MqttSettings(port=broker.port), "wavewrap-test")
            began_s = time.monotonic()
            await publisher.start()
            assert time.monotonic() - began_s < 0.5
            assert (publisher.version, broker.levels) == ("3.1.1", [5, 4])
            await publisher.close(0.1)

    asyncio.run(scene())


def test_a_refused_login_is_not_tried_again_with_another_version() -> None:
    async def scene() -> list[int]:
        async with run_scripted_broker({5: connack_v5(0x86), 4: CONNACK_V311}) as broker:
            with pytest.raises(BrokerError, match="refuses user 'ann'"):
                await MqttPublisher(MqttSettings(port=broker.port, username="ann"), "wavewrap-test").start()
            return broker.levels

    assert asyncio.run(scene()) == [5]


def test_nobody_listens() -> None:
    fail(MqttSettings(port=find_free_port()), "refuses connections: start a broker there or correct host and port")


def test_the_host_is_unknown() -> None:
    fail(MqttSettings(host="no-such-host.invalid"), "'no-such-host.invalid' is unknown: correct it")
    fail(MqttSettings(host="a..b"), r"'a\.\.b' is unknown: correct it")


def test_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mqtt, "CONNECT_S", 0.3)
    monkeypatch.setattr(mqtt, "FALLBACK_S", 0.3)
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        port = mute.getsockname()[1]
        fail(MqttSettings(port=port), "did not answer CONNECT within 0.3 s: check that it is a broker")
        fail(MqttSettings(port=port, tls=True), r"did not answer within 0\.3 s: check host, port and firewall")


def test_what_answers_is_no_broker() -> None:
    async def scene() -> None:
        async with run_scripted_broker({5: b"HTTP/1.1 400 Bad Request\r\n\r\n", 4: b""}) as broker:
            with pytest.raises(BrokerError, match="closed the connection at CONNECT: if it expects TLS use mqtts://"):
                await MqttPublisher(MqttSettings(port=broker.port), "wavewrap-test").start()

    asyncio.run(scene())


def test_a_cancelled_connect_leaves_no_connection() -> None:
    async def scene() -> None:
        async with run_scripted_broker({5: None}) as broker:
            task = asyncio.create_task(MqttPublisher(MqttSettings(port=broker.port), "wavewrap-test").start())
            await broker.wait_for_packets(1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await broker.wait_for_packets(2)
            assert broker.heads() == [0x10, 0xE0]

    asyncio.run(scene())


@needs_mosquitto
@pytest.mark.parametrize("version", ["auto", "3.1.1"])
def test_credentials(tmp_path: Path, version: str) -> None:
    passwords = tmp_path / "passwords"
    tool = find_mosquitto("mosquitto_passwd")
    assert tool is not None
    subprocess.run([tool, "-b", "-c", str(passwords), "ann", "right"], check=True, capture_output=True)
    passwords.chmod(0o600)
    with run_mosquitto(tmp_path, ["allow_anonymous false", f"password_file {passwords}"]) as broker:
        connect(MqttSettings.from_url(broker.url.replace("//", "//ann:right@"), version=version))
        fail(MqttSettings.from_url(broker.url.replace("//", "//ann:hush@"), version=version), "refuses user 'ann' .*: correct user name")
        fail(MqttSettings.from_url(broker.url, version=version), "wants a user name and a password .*: give username and password")


@needs_mosquitto
def test_tls(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    cert_file, key_file = authority.issue("localhost", "127.0.0.1")
    other_directory = tmp_path / "other"
    other_directory.mkdir()
    other = Authority(other_directory, "another CA")
    with run_mosquitto(tmp_path, [f"certfile {cert_file}", f"keyfile {key_file}"]) as broker:
        url = broker.url.replace("mqtt:", "mqtts:")
        connect(MqttSettings.from_url(url, ca_file=authority.file))
        fail(MqttSettings.from_url(url, ca_file=other.file), "certificate is not trusted .*: give its CA as ca_file")
        fail(MqttSettings.from_url(url), "certificate is not trusted .*: give its CA as ca_file")
        fail(MqttSettings.from_url(broker.url), "CONNECT.*: if it expects TLS use mqtts://")
        fail(MqttSettings.from_url(url, ca_file=tmp_path / "none.pem"), "does not exist: correct the path")
    with run_mosquitto(tmp_path) as broker:
        fail(MqttSettings.from_url(broker.url.replace("mqtt:", "mqtts:"), ca_file=authority.file), "TLS failed .*: use mqtt://")


@needs_mosquitto
def test_a_certificate_of_another_host_is_refused(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    cert_file, key_file = authority.issue("elsewhere.example")
    with run_mosquitto(tmp_path, [f"certfile {cert_file}", f"keyfile {key_file}"]) as broker:
        fail(MqttSettings.from_url(broker.url.replace("mqtt:", "mqtts:"), ca_file=authority.file), "use the host name in the certificate")


@needs_mosquitto
def test_a_client_certificate_is_the_login(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    cert_file, key_file = authority.issue("localhost", "127.0.0.1")
    ours, our_key = authority.issue("gateway")
    options = [f"cafile {authority.file}", f"certfile {cert_file}", f"keyfile {key_file}", "require_certificate true"]
    with run_mosquitto(tmp_path, options) as broker:
        url = broker.url.replace("mqtt:", "mqtts:")
        connect(MqttSettings.from_url(url, ca_file=authority.file, cert_file=ours, key_file=our_key))
        fail(MqttSettings.from_url(url, ca_file=authority.file), "closed the connection at CONNECT|TLS failed")


def test_an_answer_with_limits_is_kept() -> None:
    async def scene() -> int:
        async with run_scripted_broker({5: connack_v5(0, bytes([0x21, 0, 7]))}) as broker:
            publisher = MqttPublisher(MqttSettings(port=broker.port), "wavewrap-test")
            await publisher.start()
            await publisher.close(0.1)
            return publisher.window

    assert asyncio.run(scene()) == 7
