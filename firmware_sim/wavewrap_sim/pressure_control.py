"""The 100 Hz pressure controller of one wrap: set-points that move, one regulator a chamber, one air supply. Pure Python, no clock.

Not responsible for limits, states or plans (:mod:`wavewrap_sim.device`), nor for what a pressure means (:mod:`wavewrap_sim.diagnosis`).
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from wavewrap_protocol import limits
from wavewrap_protocol.units import TICKS_PER_S
from wavewrap_sim.air_supply import AirSupply, Demand, SupplyMode, SupplyParameters
from wavewrap_sim.pneumatic_figures import PneumaticFigures
from wavewrap_sim.regulators import BangBang, PiPwm, Regulator, RegulatorParameters
from wavewrap_sim.set_point import SetPoint

__all__ = ["ControlParameters", "Drive", "PressureControl"]

_FAST_SAMPLES = 2
_HISTORY_SPACING = TICKS_PER_S // 200
"""An update sooner than 5 ms after the last (a step between two control ticks) adds no sample to the history."""

_RELEASED_MMHG = 1.0
"""A set-point on its way to 0 counts as released below this: the vent opens for good. Choice: below what a band can hold."""

_PERIOD_S = 0.01

_NOTHING = Demand(False, True, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, False)
"""Of a released chamber."""

_PROBE = _NOTHING._replace(doubtful=True)
"""Of one whose reading is in doubt."""


@dataclass(frozen=True, slots=True)
class ControlParameters:
    """How pressures are held."""

    regulator: RegulatorParameters
    supply: SupplyParameters


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
    def safe(cls, chambers: int, relieved: Sequence[int] = ()) -> "Drive":
        """Pump off twice, inlets closed, vents and dump open: what the hardware does without power.

        The inlets of ``relieved`` open too: their vents have failed, the open manifold is their only way out.
        """
        inlets = tuple(at in relieved for at in range(chambers))
        return cls(0.0, inlets, (True,) * chambers, True, False)


class _Chamber:
    __slots__ = ("duty_max", "history", "regulator", "set_point")

    def __init__(self, regulator: Regulator) -> None:
        self.regulator = regulator
        self.set_point = SetPoint()
        self.history: deque[tuple[int, float]] = deque(maxlen=_FAST_SAMPLES + 1)
        self.duty_max = 1.0

    def rate_mmhg_s(self) -> float:
        if len(self.history) < 2:
            return 0.0
        old_count, old_mmhg = self.history[0]
        new_count, new_mmhg = self.history[-1]
        return (new_mmhg - old_mmhg) * TICKS_PER_S / (new_count - old_count)


class PressureControl:
    """Set-points in, commands out."""

    def __init__(self, figures: PneumaticFigures, parameters: ControlParameters) -> None:
        chambers = len(figures.chambers)
        regulator = parameters.regulator
        self._chambers = [
            _Chamber(BangBang(regulator) if regulator.method == "bang_bang" else PiPwm(regulator, figures, chamber))
            for chamber in figures.chambers
        ]
        self._supply = AirSupply(parameters.supply, chambers)
        self._safe = Drive.safe(chambers)

    @property
    def supply(self) -> AirSupply:
        """Who gets air now."""
        return self._supply

    def begin(self, count: int) -> None:
        """A session opens: see that the pump stands still when its own switch is off."""
        self._supply.test_pump(count)

    def move(self, count: int, chamber: int, target_mmhg: float, ramp_s: float) -> None:
        """From ``count`` on ``chamber`` goes to ``target_mmhg`` in a straight line over ``ramp_s``."""
        self._chambers[chamber].set_point = self._chambers[chamber].set_point.moved(count, target_mmhg, ramp_s)

    def bound_duty(self, chamber: int, duty_max: float) -> None:
        """Fill ``chamber`` with at most ``duty_max`` from now on."""
        self._chambers[chamber].duty_max = duty_max

    def set_point_mmhg(self, count: int, chamber: int) -> float:
        """Where the set-point of ``chamber`` is at ``count``."""
        return self._chambers[chamber].set_point.at(count)

    def is_released(self, count: int, chamber: int) -> bool:
        """Whether the vent of ``chamber`` stands open for good."""
        set_point = self._chambers[chamber].set_point
        return set_point.target_mmhg <= 0.0 and set_point.at(count) < _RELEASED_MMHG

    def release_all(self) -> None:
        """Every set-point 0 at once, pump and inlets shut."""
        self._supply.shut()
        for chamber in self._chambers:
            chamber.set_point = SetPoint()
            chamber.duty_max = 1.0
            chamber.regulator.reset()

    def update(self, count: int, pressures_mmhg: Sequence[float], manifold_mmhg: float, doubtful: Sequence[bool] = ()) -> Drive:
        """The commands from ``count`` on, at these sensed pressures (one per chamber) and this one of the manifold.

        ``doubtful`` has one entry per chamber, or none: released chambers that are to be probed.
        """
        demands = []
        vents = []
        for index, (chamber, pressure_mmhg) in enumerate(zip(self._chambers, pressures_mmhg, strict=True)):
            if self.is_released(count, index):
                if chamber.history:
                    chamber.history.clear()
                    chamber.regulator.reset()
                vents.append(True)
                demands.append(_PROBE if doubtful and doubtful[index] else _NOTHING)
                continue
            history = chamber.history
            dt_s = (count - history[-1][0]) / TICKS_PER_S if history else _PERIOD_S
            if not history or count - history[-1][0] >= _HISTORY_SPACING:
                history.append((count, pressure_mmhg))
            set_point = chamber.set_point
            ramp_mmhg_s = 0.0
            if count < set_point.end_count:
                line_s = (set_point.end_count - set_point.start_count) / TICKS_PER_S
                ramp_mmhg_s = (set_point.target_mmhg - set_point.start_mmhg) / line_s
            rate_mmhg_s = chamber.rate_mmhg_s()
            missing_mmhg = set_point.at(count) - pressure_mmhg
            correction = chamber.regulator.correct(missing_mmhg, pressure_mmhg, rate_mmhg_s, ramp_mmhg_s, dt_s)
            vents.append(correction.venting)
            holds = ramp_mmhg_s == 0.0 and not correction.barred and pressure_mmhg > limits.OVER_THRESHOLD_MMHG
            demands.append(
                Demand(
                    correction.wants,
                    correction.barred,
                    pressure_mmhg,
                    correction.deficit_mmhg,
                    rate_mmhg_s,
                    ramp_mmhg_s,
                    correction.duty,
                    chamber.duty_max,
                    holds,
                )
            )
        supply = self._supply
        if supply.mode is SupplyMode.RESTING and all(vents) and all(demand.barred and not demand.doubtful for demand in demands):
            return self._safe
        supply.update(count, demands, manifold_mmhg)
        if supply.served is not None:
            self._chambers[supply.served].regulator.serve()
        inlet = supply.open_inlet
        return Drive(supply.pump_duty, tuple(at == inlet for at in range(len(vents))), tuple(vents), supply.dump_open, supply.pump_enabled)
