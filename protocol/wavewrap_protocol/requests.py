"""Pydantic models of what a gateway is asked over MQTT; what it answers is in :mod:`wavewrap_protocol.responses`.

A request goes to ``bridge/request/<command>``, its answer comes on ``bridge/response/<command>`` or where the request's MQTT 5 response
topic says. Requests that can lead to pressure carry their expiry. Every row stands in :data:`REQUESTS`; ``protocol/README.md`` says what
is refused.
"""

from enum import StrEnum
from typing import Annotated, NamedTuple

from pydantic import Field, StringConstraints

from wavewrap_protocol.limits import CHAMBERS_MAX, IDENTIFY_MAX_S
from wavewrap_protocol.payloads import Payload, WrapId
from wavewrap_protocol.responses import (
    HealthResponse,
    PairResponse,
    ProgramsResponse,
    Response,
    ScanResponse,
    SelectionResponse,
    SessionResponse,
    SessionsResponse,
    StopResponse,
    WrapResponse,
)

__all__ = [
    "REQUESTS",
    "REQUEST_MAX_BYTES",
    "TTL_MAX_S",
    "AcknowledgeRequest",
    "BoostRequest",
    "CommandName",
    "ForgetRequest",
    "HealthRequest",
    "IdentifyRequest",
    "PairRequest",
    "PauseRequest",
    "ProgramsRequest",
    "RenameRequest",
    "Request",
    "RequestTopic",
    "ResumeRequest",
    "ScanRequest",
    "SelectRequest",
    "SessionsRequest",
    "StartRequest",
    "StopRequest",
    "Transaction",
]

REQUEST_MAX_BYTES = 4096
"""Larger bodies are refused unread. Choice: eight times the largest sensible request."""

TTL_MAX_S = 60.0
"""No expiry may be further away. Choice: whoever asked still stands beside the wrap."""

WRAPS_MAX = 8
"""Wraps of one session."""

Transaction = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,64}$")]
"""Which request this is: chosen by who asks, never used twice."""

WrapName = Annotated[str, StringConstraints(min_length=1, max_length=64)]
ProgramName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=40)]
SessionSeconds = Annotated[float, Field(ge=1.0, le=3600.0)]


class CommandName(StrEnum):
    """What can be asked."""

    SCAN = "scan"
    PAIR = "pair"
    START = "start"
    PAUSE = "pause"
    RESUME = "resume"
    BOOST = "boost"
    STOP = "stop"
    ACKNOWLEDGE = "acknowledge"
    IDENTIFY = "identify"
    SELECT = "select"
    RENAME = "rename"
    FORGET = "forget"
    PROGRAMS = "programs"
    SESSIONS = "sessions"
    HEALTH = "health"


class Request(Payload):
    """What every request carries. ``unix_s`` and ``ttl_s`` belong together; the MQTT 5 message expiry does as well."""

    transaction: Transaction
    unix_s: float | None = Field(default=None, description="when it was sent")
    ttl_s: float | None = Field(default=None, gt=0.0, le=TTL_MAX_S, description="how long after that it may be carried out")


class ScanRequest(Request):
    """Listen for wraps on the air."""

    for_s: float = Field(default=4.0, ge=0.1, le=30.0)


class PairRequest(Request):
    """First without ``passkey``, then, once the wrap shows its digits, with it and nothing else."""

    wrap: WrapName | None = None
    name: WrapId | None = None
    for_s: float = Field(default=30.0, ge=1.0, le=120.0)
    passkey: Annotated[str, StringConstraints(pattern=r"^[0-9]{6}$")] | None = None


class StartRequest(Request):
    """Begin a session. ``null`` takes the selected program, its own length, and the one pair of wraps that is ready."""

    program: ProgramName | None = None
    duration_s: SessionSeconds | None = None
    wraps: Annotated[list[WrapName], Field(min_length=1, max_length=WRAPS_MAX)] | None = None


