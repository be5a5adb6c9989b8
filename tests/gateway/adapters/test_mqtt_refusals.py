"""What becomes of a message that the broker answers with anything but success: denied, full, nobody there, too large."""

import asyncio
from pathlib import Path

import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode
from tests.support.brokers import Collector, Mosquitto, got, needs_mosquitto, run_mosquitto
from tests.support.sample_payloads import BATCH, batches, event, seqs, telemetry, wrap_event
from tests.support.sample_payloads import TELEMETRY_PATH as TELEMETRY
from tests.support.scripted_broker import connack_v5, run_scripted_broker

from wavewrap_gateway.adapters.mqtt import MqttPublisher, MqttSettings
from wavewrap_gateway.adapters.mqtt_failures import judge_answer
from wavewrap_gateway.runtime.message_queues import Verdict
from wavewrap_protocol.payloads import Availability

STATE = "wavewrap/bridge/state"
EVENT = "wavewrap/bridge/event"


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        (0x00, None),
        (0x10, Verdict.UNHEARD),
        (0x80, Verdict.BUSY),
        (0x83, Verdict.BUSY),
        (0x87, Verdict.DENIED),
        (0x90, Verdict.IMPOSSIBLE),
        (0x91, Verdict.BUSY),
        (0x97, Verdict.BUSY),
        (0x99, Verdict.IMPOSSIBLE),
    ],
)
def test_every_reason_code_of_a_puback_has_its_meaning(code: int, verdict: Verdict | None) -> None:
    judged = judge_answer(ReasonCode(PacketTypes.PUBACK, identifier=code))
    assert (None if judged is None else judged.verdict) is verdict


def test_a_refused_state_is_dropped_with_its_reason() -> None:
    async def scene() -> None:
        async with run_scripted_broker({5: connack_v5()}, puback_reason=0x99) as broker:
            publisher = MqttPublisher(MqttSettings(port=broker.port), "wavewrap-test")
            await publisher.start()
            publisher.publish("wrap_availability", Availability(state="online"), "left")
            publisher.publish("bridge_event", event(0))
            assert await publisher.drain(5.0)
            counts = publisher.counts()
            assert (counts.published, counts.acknowledged, counts.dropped) == (2, 0, 2)
            assert publisher.drops() == {"refused by the broker: Payload format invalid": 2}
            await publisher.close()

    asyncio.run(scene())


def test_a_full_broker_is_left_alone_for_a_second_and_then_gets_everything_in_order() -> None:
    async def scene() -> None:
        loop = asyncio.get_running_loop()
        async with run_scripted_broker({5: connack_v5()}, puback_reason=0x97) as broker:
            publisher = MqttPublisher(MqttSettings(port=broker.port), "wavewrap-test")
            await publisher.start()
            for seq in range(5):
                publisher.publish("bridge_event", event(seq))
            await broker.wait_for_packets(7)  # CONNECT, our presence, five events
            refused_s = loop.time()
            broker.puback_reason = 0
            await broker.wait_for_packets(8)
            assert loop.time() - refused_s > 0.9
            assert await publisher.drain(5.0)
            assert broker.published() == [STATE.encode(), *[EVENT.encode()] * 10]
            assert [body.split(b'"seq":')[1].split(b",")[0] for body in broker.bodies(EVENT)] == [b"0", b"1", b"2", b"3", b"4"] * 2
            counts = publisher.counts()
            assert (counts.published, counts.acknowledged, counts.dropped) == (5, 5, 0)
            await publisher.close()

    asyncio.run(scene())


@needs_mosquitto
def test_where_the_rights_deny_a_topic_telemetry_is_dropped_and_events_wait_for_them(tmp_path: Path) -> None:
    rights = tmp_path / "rights"
    rights.write_text(f"topic write {STATE}\ntopic write {EVENT}\n")

    async def scene(broker: Mosquitto) -> None:
        publisher = MqttPublisher(MqttSettings.from_url(broker.url), "wavewrap-test")
        await publisher.start()
        async with Collector(broker.port, "none/of/them"):
            publisher.publish("wrap_event", wrap_event(1), "left")
            publisher.publish("wrap_telemetry", telemetry(0), "left")
            assert await publisher.drain(5.0)
        counts = publisher.counts()
        assert publisher.drops() == {"refused by the broker: Not authorized": 1}
        assert publisher.dropped_samples("left") == BATCH
        assert (counts.acknowledged, counts.waiting) == (0, 1)
        await publisher.close()

    with run_mosquitto(tmp_path, [f"acl_file {rights}"]) as broker:
        asyncio.run(scene(broker))


@needs_mosquitto
def test_what_nobody_listens_to_waits_for_a_listener_and_then_comes_whole(tmp_path: Path) -> None:
    """MQTT 5 tells a broker's "nobody is there" from delivery; mosquitto has no queue for who has not subscribed yet."""

    async def scene(broker: Mosquitto) -> None:
        publisher = MqttPublisher(MqttSettings.from_url(broker.url), "wavewrap-test")
        await publisher.start()
        publisher.publish("wrap_availability", Availability(state="online"), "left")
        for seq in range(50):
            publisher.publish("bridge_event", event(seq))
            publisher.publish("wrap_telemetry", telemetry(seq), "left")
        assert await publisher.drain(5.0)
        counts = publisher.counts()
        assert (counts.published, counts.acknowledged, counts.waiting) == (101, 1, 100)
        async with Collector(broker.port) as late:
            publisher.publish("bridge_event", event(50))  # a new message finds out at once, the others follow
            publisher.publish("wrap_telemetry", telemetry(50), "left")
            assert await got(late, 51, EVENT)
            assert await got(late, 51, TELEMETRY)
            assert await publisher.drain(5.0)
            assert seqs(late.bodies(EVENT)) == [50, *range(50)]
            assert [body.seq // BATCH for body in batches(late.bodies(TELEMETRY))] == [50, *range(50)]
        assert publisher.counts().acknowledged == 103
        await publisher.close()

    with run_mosquitto(tmp_path) as broker:
        asyncio.run(scene(broker))


def test_a_message_over_the_brokers_limit_does_not_block_the_others() -> None:
    async def scene() -> None:
        limit = bytes([0x27, 0, 0, 1, 0])  # Maximum Packet Size 256
        async with run_scripted_broker({5: connack_v5(0, limit)}, puback_reason=0) as broker:
            publisher = MqttPublisher(MqttSettings(port=broker.port), "wavewrap-test")
            await publisher.start()
            publisher.publish("bridge_event", event(0, "x" * 300))
            publisher.publish("bridge_event", event(1))
            assert await publisher.drain(5.0)
            assert publisher.drops() == {"larger than the broker's limit of 256 bytes": 1}
            assert publisher.counts().acknowledged == 1
            await publisher.close()

    asyncio.run(scene())
