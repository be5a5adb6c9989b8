"""The dashboard's connection to one broker: paho on its own thread, which only notes; everything else happens in the loop.

Samples wait in the inbox until somebody asks to be woken by them; whatever else comes wakes the loop at once.
MQTT 3.1.1, which every broker speaks; what is asked carries its expiry in the body. Reconnects for ever, from the first try on.
Not responsible for what messages mean (``feed``) nor for who may ask (``server``).
"""

import asyncio
import logging
import socket
import ssl
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from wavewrap_dashboard.settings import BrokerAddress
from wavewrap_protocol.errors import UsageError

__all__ = ["BrokerLink"]

KEEPALIVE_S = 5
"""Choice: a broker that stands still is noticed within twice this; one that dies closes the connection at once."""

INBOX_MAX = 5000
"""Choice: messages not yet looked at. Two wraps send some 12 a second; a stalled loop loses telemetry first, and counts it."""

BODY_MAX_BYTES = 1_000_000
"""Choice: a hundred times the longest summary; whatever is larger is not a gateway's."""

_log = logging.getLogger(__name__)


class BrokerLink:
    """``on_message(gateway, topic under its base, body, retained)`` and ``on_change(reason)`` (``None``: up) are called in the loop.

    The gateways of its base topics are numbered from ``first`` on.
    """

    def __init__(
        self,
        address: BrokerAddress,
        first: int,
        client_id: str,
        on_message: Callable[[int, str, bytes, bool], None],
        on_change: Callable[[str | None], None],
    ) -> None:
        self._address = address
        self.bases = {first + place: f"{topic}/" for place, topic in enumerate(address.base_topics)}
        self._on_message = on_message
        self._on_change = on_change
        self._inbox: deque[tuple[str, bytes, bool]] = deque()
        self._due = False
        self._wake_on_samples: Callable[[], None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self.connected = False
        self.dropped = 0
        client = Client(CallbackAPIVersion.VERSION2, client_id=client_id, protocol=MQTTv311, clean_session=True)
        client.reconnect_delay_set(1, 4)
        client.connect_timeout = 5.0
        if address.username is not None:
            client.username_pw_set(address.username, address.password.get_secret_value() if address.password else None)
        client.on_socket_open = _set_nodelay
        client.on_connect = self._note_connect
        client.on_disconnect = self._note_disconnect
        client.on_connect_fail = self._note_failure
        client.on_message = self._note_message
        self._client = client

    def load_tls(self) -> None:
        """Before the start. Raises :class:`UsageError` for TLS files that cannot be used."""
        address = self._address
        if not address.tls:
            return
        try:
            context = ssl.create_default_context(cafile=address.ca_file)
            if address.cert_file is not None:
                context.load_cert_chain(address.cert_file, address.key_file)
        except OSError as cause:
            place = f"{address.host}:{address.port}"
            raise UsageError(f"MQTT TLS files of the dashboard for {place} cannot be used ({cause}): give readable PEM files") from cause
        self._client.tls_set_context(context)

    def start(self) -> None:
        """Begin to connect."""
        self._loop = asyncio.get_running_loop()
        self._client.connect_async(self._address.host, self._address.port, KEEPALIVE_S)
        self._client.loop_start()

    async def close(self) -> None:
        """Disconnect and end the thread."""
        self._client.disconnect()
        await asyncio.get_running_loop().run_in_executor(None, self._client.loop_stop)

    def publish(self, gateway: int, topic: str, body: bytes) -> bool:
        """Send on ``topic`` under the base of ``gateway`` with QoS 1.

        ``False`` when the broker is not there, and then nothing is sent later either.
        """
        if not self.connected:
            return False
        return self._client.publish(self.bases[gateway] + topic, body, 1).rc == MQTTErrorCode.MQTT_ERR_SUCCESS

    def wake_on_samples(self, wake: Callable[[], None]) -> bool:
        """Have ``wake`` called once, in the loop, when the next samples come. Returns whether anything waits already."""
        self._wake_on_samples = wake
        return bool(self._inbox)

    def take(self) -> None:
        """Hand on what has come, in its order."""
        self._due = False
        while self._inbox:
            topic, body, retained = self._inbox.popleft()
            for gateway, base in self.bases.items():
                if topic.startswith(base):
                    self._on_message(gateway, topic.removeprefix(base), body, retained)

    # In paho's thread: note and wake. An exception here would end the thread unseen.

    def _call(self, act: Callable[..., None], *arguments: object) -> None:
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop is closed: the process is at its end
                self._loop.call_soon_threadsafe(act, *arguments)

    def _note_connect(
        self, client: Client, _data: object, _flags: ConnectFlags, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        if reason.is_failure:
            self._call(self._change, f"refused: {reason}")
            return
        client.subscribe([(f"{base}#", 1) for base in self.bases.values()])
        self._call(self._change, None)

    def _note_disconnect(
        self, _client: Client, _data: object, _flags: DisconnectFlags, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        self._call(self._change, str(reason))

    def _note_failure(self, _client: Client, _data: object) -> None:
        self._call(self._change, "nobody answers there")

    def _note_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        if len(message.payload) > BODY_MAX_BYTES:
            self.dropped += 1
            return
        topic = message.topic
        is_samples = topic.endswith("/telemetry")
        if is_samples and len(self._inbox) >= INBOX_MAX:
            self.dropped += 1
            return
        self._inbox.append((topic, bytes(message.payload), message.retain))
        if is_samples:
            wake, self._wake_on_samples = self._wake_on_samples, None
            if wake is not None:
                self._call(wake)
        elif not self._due:
            self._due = True
            self._call(self.take)

    # In the loop.

    def _change(self, reason: str | None) -> None:
        self.connected = reason is None
        if reason is not None:
            _log.info("broker %s:%d: %s", self._address.host, self._address.port, reason)
        self._on_change(reason)


def _set_nodelay(_client: Client, _data: object, sock: object) -> None:
    if isinstance(sock, socket.socket):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
