"""The publisher on MQTT: one connection kept up, one window of unacknowledged messages, the bridge's presence.

MQTT 5 first; a broker that does not speak it is asked again with 3.1.1. What a lost connection left unacknowledged goes back to the
queues and is sent again (QoS 1 allows duplicates; the payloads carry their keys). ``bridge/state`` is this adapter's own: the retained
"online" at every connect, "offline" as the Last Will and before an orderly disconnect. Nothing else is published unasked.
Not responsible for: what goes next and what an answer means (``runtime.message_queues``), where messages lie meanwhile (the storage
behind those), paho's ways (``mqtt_connection``), commands from the broker.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Literal

from wavewrap_gateway.adapters.mqtt_connection import MqttConnection, NoAnswerError
from wavewrap_gateway.adapters.mqtt_failures import Refusal
from wavewrap_gateway.adapters.mqtt_settings import MqttSettings
from wavewrap_gateway.adapters.mqtt_targets import BrokerTargets
from wavewrap_gateway.core.backoff import Backoff
from wavewrap_gateway.runtime.message_queues import MessageQueues, Outgoing, Verdict
from wavewrap_gateway.runtime.publishing import BrokerChange, BrokerDown, BrokerUp, Message, encode_message
from wavewrap_gateway.runtime.storage import MEMORY_BOUNDS, MemoryStorage
from wavewrap_protocol.errors import UsageError, WavewrapError
from wavewrap_protocol.payloads import BridgeState, MqttCounts, OutboxHealth, Payload

__all__ = ["MqttPublisher", "MqttSettings"]

WINDOW = 100
"""Choice: at most this many unacknowledged messages, less where the broker's Receive Maximum is less; about 8000 messages a second."""

RECONNECT_DELAYS_S = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
"""Choice: a restarted broker is found at once, a dead one is asked twice a minute."""

STABLE_S = 10.0
"""Choice: a connection that held this long starts the delays anew; two gateways that fight over one client id do not."""

CONNECT_S = 5.0
"""Choice: for name lookup, TCP and TLS, and again for the broker's answer."""

FALLBACK_S = 1.0
"""Choice: how long CONNECT of MQTT 5 may stay unanswered before 3.1.1 is tried. amqtt misreads one with a Will and never answers."""

_log = logging.getLogger(__name__)


