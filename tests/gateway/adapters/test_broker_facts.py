"""What trying a broker tells beyond whether it answers."""

import asyncio

import pytest

from wavewrap_gateway.adapters.broker_facts import read_broker
from wavewrap_gateway.adapters.mqtt_settings import MqttSettings


@pytest.mark.parametrize(
    ("url", "in_clear"),
    [
        ("mqtt://me:hush@broker.invalid", True),
        ("mqtts://me:hush@broker.invalid", False),
        ("mqtt://broker.invalid", False),
        ("mqtt://me:hush@127.0.0.1:9", False),
    ],
)
def test_a_password_leaves_the_machine_in_clear_only_without_tls(url: str, in_clear: bool) -> None:
    facts = asyncio.run(read_broker(MqttSettings.from_url(url), "wavewrap-test"))
    assert facts.in_clear is in_clear
    assert facts.fault is not None
    assert "hush" not in facts.fault


def test_an_embedded_broker_is_ended_again() -> None:
    facts = asyncio.run(read_broker(None, "wavewrap-test"))
    assert (facts.embedded, facts.fault) == (True, None)
