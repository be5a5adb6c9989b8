"""What a device is built with, and the exact shapes it exchanges with its caller."""

from dataclasses import dataclass, field

from wavewrap_protocol import limits
from wavewrap_protocol.enums import Cause, DeviceState, Fault, StepOutcome
from wavewrap_protocol.units import mmhg_to_cmmhg
from wavewrap_sim.pong_queue import DITHER_TICKS
from wavewrap_sim.pressure_control import ControlParameters

__all__ = ["CONTROL_PERIOD_TICK", "FaultFound", "FirmwareConfig", "FirmwareEvent", "Inputs", "Outgoing", "StateChanged", "StepDone"]

CONTROL_PERIOD_TICK = 100
"""100 Hz."""


@dataclass(frozen=True, slots=True)
class FirmwareConfig:
    """Limits default to the protocol's; pressures are 0.01 mmHg, times as their names say."""

    chambers: int = 4
    ceiling_cmmhg: int = mmhg_to_cmmhg(limits.CEILING_DEFAULT_MMHG)
    queue_depth: int = limits.QUEUE_DEPTH_DEFAULT
    """0: no queue, steps are carried out as they come in."""
    pong_dither_tick: int = DITHER_TICKS
    batch: int = 5
    """Samples a live frame when the gateway leaves the choice: 100 ms."""
    batch_max: int = 25
    """Choice: half a second is the most a live view should wait."""
    ring_s: int = limits.RING_S
    reports_kept: int = limits.REPORTS_KEPT
    hold_max_s: float = limits.HOLD_MAX_S
    vent_min_s: float = limits.VENT_MIN_S
    session_max_s: float = limits.SESSION_MAX_S
    control: ControlParameters = field(default_factory=ControlParameters)


@dataclass(frozen=True, slots=True)
class Inputs:
    """What the device senses: raw pressures before the zero, one per chamber and the manifold's, its charge and two lines."""

    pressure_cmmhg: tuple[int, ...]
    battery_pct: float
    manifold_cmmhg: int
    stop_pressed: bool = False
    """The button on the wrap."""
    limiter_tripped: bool = False
    """The hardware limiter has cut pump and valves."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """Bytes for ``characteristic`` (UUID), to be notified or indicated."""

    characteristic: str
    data: bytes


@dataclass(frozen=True, slots=True)
class StepDone:
    """For the caller's log: step ``seq`` of ``chamber`` was dealt with."""

    seq: int
    chamber: int
    planned_tick: int
    actual_tick: int
    outcome: StepOutcome


@dataclass(frozen=True, slots=True)
class StateChanged:
    """For the caller's log."""

    tick: int
    state: DeviceState
    cause: Cause


@dataclass(frozen=True, slots=True)
class FaultFound:
    """For the caller's log; ``chamber`` 255 is none in particular."""

    tick: int
    fault: Fault
    chamber: int
    value_cmmhg: int


FirmwareEvent = StepDone | StateChanged | FaultFound
