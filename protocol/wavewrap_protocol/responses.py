"""Pydantic models of what a gateway answers to the requests of :mod:`wavewrap_protocol.requests`."""

from enum import StrEnum
from typing import Literal

from wavewrap_protocol.payloads import BridgeHealth, Payload, Selection, SessionProgress, Side, WrapId

__all__ = [
    "HealthData",
    "HealthResponse",
    "HeardWrap",
    "KnownWrapInfo",
    "PairData",
    "PairResponse",
    "PastSession",
    "ProgramInfo",
    "ProgramPreview",
    "ProgramsData",
    "ProgramsResponse",
    "Reason",
    "Response",
    "RunningSession",
    "ScanData",
    "ScanResponse",
    "SelectionResponse",
    "SessionResponse",
    "SessionsData",
    "SessionsResponse",
    "StopData",
    "StopResponse",
    "WrapHealth",
    "WrapResponse",
]


class Reason(StrEnum):
    """Why a request was refused, for programs; the text beside it is for people."""

    RETAINED = "retained"
    STALE = "stale"
    DUPLICATE = "duplicate"
    OVERSIZED = "oversized"
    MALFORMED = "malformed"
    UNKNOWN_COMMAND = "unknown_command"
    NOT_ALLOWED = "not_allowed"
    BAD_RESPONSE_TOPIC = "bad_response_topic"
    BUSY = "busy"
    FAILED = "failed"


class Response(Payload):
    """What every answer carries. ``reason`` and ``error`` are ``null`` when ``status`` is ``ok``."""

    status: Literal["ok", "error"]
    transaction: str | None
    reason: Reason | None = None
    error: str | None = None


class HeardWrap(Payload):
    """A wrap on the air; ``known_as`` is its name, where it is one that the gateway knows."""

    address: str
    model: str
    side: Side
    rssi_dbm: int
    pairing_window: bool
    known_as: str | None


class ScanData(Payload):
    """What was heard."""

    wraps: list[HeardWrap]


class ScanResponse(Response):
    """To ``scan``."""

    data: ScanData | None = None


class KnownWrapInfo(Payload):
    """A wrap that the gateway is paired with."""

    id: WrapId
    serial: str
    side: Side
    model: str
    address: str


class PairData(Payload):
    """``passkey_wanted``: the wrap at ``address`` shows its digits, send them. ``paired``: done."""

    step: Literal["passkey_wanted", "paired"]
    address: str
    wrap: KnownWrapInfo | None = None


class PairResponse(Response):
    """To ``pair``."""

    data: PairData | None = None


class RunningSession(Payload):
    """A session and the names of its wraps."""

    wraps: list[str]
    progress: SessionProgress


class SessionResponse(Response):
    """To ``start``, ``pause``, ``resume`` and ``boost``: the session as it is then."""

    data: RunningSession | None = None


class StopData(Payload):
    """Names of the wraps that are told to stop. That they have vented is said by their state, never here."""

    stopping: list[str]


class StopResponse(Response):
    """To ``stop``."""

    data: StopData | None = None


class SelectionResponse(Response):
    """To ``select``."""

    data: Selection | None = None


class WrapResponse(Response):
    """To ``acknowledge``, ``identify``, ``rename`` and ``forget``: the wrap that it was about."""

    data: KnownWrapInfo | None = None


class ProgramPreview(Payload):
    """The wave of a program as the gateway plays it: for each chamber the corners ``(t_s, mmhg)`` of one cycle at full pressure."""

    cycle_s: float
    soft_pct: list[float]
    peaks_mmhg: list[float]
    ceiling_mmhg: float
    left: list[list[list[float]]]
    right: list[list[list[float]]]


class ProgramInfo(Payload):
    """A program that can be started. ``unfit`` says why it cannot be played on the wraps asked for."""

    name: str
    title: str
    description: str
    pattern: str
    duration_min: float
    pressure_mmhg: float
    preview: ProgramPreview | None = None
    unfit: str | None = None


class ProgramsData(Payload):
    """Presets and the user's own; ``unusable`` says what is wrong with the rest."""

    programs: list[ProgramInfo]
    unusable: list[str]


class ProgramsResponse(Response):
    """To ``programs``."""

    data: ProgramsData | None = None


class PastSession(Payload):
    """A session of the history; ``ended_unix_s`` is ``null`` while it runs."""

    id: str
    gateway: str
    program: str
    state: str
    reason: str
    started_unix_s: float
    ended_unix_s: float | None
    planned_s: float
    wraps: list[str]


class SessionsData(Payload):
    """Newest first."""

    sessions: list[PastSession]


class SessionsResponse(Response):
    """To ``sessions``."""

    data: SessionsData | None = None


class WrapHealth(Payload):
    """A known wrap; ``link`` as in ``WrapState``, or ``not_seen`` before its first link."""

    id: WrapId
    serial: str
    side: Side
    link: str
    reason: str | None
    fault: str | None
    battery_pct: int | None


class HealthData(Payload):
    """All of it."""

    gateway: BridgeHealth
    wraps: list[WrapHealth]
    sessions: list[RunningSession]


class HealthResponse(Response):
    """To ``health``."""

    data: HealthData | None = None
