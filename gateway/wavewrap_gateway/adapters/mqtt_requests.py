"""Requests from MQTT, and what is published for whoever asks: a connection of its own beside the publisher's.

So an answer never waits behind telemetry, and nothing that a broker kept for us while we were away is ever carried out: the session is
clean. MQTT 5 where it is spoken (expiry, response topic, correlation, retained told apart live), else 3.1.1 without those.
Not responsible for judging requests (``core.request_rules``) nor for data that must not be lost (the publisher's).
"""

import asyncio
import logging
import select
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from wavewrap_gateway.adapters.mqtt_connection import MqttConnection, NoAnswerError
from wavewrap_gateway.adapters.mqtt_failures import Refusal
from wavewrap_gateway.adapters.mqtt_settings import MqttSettings
from wavewrap_gateway.adapters.mqtt_targets import BrokerTargets
from wavewrap_gateway.core.backoff import Backoff
from wavewrap_gateway.core.request_rules import Incoming
from wavewrap_gateway.runtime.message_queues import Verdict
from wavewrap_protocol.errors import WavewrapError
from wavewrap_protocol.requests import REQUEST_MAX_BYTES

__all__ = ["MqttRequests"]

CONNECT_S = 5.0
FALLBACK_S = 1.0
RECONNECT_DELAYS_S = (0.2, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
"""As the publisher's, but a first try comes sooner: somebody may want to stop."""

STABLE_S = 10.0
"""As the publisher's: two daemons that fight over one name must not do it five times a second."""

WINDOW = 50
WAITING_MAX = 1000
"""Answers under way, and answers that wait for that. Choice: a second of more requests than anybody sends, under 2 MB."""

PULSE_S = 0.2
"""How often the socket is looked at. What is read may have waited since it was last seen empty twice in a row: a process that stood still
must not take for new what came meanwhile, and right after that the broker's own buffer is still on its way."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Outgoing:
    topic: str
    body: bytes
    retained: bool
    correlation: bytes | None


class _Link(MqttConnection):
    """A connection that also listens. ``on_message`` is called from inside paho, so it only notes."""

    def __init__(self, settings: MqttSettings, client_id: str, version: Literal["5", "3.1.1"], on_message: Callable[[MQTTMessage], None]):
        super().__init__(settings, client_id, version, None, self._settle, self._pump)
        self._waiting: deque[_Outgoing] = deque()
        self._in_flight: set[int] = set()
        self._mqtt_5 = version == "5"
        self._on_message = on_message
        self._client.on_message = self._hand_over
        self._client.on_subscribe = self._note_subscribed
        self.listening = asyncio.Event()
        """The broker has answered what was subscribed."""

    def _note_subscribed(
        self, _client: Client, _data: object, _mid: int, reasons: list[ReasonCode], _properties: Properties | None
    ) -> None:
        refused = [str(reason) for reason in reasons if reason.is_failure]
        if refused:
            _log.error("the broker lets this gateway's user read no requests (%s): correct its rights there", refused[0])
        self.listening.set()

    def _hand_over(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        self._on_message(message)

    def subscribe(self, topics: Sequence[str]) -> None:
        """QoS 1; retained messages come marked as such."""
        for topic in topics:
            if self._mqtt_5:
                self._client.subscribe(topic, options=SubscribeOptions(qos=1, retainAsPublished=True))
            else:
                self._client.subscribe(topic, qos=1)
        self._watch_writable()

    def is_empty(self) -> bool:
        """Whether nothing has come that was not read."""
        sock = self._client.socket()
        return sock is not None and not select.select([sock], [], [], 0.0)[0]

    def publish(self, outgoing: _Outgoing, *, urgent: bool) -> None:
        """QoS 1, what is ``urgent`` first; a lost connection loses it, and so does a broker that takes nothing for long."""
        if urgent:
            self._waiting.appendleft(outgoing)
        elif len(self._waiting) < WAITING_MAX:
            self._waiting.append(outgoing)
        else:
            _log.warning("requests: no answer on %s: %d wait for the broker", outgoing.topic, WAITING_MAX)
        self._pump()

    def _pump(self) -> None:
        """As much as the broker allows unacknowledged; paho does not look at that, and the broker would hang up."""
        while self._waiting and len(self._in_flight) < min(self.receive_maximum, WINDOW):
            one = self._waiting.popleft()
            properties = None
            if self._mqtt_5 and one.correlation is not None:
                properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho has left it so
                properties.CorrelationData = one.correlation
            self._in_flight.add(self._client.publish(one.topic, one.body, 1, one.retained, properties).mid)
        self._watch_writable()

    def _settle(self, mid: int, refusal: Refusal | None) -> None:
        self._in_flight.discard(mid)
        # That nobody listens for an answer any more is no news.
        if refusal is not None and refusal.verdict is not Verdict.UNHEARD:
            _log.warning("requests: the broker refused an answer: %s", refusal.reason)


class MqttRequests:
    """``on_request`` gets every request, ``on_other`` topic and body of what comes on ``others`` (full topics), ``on_up`` a new connection.

    Implements :class:`wavewrap_gateway.runtime.request_desk.RequestChannel`. Every method belongs to the thread of the asyncio loop.
    """

    def __init__(self, settings: MqttSettings, client_id: str, others: Sequence[str] = ()) -> None:
        self._targets = BrokerTargets(settings)
        self._client_id = client_id
        self._prefix = f"{settings.base_topic}/bridge/request/"
        self._others = tuple(others)
        self._version: Literal["5", "3.1.1"] | None = None if settings.version == "auto" else settings.version
        self._link: _Link | None = None
        self._empty_s = 0.0
        self._read_up_to_s = 0.0
        self._to_clear: list[str] = []
        self._hurry = asyncio.Event()
        self._linked = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self.on_request: Callable[[Incoming], None] = lambda _incoming: None
        self.on_other: Callable[[str, bytes], None] = lambda _topic, _body: None
        self.on_up: Callable[[], None] = lambda: None

    @property
    def connected(self) -> bool:
        """Whether requests come in now."""
        return self._link is not None

    def start(self) -> None:
        """Connect, and stay connected until :meth:`close`."""
        self._read_up_to_s = self._empty_s = asyncio.get_running_loop().time()
        self._tasks = [asyncio.create_task(self._keep_up(), name="mqtt-requests"), asyncio.create_task(self._keep_pulse())]

    async def wait_listening(self, timeout_s: float) -> bool:
        """Until the broker hands requests on; False when ``timeout_s`` ended first."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._linked.wait()
                if self._link is not None:
                    await self._link.listening.wait()
        except TimeoutError:
            return False
        return True

    async def close(self, drain_s: float = 2.0) -> None:
        """Take no more requests; what was answered is sent, for at most ``drain_s``."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._link is not None:
            link, self._link = self._link, None
            await link.close(drain_s)

    def answer(self, topic: str, body: bytes, correlation: bytes | None, *, urgent: bool = False) -> None:
        """As the port says; while the broker is away there is nobody to answer."""
        if self._link is not None:
            self._link.publish(_Outgoing(topic, body, False, correlation), urgent=urgent)

    def retain(self, topic: str, body: bytes) -> None:
        """Publish ``body`` retained on the full topic ``topic``; lost while the broker is away, for it is said again when it is back.

        An empty body clears the topic, then if not now.
        """
        if self._link is not None:
            self._link.publish(_Outgoing(topic, body, True, None), urgent=False)
        elif not body:
            self._to_clear.append(topic)

    def hurry(self) -> None:
        """The broker is known to be there: do not wait before the next try."""
        self._hurry.set()

    async def _rest(self, delay_s: float) -> None:
        self._hurry.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(delay_s):
                await self._hurry.wait()

    async def _keep_pulse(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            if self._link is None or self._link.is_empty():
                self._read_up_to_s, self._empty_s = self._empty_s, loop.time()
            await asyncio.sleep(PULSE_S)

    async def _keep_up(self) -> None:
        backoff = Backoff(RECONNECT_DELAYS_S)
        while True:
            try:
                link = await self._connect()
            except WavewrapError as cause:
                _log.info("requests: %s", cause)
                await self._rest(backoff.next_delay_s())
                continue
            self._link = link
            try:
                link.subscribe([f"{self._prefix}+", *self._others])
                self._linked.set()
                _log.info("requests: listening on %s as MQTT %s", self._targets.current.safe_url, self._version)
                up_s = asyncio.get_running_loop().time()
                to_clear, self._to_clear = self._to_clear, []
                for topic in to_clear:
                    self.retain(topic, b"")
                self.on_up()
                await link.lost.wait()
                if asyncio.get_running_loop().time() - up_s >= STABLE_S:
                    backoff.reset()
                _log.info("requests: %s", link.lost_reason)
            finally:
                if link.lost.is_set():
                    self._link = None
                    link.drop()
            await self._rest(backoff.next_delay_s())

    async def _connect(self) -> _Link:
        return await self._targets.connect(self._connect_to)

    async def _connect_to(self, settings: MqttSettings) -> _Link:
        if self._version is not None:
            return await self._open(settings, self._version, CONNECT_S)
        with suppress(NoAnswerError):
            link = await self._open(settings, "5", FALLBACK_S)
            self._version = "5"
            return link
        link = await self._open(settings, "3.1.1", CONNECT_S)
        self._version = "3.1.1"
        return link

    async def _open(self, settings: MqttSettings, version: Literal["5", "3.1.1"], answer_s: float) -> _Link:
        link = _Link(settings, self._client_id, version, self._on_message)
        await link.open(CONNECT_S, answer_s)
        return link

    def _on_message(self, message: MQTTMessage) -> None:
        loop = asyncio.get_running_loop()
        if not message.topic.startswith(self._prefix):
            loop.call_soon(self.on_other, message.topic, bytes(message.payload[:REQUEST_MAX_BYTES]))
            return
        properties = message.properties
        incoming = Incoming(
            command=message.topic.removeprefix(self._prefix),
            # One byte more than allowed is enough to see that it is too much.
            body=bytes(message.payload[: REQUEST_MAX_BYTES + 1]),
            retained=bool(message.retain),
            expiry_s=getattr(properties, "MessageExpiryInterval", None),
            age_s=loop.time() - self._read_up_to_s,
            response_topic=getattr(properties, "ResponseTopic", None),
            correlation=getattr(properties, "CorrelationData", None),
        )
        loop.call_soon(self.on_request, incoming)
