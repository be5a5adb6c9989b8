"""The battery: energy taken by the pump, the valves and the electronics. No voltage, no temperature, no ageing is modelled."""

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Battery", "BatteryParameters"]


@dataclass(frozen=True, slots=True)
class BatteryParameters:
    """All figures are choices: no energy budget of a product was found. They give about two hours of sessions."""

    capacity_j: float = 26_600.0
    """3.7 V x 2 Ah."""
    pump_w: float = 6.0
    """At full duty."""
    valve_w: float = 0.4
    """Each energised coil: an open inlet, or a vent held shut, since vents are normally open."""
    electronics_w: float = 0.15


class Battery:
    """A charge that only falls. ``charge_pct`` is where it starts, 0 to 100."""

    def __init__(self, parameters: BatteryParameters, charge_pct: float) -> None:
        self._parameters = parameters
        self._energy_j = parameters.capacity_j * charge_pct / 100.0

    @property
    def charge_pct(self) -> float:
        """What is left, in percent."""
        return 100.0 * self._energy_j / self._parameters.capacity_j

    def draw(self, dt_s: float, pump_duty: float, inlet_open: Sequence[bool], vent_open: Sequence[bool]) -> None:
        """Take the energy of ``dt_s`` under these commands."""
        coils = sum(inlet_open) + len(vent_open) - sum(vent_open)
        power_w = self._parameters.electronics_w + self._parameters.pump_w * pump_duty + self._parameters.valve_w * coils
        self._energy_j = max(0.0, self._energy_j - power_w * dt_s)
