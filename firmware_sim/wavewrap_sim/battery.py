"""The battery: energy taken by the pump, the valves and the electronics. No voltage, no temperature, no ageing is modelled."""

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Battery", "BatteryParameters"]


@dataclass(frozen=True, slots=True)
class BatteryParameters:
    """Charge and loads; the figures come from a board file."""

    capacity_j: float
    electronics_w: float
    """Always drawn."""
    pump_w: float
    """At full duty."""
    inlet_w: float
    """The coil of an open inlet."""
    vent_w: float
    """The coil of a vent held shut: vents are open without power."""
    dump_w: float
    """The coil of the dump held shut."""


class Battery:
    """A charge that only falls. ``charge_pct`` is where it starts, 0 to 100."""

    def __init__(self, parameters: BatteryParameters, charge_pct: float) -> None:
        self._parameters = parameters
        self._energy_j = parameters.capacity_j * charge_pct / 100.0

    @property
    def charge_pct(self) -> float:
        """What is left, in percent."""
        return 100.0 * self._energy_j / self._parameters.capacity_j

    def draw(self, dt_s: float, pump_duty: float, inlet_open: Sequence[bool], vent_open: Sequence[bool], dump_open: bool) -> None:
        """Take the energy of ``dt_s`` under these commands."""
        parameters = self._parameters
        power_w = parameters.electronics_w + parameters.pump_w * pump_duty
        power_w += parameters.inlet_w * sum(inlet_open) + parameters.vent_w * (len(vent_open) - sum(vent_open))
        power_w += 0.0 if dump_open else parameters.dump_w
        self._energy_j = max(0.0, self._energy_j - power_w * dt_s)
