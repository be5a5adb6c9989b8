"""What goes wrong, as data: when, how long, in which chamber and how badly. Files are TOML, one ``[[fault]]`` table each.

``at_s`` counts from the start of the simulator, ``for_s`` is left out when it stays. Chambers count from 1, the distal one, as in programs.
Faults may overlap. Who makes them happen: :mod:`wavewrap_sim.fault_player` in and on the wrap, the air for a cut radio, and whoever plays
the gateway for what befalls gateways and what they write. Drawing them by chance: :mod:`wavewrap_sim.fault_draw`.

The models form a union told apart by ``kind``, each with exactly the keys that it needs; any other key is refused.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from wavewrap_protocol.errors import UsageError
from wavewrap_protocol.limits import CHAMBERS_MAX
from wavewrap_protocol.toml_files import load_toml

__all__ = [
    "FAULT",
    "GATEWAY_KINDS",
    "KINDS",
    "PERSON_KINDS",
    "ChamberFault",
    "DriftingSensor",
    "Fault",
    "GatewayFault",
    "HeldOpenValve",
    "InstantFault",
    "Kink",
    "LeakFault",
    "LimbMovement",
    "PersonsDoing",
    "PoorFit",
    "RadioCut",
    "StuckSensor",
    "TimedFault",
    "WarmingAir",
    "WrapFault",
    "Writes",
    "load_faults",
    "require_chambers",
]

Chamber = Annotated[int, Field(ge=1, le=CHAMBERS_MAX)]


class _Timed(BaseModel):
    """The keys of every fault."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    at_s: float = Field(ge=0.0)
    for_s: float | None = Field(default=None, gt=0.0)
    """``None``: until the end."""
    wraps: tuple[Annotated[int, Field(ge=0)], ...] = ()
    """Counted from 0 in the order of the simulator, as in scenarios; empty: every one."""

    @property
    def end_s(self) -> float:
        """When it is over; infinity for one that stays."""
        return float("inf") if self.for_s is None else self.at_s + self.for_s

    def strikes(self, wrap: int) -> bool:
        """Whether ``wrap`` (counted from 0) has it."""
        return not self.wraps or wrap in self.wraps


class ChamberFault(_Timed):
    """The hose is off, a valve does not move, or the sensor repeats its last reading for ever."""

    kind: Literal["hose_off", "inlet_stuck_shut", "vent_stuck_shut", "sensor_frozen"]
    chamber: Chamber


class HeldOpenValve(_Timed):
    """A valve of a chamber stands open whatever it is told, dirt in its seat by ``opening`` (1 is wide open)."""

    kind: Literal["inlet_stuck_open", "vent_stuck_open"]
    chamber: Chamber
    opening: float = Field(default=1.0, gt=0.0, le=1.0)


class LeakFault(_Timed):
    """A hole that lets out this much free air at 60 mmHg, and goes with the square of the pressure."""

    kind: Literal["leak"]
    chamber: Chamber
    flow_at_60_ml_s: float = Field(gt=0.0)


class Kink(_Timed):
    """The hose is bent: this resistance on top of its own, both ways. The sense line is another one."""

    kind: Literal["kink"]
    chamber: Chamber
    resistance_mmhg_s_ml: float = Field(gt=0.0)


class PoorFit(_Timed):
    """Loose or not worn: so much more soft volume to fill."""

    kind: Literal["poor_fit"]
    chamber: Chamber
    slack_ml: float = Field(gt=0.0)


class DriftingSensor(_Timed):
    """The sensor's zero runs away; it stays where it was when ``for_s`` is over."""

    kind: Literal["sensor_drift"]
    chamber: Chamber
    rate_mmhg_s: float


class StuckSensor(_Timed):
    """A broken wire: the sensor reads ``reads_mmhg`` and nothing else."""

    kind: Literal["sensor_dead"]
    chamber: Chamber
    reads_mmhg: float


