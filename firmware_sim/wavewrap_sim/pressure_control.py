"""The 100 Hz pressure controller of one wrap: bang-bang with hysteresis around a moving set-point. Pure Python, no clock.

Bang-bang within +/- 1.5 mmHg, centred 0.7 mmHg over the set-point because creep and leak only ever pull down, holds as well as a PI
controller on modulated valves and wears the valves least. Air goes out through :mod:`wavewrap_sim.air_supply`.

Not responsible for limits, states or plans (:mod:`wavewrap_sim.firmware`).
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from wavewrap_protocol.units import TICKS_PER_S
from wavewrap_sim.air_supply import AirSupply, Demand, SupplyParameters
from wavewrap_sim.set_point import SetPoint

__all__ = ["ControlParameters", "Drive", "PressureControl"]

_FAST_SAMPLES = 2
_SLOW_SAMPLES = 5
_HISTORY_SPACING = TICKS_PER_S // 200
"""An update sooner than 5 ms after the last (a step between two control ticks) adds no sample to the history."""


@dataclass(frozen=True, slots=True)
class ControlParameters:
    """Of the bands, in mmHg."""

    band_mmhg: float = 1.5
    centre_mmhg: float = 0.7
    released_mmhg: float = 1.0
    """A set-point on its way to 0 counts as released below this: the vent opens for good. Choice: below what the band can hold."""
    vent_close_s: float = 0.020
    """A closing vent lets the pressure fall on by this times its rate: dead time, lag, sensor, half a control period."""
    supply: SupplyParameters = field(default_factory=SupplyParameters)


@dataclass(frozen=True, slots=True)
class Drive:
    """What the actuators are told. ``pump_duty`` 0 to 1; tuples have one entry per chamber, distal first."""

    pump_duty: float
    inlet_open: tuple[bool, ...]
    vent_open: tuple[bool, ...]
    dump_open: bool
    """The manifold's way to the room."""
    pump_enabled: bool
    """A second switch in series with the pump's own: a shorted one alone cannot run the pump."""

    @classmethod
    def safe(cls, chambers: int) -> "Drive":
        """Pump off twice, inlets closed, vents and dump open: what the hardware does without power."""
        return cls(0.0, (False,) * chambers, (True,) * chambers, True, False)


class _Chamber:
    __slots__ = ("history", "set_point", "venting", "wants")

    def __init__(self) -> None:
        self.set_point = SetPoint()
        self.history: deque[tuple[int, float]] = deque(maxlen=_SLOW_SAMPLES + 1)
        self.venting = False
        self.wants = False

    def rate_mmhg_s(self, samples: int) -> float:
        if len(self.history) < 2:
            return 0.0
        old_count, old_mmhg = self.history[max(0, len(self.history) - 1 - samples)]
        new_count, new_mmhg = self.history[-1]
        return (new_mmhg - old_mmhg) * TICKS_PER_S / (new_count - old_count)


class PressureControl:
    """Set-points in, commands out."""

    def __init__(self, chambers: int, parameters: ControlParameters) -> None:
        self._parameters = parameters
        self._chambers = [_Chamber() for _ in range(chambers)]
        self._supply = AirSupply(parameters.supply, chambers)

    def move(self, count: int, chamber: int, target_mmhg: float, ramp_s: float) -> None:
        """From ``count`` on ``chamber`` goes to ``target_mmhg`` in a straight line over ``ramp_s``."""
        self._chambers[chamber].set_point = self._chambers[chamber].set_point.moved(count, target_mmhg, ramp_s)

    def set_point_mmhg(self, count: int, chamber: int) -> float:
        """Where the set-point of ``chamber`` is at ``count``."""
        return self._chambers[chamber].set_point.at(count)

    def is_released(self, count: int, chamber: int) -> bool:
        """Whether the vent of ``chamber`` stands open for good."""
        set_point = self._chambers[chamber].set_point
        return set_point.target_mmhg <= 0.0 and set_point.at(count) < self._parameters.released_mmhg

    def release_all(self) -> None:
        """Every set-point 0 at once, pump and inlets shut."""
        self._supply.shut()
        for chamber in self._chambers:
            chamber.set_point = SetPoint()
            chamber.venting = chamber.wants = False

    def update(self, count: int, pressures_mmhg: Sequence[float]) -> Drive:
        """The commands from ``count`` on, at these sensed pressures (one per chamber)."""
        demands = []
        vents = []
        for index, (chamber, pressure_mmhg) in enumerate(zip(self._chambers, pressures_mmhg, strict=True)):
            history = chamber.history
            if not history or count - history[-1][0] >= _HISTORY_SPACING:
                history.append((count, pressure_mmhg))
            if self.is_released(count, index):
                chamber.wants = chamber.venting = False
                vents.append(True)
                demands.append(Demand(False, True, pressure_mmhg, 0.0, 0.0, 0.0, 0.0))
                continue
            demand = self._regulate(chamber, count, pressure_mmhg)
            vents.append(chamber.venting)
            demands.append(demand)
        self._supply.update(count, demands)
        inlet = self._supply.open_inlet
        # At rest the pump's second switch is off and the manifold empty: 8 ml cost the pump 5 ms to fill again.
        active = self._supply.is_active
        return Drive(self._supply.pump_duty, tuple(at == inlet for at in range(len(vents))), tuple(vents), not active, active)

    def _regulate(self, chamber: _Chamber, count: int, pressure_mmhg: float) -> Demand:
        parameters = self._parameters
        set_point = chamber.set_point
        deficit_mmhg = set_point.at(count) + parameters.centre_mmhg - pressure_mmhg
        fast_mmhg_s = chamber.rate_mmhg_s(_FAST_SAMPLES)
        if chamber.venting:
            chamber.venting = deficit_mmhg < fast_mmhg_s * parameters.vent_close_s
        else:
            chamber.venting = deficit_mmhg < -parameters.band_mmhg
        chamber.wants = not chamber.venting and deficit_mmhg > (0.0 if chamber.wants else parameters.band_mmhg)
        ramp_mmhg_s = 0.0
        if count < set_point.end_count:
            line_s = (set_point.end_count - set_point.start_count) / TICKS_PER_S
            ramp_mmhg_s = (set_point.target_mmhg - set_point.start_mmhg) / line_s
        slow_mmhg_s = chamber.rate_mmhg_s(_SLOW_SAMPLES)
        return Demand(chamber.wants, chamber.venting, pressure_mmhg, deficit_mmhg, fast_mmhg_s, slow_mmhg_s, ramp_mmhg_s)
