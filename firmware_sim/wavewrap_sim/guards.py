"""What a device never trusts a plan with: pressure, hold, rest, the limiter's line, charge. Checked on every control tick.

Pressures are 0.01 mmHg, counts device time that never wraps. A guard finds; :mod:`wavewrap_sim.device` latches. What is wrong with the
pneumatics is found by :mod:`wavewrap_sim.diagnosis`.
"""

from collections.abc import Sequence

from wavewrap_protocol import limits
from wavewrap_protocol.enums import Fault
from wavewrap_protocol.units import TICKS_PER_S, cmmhg_to_mmhg, mmhg_to_cmmhg
from wavewrap_sim.firmware_config import BatteryLevels, Inputs
from wavewrap_sim.scene import ALL_CHAMBERS, Finding

__all__ = ["Guards"]

_OVER_MARGIN_CMMHG = 300
"""Over the ceiling. Choice: the controller overshoots by less than 2 mmHg, noise adds 0.5."""

_PERSIST_TICKS = 3
"""Control ticks in a row. Choice: one noisy reading faults nobody, 30 ms of pressure does no harm."""

_OVER_CMMHG = mmhg_to_cmmhg(limits.OVER_THRESHOLD_MMHG)


class _ChamberGuard:
    """The memory of one chamber."""

    def __init__(self, hold_max_s: float, vent_min_s: float) -> None:
        self._hold_max_ticks = round(hold_max_s * TICKS_PER_S)
        self._vent_min_ticks = round(vent_min_s * TICKS_PER_S)
        self._over_ticks = 0
        self._compressed_since: int | None = None
        self._below_since: int | None = None

    def has_rested(self, count: int) -> bool:
        if self._compressed_since is None:
            return True
        return self._below_since is not None and count - self._below_since >= self._vent_min_ticks

    def check(self, count: int, sensed_cmmhg: int, ceiling_cmmhg: int) -> Fault:
        # Every memory is brought up to date, whatever was found; the first in this order is told.
        over, held = self._is_over(sensed_cmmhg, ceiling_cmmhg), self._is_held_too_long(sensed_cmmhg, count)
        if over:
            return Fault.OVER_PRESSURE
        return Fault.HOLD_TOO_LONG if held else Fault.NONE

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


class Guards:
    """The guards of one device."""

    def __init__(self, chambers: int, hold_max_s: float, vent_min_s: float, battery: BatteryLevels) -> None:
        self._chambers = [_ChamberGuard(hold_max_s, vent_min_s) for _ in range(chambers)]
        self._battery = battery

    def has_rested(self, chamber: int, count: int) -> bool:
        """Whether ``chamber`` may be compressed again."""
        return self._chambers[chamber].has_rested(count)

    @staticmethod
    def check_limiter(inputs: Inputs, sensed_cmmhg: Sequence[int]) -> list[Finding]:
        """Whether the limiter has cut: looked at before all else, for it has acted already."""
        return [Finding(Fault.LIMITER, ALL_CHAMBERS, cmmhg_to_mmhg(max(sensed_cmmhg)))] if inputs.limiter_tripped else []

    def check(self, count: int, inputs: Inputs, sensed_cmmhg: Sequence[int], ceiling_cmmhg: int) -> list[Finding]:
        """What is wrong now: at most one finding a chamber, then the battery."""
        findings = []
        for at, chamber in enumerate(self._chambers):
            fault = chamber.check(count, sensed_cmmhg[at], ceiling_cmmhg)
            if fault is not Fault.NONE:
                findings.append(Finding(fault, at, cmmhg_to_mmhg(sensed_cmmhg[at])))
        if inputs.battery_pct < self._battery.fault_pct:
            findings.append(Finding(Fault.BATTERY, ALL_CHAMBERS, 0.0))
        return findings
