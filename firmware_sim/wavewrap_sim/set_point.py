"""Set-points that move in straight lines. A count is device time in ticks that never wraps."""

from dataclasses import dataclass

from wavewrap_protocol.units import TICKS_PER_S

__all__ = ["SetPoint"]


@dataclass(frozen=True, slots=True)
class SetPoint:
    """From ``start_mmhg`` at ``start_count`` to ``target_mmhg`` at ``end_count``, and there it stays."""

    target_mmhg: float = 0.0
    start_mmhg: float = 0.0
    start_count: int = 0
    end_count: int = 0

    def at(self, count: float) -> float:
        """The set-point at ``count``, mmHg."""
        if count >= self.end_count:
            return self.target_mmhg
        part = max(0.0, (count - self.start_count) / (self.end_count - self.start_count))
        return self.start_mmhg + part * (self.target_mmhg - self.start_mmhg)

    def moved(self, count: int, target_mmhg: float, ramp_s: float) -> "SetPoint":
        """A new line from where this one is at ``count``."""
        return SetPoint(target_mmhg, self.at(count), count, count + round(ramp_s * TICKS_PER_S))