class MqttPublisher:
    """A ``runtime.publishing.Publisher``. ``client_id`` must be the same for the same gateway and of no other on this broker.

    Without ``queues`` messages wait in memory. Every method belongs to the thread of the asyncio loop.
    """

    def __init__(self, settings: MqttSettings, client_id: str, queues: MessageQueues | None = None) -> None:
        self._targets = BrokerTargets(settings)
        self._base_topic = settings.base_topic
        self._client_id = client_id
        self._queues = _queues_in_memory() if queues is None else queues
        self._queues.on_more = self._pump_soon
        self._online = encode_message(settings.base_topic, "bridge_state", BridgeState(state="online"))
        self._offline = encode_message(settings.base_topic, "bridge_state", BridgeState(state="offline"))
        self._version: Literal["5", "3.1.1"] | None = None if settings.version == "auto" else settings.version
        self._connection: MqttConnection | None = None
        self._in_flight: dict[int, Outgoing | None] = {}  # by message id, oldest first; None is our own presence, of no queue
        self._window = WINDOW
        self._listeners: list[Callable[[BrokerChange], None]] = []
        self._idle = asyncio.Event()
        self._idle.set()
        self._pump_due = False
        self._alarm: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def connected(self) -> bool:
        """Whether the broker takes messages now."""
        return self._connection is not None

    @property
    def version(self) -> Literal["5", "3.1.1"] | None:
        """The version of MQTT in use, None before the first connection."""
        return self._version

    @property
    def window(self) -> int:
        """Unacknowledged messages allowed on the present connection."""
        return self._window

    async def start(self) -> None:
        """Connect for the first time and keep connected from then on. Raises BrokerError or UsageError when the first time fails."""
        connection = await self._connect()
        self._go_up(connection)
        self._task = asyncio.create_task(self._keep_up(connection), name="mqtt-keep-up")

    async def close(self, drain_s: float = 2.0) -> None:
        """Send what waits, say "offline" and disconnect, for at most ``drain_s`` each; what is still unsent stays with the storage."""
        self._closed = True
        if self._connection is not None:
            await self.drain(drain_s)
        if self._connection is not None:
            self._announce(self._connection, self._offline)
            await self.drain(drain_s)
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        if self._connection is not None:
            connection = self._connection
            self._go_down("the gateway closed it")
            await connection.close(drain_s)
        self._queues.give_up("gateway closed")
        self._idle.set()

    def publish(self, topic: str, payload: Payload, wrap: str | None = None) -> None:
        """Queue ``payload`` and return at once. Raises UsageError as ``encode_message``, and for ``bridge_state``, which is ours."""
        if topic == "bridge_state":
            raise UsageError("topic 'bridge_state' follows the connection by itself: do not publish it")
        self._queues.put(encode_message(self._base_topic, topic, payload, wrap))
        if self._closed:
            self._queues.give_up("gateway closed")
            return
        self._idle.clear()
        if self._in_flight:
            self._pump_soon()  # more may come in this turn of the loop, and go out together
        else:
            self._pump()

    def counts(self) -> MqttCounts:
        """Counts since start, without the adapter's own ``bridge/state``."""
        return self._queues.counts()

    def drops(self) -> dict[str, int]:
        """Dropped messages by reason."""
        return self._queues.drops()

    def outbox(self) -> OutboxHealth:
        """Where messages wait, and what was dropped why."""
        return self._queues.health()

    def dropped_samples(self, wrap: str) -> int:
        """Samples of ``wrap`` in telemetry that was given up."""
        return self._queues.dropped_samples(wrap)

    async def drain(self, timeout_s: float) -> bool:
        """Send all that the broker takes, as fast as it does, and wait for its answers; False when ``timeout_s`` ended first."""
        self._queues.hurry(True)
        self._pump_soon()
        try:
            async with asyncio.timeout(timeout_s):
                await self._idle.wait()
        except TimeoutError:
            return False
        finally:
            self._queues.hurry(False)
        return True

    def add_listener(self, listener: Callable[[BrokerChange], None]) -> Callable[[], None]:
        """Call ``listener`` in the loop at every change of ``connected``; returns what removes it again."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    # Connecting.

    async def _connect(self) -> MqttConnection:
        return await self._targets.connect(self._connect_to)

    async def _connect_to(self, settings: MqttSettings) -> MqttConnection:
        if self._version is not None:
            return await self._open(settings, self._version, CONNECT_S)
        try:
            connection = await self._open(settings, "5", FALLBACK_S)
            self._version = "5"
        except NoAnswerError as error:
            _log.info("trying MQTT 3.1.1: %s", error)
            connection = await self._open(settings, "3.1.1", CONNECT_S)
            self._version = "3.1.1"
        return connection

    async def _open(self, settings: MqttSettings, version: Literal["5", "3.1.1"], answer_s: float) -> MqttConnection:
        connection = MqttConnection(settings, self._client_id, version, self._offline, self._settle, self._pump)
        await connection.open(CONNECT_S, answer_s)
        return connection

    async def _keep_up(self, connection: MqttConnection) -> None:
        """Wait for the connection's end and make a new one, for ever."""
        loop = asyncio.get_running_loop()
        backoff = Backoff(RECONNECT_DELAYS_S)
        while True:
            up_at_s = loop.time()
            await connection.lost.wait()
            if loop.time() - up_at_s >= STABLE_S:
                backoff.reset()
            self._go_down(connection.lost_reason)
            connection.drop()
            while True:
                await asyncio.sleep(backoff.next_delay_s())
                try:
                    connection = await self._connect()
                    break
                except WavewrapError as error:
                    _log.info("%s", error)
            self._go_up(connection)

    def _go_up(self, connection: MqttConnection) -> None:
        self._connection = connection
        self._window = max(1, min(WINDOW, connection.receive_maximum))
        _log.info("MQTT broker %s connected, MQTT %s, window %d", self._targets.current.safe_url, self._version, self._window)
        self._announce(connection, self._online)
        self._queues.connect()
        self._notify(BrokerUp(self._targets.current.safe_url))
        # After the listeners: they replace states that have grown old.
        self._pump_soon()

    def _go_down(self, reason: str) -> None:
        self._connection = None
        self._queues.disconnect(outgoing for outgoing in self._in_flight.values() if outgoing is not None)
        self._in_flight.clear()
        self._set_alarm()
        self._note_idle()
        if not self._closed:
            _log.warning("MQTT broker %s lost: %s; reconnecting", self._targets.current.safe_url, reason)
        self._notify(BrokerDown(reason))

    def _notify(self, change: BrokerChange) -> None:
        for listener in self._listeners:
            asyncio.get_running_loop().call_soon(listener, change)

    # Sending.

    def _announce(self, connection: MqttConnection, presence: Message) -> None:
        self._in_flight[connection.send(presence)] = None
        self._idle.clear()

    def _pump_soon(self) -> None:
        if self._connection is not None and not self._pump_due:
            self._pump_due = True
            asyncio.get_running_loop().call_soon(self._pump)

    def _pump(self) -> None:
        """Send what the window and the socket have room for."""
        self._pump_due = False
        connection = self._connection
        if connection is None:
            return
        if not self._in_flight and self._alarm is None and self._queues.is_empty:
            self._idle.set()  # as after most answers
            return
        # The first by itself: most often there is only one, and holding segments back costs two calls of the system.
        outgoing = self._next(connection)
        if outgoing is not None:
            self._send(connection, outgoing)
            outgoing = self._next(connection)
        if outgoing is not None:
            with connection.together():
                while outgoing is not None:
                    self._send(connection, outgoing)
                    outgoing = self._next(connection)
        self._note_idle()

    def _next(self, connection: MqttConnection) -> Outgoing | None:
        """What to send now, where window and socket have room."""
        while len(self._in_flight) < self._window and not connection.congested:
            outgoing = self._queues.take()
            if outgoing is None:
                self._set_alarm()
                return None
            message = outgoing.message
            limit_bytes = connection.maximum_packet_bytes
            if limit_bytes is None or len(message.body) + len(message.path) + _PACKET_EXTRA_BYTES <= limit_bytes:
                return outgoing
            self._queues.refuse(outgoing, Verdict.IMPOSSIBLE, f"larger than the broker's limit of {limit_bytes} bytes")
        return None

    def _send(self, connection: MqttConnection, outgoing: Outgoing) -> None:
        self._in_flight[connection.send(outgoing.message)] = outgoing

    def _set_alarm(self) -> None:
        """Look again when a rate or a pause may let more out."""
        if self._alarm is not None:
            self._alarm.cancel()
        wait_s = self._queues.wait_s()
        self._alarm = None if wait_s is None else asyncio.get_running_loop().call_later(wait_s, self._pump)

    def _note_idle(self) -> None:
        if not self._in_flight and self._queues.is_settled:
            self._idle.set()
        else:
            self._idle.clear()

    def _settle(self, mid: int, refusal: Refusal | None) -> None:
        outgoing = self._in_flight.pop(mid, None)
        if outgoing is None:
            return
        if refusal is None:
            self._queues.acknowledge(outgoing)
        else:
            self._queues.refuse(outgoing, refusal.verdict, refusal.reason)


def _queues_in_memory() -> MessageQueues:
    def unix_s() -> float:
        return time.clock_gettime(time.CLOCK_REALTIME)

    return MessageQueues(MemoryStorage(MEMORY_BOUNDS, unix_s), unix_s)


_PACKET_EXTRA_BYTES = 16  # fixed header 5, topic length 2, packet id 2, property length 1, and some to spare
