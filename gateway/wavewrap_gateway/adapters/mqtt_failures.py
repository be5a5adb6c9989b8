"""What a broker's refusals mean: for a person, one line with the remedy and without secrets; for a message, what becomes of it."""

import socket
import ssl
from dataclasses import dataclass

from paho.mqtt.reasoncodes import ReasonCode

from wavewrap_gateway.adapters.mqtt_settings import MqttSettings
from wavewrap_gateway.runtime.message_queues import Verdict

__all__ = ["UNSUPPORTED_VERSION", "Refusal", "describe_failure", "describe_refusal", "judge_answer"]

# MQTT 5.0 table 3-1; paho maps the CONNACK codes 1, 4 and 5 of MQTT 3.1.1 on to them.
UNSUPPORTED_VERSION, _BAD_LOGIN, _NOT_AUTHORIZED = 0x84, 0x86, 0x87

# MQTT 5.0 table 3-4, reason codes of PUBACK. 0x80 and 0x83 say nothing of the message, so another try may succeed, as after 0x97.
_NO_MATCHING_SUBSCRIBERS = 0x10
_PASSING = {0x80: "unspecified error", 0x83: "implementation specific error", 0x91: "packet identifier in use", 0x97: "quota exceeded"}
_NEVER = {0x90: "topic name invalid", 0x95: "packet too large", 0x99: "payload format invalid"}


@dataclass(frozen=True, slots=True)
class Refusal:
    """A message was not delivered; ``reason`` is the broker's word."""

    verdict: Verdict
    reason: str


def judge_answer(reason: ReasonCode) -> Refusal | None:
    """What the reason code of a PUBACK means for the message, None for success. MQTT 3.1.1 knows only success."""
    if reason.value == _NO_MATCHING_SUBSCRIBERS:
        return Refusal(Verdict.UNHEARD, str(reason))
    if not reason.is_failure:
        return None
    verdict = Verdict.BUSY if reason.value in _PASSING else Verdict.IMPOSSIBLE if reason.value in _NEVER else Verdict.DENIED
    return Refusal(verdict, f"refused by the broker: {reason}")


def describe_failure(error: OSError | ValueError, settings: MqttSettings, connect_s: float) -> str:
    """Why name lookup, TCP or TLS failed; ``connect_s`` is the limit that a timeout ran into."""
    broker = f"MQTT broker {settings.safe_url}"
    match error:
        case ssl.SSLCertVerificationError():
            why = error.verify_message
            return f"{broker}: its TLS certificate is not trusted ({why}): give its CA as ca_file and use the host name in the certificate"
        case ssl.SSLError():
            return f"{broker}: TLS failed ({error.reason}): use mqtt:// if it speaks no TLS there, else check certificates and its log"
        case ConnectionResetError() if settings.tls:
            return f"{broker}: TLS failed (the peer hung up): use mqtt:// if it speaks no TLS there, else see its log"
        case socket.gaierror() | UnicodeError():
            return f"{broker}: host name {settings.host!r} is unknown: correct it or check the network's DNS"
        case ConnectionRefusedError():
            return f"{broker} refuses connections: start a broker there or correct host and port"
        case TimeoutError():
            return f"{broker} did not answer within {connect_s:g} s: check host, port and firewall"
        case OSError():
            return f"{broker} cannot be reached ({error.strerror or error}): check host, port and network"
        case _:
            return f"{broker} cannot be reached ({error}): check host and port"


def describe_refusal(reason: ReasonCode, settings: MqttSettings) -> str:
    """Why the broker refused the login."""
    broker = f"MQTT broker {settings.safe_url}"
    if reason.value in (_BAD_LOGIN, _NOT_AUTHORIZED):
        if settings.username is None:
            return f"{broker} wants a user name and a password ({reason}): give username and password"
        return f"{broker} refuses user {settings.username!r} ({reason}): correct user name and password, or the user's rights there"
    return f"{broker} refuses the connection ({reason}): see the broker's log"
