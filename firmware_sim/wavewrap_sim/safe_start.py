"""How a session starts: each chamber's first inflation is slow up to some mmHg, and its first compressions are eased.

What the slow inflation finds is judged by :mod:`wavewrap_sim.supply_watch`. A compression lasts from one release to the next.
"""

from collections.abc import Sequence

from wavewrap_protocol import limits
from wavewrap_protocol.units import mmhg_to_cmmhg
from wavewrap_sim.detection_figures import DetectionFigures

__all__ = ["SafeStart"]

_EASE_PCT = (limits.EASE_FIRST_PCT, limits.EASE_SECOND_PCT)


class SafeStart:
    """Of one session; ``ceiling_mmhg`` is the device's own."""

    def __init__(self, chambers: int, ceiling_mmhg: float, figures: DetectionFigures) -> None:
        self._figures = figures
        self._gentle_cmmhg = mmhg_to_cmmhg(figures.gentle_mmhg)
        self._ceiling_mmhg = ceiling_mmhg
        self._compressions = [0] * chambers
        self._gentle = [True] * chambers

    def is_gentle(self, chamber: int) -> bool:
        """Whether ``chamber`` has not been up to the gentle pressure yet."""
        return self._gentle[chamber]

    def duty_max(self, chamber: int) -> float:
        """The most ``chamber`` may be filled with now."""
        return self._figures.gentle_duty if self._gentle[chamber] else 1.0

    def watch(self, sensed_cmmhg: Sequence[int]) -> list[int]:
        """A control tick's pressures; the chambers whose slow inflation is over with it."""
        if not any(self._gentle):
            return []
        over = [chamber for chamber, gentle in enumerate(self._gentle) if gentle and sensed_cmmhg[chamber] >= self._gentle_cmmhg]
        for chamber in over:
            self._gentle[chamber] = False
        return over

    def begin_compression(self, chamber: int) -> None:
        """``chamber`` was released and is inflated now."""
        self._compressions[chamber] += 1

    def highest_mmhg(self, chamber: int, *, begins: bool) -> float:
        """The most that a target may be in the present compression of ``chamber``, or in its next one when it ``begins``."""
        number = self._compressions[chamber] + begins
        return self._ceiling_mmhg * (_EASE_PCT[number - 1] / 100.0 if 1 <= number <= len(_EASE_PCT) else 1.0)
