"""``bench cluster``: a gateway on a replicated broker whose node it is on is killed, time and again, under load.

Two of three nodes are in the gateway's list; an independent subscriber of QoS 1 with a session that lasts sits on the third, which lives.
Each of the two has another client besides, as nodes of a cluster in use do: NATS 2.9 makes what it keeps for MQTT when a node's first
client comes, and cannot while one of three replicas is away.
"""

import asyncio
import tempfile
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from wavewrap_gateway.adapters.mqtt import MqttPublisher
from wavewrap_gateway.adapters.mqtt_settings import MqttSettings
from wavewrap_gateway.bench.nats import NatsCluster, run_nats_cluster
from wavewrap_gateway.bench.report import BenchReport, Check, describe_machine
from wavewrap_gateway.runtime.publishing import BrokerChange, BrokerUp
from wavewrap_protocol.errors import BrokerError, LocalError
from wavewrap_protocol.payloads import BridgeEvent

__all__ = ["NODE_KILLS", "bench_cluster"]

NODE_KILLS = 3
RATE_PER_S = 200
TICK_S = 0.025
STEADY_S = 11.0
"""Longer than ``adapters.mqtt.STABLE_S``, so that each kill finds the gateway's delays as after a quiet day."""

PATIENCE_S = 90.0
LISTENER = 2
"""The node that the subscriber is on."""


async def bench_cluster(kills: int = NODE_KILLS, steady_s: float = STEADY_S) -> BenchReport:
    """Raises :class:`LocalError` without nats-server or when the cluster does not come up."""
    with tempfile.TemporaryDirectory(prefix="wavewrap-") as name, run_nats_cluster(Path(name)) as cluster:
        listener = await asyncio.to_thread(_Listener, cluster.mqtt_ports[LISTENER])
        others = [_other_client(port) for port in cluster.mqtt_ports[:LISTENER]]
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not all(one.is_connected() for one in others):  # noqa: ASYNC110  # threads of paho's
                    await asyncio.sleep(0.05)
            return await _play(cluster, listener, kills, steady_s)
        finally:
            for one in others:
                one.disconnect()
                one.loop_stop()
            listener.close()


async def _play(cluster: NatsCluster, listener: "_Listener", kills: int, steady_s: float) -> BenchReport:
    one, other = cluster.mqtt_ports[:LISTENER]
    publisher = MqttPublisher(MqttSettings(port=one, fallbacks=(f"127.0.0.1:{other}",)), "wavewrap-bench")
    await _start(publisher)
    sent = 0
    gaps_s: list[float] = []
    up_on: list[int] = []

    def note(change: BrokerChange) -> None:
        if isinstance(change, BrokerUp):
            up_on.append(int(change.broker.rpartition(":")[2]))

    async def load() -> None:
        nonlocal sent
        while True:
            for _ in range(int(RATE_PER_S * TICK_S)):
                event = BridgeEvent(gateway="bench", gateway_boot=1, seq=sent, unix_s=0.0, kind="bench", text="x" * 100)
                publisher.publish("bridge_event", event)
                sent += 1
            await asyncio.sleep(TICK_S)

    publisher.add_listener(note)
    at = one
    loading = asyncio.create_task(load())
    try:
        await asyncio.sleep(steady_s)
        for _ in range(kills):
            node = cluster.mqtt_ports.index(at)
            up_on.clear()
            cluster.kill(node)
            killed_s = time.monotonic()
            async with asyncio.timeout(PATIENCE_S):
                while not up_on:  # noqa: ASYNC110  # the publisher tells by a callback
                    await asyncio.sleep(0.01)
            gaps_s.append(time.monotonic() - killed_s)
            at = up_on[-1]
            cluster.start(node)
            await asyncio.sleep(steady_s)
    finally:
        loading.cancel()
        await asyncio.gather(loading, return_exceptions=True)
        await publisher.drain(PATIENCE_S)
        await asyncio.to_thread(listener.wait_for, sent, PATIENCE_S)
        await publisher.close()
    heard = listener.heard()
    checks = [
        Check(name="lost", value=sent - len(heard), unit="messages", limit=0.0, better="lower"),
        Check(name="given up by the gateway", value=publisher.counts().dropped, unit="messages", limit=0.0, better="lower"),
        Check(name="longest gap", value=max(gaps_s, default=0.0), unit="s", limit=None, better="lower"),
        Check(name="duplicated", value=heard.total() - len(heard), unit="messages", limit=None, better="lower"),
        Check(name="sent", value=sent, unit="messages", limit=None, better="higher"),
    ]
    details = {"kills": kills, "gaps_s": [round(gap_s, 2) for gap_s in gaps_s], "nodes": 3, "rate_per_s": RATE_PER_S}
    return BenchReport(bench="cluster", machine=describe_machine(), checks=checks, details=details)


def _other_client(port: int) -> paho.Client:
    client = paho.Client(CallbackAPIVersion.VERSION2, f"bench-other-{port}", protocol=MQTTProtocolVersion.MQTTv311)
    client.reconnect_delay_set(1, 1)
    client.connect_async("127.0.0.1", port)
    client.loop_start()
    return client


async def _start(publisher: MqttPublisher) -> None:
    """The nodes elect a leader first, and take no client before."""
    deadline_s = time.monotonic() + PATIENCE_S
    while True:
        try:
            await publisher.start()
            return
        except BrokerError as cause:
            if time.monotonic() > deadline_s:
                raise LocalError(f"the cluster does not come up: {cause}") from cause
            await asyncio.sleep(0.2)


class _Listener:
    """A subscriber on a thread of its own; made, it is subscribed. Raises :class:`LocalError`."""

    def __init__(self, port: int) -> None:
        self._heard: Counter[int] = Counter()
        self._changed = threading.Condition()
        deadline_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline_s:
            subscribed = threading.Event()
            self._client = self._make_client(subscribed)
            with suppress(OSError):
                self._client.connect("127.0.0.1", port)
                self._client.loop_start()
                if subscribed.wait(2.0):
                    return
                self.close()
            time.sleep(0.2)
        raise LocalError("the cluster lets no subscriber in")

    def _make_client(self, subscribed: threading.Event) -> paho.Client:
        client = paho.Client(CallbackAPIVersion.VERSION2, "bench-listener", clean_session=False, protocol=MQTTProtocolVersion.MQTTv311)
        client.on_connect = lambda client, *_: client.subscribe("wavewrap/bridge/event", 1)
        client.on_subscribe = lambda *_: subscribed.set()
        client.on_message = self._note
        return client

    def _note(self, _client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        seq = BridgeEvent.model_validate_json(message.payload).seq
        with self._changed:
            self._heard[seq] += 1
            self._changed.notify_all()

    def heard(self) -> Counter[int]:
        """How often each message came."""
        with self._changed:
            return Counter(self._heard)

    def wait_for(self, count: int, timeout_s: float) -> None:
        """Until ``count`` different ones came, or no longer than ``timeout_s``."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._heard) >= count, timeout_s)

    def close(self) -> None:
        """Leave."""
        self._client.disconnect()
        self._client.loop_stop()
