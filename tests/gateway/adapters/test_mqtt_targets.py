"""A list of brokers: the one that takes us is kept, the next is taken when it goes, and what was under way arrives."""

import asyncio
from pathlib import Path

import pytest
from tests.support.brokers import Collector, find_free_port, needs_mosquitto, run_mosquitto

from wavewrap_gateway.adapters.mqtt import MqttPublisher
from wavewrap_gateway.adapters.mqtt_requests import MqttRequests
from wavewrap_gateway.adapters.mqtt_settings import MqttSettings
from wavewrap_gateway.adapters.mqtt_targets import BrokerTargets
from wavewrap_gateway.runtime.publishing import BrokerUp
from wavewrap_protocol.errors import BrokerError, UsageError
from wavewrap_protocol.payloads import BridgeEvent


def settings(*ports: int) -> MqttSettings:
    return MqttSettings(port=ports[0], fallbacks=tuple(f"127.0.0.1:{port}" for port in ports[1:]))


def test_the_one_in_use_is_asked_first_and_the_others_in_turn() -> None:
    asked: list[int] = []
    alive = {2}

    async def attempt(one: MqttSettings) -> int:
        asked.append(one.port)
        if one.port not in alive:
            raise BrokerError(f"{one.port} is gone")
        return one.port

    async def scene() -> None:
        targets = BrokerTargets(settings(1, 2, 3))
        assert targets.current.port == 1
        assert await targets.connect(attempt) == 2
        assert await targets.connect(attempt) == 2
        assert asked == [1, 2, 2]
        alive.clear()
        asked.clear()
        with pytest.raises(BrokerError, match=r"none of 3 MQTT brokers can be used; 2 is gone; 3 is gone; 1 is gone"):
            await targets.connect(attempt)
        assert targets.current.port == 2
        alive.add(1)
        assert await targets.connect(attempt) == 1
        assert targets.current.port == 1

    asyncio.run(scene())


def test_what_is_wrong_with_ourselves_is_not_tried_elsewhere() -> None:
    asked: list[int] = []

    async def attempt(one: MqttSettings) -> None:
        asked.append(one.port)
        raise UsageError("a file is missing")

    with pytest.raises(UsageError):
        asyncio.run(BrokerTargets(settings(1, 2)).connect(attempt))
    assert asked == [1]


def test_one_broker_alone_says_its_own_error() -> None:
    with pytest.raises(BrokerError, match="refuses connections: start a broker there or correct host and port"):
        asyncio.run(MqttPublisher(settings(find_free_port()), "wavewrap-test").start())


@needs_mosquitto
def test_when_a_broker_dies_the_next_one_gets_what_it_had_not_acknowledged(tmp_path: Path) -> None:
    with run_mosquitto(tmp_path) as one, run_mosquitto(tmp_path) as other, Collector(other.port) as heard:

        async def scene() -> None:
            publisher = MqttPublisher(settings(find_free_port(), one.port, other.port), "wavewrap-test")
            requests = MqttRequests(settings(one.port, other.port), "wavewrap-test-requests")
            ups: list[str] = []
            publisher.add_listener(lambda change: ups.append(change.broker) if isinstance(change, BrokerUp) else None)
            await publisher.start()
            requests.start()
            one.pause()  # it takes bytes and acknowledges nothing
            for seq in range(50):
                publisher.publish("bridge_event", BridgeEvent(gateway="g", gateway_boot=1, seq=seq, unix_s=0.0, kind="k", text="t"))
            await asyncio.sleep(0.1)
            one.kill()
            assert await publisher.drain(20.0)
            assert ups == [one.url, other.url]
            assert (publisher.counts().acknowledged, publisher.counts().dropped) == (50, 0)
            async with asyncio.timeout(20.0):
                while not requests.connected:  # noqa: ASYNC110  # it has no event for it
                    await asyncio.sleep(0.05)
            await requests.close()
            await publisher.close()

        asyncio.run(scene())
        assert heard.wait_until(lambda one: len(one.bodies("wavewrap/bridge/event")) >= 50)
        bodies = heard.bodies("wavewrap/bridge/event")
    assert [BridgeEvent.model_validate_json(body).seq for body in bodies] == list(range(50))
