"""What a device never trusts a plan with: pressure, hold, rest, rise, vent, sensors, battery. Checked on every control tick.

Pressures are 0.01 mmHg, counts device time that never wraps. A guard finds; :mod:`wavewrap_sim.device` latches.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from wavewrap_protocol import limits
from wavewrap_protocol.enums import Fault
from wavewrap_protocol.units import TICKS_PER_S, mmhg_to_cmmhg
from wavewrap_sim.pressure_control import Drive

__all__ = ["ALL_CHAMBERS", "BATTERY_ARM_PCT", "BATTERY_FAULT_PCT", "Finding", "Guards", "Reading"]

ALL_CHAMBERS = 255
"""Chamber of a finding that is in none in particular."""

BATTERY_ARM_PCT = 10.0
"""Least charge to arm with. Choice: 5 % over the fault drives pump and valves for several minutes."""

BATTERY_FAULT_PCT = 5.0
"""Choice: below this a controlled end is no longer sure."""

_OVER_MARGIN_CMMHG = 300
"""Over the ceiling. Choice: the controller overshoots by less than 2 mmHg, noise adds 0.5."""

_PERSIST_TICKS = 3
"""Control ticks in a row. Choice: one noisy reading faults nobody, 30 ms of pressure does no harm."""

_SENSOR_MIN_CMMHG, _SENSOR_MAX_CMMHG = -2_000, 20_000
"""Choice: a bladder cannot be sucked 20 mmHg below the room, nor would the pump's pressure ever be let to 200 in it."""

_FROZEN_TICKS = 100
"""Choice: one second of readings equal to the last 0.01 mmHg while air moves; noise alone is ten times that."""

_RISE_CMMHG = 100
_RISE_DEFICIT_CMMHG = 1_000
_RISE_TICKS = 400
"""4 s of pumping, 1 mmHg of rise, while 10 mmHg short. Choice: a 3 L/min pump unfolds the slack of a bladder in 2.7 s."""

_VENT_S = 20.0
"""Choice: the reference vent reaches 5 mmHg in 3.1 s."""

