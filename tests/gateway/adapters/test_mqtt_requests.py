"""The way of requests, against real brokers: what comes with them in each version of MQTT, what never comes, how the way comes back."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

import pytest
from paho.mqtt.enums import MQTTProtocolVersion
from tests.support.asking import Asker
from tests.support.brokers import Collector, find_free_port, needs_mosquitto, run_mosquitto

from wavewrap_gateway.adapters.broker import EMBEDDED_VERSION, EmbeddedBroker
from wavewrap_gateway.adapters.mqtt_requests import MqttRequests
from wavewrap_gateway.adapters.mqtt_settings import MqttSettings
from wavewrap_gateway.core.request_rules import Incoming
from wavewrap_protocol.requests import REQUEST_MAX_BYTES

Version = Literal["auto", "5", "3.1.1"]


async def until(found: Callable[[], bool]) -> None:
    async with asyncio.timeout(20.0):
        while not found():  # noqa: ASYNC110  # what a test waits for has no event of its own
            await asyncio.sleep(0.01)


@asynccontextmanager
async def listening(port: int, version: Version = "auto") -> AsyncIterator[tuple[MqttRequests, list[Incoming]]]:
    """Requests on the broker at ``port``, and those that came."""
    requests = MqttRequests(MqttSettings(port=port, version=version), "gateway-requests", ["homeassistant/status"])
    came: list[Incoming] = []
    requests.on_request = came.append
    requests.start()
    try:
        await until(lambda: requests.connected)
        await asyncio.sleep(0.1)  # until the broker has taken the subscription
        yield requests, came
    finally:
        await requests.close()
        assert not requests.connected


async def send(port: int, command: str, body: bytes, **options: object) -> None:
    with Asker(port, MQTTProtocolVersion.MQTTv5) as asker:
        await asyncio.to_thread(lambda: asker.send(command, body, **options))  # type: ignore[arg-type]  # as that takes them


@needs_mosquitto
def test_what_mqtt_5_says_beside_a_request(tmp_path: Path) -> None:
    async def work() -> None:
        with run_mosquitto(tmp_path) as broker:
            async with listening(broker.port) as (_, came):
                await send(broker.port, "start", b"{}", expiry_s=30, response_topic="answers/x", correlation=b"\x00c")
                await send(broker.port, "stop", b"x" * (REQUEST_MAX_BYTES + 500))
                await until(lambda: len(came) == 2)
                first, second = came
                assert (first.command, first.body, first.retained) == ("start", b"{}", False)
                assert (first.response_topic, first.correlation) == ("answers/x", b"\x00c")
                assert first.expiry_s in (29, 30)
                assert 0.0 <= first.age_s < 5.0
                assert (second.command, len(second.body), second.expiry_s) == ("stop", REQUEST_MAX_BYTES + 1, None)

    asyncio.run(work())


@needs_mosquitto
@pytest.mark.parametrize(("version", "live"), [("5", True), ("3.1.1", False)])
def test_retained_shows_when_it_lies_there_and_with_mqtt_5_live(version: Version, live: bool, tmp_path: Path) -> None:
    async def work() -> None:
        with run_mosquitto(tmp_path) as broker:
            async with listening(broker.port, version) as (_, came):
                await send(broker.port, "start", b"{}", retain=True)
                await until(lambda: bool(came))
                assert came[0].retained is live
            async with listening(broker.port, version) as (_, came):
                await until(lambda: bool(came))
                assert came[0].retained

    asyncio.run(work())


@needs_mosquitto
def test_what_came_while_the_gateway_was_away_never_comes(tmp_path: Path) -> None:
    async def work() -> None:
        with run_mosquitto(tmp_path) as broker:
            async with listening(broker.port):
                pass
            await send(broker.port, "start", b"{}", expiry_s=60)
            async with listening(broker.port) as (_, came):
                await send(broker.port, "health", b"{}")
                await until(lambda: bool(came))
                assert [one.command for one in came] == ["health"]

    asyncio.run(work())


@needs_mosquitto
def test_a_broker_that_comes_back_is_found_and_what_was_to_be_cleared_is(tmp_path: Path) -> None:
    async def work() -> None:
        with run_mosquitto(tmp_path, port=find_free_port()) as broker:
            async with listening(broker.port) as (requests, came):
                ups: list[bool] = []
                requests.on_up = lambda: ups.append(requests.connected)
                broker.kill()
                await until(lambda: not requests.connected)
                requests.answer("wavewrap/bridge/response/health", b"{}", None)  # there is nobody
                requests.retain("wavewrap/old", b"")
                broker.start()
                requests.hurry()
                await until(lambda: requests.connected)
                assert ups == [True]
                await send(broker.port, "health", b"{}")
                await until(lambda: bool(came))
                async with Collector(broker.port, "wavewrap/#") as collector:
                    requests.retain("wavewrap/new", b"kept")
                    requests.answer("wavewrap/bridge/response/health", b'{"transaction":"a"}', None)
                    assert await asyncio.to_thread(collector.wait_until, lambda c: len(c.messages) == 2)
                assert [message.topic for message in collector.messages] == ["wavewrap/new", "wavewrap/bridge/response/health"]

    asyncio.run(work())


@needs_mosquitto
def test_no_more_is_under_way_than_the_broker_takes_and_what_is_urgent_goes_first(tmp_path: Path) -> None:
    async def work() -> None:
        with run_mosquitto(tmp_path, ["max_inflight_messages 5"]) as broker:
            async with listening(broker.port) as (requests, _), Collector(broker.port, "answers/#") as collector:
                for number in range(100):
                    requests.answer("answers/x", str(number).encode(), None)
                requests.answer("answers/x", b"stop", None, urgent=True)
                assert await asyncio.to_thread(collector.wait_until, lambda c: len(c.messages) == 101)
                bodies = collector.bodies("answers/x")
                assert bodies.index(b"stop") == 5, "after those that were under way"
                assert [body for body in bodies if body != b"stop"] == [str(number).encode() for number in range(100)]
                assert requests.connected

    asyncio.run(work())


def test_the_embedded_broker_carries_requests_too() -> None:
    async def work() -> None:
        embedded = EmbeddedBroker()
        settings = MqttSettings.from_url(await embedded.start(), version=EMBEDDED_VERSION)
        async with listening(settings.port, "3.1.1") as (requests, came):
            with Asker(settings.port, MQTTProtocolVersion.MQTTv311) as asker:
                await asyncio.to_thread(asker.send, "health", b'{"transaction":"a"}')
                await until(lambda: bool(came))
                assert (came[0].expiry_s, came[0].response_topic, came[0].correlation) == (None, None, None)
                requests.answer("wavewrap/bridge/response/health", json.dumps({"transaction": "a"}).encode(), None)
                await asyncio.to_thread(asker.wait, lambda answer: answer.body["transaction"] == "a")
        await embedded.close()

    asyncio.run(work())
