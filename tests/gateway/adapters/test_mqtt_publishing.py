"""Publishing against real brokers: delivery, the window, loss and return of the broker, refusals, the Last Will."""

import asyncio
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.support.brokers import Collector, Mosquitto, find_free_port, got, needs_mosquitto, run_mosquitto
from tests.support.sample_payloads import BATCH, batches, event, health, seqs, telemetry
from tests.support.sample_payloads import TELEMETRY_PATH as TELEMETRY
from tests.support.scripted_broker import connack_v5, run_scripted_broker

from wavewrap_gateway.adapters import mqtt, mqtt_connection
from wavewrap_gateway.adapters.broker import EmbeddedBroker
from wavewrap_gateway.adapters.mqtt import MqttPublisher, MqttSettings
from wavewrap_gateway.runtime.message_queues import HISTORICAL_S, MessageQueues
from wavewrap_gateway.runtime.publishing import BrokerChange, BrokerDown, BrokerUp, Publisher
from wavewrap_gateway.runtime.storage import MEMORY_BOUNDS, MemoryStorage
from wavewrap_protocol.errors import UsageError
from wavewrap_protocol.payloads import Availability, BridgeEvent, BridgeState

STATE = "wavewrap/bridge/state"
EVENT = "wavewrap/bridge/event"
ONLINE, OFFLINE = b'{"state":"online"}', b'{"state":"offline"}'


class Changes:
    """Notes every change of a publisher and waits for one."""

    def __init__(self, publisher: Publisher) -> None:
        self.seen: list[BrokerChange] = []
        self._queue: asyncio.Queue[BrokerChange] = asyncio.Queue()
        publisher.add_listener(self._note)

    def _note(self, change: BrokerChange) -> None:
        self.seen.append(change)
        self._queue.put_nowait(change)

    async def next(self, timeout_s: float = 10.0) -> BrokerChange:
        async with asyncio.timeout(timeout_s):
            return await self._queue.get()


@pytest.fixture
def quick_reconnects(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mqtt, "RECONNECT_DELAYS_S", (0.5,))


@needs_mosquitto
def test_retained_flags_and_qos_follow_the_topic_table(tmp_path: Path) -> None:
    async def scene(broker: Mosquitto) -> None:
        publisher = MqttPublisher(MqttSettings.from_url(broker.url), "wavewrap-test")
        await publisher.start()
        async with Collector(broker.port) as before:
            publisher.publish("wrap_availability", Availability(state="online"), "left")
            publisher.publish("bridge_event", event(1))
            publisher.publish("bridge_health", health())
            assert await publisher.drain(5.0)
            # A broker need not keep the order between one qos and another, so the last one sent says nothing of those before it.
            assert await asyncio.to_thread(before.wait_until, lambda one: len(one.messages) >= 4)
            by_topic = {message.topic: message for message in before.messages}
            assert {topic: message.qos for topic, message in by_topic.items()} == {
                STATE: 1,
                "wavewrap/left/availability": 1,
                EVENT: 1,
                "wavewrap/bridge/health": 0,
            }
            async with Collector(broker.port) as late:
                assert await got(late, 1, STATE)
                assert await got(late, 1, "wavewrap/left/availability")
                assert {message.topic for message in late.messages if message.retained} == {STATE, "wavewrap/left/availability"}
                await publisher.close()
                assert await got(late, 2, STATE)
                assert late.bodies(STATE) == [ONLINE, OFFLINE]

    with run_mosquitto(tmp_path) as broker:
        asyncio.run(scene(broker))


def is_told_offline(port: int) -> bool:
    """Whether one who subscribes now is told that the gateway is gone."""
    with Collector(port) as late:
        assert late.wait_until(lambda c: bool(c.bodies(STATE)))
        assert late.messages[0].retained
        return late.bodies(STATE) == [OFFLINE]


