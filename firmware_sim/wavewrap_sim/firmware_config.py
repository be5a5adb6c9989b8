"""What a device is built with, and the exact shapes it exchanges with its caller.

The figures of the board come from :mod:`wavewrap_sim.firmware_from_board`; none has a default here, so none is written twice.
"""

from dataclasses import dataclass

from wavewrap_protocol import limits
from wavewrap_protocol.enums import Cause, DeviceState, Fault, StepOutcome
from wavewrap_sim.detection_figures import DetectionFigures
from wavewrap_sim.pneumatic_figures import PneumaticFigures
from wavewrap_sim.pong_queue import DITHER_TICKS
from wavewrap_sim.pressure_control import ControlParameters

__all__ = [
    "CONTROL_PERIOD_S",
    "CONTROL_PERIOD_TICK",
    "BatteryLevels",
    "FaultFound",
    "FirmwareConfig",
    "FirmwareEvent",
    "Inputs",
    "LightShown",
    "Outgoing",
    "SensorFigures",
    "StateChanged",
    "StepDone",
]

CONTROL_PERIOD_TICK = 100
"""100 Hz."""

CONTROL_PERIOD_S = 0.01
"""The same."""


@dataclass(frozen=True, slots=True)
class BatteryLevels:
    """Charges at which the device acts, falling."""

    arm_pct: float
    """Below this no session begins."""
    reserve_pct: float
    """Below this a session ends in order."""
    fault_pct: float
    """Below this it is a fault."""


@dataclass(frozen=True, slots=True)
class SensorFigures:
    """Of the chamber sensors and the manifold's."""

    offset_mmhg: float
    """Largest zero error of a good one."""
    range_mmhg: float


@dataclass(frozen=True, slots=True)
class FirmwareConfig:
    """Pressures are 0.01 mmHg, times as their names say. What is of the protocol, not of the board, has its default here."""

    pneumatics: PneumaticFigures
    sensors: SensorFigures
    battery: BatteryLevels
    control: ControlParameters
    detection: DetectionFigures
    ceiling_cmmhg: int
    ceiling_max_cmmhg: int
    hold_max_s: float
    vent_min_s: float
    session_max_s: float
    watchdog_s: float
    """Longest pause between two control ticks."""
    queue_depth: int = limits.QUEUE_DEPTH_DEFAULT
    """0: no queue, steps are carried out as they come in."""
    pong_dither_tick: int = DITHER_TICKS
    batch: int = 5
    """Samples a live frame when the gateway leaves the choice: 100 ms."""
    batch_max: int = 25
    """Choice: half a second is the most a live view should wait."""
    ring_s: int = limits.RING_S
    reports_kept: int = limits.REPORTS_KEPT

    @property
    def chambers(self) -> int:
        """How many there are."""
        return len(self.pneumatics.chambers)


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


@dataclass(frozen=True, slots=True)
class LightShown:
    """For the caller's log: the wrap shows its light for ``for_s`` from now on; 0 puts it out."""

    tick: int
    for_s: int


FirmwareEvent = StepDone | StateChanged | FaultFound | LightShown
