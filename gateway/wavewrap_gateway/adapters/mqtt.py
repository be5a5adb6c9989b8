"""The publisher on MQTT: one connection kept up, one window of unacknowledged messages, the bridge's presence.

MQTT 5 first; a broker that does not speak it is asked again with 3.1.1. What a lost connection left unacknowledged is sent again (QoS 1
allows duplicates; the payloads carry their keys). ``bridge/state`` is this adapter's own: the retained "online" at every connect,
"offline" as the Last Will and before an orderly disconnect. Nothing else is published unasked.
Not responsible for: the queues' rules (``runtime.publishing``), paho's ways (``mqtt_connection``), commands from the broker.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Literal

from wavewrap_gateway.adapters.mqtt_connection import MqttConnection, NoAnswerError
from wavewrap_gateway.adapters.mqtt_settings import MqttSettings
from wavewrap_gateway.core.backoff import Backoff
from wavewrap_gateway.runtime.publishing import BrokerChange, BrokerDown, BrokerUp, Message, MessageQueues, encode_message
from wavewrap_protocol.errors import UsageError, WavewrapError
from wavewrap_protocol.payloads import BridgeState, MqttCounts, Payload

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

    Every method belongs to the thread of the asyncio loop.
    """

    def __init__(self, settings: MqttSettings, client_id: str, queues: MessageQueues | None = None) -> None:
        self._settings = settings
        self._client_id = client_id
        self._queues = MessageQueues() if queues is None else queues
        self._online = encode_message(settings.base_topic, "bridge_state", BridgeState(state="online"))
        self._offline = encode_message(settings.base_topic, "bridge_state", BridgeState(state="offline"))
        self._version: Literal["5", "3.1.1"] | None = None if settings.version == "auto" else settings.version
        self._connection: MqttConnection | None = None
        self._in_flight: dict[int, Message] = {}  # by message id, oldest first
        self._presence_ids: set[int] = set()  # ours, of no queue and no count
        self._window = WINDOW
        self._listeners: list[Callable[[BrokerChange], None]] = []
        self._idle = asyncio.Event()
        self._idle.set()
        self._pump_due = False
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
        """Send what waits, say "offline" and disconnect, for at most ``drain_s`` each; what is still unsent counts as dropped."""
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
        self._queues.discard("gateway closed")
        self._idle.set()

    def publish(self, topic: str, payload: Payload, wrap: str | None = None) -> None:
        """Queue ``payload`` and return at once. Raises UsageError as ``encode_message``, and for ``bridge_state``, which is ours."""
        if topic == "bridge_state":
            raise UsageError("topic 'bridge_state' follows the connection by itself: do not publish it")
        self._queues.put(encode_message(self._settings.base_topic, topic, payload, wrap))
        if self._closed:
            self._queues.discard("gateway closed")
            return
        self._idle.clear()
        if self._connection is not None and not self._pump_due:
            self._pump_due = True
            asyncio.get_running_loop().call_soon(self._pump)

    def counts(self) -> MqttCounts:
        """Counts since start, without the adapter's own ``bridge/state``."""
        return self._queues.counts()

    def drops(self) -> dict[str, int]:
        """Dropped messages by reason."""
        return self._queues.drops()

    async def drain(self, timeout_s: float) -> bool:
        """Wait until everything is acknowledged or dropped; False when ``timeout_s`` ended first."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True

    def add_listener(self, listener: Callable[[BrokerChange], None]) -> Callable[[], None]:
        """Call ``listener`` in the loop at every change of ``connected``; returns what removes it again."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    # Connecting.

    async def _connect(self) -> MqttConnection:
        if self._version is not None:
            return await self._open(self._version, CONNECT_S)
        try:
            connection = await self._open("5", FALLBACK_S)
            self._version = "5"
        except NoAnswerError as error:
            _log.info("trying MQTT 3.1.1: %s", error)
            connection = await self._open("3.1.1", CONNECT_S)
            self._version = "3.1.1"
        return connection

    async def _open(self, version: Literal["5", "3.1.1"], answer_s: float) -> MqttConnection:
        connection = MqttConnection(self._settings, self._client_id, version, self._offline, self._settle, self._pump)
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
        _log.info("MQTT broker %s connected, MQTT %s, window %d", self._settings.safe_url, self._version, self._window)
        self._announce(connection, self._online)
        self._pump()
        self._notify(BrokerUp(self._settings.safe_url))

    def _go_down(self, reason: str) -> None:
        self._connection = None
        self._queues.put_back(message for mid, message in self._in_flight.items() if mid not in self._presence_ids)
        self._in_flight.clear()
        self._presence_ids.clear()
        if not len(self._queues):
            self._idle.set()
        if not self._closed:
            _log.warning("MQTT broker %s lost: %s; reconnecting", self._settings.safe_url, reason)
        self._notify(BrokerDown(reason))

    def _notify(self, change: BrokerChange) -> None:
        for listener in self._listeners:
            asyncio.get_running_loop().call_soon(listener, change)

    # Sending.

    def _announce(self, connection: MqttConnection, presence: Message) -> None:
        mid = connection.send(presence)
        self._in_flight[mid] = presence
        self._presence_ids.add(mid)
        self._idle.clear()

    def _pump(self) -> None:
        """Send what the window and the socket have room for."""
        self._pump_due = False
        connection = self._connection
        if connection is None:
            return
        while len(self._in_flight) < self._window and not connection.congested:
            message = self._queues.take()
            if message is None:
                break
            limit_bytes = connection.maximum_packet_bytes
            if limit_bytes is not None and len(message.body) + len(message.path) + _PACKET_EXTRA_BYTES > limit_bytes:
                self._queues.refuse(message, f"larger than the broker's limit of {limit_bytes} bytes")
            else:
                self._in_flight[connection.send(message)] = message
        if not self._in_flight and not len(self._queues):
            self._idle.set()

    def _settle(self, mid: int, failure: str | None) -> None:
        message = self._in_flight.pop(mid, None)
        if message is None:
            return
        if mid in self._presence_ids:
            self._presence_ids.remove(mid)
        elif failure is None:
            self._queues.acknowledge(message)
        else:
            self._queues.refuse(message, f"refused by the broker: {failure}")


_PACKET_EXTRA_BYTES = 16  # fixed header 5, topic length 2, packet id 2, property length 1, and some to spare
