"""The example configuration of mosquitto, loaded by mosquitto: who may ask what, who sees what, and that the gateway can do its work."""

import asyncio
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.asking import Asker
from tests.support.brokers import Collector, Mosquitto, find_free_port, find_mosquitto, needs_mosquitto

from wavewrap_gateway.adapters.mqtt import MqttPublisher
from wavewrap_gateway.adapters.mqtt_requests import MqttRequests
from wavewrap_gateway.adapters.mqtt_settings import MqttSettings
from wavewrap_gateway.core.request_rules import Incoming
from wavewrap_protocol.payloads import BridgeEvent
from wavewrap_protocol.requests import CommandName

pytestmark = needs_mosquitto

DEPLOY = Path(__file__).parents[2] / "gateway" / "deploy" / "mosquitto"
USERS = ("wavewrap", "homeassistant", "therapist", "viewer")

MAY_ASK = {
    "homeassistant": {"start", "pause", "resume", "stop", "select", "identify"},
    "therapist": set(CommandName),
    "viewer": {"stop"},
}


class ShippedMosquitto(Mosquitto):
    """With the configuration that is shipped; only its port and the folder of its files are others."""

    def __init__(self, folder: Path) -> None:
        text = (DEPLOY / "wavewrap.conf").read_text(encoding="utf-8")
        port = find_free_port()
        text = re.sub(r"^listener 1883 .*$", "", text, flags=re.MULTILINE).replace("/etc/mosquitto", str(folder))
        text = re.sub(r"^(set_tcp_nodelay|max_queued_messages) .*$", "", text, flags=re.MULTILINE)  # the test's own lines say the same
        super().__init__(folder, text.splitlines(), port)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ShippedMosquitto]:
    folder = tmp_path_factory.mktemp("rights")
    passwords = folder / "wavewrap.passwd"
    passwords.touch(mode=0o600)
    program = find_mosquitto("mosquitto_passwd")
    assert program is not None
    for user in USERS:
        subprocess.run([program, "-b", str(passwords), user, f"{user}-word"], check=True, capture_output=True)
    (folder / "wavewrap.acl").write_text((DEPLOY / "wavewrap.acl").read_text(encoding="utf-8"), encoding="utf-8")
    (folder / "wavewrap.acl").chmod(0o600)
    shipped = ShippedMosquitto(folder)
    shipped.start()
    yield shipped
    shipped.kill()


def login(user: str) -> dict[str, Any]:
    return {"username": user, "password": f"{user}-word"}


async def until(found: Callable[[], bool]) -> None:
    async with asyncio.timeout(10.0):
        while not found():  # noqa: ASYNC110  # what a test waits for has no event of its own
            await asyncio.sleep(0.01)


def test_each_user_can_ask_what_is_theirs_and_no_more(broker: ShippedMosquitto) -> None:
    async def work() -> None:
        came: list[Incoming] = []
        requests = MqttRequests(MqttSettings.from_url(broker.url, **login("wavewrap")), "gateway-requests", ["homeassistant/status"])
        said: list[bytes] = []
        requests.on_request = came.append
        requests.on_other = lambda _topic, body: said.append(body)
        requests.start()
        await until(lambda: requests.connected)
        for user, may in MAY_ASK.items():
            came.clear()
            with Asker(broker.port, **login(user)) as asker:
                for command in CommandName:
                    await asyncio.to_thread(asker.send, command, f'{{"transaction":"{user}"}}'.encode())
                await until(lambda: any(one.command == CommandName.STOP for one in came))
                await asyncio.sleep(0.2)
                assert {one.command for one in came} == may, user
                if user != "viewer":
                    requests.answer("wavewrap/bridge/response/stop", b'{"transaction":"x"}', None)
                    await asyncio.to_thread(asker.wait, lambda answer: answer.topic == "wavewrap/bridge/response/stop")
        with Asker(broker.port, **login("homeassistant")) as asker:
            asker._client.publish("homeassistant/status", b"online", 1)
            await until(lambda: said == [b"online"])
        await requests.close()

    asyncio.run(work())


def test_who_looks_sees_states_and_discovery_and_no_passkey(broker: ShippedMosquitto) -> None:
    async def work() -> None:
        settings = MqttSettings.from_url(broker.url, **login("wavewrap"))
        publisher, requests = MqttPublisher(settings, "gateway"), MqttRequests(settings, "gateway-requests")
        async with Collector(broker.port, "#", **login("viewer")) as viewer, Collector(broker.port, "#", **login("homeassistant")) as home:
            await publisher.start()
            requests.start()
            await until(lambda: requests.connected)
            publisher.publish("bridge_event", BridgeEvent(gateway="g", gateway_boot=1, seq=1, unix_s=0.0, kind="test", text="text"))
            assert await publisher.drain(5.0)
            requests.retain("homeassistant/device/x/config", b"{}")
            with Asker(broker.port, **login("therapist")) as asker:
                await asyncio.to_thread(asker.send, "pair", b'{"transaction":"a","passkey":"123456"}')
                await asyncio.to_thread(asker.send, "start", b'{"transaction":"b"}')
            await until(lambda: bool(home.bodies("homeassistant/device/x/config")) and bool(viewer.bodies("wavewrap/bridge/request/start")))
            for looker in (viewer, home):
                assert looker.bodies("wavewrap/bridge/event")
                assert looker.bodies("wavewrap/bridge/request/pair") == []
            assert viewer.bodies("homeassistant/device/x/config") == []
        await requests.close()
        await publisher.close()
        assert publisher.counts().dropped == 0

    asyncio.run(work())


def test_nobody_comes_in_without_a_name(broker: ShippedMosquitto) -> None:
    program = find_mosquitto("mosquitto_pub")
    if program is None:
        pytest.skip("mosquitto_pub is not installed: apt-get install mosquitto-clients")
    done = subprocess.run([program, "-p", str(broker.port), "-t", "wavewrap/bridge/request/stop", "-n"], capture_output=True, text=True)
    assert done.returncode != 0
    assert "not authorised" in (done.stdout + done.stderr).lower()