class PauseRequest(Request):
    """``wrap`` names any wrap of the session; ``null`` means the only one that runs."""

    wrap: WrapName | None = None


class ResumeRequest(Request):
    """As :class:`PauseRequest`."""

    wrap: WrapName | None = None


class BoostRequest(Request):
    """Add ``mmhg`` (under 0: lower) on ``chamber``, counted from 1, or on all."""

    mmhg: float = Field(ge=-20.0, le=20.0)
    chamber: int | None = Field(default=None, ge=1, le=8)
    wrap: WrapName | None = None


class StopRequest(Payload):
    """Stop and vent the session of ``wrap``, or everything. An empty body is the latter."""

    transaction: Transaction | None = None
    unix_s: float | None = None
    ttl_s: float | None = None
    wrap: WrapName | None = None


class AcknowledgeRequest(Request):
    """A person has seen to ``fault``, which must be the one that ``wrap`` has latched."""

    wrap: WrapName
    fault: str


class IdentifyRequest(Request):
    """Show the light of ``wrap``; 0 puts it out."""

    wrap: WrapName
    for_s: int = Field(default=10, ge=0, le=IDENTIFY_MAX_S)


class SelectRequest(Request):
    """What a start without program or length takes from now on; a key that is left out stays as it is."""

    program: ProgramName | None = None
    duration_min: float | None = Field(default=None, ge=0.0, le=60.0, description="0: the program's own length")


class RenameRequest(Request):
    """Call ``wrap`` something else in topics."""

    wrap: WrapName
    name: WrapId


class ForgetRequest(Request):
    """Remove the bond with ``wrap`` and know it no longer."""

    wrap: WrapName


class ProgramsRequest(Request):
    """List the programs; with ``chambers`` also what each is on wraps with so many."""

    chambers: int | None = Field(default=None, ge=1, le=CHAMBERS_MAX)


class SessionsRequest(Request):
    """The newest sessions of the history."""

    limit: int = Field(default=20, ge=1, le=100)


class HealthRequest(Request):
    """How the gateway, its wraps and its sessions are."""


class RequestTopic(NamedTuple):
    """One row: the models of request and answer, and whether the request needs an expiry because pressure may come of it."""

    request: type[Request] | type[StopRequest]
    response: type[Response]
    expires: bool


REQUESTS: dict[CommandName, RequestTopic] = {
    CommandName.SCAN: RequestTopic(ScanRequest, ScanResponse, False),
    CommandName.PAIR: RequestTopic(PairRequest, PairResponse, True),
    CommandName.START: RequestTopic(StartRequest, SessionResponse, True),
    CommandName.PAUSE: RequestTopic(PauseRequest, SessionResponse, False),
    CommandName.RESUME: RequestTopic(ResumeRequest, SessionResponse, True),
    CommandName.BOOST: RequestTopic(BoostRequest, SessionResponse, True),
    CommandName.STOP: RequestTopic(StopRequest, StopResponse, False),
    CommandName.ACKNOWLEDGE: RequestTopic(AcknowledgeRequest, WrapResponse, True),
    CommandName.IDENTIFY: RequestTopic(IdentifyRequest, WrapResponse, False),
    CommandName.SELECT: RequestTopic(SelectRequest, SelectionResponse, True),
    CommandName.RENAME: RequestTopic(RenameRequest, WrapResponse, False),
    CommandName.FORGET: RequestTopic(ForgetRequest, WrapResponse, False),
    CommandName.PROGRAMS: RequestTopic(ProgramsRequest, ProgramsResponse, False),
    CommandName.SESSIONS: RequestTopic(SessionsRequest, SessionsResponse, False),
    CommandName.HEALTH: RequestTopic(HealthRequest, HealthResponse, False),
}
"""Every command: ``bridge/request/<command>`` and ``bridge/response/<command>``, QoS 1, never retained."""
