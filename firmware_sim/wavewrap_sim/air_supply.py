"""Who gets the pump's air: one inlet at a time, the manifold charged before it opens and drained before it closes.

Topping up one chamber while another fills would disturb both by several mmHg, so the inlets are serialised. A chamber that only needs a
touch goes before one that fills from far below, so no hold starves; among equals the earliest request wins. The last inlet stays
open until the pump has spun down, because the manifold has no relief and would dead-head. Pure logic: no clock, no physics but the few
constants below.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from math import exp

from wavewrap_protocol.units import TICKS_PER_S

__all__ = ["AirSupply", "Demand", "SupplyParameters"]


@dataclass(frozen=True, slots=True)
class SupplyParameters:
    """What the firmware believes of its own pneumatics (the reference board), and how it uses it."""

    pump_lag_s: float = 0.080
    pump_ml_s: float = 133.0
    manifold_ml: float = 8.0
    charge_margin_mmhg: float = 10.0
    """The manifold is charged to this over the chamber before its inlet opens, so that no air flows back.
    Choice: covers a pump 20 % weak."""
    coast_s: float = 0.200
    """Pump off to last inlet closed: the middle of the 150-250 ms that let the pump spin down."""
    coast_gain_s: float = 0.125
    """While coasting a chamber still rises by this times its rate: the pump's lag, and the manifold emptying. Fitted to the plant."""
    close_gain_s: float = 0.022
    """The same when the inlet just closes: valve dead time and lag, sensor lag, half a control period."""
    full_duty_mmhg: float = 16.0
    """Deficit from which the pump runs at full duty; below it the duty falls with the deficit.
    Choice: smallest overshoot on plants scattered by 20 %."""
    least_duty: float = 0.22
    """Choice: slower than this the pump barely turns."""
    touch_mmhg: float = 5.0
    """A deficit up to this is a touch-up of a hold."""


@dataclass(frozen=True, slots=True)
class Demand:
    """One chamber's need for air at this moment, pressures in mmHg, rates in mmHg/s."""

    wants: bool
    """Its hysteresis asks for air."""
    barred: bool
    """Released or venting: it may not get air."""
    pressure_mmhg: float
    deficit_mmhg: float
    fast_mmhg_s: float
    """Rate over the last two control periods."""
    slow_mmhg_s: float
    """Rate over the last five."""
    ramp_mmhg_s: float
    """Rate of its set-point."""


class _Mode(Enum):
    OFF = auto()
    CHARGING = auto()
    FILLING = auto()
    COASTING = auto()


