"""One connection to a broker: a paho client driven by the running asyncio loop, used once and thrown away.

Everything after the blocking connect runs in the loop's thread, so there is no network thread that could die unseen and no lock to
share. paho's callbacks only enqueue; the queue is worked off by the loop, outside paho's locks.
Not responsible for: what to send and when, reconnecting, resending (``mqtt.MqttPublisher``).
"""

import asyncio
import socket
import ssl
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Literal

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTv5, MQTTv311
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from wavewrap_gateway.adapters.mqtt_failures import UNSUPPORTED_VERSION, Refusal, describe_failure, describe_refusal, judge_answer
from wavewrap_gateway.adapters.mqtt_settings import MqttSettings
from wavewrap_gateway.runtime.publishing import Message
from wavewrap_protocol.errors import BrokerError, UsageError

__all__ = ["MqttConnection", "NoAnswerError"]

KEEPALIVE_S = 10
"""Choice: the broker declares us dead (Last Will) after 1.5 times this, and we notice a silent broker within twice this."""

INCOMING_MAX_BYTES = 65536
"""Choice: sixteen times the largest request. A broker of MQTT 5 keeps larger packets to itself; in 3.1.1 only its own limit helps."""

_CORK: int | None = getattr(socket, "TCP_CORK", None)  # Linux's

_MISC_S = 1.0  # how often paho checks its keep-alive; its own threaded loop does it as often
_RECEIVE_MAXIMUM_DEFAULT = 65535  # MQTT 5.0 section 3.2.2.3.3: the limit when the broker names none


class NoAnswerError(BrokerError):
    """No CONNACK that we could use came: the broker may not speak this version of MQTT."""


