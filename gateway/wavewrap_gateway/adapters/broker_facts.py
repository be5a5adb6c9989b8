"""Tries the broker that a session would use: a real connection and login, and away again; or a start of the embedded one."""

from typing import Literal

from wavewrap_gateway.adapters.broker import EmbeddedBroker
from wavewrap_gateway.adapters.mqtt import FALLBACK_S
from wavewrap_gateway.adapters.mqtt_connection import MqttConnection, NoAnswerError
from wavewrap_gateway.adapters.mqtt_settings import MqttSettings
from wavewrap_gateway.core.doctor_setup import BrokerFacts
from wavewrap_protocol.errors import BrokerError, UsageError

__all__ = ["read_broker"]

CONNECT_S = 5.0
"""Choice: a broker on the same network answers in milliseconds; a person waits for this."""

CLOSE_S = 1.0

_LOOPBACK = ("127.", "localhost", "::1")


async def read_broker(settings: MqttSettings | None, client_id: str) -> BrokerFacts:
    """Whether the broker takes us; ``None``: whether one of our own starts.

    ``client_id`` must be no gateway's: a broker throws out who had it before.
    """
    if settings is None:
        return BrokerFacts("", embedded=True, fault=await _start_embedded(), version=None, in_clear=False)
    in_clear = settings.has_password and not settings.tls and not settings.host.startswith(_LOOPBACK)
    try:
        version = await _log_in(settings, client_id)
    except (BrokerError, UsageError) as cause:
        return BrokerFacts(settings.safe_url, embedded=False, fault=str(cause), version=None, in_clear=in_clear)
    return BrokerFacts(settings.safe_url, embedded=False, fault=None, version=version, in_clear=in_clear)


async def _start_embedded() -> str | None:
    """Why it does not start, ``None`` when it does."""
    broker = EmbeddedBroker()
    try:
        await broker.start()
    except BrokerError as cause:
        return str(cause)
    finally:
        await broker.close()
    return None


async def _log_in(settings: MqttSettings, client_id: str) -> str:
    """The MQTT version that was agreed on. Raises :class:`BrokerError` or :class:`UsageError`."""
    if settings.version != "auto":
        return await _try_version(settings, client_id, settings.version, CONNECT_S)
    try:
        return await _try_version(settings, client_id, "5", FALLBACK_S)
    except NoAnswerError:
        return await _try_version(settings, client_id, "3.1.1", CONNECT_S)


async def _try_version(settings: MqttSettings, client_id: str, version: Literal["5", "3.1.1"], answer_s: float) -> str:
    connection = MqttConnection(settings, client_id, version, None, lambda _mid, _failure: None, lambda: None)
    try:
        await connection.open(CONNECT_S, answer_s)
    finally:
        await connection.close(CLOSE_S)
    return version