class AirSupply:
    """The pump and the inlets of one wrap."""

    def __init__(self, parameters: SupplyParameters, chambers: int) -> None:
        self._parameters = parameters
        self._asked_count: list[int | None] = [None] * chambers
        self._mode = _Mode.OFF
        self._chamber = 0
        self._since_count = 0
        self._duty = 0.0
        self._spin = 0.0
        self._manifold_mmhg = 0.0
        self._last_count: int | None = None

    @property
    def pump_duty(self) -> float:
        """Commanded duty, 0 to 1."""
        return self._duty

    @property
    def open_inlet(self) -> int | None:
        """The chamber whose inlet is open."""
        return self._chamber if self._mode in (_Mode.FILLING, _Mode.COASTING) else None

    @property
    def is_active(self) -> bool:
        """Whether pump or inlet is at work: the manifold must be closed to the room, the pump's second switch on."""
        return self._mode is not _Mode.OFF

    def shut(self) -> None:
        """Pump off and every inlet closed, now. The manifold empties through the dump."""
        self._mode, self._duty, self._manifold_mmhg = _Mode.OFF, 0.0, 0.0
        self._asked_count = [None] * len(self._asked_count)

    def update(self, count: int, demands: Sequence[Demand]) -> None:
        """Decide at ``count``."""
        self._follow_pump(count)
        for chamber, demand in enumerate(demands):
            if not demand.wants or demand.barred:
                self._asked_count[chamber] = None
            elif self._asked_count[chamber] is None:
                self._asked_count[chamber] = count
        waiting = [c for c, asked in enumerate(self._asked_count) if asked is not None and c != self._chamber]
        if self._mode is _Mode.FILLING:
            self._fill(count, demands, waiting)
        elif self._mode is _Mode.COASTING:
            if self._asked_count[self._chamber] is not None:
                self._enter(_Mode.FILLING, count, self._chamber)
            elif waiting:
                self._enter(_Mode.FILLING, count, self._first(waiting, demands))
            elif count - self._since_count >= self._parameters.coast_s * TICKS_PER_S:
                self._mode, self._manifold_mmhg = _Mode.OFF, 0.0
        else:
            self._start(count, demands)
        self._duty = self._wanted_duty([demands[c].deficit_mmhg for c in (self._chamber, *waiting)])

    def _follow_pump(self, count: int) -> None:
        parameters = self._parameters
        dt_s = 0.0 if self._last_count is None else (count - self._last_count) / TICKS_PER_S
        self._last_count = count
        self._spin = self._duty + (self._spin - self._duty) * exp(-dt_s / parameters.pump_lag_s)
        if self._mode is _Mode.CHARGING:
            self._manifold_mmhg += self._spin * parameters.pump_ml_s * dt_s * 760.0 / parameters.manifold_ml

    def _start(self, count: int, demands: Sequence[Demand]) -> None:
        asking = [c for c, asked in enumerate(self._asked_count) if asked is not None]
        if not asking:
            self._mode = _Mode.OFF
            return
        chamber = self._first(asking, demands)
        charged_mmhg = demands[chamber].pressure_mmhg + self._parameters.charge_margin_mmhg
        if demands[chamber].pressure_mmhg < self._parameters.charge_margin_mmhg or self._manifold_mmhg >= charged_mmhg:
            self._enter(_Mode.FILLING, count, chamber)
        elif self._mode is _Mode.OFF or chamber != self._chamber:
            self._enter(_Mode.CHARGING, count, chamber)

    def _fill(self, count: int, demands: Sequence[Demand], waiting: list[int]) -> None:
        parameters, active = self._parameters, demands[self._chamber]
        if active.barred:
            full = True
        elif waiting:
            full = active.deficit_mmhg <= active.fast_mmhg_s * parameters.close_gain_s
        else:
            # A rising set-point takes up a part of what still flows in.
            rate_mmhg_s = max(active.fast_mmhg_s, active.slow_mmhg_s)
            full = active.deficit_mmhg <= (rate_mmhg_s - active.ramp_mmhg_s) * parameters.coast_gain_s
        if full and waiting:
            self._enter(_Mode.FILLING, count, self._first(waiting, demands))
        elif full:
            self._enter(_Mode.COASTING, count, self._chamber)
        elif waiting and not self._is_touch(active):
            first = self._first([self._chamber, *waiting], demands)
            if first != self._chamber:
                self._enter(_Mode.FILLING, count, first)

    def _enter(self, mode: _Mode, count: int, chamber: int) -> None:
        self._mode, self._since_count, self._chamber = mode, count, chamber

    def _first(self, asking: list[int], demands: Sequence[Demand]) -> int:
        def rank(chamber: int) -> tuple[bool, int, float]:
            demand = demands[chamber]
            return not self._is_touch(demand), self._asked_count[chamber] or 0, -demand.deficit_mmhg

        return min(asking, key=rank)

    def _is_touch(self, demand: Demand) -> bool:
        """A hold that sagged; the first mmHg of a rising set-point are none, else every new ramp would push in."""
        return demand.ramp_mmhg_s == 0.0 and demand.deficit_mmhg <= self._parameters.touch_mmhg

    def _wanted_duty(self, deficits_mmhg: list[float]) -> float:
        if self._mode in (_Mode.OFF, _Mode.COASTING):
            return 0.0
        return min(1.0, max(self._parameters.least_duty, max(deficits_mmhg) / self._parameters.full_duty_mmhg))