class MqttConnection:
    """``on_settled(mid, refusal)`` and ``on_room()`` are called in the loop, never from inside :meth:`send`."""

    def __init__(
        self,
        settings: MqttSettings,
        client_id: str,
        version: Literal["5", "3.1.1"],
        will: Message | None,
        on_settled: Callable[[int, Refusal | None], None],
        on_room: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._on_settled = on_settled
        self._on_room = on_room
        self._mqtt_5 = version == "5"
        self._client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=MQTTv5 if version == "5" else MQTTv311,
            reconnect_on_failure=False,
        )
        client = self._client
        client.max_inflight_messages_set(0)  # no limit: the window is the publisher's
        if will is not None:
            client.will_set(will.path, will.body, will.qos, will.retained)
        login = settings.login()
        if login is not None:
            client.username_pw_set(*login)
        client.on_connect = self._note_connect
        client.on_disconnect = self._note_disconnect
        client.on_publish = self._note_publish
        client.on_socket_open = _set_nodelay
        client.on_socket_close = self._note_socket_close
        self._settled: deque[tuple[int, Refusal | None]] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._dispatching = False
        self._fd: int | None = None
        self._writing = False
        self._misc: asyncio.TimerHandle | None = None
        self._connack: ReasonCode | None = None
        self._answered = asyncio.Event()
        self._lost_reason = ""
        self.lost = asyncio.Event()
        self.receive_maximum = _RECEIVE_MAXIMUM_DEFAULT
        self.maximum_packet_bytes: int | None = None

    @property
    def lost_reason(self) -> str:
        """Why the connection ended; empty while it has not."""
        return self._lost_reason

    @property
    def congested(self) -> bool:
        """Whether the socket's buffer is full, so that more would only pile up here."""
        return self._client.want_write()

    async def open(self, connect_s: float, answer_s: float) -> None:
        """Connect within ``connect_s`` and log in within ``answer_s``.

        Raises BrokerError, as NoAnswerError where another version of MQTT may help; UsageError for unusable TLS files.
        """
        name = self._settings.safe_url
        try:
            try:
                async with asyncio.timeout(connect_s):
                    await self._connect_in_thread(connect_s)
            except (OSError, ValueError) as error:  # TimeoutError is an OSError; paho and the IDNA codec raise ValueError
                raise BrokerError(describe_failure(error, self._settings, connect_s)) from error
            self._adopt_socket()
            try:
                async with asyncio.timeout(answer_s):
                    await self._answered.wait()
            except TimeoutError:
                raise NoAnswerError(f"MQTT broker {name} did not answer CONNECT within {answer_s:g} s: check that it is a broker") from None
            if self._connack is None:
                raise NoAnswerError(
                    f"MQTT broker {name} closed the connection at CONNECT: if it expects TLS use mqtts://, else see its log"
                )
            if self._connack.is_failure:
                kind = NoAnswerError if self._connack.value == UNSUPPORTED_VERSION else BrokerError
                raise kind(describe_refusal(self._connack, self._settings))
        except BaseException:
            self.drop()
            raise

    def send(self, message: Message) -> int:
        """Send and return the message id under which the message will be settled; a lost connection settles nothing more."""
        info = self._client.publish(message.path, message.body, message.qos, message.retained)
        self._watch_writable()
        return info.mid

    @contextmanager
    def together(self) -> Iterator[None]:
        """What is sent in here leaves in as few segments as can be; for one message alone it is not worth it."""
        sock = self._client.socket()
        if _CORK is None or not isinstance(sock, socket.socket):
            yield
            return
        try:
            sock.setsockopt(socket.IPPROTO_TCP, _CORK, 1)
            yield
        finally:
            with suppress(OSError):  # it was closed meanwhile
                sock.setsockopt(socket.IPPROTO_TCP, _CORK, 0)

    async def close(self, timeout_s: float) -> None:
        """Disconnect in order, so that the broker keeps the Last Will to itself; after ``timeout_s`` just close."""
        if not self.lost.is_set():
            self._client.disconnect()
            self._watch_writable()
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    await self.lost.wait()
        self.drop()

    # paho's callbacks: they only note.

    def _note_connect(
        self, _client: Client, _data: object, _flags: ConnectFlags, reason: ReasonCode, properties: Properties | None
    ) -> None:
        self._connack = reason
        self.receive_maximum = getattr(properties, "ReceiveMaximum", _RECEIVE_MAXIMUM_DEFAULT)
        self.maximum_packet_bytes = getattr(properties, "MaximumPacketSize", None)
        self._answered.set()

    def _note_publish(self, _client: Client, _data: object, mid: int, reason: ReasonCode, _properties: Properties | None) -> None:
        self._settled.append((mid, judge_answer(reason)))
        self._wake()

    def _note_disconnect(
        self, _client: Client, _data: object, flags: DisconnectFlags, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        if flags.is_disconnect_packet_from_server:
            self._lost_reason = f"the broker ended the connection ({reason})"
        elif str(reason) == "Keep alive timeout":
            self._lost_reason = f"the broker was silent for {2 * KEEPALIVE_S} s"
        else:
            self._lost_reason = "the connection broke"
        self._wake()

    def _note_socket_close(self, _client: Client, _data: object, _socket: object) -> None:
        # The loop must forget the descriptor before the system gives its number away again.
        if self._loop is not None and self._fd is not None:
            self._loop.remove_reader(self._fd)
            self._loop.remove_writer(self._fd)
            self._fd = None

    # The loop's side.

    async def _connect_in_thread(self, connect_s: float) -> None:
        """Name lookup, TCP and TLS block; a daemon thread leaves Ctrl-C free to end the process meanwhile."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        self._client.connect_timeout = connect_s

        def settle(error: Exception | None) -> None:
            if done.done():  # cancelled or out of time: nobody wants the connection any more
                self._client.disconnect()
            elif error is None:
                done.set_result(None)
            else:
                done.set_exception(error)

        def connect() -> None:
            error: Exception | None = None
            try:
                context = self._settings.tls_context()
                if context is not None:
                    self._client.tls_set_context(context)
                properties = _tell_limit() if self._mqtt_5 else None
                self._client.connect(self._settings.host, self._settings.port, KEEPALIVE_S, properties=properties)
            except (OSError, ValueError, BrokerError, UsageError) as caught:
                error = caught
            with suppress(RuntimeError):  # the loop is closed: the process is at its end
                loop.call_soon_threadsafe(settle, error)

        threading.Thread(target=connect, name="mqtt-connect", daemon=True).start()
        await done

    def _adopt_socket(self) -> None:
        self._loop = asyncio.get_running_loop()
        sock = self._client.socket()
        if sock is None:  # broken while CONNECT was being written
            self._dispatch()
            return
        self._fd = sock.fileno()
        self._loop.add_reader(self._fd, self._read)
        self._misc = self._loop.call_later(_MISC_S, self._keep_alive)
        self._watch_writable()

    def _read(self) -> None:
        # What paho notes meanwhile is dispatched here, not a turn of the loop later.
        dispatched_by_others, self._dispatching = self._dispatching, True
        try:
            alive = self._read_all()
        finally:
            self._dispatching = dispatched_by_others
        if not alive:
            self._end()
        elif (self._settled or self._lost_reason) and not self._dispatching:
            self._dispatch()

    def _read_all(self) -> bool:
        while self._client.loop_read() == MQTTErrorCode.MQTT_ERR_SUCCESS:
            sock = self._client.socket()
            # Bytes that TLS has already decrypted make no descriptor readable.
            if not isinstance(sock, ssl.SSLSocket) or not sock.pending():
                return True
        return False

    def _write(self) -> None:
        if self._client.loop_write() != MQTTErrorCode.MQTT_ERR_SUCCESS:
            self._end()
        elif not self._client.want_write():
            if self._loop is not None and self._fd is not None:
                self._loop.remove_writer(self._fd)
            self._writing = False
            self._wake()

    def _watch_writable(self) -> None:
        if self._client.want_write() and not self._writing and self._loop is not None and self._fd is not None:
            self._writing = True
            self._loop.add_writer(self._fd, self._write)

    def _keep_alive(self) -> None:
        self._client.loop_misc()
        if self._client.socket() is None:
            self._end()
        elif self._loop is not None:
            self._watch_writable()
            self._misc = self._loop.call_later(_MISC_S, self._keep_alive)

    def _end(self) -> None:
        self._lost_reason = self._lost_reason or "the connection broke"
        self._wake()

    def _wake(self) -> None:
        # Before the socket is adopted the callbacks run in the connecting thread, where the loop must not be touched.
        if self._loop is not None and not self._dispatching:
            self._dispatching = True
            self._loop.call_soon(self._dispatch)

    def _dispatch(self) -> None:
        self._dispatching = False
        while self._settled:
            self._on_settled(*self._settled.popleft())
        if self._lost_reason or self._client.socket() is None:
            self._lost_reason = self._lost_reason or "the connection broke"
            self._answered.set()
            self.lost.set()
        else:
            self._on_room()

    def drop(self) -> None:
        """Let go of socket and timer, whatever state they are in. A connect still under way is undone when it ends."""
        if self._misc is not None:
            self._misc.cancel()
        sock = self._client.socket()
        if sock is not None and self._loop is not None:
            self._client.disconnect()
            self._note_socket_close(self._client, None, sock)
            sock.close()
        self.lost.set()


def _tell_limit() -> Properties:
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho has left it so
    properties.MaximumPacketSize = INCOMING_MAX_BYTES
    return properties


def _set_nodelay(_client: Client, _data: object, sock: object) -> None:
    # paho leaves Nagle's algorithm on, which holds small messages back for tens of milliseconds.
    if isinstance(sock, socket.socket):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