def watch_a_gateway_die(url: str) -> None:
    """Start a gateway's publisher in a process, kill it, and watch what others are told."""
    script = """
import asyncio, sys
from wavewrap_gateway.adapters.mqtt import MqttPublisher, MqttSettings
async def main():
    publisher = MqttPublisher(MqttSettings.from_url(sys.argv[1]), "wavewrap-test")
    await publisher.start()
    print("up", flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""
    port = int(url.rsplit(":", 1)[1])
    with Collector(port) as collector:
        with subprocess.Popen([sys.executable, "-c", script, url], stdout=subprocess.PIPE) as gateway:
            assert gateway.stdout is not None
            assert gateway.stdout.readline() == b"up\n"
            assert collector.wait_until(lambda c: c.bodies(STATE) == [ONLINE])
            gateway.kill()
        assert collector.wait_until(lambda c: c.bodies(STATE) == [ONLINE, OFFLINE])
        # A broker may hand the Will on before it keeps it: who comes in between is told the old state.
        assert any(is_told_offline(port) for _ in range(10))


@needs_mosquitto
def test_a_killed_gateway_is_announced_by_its_will(tmp_path: Path) -> None:
    with run_mosquitto(tmp_path) as broker:
        watch_a_gateway_die(broker.url)


def test_a_killed_gateway_is_announced_by_the_embedded_broker_too() -> None:
    async def scene() -> None:
        broker = EmbeddedBroker()
        await asyncio.to_thread(watch_a_gateway_die, await broker.start())
        await broker.close()

    asyncio.run(scene())


@needs_mosquitto
def test_the_window_is_the_brokers_receive_maximum(tmp_path: Path) -> None:
    async def scene(broker: Mosquitto) -> None:
        publisher = MqttPublisher(MqttSettings.from_url(broker.url), "wavewrap-test")
        await publisher.start()
        assert publisher.window == 3
        async with Collector(broker.port) as collector:
            for seq in range(500):
                publisher.publish("bridge_event", event(seq))
            assert await publisher.drain(10.0)
            assert await got(collector, 500, EVENT)
            assert seqs(collector.bodies(EVENT)) == list(range(500))
        await publisher.close()

    with run_mosquitto(tmp_path, ["max_inflight_messages 3"]) as broker:
        asyncio.run(scene(broker))


@pytest.mark.parametrize(("properties", "window"), [(b"", 100), (bytes([0x21, 0, 7]), 7), (bytes([0x21, 1, 0]), 100)])
def test_no_more_than_the_window_flies_unacknowledged(properties: bytes, window: int) -> None:
    async def scene() -> None:
        async with run_scripted_broker({5: connack_v5(0, properties)}) as broker:
            publisher = MqttPublisher(MqttSettings(port=broker.port), "wavewrap-test")
            await publisher.start()
            for seq in range(300):
                publisher.publish("bridge_event", event(seq))
            assert not await publisher.drain(0.2)
            assert broker.published() == [STATE.encode(), *[EVENT.encode()] * (window - 1)]
            await publisher.close(0.05)
            counts = publisher.counts()
            assert (counts.published, counts.acknowledged, counts.dropped) == (300, 0, 300)
            assert publisher.drops() == {"gateway closed": 300}

    asyncio.run(scene())


@needs_mosquitto
@pytest.mark.usefixtures("quick_reconnects")
def test_a_killed_broker_costs_nothing_and_what_comes_late_says_so(tmp_path: Path) -> None:
    async def scene(broker: Mosquitto) -> None:
        shift_s = [0.0]

        def unix_s() -> float:
            return time.clock_gettime(time.CLOCK_REALTIME) + shift_s[0]

        queues = MessageQueues(MemoryStorage(MEMORY_BOUNDS, unix_s), unix_s)
        publisher = MqttPublisher(MqttSettings.from_url(broker.url), "wavewrap-test", queues)
        await publisher.start()
        changes = Changes(publisher)
        async with Collector(broker.port) as before:
            for seq in range(100):
                publisher.publish("bridge_event", event(seq))
            assert await publisher.drain(5.0)
            assert await got(before, 100, EVENT)
            assert seqs(before.bodies(EVENT)) == list(range(100))
        broker.pause()
        for seq in range(100, 300):  # a window of them lies in the dead broker's socket
            publisher.publish("bridge_event", event(seq))
        assert not await publisher.drain(0.05)
        broker.kill()
        assert isinstance(await changes.next(), BrokerDown)
        assert not publisher.connected
        for seq in range(300, 400):
            publisher.publish("bridge_event", event(seq))
            publisher.publish("wrap_telemetry", telemetry(seq), "left")
            publisher.publish("wrap_availability", Availability(state="offline" if seq % 2 else "online"), "left")
        shift_s[0] = HISTORICAL_S + 1.0
        broker.start()
        async with Collector(broker.port) as after:
            assert await changes.next() == BrokerUp(broker.url)
            publisher.publish("wrap_telemetry", telemetry(400), "left")
            assert await publisher.drain(10.0)
            assert await got(after, 300, EVENT)
            assert await got(after, 101, TELEMETRY)
            events = [BridgeEvent.model_validate_json(body) for body in after.bodies(EVENT)]
            assert sorted({one.seq for one in events}) == list(range(100, 400))
            assert all(one.historical for one in events)
            late = {one.seq // BATCH: one.historical for one in batches(after.bodies(TELEMETRY))}
            assert late == {**dict.fromkeys(range(300, 400), True), 400: False}
            assert after.bodies(STATE) == [ONLINE]
            assert after.bodies("wavewrap/left/availability") == [OFFLINE]  # of a hundred states the last
        counts = publisher.counts()
        assert (counts.published, counts.acknowledged, counts.replaced, counts.dropped, counts.waiting) == (601, 502, 99, 0, 0)
        await publisher.close()

    with run_mosquitto(tmp_path) as broker:
        asyncio.run(scene(broker))


@pytest.mark.usefixtures("quick_reconnects")
def test_what_was_not_acknowledged_is_sent_again() -> None:
    async def scene() -> None:
        async with run_scripted_broker({5: connack_v5()}) as broker:
            publisher = MqttPublisher(MqttSettings(port=broker.port), "wavewrap-test")
            await publisher.start()
            changes = Changes(publisher)
            publisher.publish("bridge_event", event(0))
            publisher.publish("wrap_availability", Availability(state="online"), "left")
            await broker.wait_for_packets(4)
            broker.hang_up()
            assert await changes.next() == BrokerDown("the connection broke")
            assert isinstance(await changes.next(), BrokerUp)
            await broker.wait_for_packets(8)
            once = [STATE.encode(), b"wavewrap/left/availability", EVENT.encode()]  # states first
            assert broker.published() == once * 2
            await publisher.close(0.05)

    asyncio.run(scene())


@pytest.mark.usefixtures("quick_reconnects")
def test_the_brokers_own_reason_for_leaving_is_told() -> None:
    async def scene() -> None:
        async with run_scripted_broker({5: connack_v5()}) as broker:
            publisher = MqttPublisher(MqttSettings(port=broker.port), "wavewrap-test")
            await publisher.start()
            changes = Changes(publisher)
            broker.send(bytes([0xE0, 2, 0x8E, 0]))
            assert await changes.next() == BrokerDown("the broker ended the connection (Session taken over)")
            await publisher.close(0.05)

    asyncio.run(scene())


@pytest.mark.usefixtures("quick_reconnects")
def test_closing_while_the_broker_is_gone_is_quick_and_counts_what_is_lost() -> None:
    async def scene() -> None:
        async with run_scripted_broker({5: connack_v5()}) as broker:
            publisher = MqttPublisher(MqttSettings(port=broker.port), "wavewrap-test")
            await publisher.start()
            changes = Changes(publisher)
            broker.hang_up()
            await changes.next()
            publisher.publish("bridge_event", event(0))
            async with asyncio.timeout(1.0):
                await publisher.close()
            publisher.publish("bridge_event", event(1))
            assert publisher.drops() == {"gateway closed": 2}
            assert await publisher.drain(0.0)

    asyncio.run(scene())


@pytest.mark.usefixtures("quick_reconnects")
def test_a_silent_broker_is_noticed_within_twice_the_keep_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mqtt_connection, "KEEPALIVE_S", 1)

    async def scene() -> None:
        async with run_scripted_broker({5: connack_v5()}) as broker:
            publisher = MqttPublisher(MqttSettings(port=broker.port), "wavewrap-test")
            await publisher.start()
            changes = Changes(publisher)
            assert await changes.next(5.0) == BrokerDown("the broker was silent for 2 s")
            assert 0xC0 in broker.heads()  # it was asked
            await publisher.close(0.05)

    asyncio.run(scene())


def test_the_presence_topic_is_the_adapters_own() -> None:
    publisher = MqttPublisher(MqttSettings(port=find_free_port()), "wavewrap-test")
    with pytest.raises(UsageError, match="follows the connection by itself"):
        publisher.publish("bridge_state", BridgeState(state="online"))


def test_a_removed_listener_hears_nothing() -> None:
    async def scene() -> list[BrokerChange]:
        heard: list[BrokerChange] = []
        async with run_scripted_broker({5: connack_v5()}) as broker:
            publisher = MqttPublisher(MqttSettings(port=broker.port), "wavewrap-test")
            remove = publisher.add_listener(heard.append)
            await publisher.start()
            await asyncio.sleep(0)
            remove()
            await publisher.close(0.05)
        return heard

    assert [type(change) for change in asyncio.run(scene())] == [BrokerUp]


def test_a_stalled_broker_holds_the_socket_back_and_not_the_loop() -> None:
    async def scene() -> None:
        loop = asyncio.get_running_loop()
        stalled = asyncio.Event()

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(1)
            writer.write(connack_v5())
            await stalled.wait()  # reads no more: the buffers of both ends fill up
            writer.close()

        server = await asyncio.start_server(accept, "127.0.0.1", 0, limit=1024)
        publisher = MqttPublisher(MqttSettings(port=server.sockets[0].getsockname()[1]), "wavewrap-test")
        await publisher.start()
        began_s = loop.time()
        for seq in range(60):
            publisher.publish("bridge_event", event(seq, "x" * 200_000))
        assert not await publisher.drain(0.2)
        assert loop.time() - began_s < 2.0
        assert publisher.connected
        await publisher.close(0.05)
        stalled.set()
        server.close()
        await server.wait_closed()
        assert publisher.counts().dropped == 60

    asyncio.run(scene())
