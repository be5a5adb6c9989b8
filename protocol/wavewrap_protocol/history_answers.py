"""What the history's service answers, read by the page. The asks are in ``history_asks``, which is all that the page's server loads."""

from wavewrap_protocol.history_asks import RecordStateName
from wavewrap_protocol.journal_asks import SorenessAround
from wavewrap_protocol.payload_base import Payload
from wavewrap_protocol.payloads import ChamberFigures, Quantiles, SessionSummary, Side

__all__ = [
    "ChamberChange",
    "CompareAnswer",
    "ComparedSide",
    "DeleteAnswer",
    "EventLine",
    "MissingSpan",
    "SessionAnswer",
    "SessionLine",
    "SessionsAnswer",
    "StepTiming",
    "TracesAnswer",
    "TrendLine",
    "TrendWrap",
    "TrendsAnswer",
    "WrapFigures",
    "WrapLine",
    "WrapTraces",
]

Curve = list[float | None]
"""A value a time; ``None`` where nothing is known."""


class WrapLine(Payload):
    """A wrap that was part of a session."""

    id: str
    side: Side


class SessionLine(Payload):
    """A session in a list. ``ended_unix_s`` is ``null`` while it runs."""

    session: str
    gateway: str
    program: str
    state: RecordStateName
    reason: str
    started_unix_s: float
    ended_unix_s: float | None
    planned_s: float
    unrecorded: int
    wraps: list[WrapLine]


class SessionsAnswer(Payload):
    """``total`` counts what fits the filter. ``programs`` and ``wraps`` are all there are; ``begun``: there is a history."""

    begun: bool
    total: int
    sessions: list[SessionLine]
    programs: list[str]
    wraps: list[str]
    oldest_unix_s: float | None
    newest_unix_s: float | None


class ChamberChange(Payload):
    """One minus the other, of the same chamber."""

    chamber: int
    over_threshold_s: float
    pressure_time_mmhg_s: float
    peak_mmhg: float
    reached: int
    rise_s: float | None
    vent_s: float | None
    delay_s: float | None


class MissingSpan(Payload):
    """``samples`` that came neither live nor in a replay, between two seconds of the session."""

    from_s: float
    to_s: float
    samples: int


class StepTiming(Payload):
    """A step carried out: actual minus planned, and how well the clock was known when it was planned."""

    at_s: float
    chamber: int
    offset_ms: float
    uncertainty_ms: float


class WrapFigures(Payload):
    """One wrap of a session. ``timing_ms`` is ``null`` where no step was carried out; ``steps`` thins many, keeping the largest offsets."""

    id: str
    side: Side
    serial: str
    model: str
    firmware: str
    chambers: int
    kept: int
    replayed: int
    missing: int
    missing_spans: list[MissingSpan]
    dose: list[ChamberFigures]
    steps_answered: int
    steps_carried_out: int
    timing_ms: Quantiles | None
    steps: list[StepTiming]


class EventLine(Payload):
    """What happened; ``at_s`` in seconds of the session, ``null`` where the clocks were never tied. ``wrap`` is empty for the gateway."""

    wrap: str
    at_s: float | None
    unix_s: float
    kind: str
    text: str


class SessionAnswer(Payload):
    """A session in full but for its curves, which lie between ``begin_s`` and ``end_s``. ``unrecorded`` samples could not be written."""

    session: str
    gateway: str
    version: str
    program: str
    title: str
    description: str
    planned_s: float
    ceiling_mmhg: float
    started_unix_s: float
    ended_unix_s: float | None
    state: RecordStateName
    reason: str
    unrecorded: int
    begin_s: float
    end_s: float
    summary: SessionSummary | None
    wraps: list[WrapFigures]
    left_minus_right: list[ChamberChange]
    events: list[EventLine]


class WrapTraces(Payload):
    """``at_s`` ascends; a row a chamber. Where ``thinned`` each step of time has its lowest and its highest value, so no peak is lost."""

    id: str
    side: Side
    thinned: bool
    at_s: list[float]
    pressure_mmhg: list[Curve]
    target_mmhg: list[Curve]


class TracesAnswer(Payload):
    """As asked for, cut to what there is."""

    session: str
    from_s: float
    to_s: float
    wraps: list[WrapTraces]


class ComparedSide(Payload):
    """The first wrap of a side in each; ``changes`` are ``one`` minus ``other``."""

    side: Side
    one: str
    other: str
    changes: list[ChamberChange]


class CompareAnswer(Payload):
    """The sides that both have."""

    one: str
    other: str
    sides: list[ComparedSide]


class TrendWrap(Payload):
    """Of one wrap: means over its chambers, its highest leak estimate, the timing of its steps, its charge; ``null``: there is none."""

    id: str
    side: Side
    over_threshold_s: float | None
    pressure_time_mmhg_s: float | None
    peak_mmhg: float | None
    leak_mmhg_s: float | None
    timing_p99_ms: float | None
    missing: int
    battery_start_pct: int | None = None
    battery_end_pct: int | None = None


class TrendLine(Payload):
    """One session. ``soreness`` is from the recovery journal, ``null`` where this gateway's has nothing about it."""

    session: str
    program: str
    state: RecordStateName
    started_unix_s: float
    wraps: list[TrendWrap]
    soreness: SorenessAround | None = None


class TrendsAnswer(Payload):
    """``total`` counts what fits the filter. ``damaged`` names sessions that cannot be read."""

    total: int
    sessions: list[TrendLine]
    damaged: list[str]


class DeleteAnswer(Payload):
    """What is gone."""

    deleted: str
