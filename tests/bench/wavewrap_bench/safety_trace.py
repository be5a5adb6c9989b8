"""What one safety run has come to: when its faults could show, what the wrap did about them, and how high and how long it pressed.

Seconds count from power on, on the control grid of 10 ms.
"""

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from wavewrap_protocol.limits import OVER_THRESHOLD_MMHG, VENTED_MMHG
from wavewrap_sim.faults import Fault
from wavewrap_sim.pressure_control import Drive

__all__ = ["Outcome", "Reaction", "shows"]


class Reaction(BaseModel):
    """The wrap left a session, or found a fault: ``what`` is a fault's name, the cause of a state, or LIMITER_CUT for the hardware."""

    model_config = ConfigDict(frozen=True)
    at_s: float
    what: str
    chamber: int


class Outcome(BaseModel):
    """One run. ``shown_s`` has, for each fault, when it could first be seen, ``None`` where it never could, and ``shown_for_s`` how long.

    ``acted_s`` is the safety action: the first moment after the session began at which the wrap vented. The times after it are the
    last moments at which the pump had its supply, and at which a chamber was over 15 and over 5 mmHg.
    """

    model_config = ConfigDict(frozen=True)
    run_id: str
    program: str
    faults: tuple[Fault, ...]
    reactions: tuple[Reaction, ...]
    shown_s: tuple[float | None, ...]
    shown_for_s: tuple[float, ...]
    acted_s: float | None
    pump_off_s: float
    below_15_s: float
    below_5_s: float
    highest_mmhg: float
    over_15_s: float
    """Longest time that a chamber was over 15 mmHg."""
    played_s: float
    limiter: bool
    """Whether the hardware limiter has tripped."""

    @property
    def detected_s(self) -> float | None:
        """From when the first fault could be seen to the first reaction; ``None`` without either."""
        shown = [shown_s for shown_s in self.shown_s if shown_s is not None]
        after = [reaction.at_s for reaction in self.reactions if shown and reaction.at_s >= min(shown) - 1e-9]
        return after[0] - min(shown) if after else None


def shows(fault: Fault, drive: Drive, pressure_mmhg: Sequence[float], manifold_mmhg: float, *, in_session: bool) -> bool:
    """Whether a device could notice ``fault`` now, at these true pressures and under these commands; where not, it makes no difference."""
    at = getattr(fault, "chamber", 1) - 1
    feeds = drive.inlet_open[at] and drive.pump_duty > 0.0
    match fault.kind:
        case "leak":
            return not drive.vent_open[at] and pressure_mmhg[at] > OVER_THRESHOLD_MMHG
        case "vent_stuck_open":
            return not drive.vent_open[at]
        case "hose_off" | "kink" | "poor_fit" | "inlet_stuck_shut":
            return feeds
        case "inlet_stuck_open":
            return not drive.inlet_open[at] and (not drive.dump_open or (not drive.vent_open[at] and pressure_mmhg[at] > VENTED_MMHG))
        case "vent_stuck_shut":
            return drive.vent_open[at] and pressure_mmhg[at] > VENTED_MMHG
        case "dump_stuck_open":
            return not drive.dump_open
        case "dump_stuck_shut":
            return drive.dump_open and manifold_mmhg > VENTED_MMHG
        case "pump_dead":
            return drive.pump_duty > 0.0
        case "pump_stuck_on":
            return drive.pump_enabled and drive.pump_duty == 0.0
        case "sensor_drift" | "sensor_frozen" | "sensor_dead" | "manifold_sensor_frozen" | "manifold_sensor_dead":
            return True
    return in_session
