"""Logins over TLS with client certificates and password files; what is logged, said and published of them; limits of what comes in."""

import asyncio
import logging
import subprocess
from pathlib import Path

import pytest
from tests.support.brokers import Collector, Mosquitto, find_mosquitto, needs_mosquitto, run_mosquitto
from tests.support.certificates import Authority
from tests.support.scripted_broker import connack_v5, run_scripted_broker

from wavewrap_gateway.adapters.mqtt import MqttPublisher
from wavewrap_gateway.adapters.mqtt_connection import INCOMING_MAX_BYTES
from wavewrap_gateway.adapters.mqtt_requests import MqttRequests
from wavewrap_gateway.adapters.mqtt_settings import MqttSettings
from wavewrap_gateway.core.request_rules import Incoming
from wavewrap_protocol.errors import BrokerError, UsageError

SECRET = "geheim-geheim"


async def log_in(settings: MqttSettings) -> None:
    publisher = MqttPublisher(settings, "wavewrap-test")
    await publisher.start()
    await publisher.close()


def make_password_file(folder: Path, text: str = SECRET) -> Path:
    path = folder / "gateway.password"
    path.touch(mode=0o600)
    path.write_text(f"{text}\n", encoding="utf-8")
    return path


def make_users(folder: Path, **users: str) -> str:
    tool = find_mosquitto("mosquitto_passwd")
    assert tool is not None
    path = folder / "users"
    path.touch(mode=0o600)
    for name, password in users.items():
        subprocess.run([tool, "-b", str(path), name, password], check=True, capture_output=True)
    return f"password_file {path}"


def open_tls(folder: Path) -> tuple[Authority, list[str]]:
    authority = Authority(folder)
    cert_file, key_file = authority.issue("localhost", "127.0.0.1")
    return authority, [f"cafile {authority.file}", f"certfile {cert_file}", f"keyfile {key_file}"]


@needs_mosquitto
def test_the_client_certificate_decides_who_we_are(tmp_path: Path) -> None:
    """The broker takes the name in the certificate for the user's, and its ACL goes by that."""
    authority, options = open_tls(tmp_path)
    acl = tmp_path / "acl"
    acl.touch(mode=0o600)
    acl.write_text("user attic\ntopic readwrite wavewrap/#\n", encoding="utf-8")
    options += ["require_certificate true", "use_identity_as_username true", f"acl_file {acl}"]
    stranger_folder = tmp_path / "elsewhere"
    stranger_folder.mkdir()
    with run_mosquitto(tmp_path, options) as broker:
        url = broker.url.replace("mqtt:", "mqtts:")
        ours = MqttSettings.from_url(url, ca_file=authority.file, **_pair(authority, "attic"))
        other = MqttSettings.from_url(url, ca_file=authority.file, **_pair(authority, "cellar"))
        forged = MqttSettings.from_url(url, ca_file=authority.file, **_pair(Authority(stranger_folder), "attic"))

        async def scene() -> None:
            requests = MqttRequests(ours, "requests")
            came: list[Incoming] = []
            requests.on_request = came.append
            requests.start()
            await until(lambda: requests.connected)
            await log_in(ours)
            await log_in(other)  # let in, and may say nothing
            with pytest.raises(BrokerError, match=r"TLS failed|closed the connection at CONNECT"):
                await log_in(forged)
            with pytest.raises(BrokerError, match=r"TLS failed|closed the connection at CONNECT"):
                await log_in(MqttSettings.from_url(url, ca_file=authority.file))
            await requests.close()

        asyncio.run(scene())
        states = retained_states(ours, broker)
    assert states == [b'{"state":"offline"}']  # the one that attic left; cellar's were refused


def _pair(authority: Authority, name: str) -> dict[str, Path]:
    cert_file, key_file = authority.issue(name)
    return {"cert_file": cert_file, "key_file": key_file}


def retained_states(settings: MqttSettings, broker: Mosquitto) -> list[bytes]:
    """As mosquitto's own client sees them, with our certificate."""
    tool = find_mosquitto("mosquitto_sub")
    if tool is None:
        pytest.skip("mosquitto_sub is not installed: apt-get install mosquitto-clients")
    files = ["--cafile", str(settings.ca_file), "--cert", str(settings.cert_file), "--key", str(settings.key_file)]
    command = [tool, "-h", "127.0.0.1", "-p", str(broker.port), *files, "-t", "wavewrap/bridge/state", "-C", "1", "-W", "5"]
    return subprocess.run(command, check=True, capture_output=True, timeout=20).stdout.splitlines()


