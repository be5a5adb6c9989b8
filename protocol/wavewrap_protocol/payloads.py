"""Pydantic models of every MQTT message; nothing else writes JSON to a topic.

Pressures are gauge mmHg, times seconds unless the name says otherwise. Every message but the two bare states carries a de-duplication
key: telemetry (``gateway``, ``wrap``, ``boot_id``, ``seq``) of the wrap's boot, all else (``gateway``, ``gateway_boot``, ``seq``) of the
gateway's. Topics stand in :data:`TOPICS`; ``protocol/README.md`` says who may rely on what.
"""

from typing import Literal, NamedTuple

from pydantic import Field

from wavewrap_protocol.journal_payloads import JournalDue, JournalQuestion, Moment, OccasionKind
from wavewrap_protocol.payload_base import Payload, WrapId
from wavewrap_protocol.summary_payloads import (
    ChamberFigures,
    Cycles,
    EndedHow,
    FindingRecord,
    MqttCounts,
    Quantiles,
    SampleCounts,
    SessionSummary,
    Side,
    StepCounts,
    WrapSummary,
)

__all__ = [
    "TOPICS",
    "Availability",
    "BridgeEvent",
    "BridgeHealth",
    "BridgeInfo",
    "BridgeState",
    "ChamberFigures",
    "ClockQuality",
    "Cycles",
    "Devices",
    "EndedHow",
    "FindingRecord",
    "Histogram",
    "JournalDue",
    "JournalQuestion",
    "Moment",
    "MqttCounts",
    "OccasionKind",
    "OutboxHealth",
    "Pacing",
    "Payload",
    "ProcessFigures",
    "Quantiles",
    "SampleAccount",
    "SampleCounts",
    "Selection",
    "SessionProgress",
    "SessionSummary",
    "Side",
    "StepCounts",
    "TargetPath",
    "Telemetry",
    "Topic",
    "WrapEvent",
    "WrapId",
    "WrapInfo",
    "WrapState",
    "WrapSummary",
]


class BridgeState(Payload):
    """``bridge/state``, retained, also the Last Will."""

    state: Literal["online", "offline"]


class Availability(Payload):
    """``<wrap>/availability``, retained: the BLE link."""

    state: Literal["online", "offline"]


class Pacing(Payload):
    """What the host grants the gateway for waking up on time. ``slack_ns`` is ``null`` where the system has no such thing."""

    timer: Literal["timerfd", "loop"]
    slack_ns: int | None
    policy: Literal["fifo", "rr", "other"]


class BridgeInfo(Payload):
    """``bridge/info``, retained. Holds no secret."""

    version: str
    protocol: str
    gateway: str
    gateway_boot: int
    seq: int
    radio: str
    base_topic: str
    started_unix_s: float
    pacing: Pacing
    commands: list[str] = Field(
        default_factory=list, description="requests that it takes; a run or demo takes at most stop, pause, resume and boost"
    )


class Selection(Payload):
    """``bridge/selection``, retained: what a start takes that names neither program nor length."""

    program: str
    duration_min: float = Field(description="0: the program's own length")


class WrapInfo(Payload):
    """One wrap of ``bridge/devices``."""

    id: WrapId
    serial: str
    side: Side
    model: str
    firmware: str
    chambers: int
    protocol: str


class Devices(Payload):
    """``bridge/devices``, retained: the wraps in use."""

    gateway: str
    gateway_boot: int
    seq: int
    wraps: list[WrapInfo]


class BridgeEvent(Payload):
    """``bridge/event``: something that happened to the gateway. ``historical``: sent late, out of the outbox."""

    gateway: str
    gateway_boot: int
    seq: int
    unix_s: float
    kind: str
    text: str
    historical: bool = False


class Histogram(Payload):
    """Counts in fixed bins: ``counts[i]`` values were over ``bounds_ms[i - 1]`` and at most ``bounds_ms[i]``, the last over every bound."""

    bounds_ms: list[float]
    counts: list[int]


class OutboxHealth(Payload):
    """Where messages wait: ``store`` is what the newest went to; ``dropped`` are the reasons of ``MqttCounts.dropped``."""

    store: Literal["file", "memory"]
    rows: int
    size_bytes: int
    oldest_s: float | None
    dropped: dict[str, int]


class ProcessFigures(Payload):
    """What the gateway's process uses; ``descriptors`` where the system tells."""

    memory_mb: float
    tasks: int
    threads: int
    descriptors: int | None


class BridgeHealth(Payload):
    """``bridge/health``, every few seconds."""

    gateway: str
    gateway_boot: int
    seq: int
    uptime_s: float
    host_lateness_ms: Quantiles
    host_lateness: Histogram
    mqtt: MqttCounts
    outbox: OutboxHealth
    process: ProcessFigures | None = None


