"""Makes faults happen to one wrap: in the plant's conditions, between sensors and firmware, and to its electronics.

Faults add up: whatever holds at a moment is written to the conditions anew whenever one begins or ends. Not responsible for radio and
gateway (``radio_cut`` and :data:`wavewrap_sim.faults.GATEWAY_KINDS`), which are passed over here.
"""

from collections.abc import Sequence

import numpy as np

from wavewrap_protocol.enums import Cause
from wavewrap_protocol.units import mmhg_to_cmmhg
from wavewrap_sim import disturbances
from wavewrap_sim.disturbances import LimbParameters, WarmingParameters
from wavewrap_sim.electronics import Electronics
from wavewrap_sim.faults import (
    ChamberFault,
    DriftingSensor,
    Fault,
    HeldOpenValve,
    InstantFault,
    Kink,
    LeakFault,
    LimbMovement,
    PoorFit,
    StuckSensor,
    TimedFault,
    WarmingAir,
    WrapFault,
)
from wavewrap_sim.plant_conditions import PlantConditions

__all__ = ["FaultPlayer"]

_STUCK_ON_DUTY = 1.0
"""A shorted switch gives the pump the whole supply."""

_INSTANT_S = 0.001
"""Of a reboot without a cause of its own."""


class FaultPlayer:
    """``faults`` befall wrap ``row`` of ``conditions``; ``compliance_ml_mmhg`` of its chambers turns a limb's pressure into volume."""

    def __init__(self, faults: Sequence[Fault], conditions: PlantConditions, row: int, compliance_ml_mmhg: Sequence[float]) -> None:
        self._faults = faults
        self._conditions = conditions
        self._row = row
        self._compliance = np.array([compliance_ml_mmhg])
        self._active: list[Fault] = []
        self._next_s = min((fault.at_s for fault in faults), default=float("inf"))
        self._pump_stuck = False
        self._tampered: list[ChamberFault | DriftingSensor | StuckSensor | WrapFault] = []
        self._frozen: dict[int, int] = {}
        self._limbs: list[tuple[LimbMovement, disturbances.LimbMovement]] = []
        self._warmths: list[tuple[WarmingAir, disturbances.WarmingAir]] = []
        self._last_s = 0.0

    def advance(self, time_s: float, electronics: Electronics) -> None:
        """It is ``time_s`` after the start: what has begun or ended since the last call takes effect."""
        if time_s >= self._next_s:
            self._change(time_s, electronics)
        if self._limbs or self._warmths:
            self._disturb(time_s)
        self._last_s = time_s

    def hold_pump(self, *, enabled: bool) -> None:
        """The pump's second switch now stands so; a pump stuck on runs only through it."""
        if self._pump_stuck:
            self._conditions.pump_held_duty[self._row] = _STUCK_ON_DUTY if enabled else np.nan

    @property
    def tampers(self) -> bool:
        """Whether a sensor does not tell the truth now."""
        return bool(self._tampered)

    def tamper(self, time_s: float, readings_cmmhg: Sequence[int], manifold_cmmhg: int) -> tuple[tuple[int, ...], int]:
        """What the firmware gets to read in place of these."""
        chambers = len(readings_cmmhg)
        told = [*readings_cmmhg, manifold_cmmhg]
        for fault in self._tampered:
            at = chambers if isinstance(fault, WrapFault) else fault.chamber - 1
            match fault:
                case DriftingSensor():
                    told[at] += mmhg_to_cmmhg(fault.rate_mmhg_s * (min(time_s, fault.end_s) - fault.at_s))
                case StuckSensor():
                    told[at] = mmhg_to_cmmhg(fault.reads_mmhg)
                case WrapFault(kind="manifold_sensor_dead"):
                    told[at] = 0
                case _:
                    told[at] = self._frozen.setdefault(at, told[at])
        return tuple(told[:-1]), told[-1]

    def _change(self, time_s: float, electronics: Electronics) -> None:
        begun = [fault for fault in self._faults if self._last_s < fault.at_s <= time_s or (fault.at_s == 0.0 and self._last_s == 0.0)]
        moments = [moment for fault in self._faults for moment in (fault.at_s, fault.end_s) if moment > time_s]
        self._next_s = min(moments, default=float("inf"))
        self._active = [fault for fault in self._faults if fault.at_s <= time_s < fault.end_s]
        self._tampered = [fault for fault in self._active if _is_of_sensor(fault)]  # type: ignore[misc]  # narrowed by the function
        self._tampered += [fault for fault in self._faults if isinstance(fault, DriftingSensor) and fault.end_s <= time_s]
        held = {fault.chamber - 1 for fault in self._tampered if isinstance(fault, ChamberFault)}
        self._frozen = {at: value for at, value in self._frozen.items() if at in held or at == self._compliance.shape[1]}
        if not any(isinstance(fault, WrapFault) and fault.kind == "manifold_sensor_frozen" for fault in self._tampered):
            self._frozen.pop(self._compliance.shape[1], None)
        self._write_conditions()
        for fault in begun:
            match fault:
                case InstantFault(kind="firmware_hang"):
                    electronics.hang()
                case InstantFault():
                    electronics.lose_power(_INSTANT_S, Cause.BOOT)
                case TimedFault():
                    electronics.lose_power(fault.for_s, Cause.BOOT_BROWN_OUT)
                case LimbMovement():
                    parameters = LimbParameters(peak_mmhg=fault.peak_mmhg)
                    limb = disturbances.LimbMovement([np.random.default_rng(fault.seed)], self._compliance, parameters)
                    self._limbs.append((fault, limb))
                case WarmingAir():
                    warming = WarmingParameters(most_k=fault.most_k)
                    rngs = [np.random.default_rng(fault.seed)]
                    self._warmths.append((fault, disturbances.WarmingAir(rngs, self._compliance.shape[1], warming)))

    def _write_conditions(self) -> None:
        conditions, row = self._conditions, self._row
        conditions.leak_at_60_ml_s[row] = 0.0
        conditions.kink_mmhg_s_ml[row] = 0.0
        conditions.slack_ml[row] = 0.0
        conditions.hose_on[row] = 1.0
        conditions.inlet_held[row] = conditions.vent_held[row] = conditions.dump_held[row] = np.nan
        conditions.pump_efficiency[row] = 1.0
        conditions.pump_held_duty[row] = np.nan
        self._pump_stuck = False
        for fault in self._active:
            match fault:
                case LeakFault():
                    conditions.leak_at_60_ml_s[row, fault.chamber - 1] += fault.flow_at_60_ml_s
                case Kink():
                    conditions.kink_mmhg_s_ml[row, fault.chamber - 1] += fault.resistance_mmhg_s_ml
                case PoorFit():
                    conditions.slack_ml[row, fault.chamber - 1] += fault.slack_ml
                case HeldOpenValve():
                    held = conditions.inlet_held if fault.kind == "inlet_stuck_open" else conditions.vent_held
                    held[row, fault.chamber - 1] = fault.opening
                case ChamberFault(kind="hose_off"):
                    conditions.hose_on[row, fault.chamber - 1] = 0.0
                case ChamberFault(kind="inlet_stuck_shut"):
                    conditions.inlet_held[row, fault.chamber - 1] = 0.0
                case ChamberFault(kind="vent_stuck_shut"):
                    conditions.vent_held[row, fault.chamber - 1] = 0.0
                case WrapFault(kind="dump_stuck_open"):
                    conditions.dump_held[row] = 1.0
                case WrapFault(kind="dump_stuck_shut"):
                    conditions.dump_held[row] = 0.0
                case WrapFault(kind="pump_dead"):
                    conditions.pump_efficiency[row] = 0.0
                case WrapFault(kind="pump_stuck_on"):
                    self._pump_stuck = True

    def _disturb(self, time_s: float) -> None:
        conditions, row = self._conditions, self._row
        swell_ml = np.zeros(self._compliance.shape[1])
        for moving, limb in self._limbs:
            taken_ml = limb.advance(time_s - self._last_s)[0]
            swell_ml += taken_ml if time_s < moving.end_s else 0.0
        warmth_k = np.zeros_like(swell_ml)
        for warming, air in self._warmths:
            warmth_k += air.at(min(time_s, warming.end_s) - warming.at_s)[0]
        conditions.swell_ml[row], conditions.warmth_k[row] = swell_ml, warmth_k


def _is_of_sensor(fault: Fault) -> bool:
    match fault:
        case DriftingSensor() | StuckSensor() | ChamberFault(kind="sensor_frozen"):
            return True
        case WrapFault(kind="manifold_sensor_frozen" | "manifold_sensor_dead"):
            return True
    return False