class WrapFault(_Timed):
    """Of the one part of its kind in a wrap. ``pump_stuck_on``: its pulse-width switch is shorted, the enable switch still cuts."""

    kind: Literal["dump_stuck_open", "dump_stuck_shut", "pump_dead", "pump_stuck_on", "manifold_sensor_frozen", "manifold_sensor_dead"]


class LimbMovement(_Timed):
    """No fault: the calf works under the chambers, see :class:`wavewrap_sim.disturbances.LimbMovement`."""

    kind: Literal["limb_movement"]
    peak_mmhg: float = Field(default=4.0, gt=0.0)
    seed: int = Field(default=0, ge=0)


class WarmingAir(_Timed):
    """No fault: the air in the chambers warms towards the skin, see :class:`wavewrap_sim.disturbances.WarmingAir`."""

    kind: Literal["warming_air"]
    most_k: float = Field(default=10.0, gt=0.0)
    seed: int = Field(default=0, ge=0)


class InstantFault(_Timed):
    """Power off and on for an instant, or a firmware that stands still for ever; only the watchdog ends that."""

    kind: Literal["reboot", "firmware_hang"]


class TimedFault(_Timed):
    """The supply is gone for ``for_s``."""

    kind: Literal["brown_out"]
    for_s: float = Field(gt=0.0)


class RadioCut(_Timed):
    """Nothing gets through in either direction."""

    kind: Literal["radio_cut"]


class GatewayFault(_Timed):
    """The gateway is killed, or stands still for a while and then goes on."""

    kind: Literal["gateway_kill", "host_stall"]


class Writes(_Timed):
    """A gateway, or somebody between, whose writes are damaged, repeated, out of order, or made up: this many a second."""

    kind: Literal["writes_corrupted", "writes_replayed", "writes_reordered", "writes_hostile"]
    per_s: float = Field(gt=0.0, le=100.0)
    seed: int = Field(default=0, ge=0)


class PersonsDoing(_Timed):
    """No fault: somebody presses the pairing button, or has the wrap forget its bonds. ``for_s`` means nothing here."""

    kind: Literal["pairing_button", "forget_bonds"]


Fault = (
    ChamberFault
    | HeldOpenValve
    | LeakFault
    | Kink
    | PoorFit
    | DriftingSensor
    | StuckSensor
    | WrapFault
    | LimbMovement
    | WarmingAir
    | InstantFault
    | TimedFault
    | RadioCut
    | GatewayFault
    | Writes
    | PersonsDoing
)

FAULT: TypeAdapter[Fault] = TypeAdapter(Annotated[Fault, Field(discriminator="kind")])
"""Validates one ``[[fault]]`` table."""

GATEWAY_KINDS = frozenset({"gateway_kill", "host_stall", "writes_corrupted", "writes_replayed", "writes_reordered", "writes_hostile"})
"""Only who plays the gateway can do these."""

PERSON_KINDS = frozenset({"pairing_button", "forget_bonds"})
"""Only a wrap that asks for pairing has these."""

KINDS: dict[str, type[_Timed]] = {kind: model for model in Fault.__args__ for kind in model.model_fields["kind"].annotation.__args__}
"""Every kind and its model, in the order of this file."""


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    fault: tuple[Annotated[Fault, Field(discriminator="kind")], ...] = Field(min_length=1)


def load_faults(path: Path) -> tuple[Fault, ...]:
    """The faults in ``path``. Raises :class:`UsageError` in one line."""
    return load_toml(path, _File.model_validate, "give the path of a fault file").fault


def require_chambers(faults: Sequence[Fault], chambers: int, name: str) -> None:
    """Raise :class:`UsageError` for a fault in a chamber that a wrap of ``chambers`` has not."""
    for fault in faults:
        chamber = getattr(fault, "chamber", 1)
        if chamber > chambers:
            raise UsageError(f"{name}: {fault.kind} in chamber {chamber}: the wrap has {chambers}; choose one of them")