class ClockQuality(Payload):
    """How well the device's clock is known."""

    offset_s: float
    uncertainty_ms: float
    skew_ppm: float
    age_s: float


class SessionProgress(Payload):
    """Where a running session is."""

    program: str
    state: str
    elapsed_s: float
    duration_s: float
    cycle: int
    cycles: int


class LinkCounts(Payload):
    """How often each trouble befell a link since the gateway started."""

    losses: int
    reconnects: int
    failed_connects: int
    out_of_reach: int
    radio_downs: int
    lost_bonds: int
    reboots: int
    lost_reports: int
    garbled: int


class TargetPath(Payload):
    """Set-points as corners of straight lines: each point has seconds after ``unix_s``, then a set-point a chamber."""

    unix_s: float
    points: list[list[float]]


class WrapState(Payload):
    """``<wrap>``, retained, on change and at most 1 Hz. Reports only what the device said; ``null`` is not known or stale."""

    gateway: str
    gateway_boot: int
    seq: int
    id: WrapId
    side: Side
    boot_id: int | None
    link: str
    counts: LinkCounts
    device_state: str | None
    fault: str | None
    pressure_mmhg: list[float] | None
    target_mmhg: list[float] | None
    target_path: TargetPath | None = None
    timing_ms: Quantiles | None = None
    rssi_dbm: int | None = None
    battery_pct: int | None
    clock: ClockQuality | None
    session: SessionProgress | None


class Telemetry(Payload):
    """``<wrap>/telemetry``: one batch in columns.

    ``pressure_mmhg`` has shape (chambers, samples), distal chamber first; sample ``i`` has sequence ``seq + i`` and was taken at device
    tick ``tick + i * period_ms * 10``. ``unix_s`` is the first sample's time by the clock estimate, ``null`` before the first one.
    ``replay``: the wrap sent it again. ``historical``: the gateway sent it late, out of its outbox.
    ``replay``: the wrap sent it again. ``historical``: the gateway sent it late, out of its outbox.
    """

    gateway: str
    wrap: WrapId
    boot_id: int
    seq: int
    tick: int
    period_ms: int
    replay: bool
    unix_s: float | None
    pressure_mmhg: list[list[float]]
    historical: bool = False


class WrapEvent(Payload):
    """``<wrap>/event``: a state change, fault, link event or session event, numbered without gaps per wrap and run of the gateway."""

    gateway: str
    gateway_boot: int
    wrap: WrapId
    boot_id: int | None
    seq: int
    unix_s: float
    kind: str
    text: str
    tick: int | None = None
    historical: bool = False


class SampleAccount(Payload):
    """``<wrap>/samples``, retained: which samples of this boot of the wrap reached the gateway, over all runs of it.

    The account covers ``first`` to ``next - 1``. ``missing`` came neither live nor in a replay; ``missing_runs`` are the oldest runs of
    them, both ends included. What came is in the outbox or with the broker, but for the ``dropped``.
    """

    gateway: str
    gateway_boot: int
    seq: int
    wrap: WrapId
    boot_id: int
    first: int
    next: int
    missing: int
    missing_runs: list[list[int]]
    dropped: int = Field(description="samples in telemetry messages that this run of the gateway gave up")


class Topic(NamedTuple):
    """One row of the topic table; ``path`` is relative to the base topic."""

    path: str
    model: type[Payload]
    retained: bool
    qos: int


TOPICS: dict[str, Topic] = {
    "bridge_state": Topic("bridge/state", BridgeState, True, 1),
    "bridge_info": Topic("bridge/info", BridgeInfo, True, 1),
    "bridge_devices": Topic("bridge/devices", Devices, True, 1),
    "bridge_selection": Topic("bridge/selection", Selection, True, 1),
    "bridge_journal": Topic("bridge/journal", JournalDue, True, 1),
    "bridge_event": Topic("bridge/event", BridgeEvent, False, 1),
    "bridge_health": Topic("bridge/health", BridgeHealth, False, 0),
    "wrap_state": Topic("{wrap}", WrapState, True, 1),
    "wrap_availability": Topic("{wrap}/availability", Availability, True, 1),
    "wrap_telemetry": Topic("{wrap}/telemetry", Telemetry, False, 1),
    "wrap_samples": Topic("{wrap}/samples", SampleAccount, True, 1),
    "wrap_event": Topic("{wrap}/event", WrapEvent, False, 1),
    "wrap_session": Topic("{wrap}/session", SessionSummary, True, 1),
}
"""Every topic the gateway publishes."""