_OVER_CMMHG = mmhg_to_cmmhg(limits.OVER_THRESHOLD_MMHG)
_VENTED_CMMHG = mmhg_to_cmmhg(limits.VENTED_MMHG)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something is wrong in ``chamber``."""

    fault: Fault
    chamber: int
    value_cmmhg: int


@dataclass(frozen=True, slots=True)
class Reading:
    """One control tick as a guard sees it; tuples have one entry per chamber."""

    count: int
    raw_cmmhg: Sequence[int]
    sensed_cmmhg: Sequence[int]
    """Less the zero."""
    set_point_cmmhg: Sequence[int]
    released: Sequence[bool]
    """The vent stands open for good."""
    ceiling_cmmhg: int
    drive: Drive
    """What was commanded since the last reading."""
    battery_pct: float


class _ChamberGuard:
    """The memory of one chamber."""

    def __init__(self, hold_max_s: float, vent_min_s: float) -> None:
        self._hold_max_ticks = round(hold_max_s * TICKS_PER_S)
        self._vent_min_ticks = round(vent_min_s * TICKS_PER_S)
        self._over_ticks = 0
        self._impossible_ticks = 0
        self._frozen_ticks = 0
        self._last_raw_cmmhg: int | None = None
        self._compressed_since: int | None = None
        self._below_since: int | None = None
        self._rise_from_cmmhg: int | None = None
        self._rise_ticks = 0
        self._released_since: int | None = None

    def has_rested(self, count: int) -> bool:
        if self._compressed_since is None:
            return True
        return self._below_since is not None and count - self._below_since >= self._vent_min_ticks

    def check(self, reading: Reading, at: int) -> Fault:
        sensed_cmmhg = reading.sensed_cmmhg[at]
        inlet, vent = reading.drive.inlet_open[at], reading.drive.vent_open[at]
        found = Fault.NONE
        # Every memory is brought up to date, whatever was found; the first in this order is told.
        for fault, broken in (
            (Fault.SENSOR, self._sensor_is_broken(reading.raw_cmmhg[at], inlet or (vent and sensed_cmmhg > _OVER_CMMHG))),
            (Fault.OVER_PRESSURE, self._is_over(sensed_cmmhg, reading.ceiling_cmmhg)),
            (Fault.HOLD_TOO_LONG, self._is_held_too_long(sensed_cmmhg, reading.count)),
            (Fault.NO_RISE, self._does_not_rise(sensed_cmmhg, reading.set_point_cmmhg[at], inlet, reading.drive.pump_duty > 0.0)),
            (Fault.VENT_FAILED, self._does_not_vent(sensed_cmmhg, reading.released[at], reading.count)),
        ):
            if broken and found is Fault.NONE:
                found = fault
        return found

    def _sensor_is_broken(self, raw_cmmhg: int, air_moves: bool) -> bool:
        possible = _SENSOR_MIN_CMMHG <= raw_cmmhg <= _SENSOR_MAX_CMMHG
        self._impossible_ticks = 0 if possible else self._impossible_ticks + 1
        same = air_moves and raw_cmmhg == self._last_raw_cmmhg
        self._frozen_ticks = self._frozen_ticks + 1 if same else 0
        self._last_raw_cmmhg = raw_cmmhg
        return self._impossible_ticks >= _PERSIST_TICKS or self._frozen_ticks >= _FROZEN_TICKS

    def _is_over(self, sensed_cmmhg: int, ceiling_cmmhg: int) -> bool:
        self._over_ticks = self._over_ticks + 1 if sensed_cmmhg > ceiling_cmmhg + _OVER_MARGIN_CMMHG else 0
        return self._over_ticks >= _PERSIST_TICKS

    def _is_held_too_long(self, sensed_cmmhg: int, count: int) -> bool:
        """A compression ends when the chamber has rested; a shorter dip below the threshold does not restart the clock."""
        if sensed_cmmhg > _OVER_CMMHG:
            if self._compressed_since is None or self.has_rested(count):
                self._compressed_since = count
            self._below_since = None
            return count - self._compressed_since >= self._hold_max_ticks
        if self._below_since is None:
            self._below_since = count
        return False

    def _does_not_rise(self, sensed_cmmhg: int, set_point_cmmhg: int, inlet: bool, pumping: bool) -> bool:
        if set_point_cmmhg - sensed_cmmhg < _RISE_DEFICIT_CMMHG:
            self._rise_from_cmmhg, self._rise_ticks = None, 0
        elif inlet and pumping:
            if self._rise_from_cmmhg is None or sensed_cmmhg >= self._rise_from_cmmhg + _RISE_CMMHG:
                self._rise_from_cmmhg, self._rise_ticks = sensed_cmmhg, 0
            self._rise_ticks += 1
        return self._rise_ticks >= _RISE_TICKS

    def _does_not_vent(self, sensed_cmmhg: int, released: bool, count: int) -> bool:
        if not released:
            self._released_since = None
        elif self._released_since is None:
            self._released_since = count
        since = self._released_since
        return since is not None and count - since >= _VENT_S * TICKS_PER_S and sensed_cmmhg > _VENTED_CMMHG


class Guards:
    """The guards of one device."""

    def __init__(self, chambers: int, hold_max_s: float, vent_min_s: float) -> None:
        self._chambers = [_ChamberGuard(hold_max_s, vent_min_s) for _ in range(chambers)]

    def has_rested(self, chamber: int, count: int) -> bool:
        """Whether ``chamber`` may be compressed again."""
        return self._chambers[chamber].has_rested(count)

    def check(self, reading: Reading) -> list[Finding]:
        """What is wrong now, at most one finding a chamber, then the battery."""
        findings = []
        for at, chamber in enumerate(self._chambers):
            fault = chamber.check(reading, at)
            if fault is not Fault.NONE:
                findings.append(Finding(fault, at, reading.sensed_cmmhg[at]))
        if reading.battery_pct < BATTERY_FAULT_PCT:
            findings.append(Finding(Fault.BATTERY, ALL_CHAMBERS, 0))
        return findings

    @staticmethod
    def is_present(fault: Fault, raw_cmmhg: Sequence[int], battery_pct: float) -> bool:
        """Whether the cause of ``fault`` can still be seen on a vented device."""
        if fault is Fault.SENSOR:
            return any(not _SENSOR_MIN_CMMHG <= raw <= _SENSOR_MAX_CMMHG for raw in raw_cmmhg)
        return fault is Fault.BATTERY and battery_pct < BATTERY_FAULT_PCT