def test_a_private_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    files = _pair(authority, "attic")
    files["key_file"].chmod(0o644)
    with pytest.raises(UsageError, match="holds our private key and is open to every user here: chmod o-rwx"):
        MqttSettings.from_url("mqtts://h", ca_file=authority.file, **files).tls_context()


@needs_mosquitto
def test_a_password_from_a_file_is_read_at_every_connect(tmp_path: Path) -> None:
    path = make_password_file(tmp_path)
    with run_mosquitto(tmp_path, ["allow_anonymous false", make_users(tmp_path, attic=SECRET)]) as broker:
        settings = MqttSettings.from_url(broker.url, username="attic", password_file=path)
        asyncio.run(log_in(settings))
        path.write_text("another-word\n", encoding="utf-8")
        with pytest.raises(BrokerError, match="refuses user 'attic'"):
            asyncio.run(log_in(settings))
        path.chmod(0o644)
        with pytest.raises(UsageError, match="is open to every user here"):
            asyncio.run(log_in(settings))
    with pytest.raises(UsageError, match="password and password_file are both given"):
        MqttSettings.from_url("mqtt://attic:word@h", password_file=path)
    with pytest.raises(UsageError, match="give username too"):
        MqttSettings.from_url("mqtt://h", password_file=path)


@needs_mosquitto
def test_no_log_record_at_any_level_and_no_message_has_the_password(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    path = make_password_file(tmp_path)
    options = ["allow_anonymous false", make_users(tmp_path, attic=SECRET, watcher="watcher-word")]
    with (
        run_mosquitto(tmp_path, options) as broker,
        Collector(broker.port, "#", username="watcher", password="watcher-word") as watcher,
    ):

        async def scene() -> None:
            for settings in (
                MqttSettings.from_url(broker.url.replace("//", f"//attic:{SECRET}@")),
                MqttSettings.from_url(broker.url, username="attic", password_file=path),
            ):
                publisher, requests = MqttPublisher(settings, "attic"), MqttRequests(settings, "attic-requests")
                await publisher.start()
                requests.start()
                await until(lambda requests=requests: requests.connected)
                broker.kill()
                await until(lambda publisher=publisher: not publisher.connected)
                broker.start()
                await until(lambda publisher=publisher: publisher.connected)
                await requests.close()
                await publisher.close()
            wrong = MqttSettings.from_url(broker.url, username="watcher", password=SECRET)
            with pytest.raises(BrokerError):
                await log_in(wrong)

        asyncio.run(scene())
        bodies = [message.body for message in watcher.messages]
    said = [f"{record.getMessage()} {record.args} {record.exc_text}" for record in caplog.records]
    assert any("connected" in text for text in said)
    assert not any(SECRET in text for text in said)
    assert bodies
    assert not any(SECRET.encode() in body for body in bodies)


async def until(told: object) -> None:
    assert callable(told)
    async with asyncio.timeout(15.0):
        while not told():  # noqa: ASYNC110  # what a test waits for has no event of its own
            await asyncio.sleep(0.01)


def test_a_broker_of_mqtt_5_is_told_how_much_we_take() -> None:
    async def scene() -> bytes:
        async with run_scripted_broker({5: connack_v5(0)}) as broker:
            publisher = MqttPublisher(MqttSettings(port=broker.port), "wavewrap-test")
            await publisher.start()
            await publisher.close(0.1)
            return next(body for head, body in broker.packets if head == 0x10)

    # MQTT 5.0 section 3.1.2.11.4: property 0x27, four bytes
    assert bytes([0x27]) + INCOMING_MAX_BYTES.to_bytes(4) in asyncio.run(scene())


@needs_mosquitto
def test_what_is_too_large_never_reaches_us_and_what_follows_does(tmp_path: Path) -> None:
    with run_mosquitto(tmp_path) as broker:

        async def scene() -> list[Incoming]:
            requests = MqttRequests(MqttSettings.from_url(broker.url), "requests")
            came: list[Incoming] = []
            requests.on_request = came.append
            requests.start()
            await until(lambda: requests.connected)
            await asyncio.sleep(0.1)
            tool = find_mosquitto("mosquitto_pub")
            assert tool is not None
            large = tmp_path / "large"
            large.write_bytes(b"x" * 20_000_000)
            for body in (["-f", str(large)], ["-n"]):
                command = [tool, "-p", str(broker.port), "-t", "wavewrap/bridge/request/stop", "-q", "1", *body]
                await asyncio.to_thread(subprocess.run, command, check=True, capture_output=True)
            await until(lambda: came)
            await requests.close()
            return came

        assert [incoming.body for incoming in asyncio.run(scene())] == [b""]
