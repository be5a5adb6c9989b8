"""The record of a session as it is published, and what it is made of. Other programs read it: names stay.

:mod:`wavewrap_protocol.payloads` gives all of it on.
"""

from enum import StrEnum

from pydantic import Field

from wavewrap_protocol.payload_base import Payload, WrapId

__all__ = [
    "ChamberFigures",
    "Cycles",
    "EndedHow",
    "FindingRecord",
    "MqttCounts",
    "Quantiles",
    "SampleCounts",
    "SessionSummary",
    "Side",
    "StepCounts",
    "WrapSummary",
]


class Side(StrEnum):
    """The leg a wrap sits on."""

    LEFT = "left"
    RIGHT = "right"


class EndedHow(StrEnum):
    """How a session ended."""

    COMPLETED = "completed"
    STOPPED = "stopped"
    FAULTED = "faulted"


class Quantiles(Payload):
    """Quantiles of a set of values; 0 when the set is empty, which the counts beside it show."""

    p50: float
    p99: float
    max: float


class MqttCounts(Payload):
    """Messages for the broker since start, what an earlier run left included; ``published`` is the sum of the others."""

    published: int
    acknowledged: int
    dropped: int = Field(description="given up: bounds, refusals, the end of a gateway without an outbox file")
    replaced: int = Field(default=0, description="states that a newer one overtook before they were sent")
    unheard: int = Field(default=0, description="telemetry that the broker had nobody for, for too long")
    waiting: int = Field(default=0, description="not settled yet")


class SampleCounts(Payload):
    """Samples of a session, counted, never assumed."""

    expected: int
    received: int
    replayed: int
    missing: int


class StepCounts(Payload):
    """Steps of a session."""

    planned: int
    executed: int
    late: int


class Cycles(Payload):
    """Cycles of a session; delivered means carried out to its end, every chamber at its pressure."""

    planned: int
    delivered: int


class FindingRecord(Payload):
    """Something that the gateway read from a wrap's pressures; ``chamber`` counts from 1, ``null`` is the whole wrap."""

    kind: str
    chamber: int | None
    text: str


class ChamberFigures(Payload):
    """What one chamber, counted from 1 (distal), got in a session; ``null``: it did not come to that.

    ``over_threshold_s`` is time over 15 mmHg. ``reached`` of ``compressions`` came within 5 mmHg of their target. ``rise_s`` (to 90 % of
    it), ``vent_s`` (to 15 mmHg) and the delays after the chamber before are medians; ``leak_mmhg_s`` is against the other chambers.
    """

    chamber: int
    over_threshold_s: float
    pressure_time_mmhg_s: float
    peak_mmhg: float
    compressions: int
    reached: int
    rise_s: float | None = None
    vent_s: float | None = None
    asked_delay_s: float | None = None
    delay_s: float | None = None
    tracking_rms_mmhg: float
    leak_mmhg_s: float | None = None


class WrapSummary(Payload):
    """What one wrap did in a session. Lists are per chamber, distal first."""

    id: WrapId
    side: Side
    samples: SampleCounts
    steps: StepCounts
    timing_ms: Quantiles
    true_timing_ms: Quantiles | None = Field(default=None, description="only where the gateway owns the simulator")
    cycles: Cycles
    target_mmhg: list[float]
    peak_mmhg: list[float]
    final_mmhg: list[float]
    tracking_rms_mmhg: float
    shortfalls: list[str] = Field(default_factory=list, description="where a chamber stayed under its target, and why")
    findings: list[FindingRecord] = Field(default_factory=list, description="what the pressures tell about the wrap, and what to do")
    dose: list[ChamberFigures] = Field(default_factory=list, description="what each chamber got")
    battery_start_pct: int | None = Field(default=None, description="charge before the session, asked for then; null: not known")
    battery_end_pct: int | None = Field(default=None, description="charge after it, as the one before")


class SessionSummary(Payload):
    """``<wrap>/session``, retained: the last session. Other programs read it, so its names stay."""

    program: str
    ended: EndedHow
    reason: str
    vented: bool
    duration_s: float
    wraps: list[WrapSummary]
    skew_ms: Quantiles
    true_skew_ms: Quantiles | None = None
    mqtt: MqttCounts
    host_lateness_ms: Quantiles
    slips: int = 0
    gateway: str | None = Field(default=None, description="set where it is published, as are the next three")
    gateway_boot: int | None = None
    seq: int | None = None
    historical: bool | None = None
