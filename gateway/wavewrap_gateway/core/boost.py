"""What a person adds to the pressure of a running session, chamber by chamber, and how far the limits let it.

Not responsible for when it takes effect (:mod:`wavewrap_gateway.core.timeline`).
"""

from collections.abc import Sequence

from wavewrap_gateway.core.safety import SafetyLimits
from wavewrap_gateway.core.wave import WaveStep
from wavewrap_protocol.limits import OVER_THRESHOLD_MMHG

__all__ = ["BOOST_MAX_MMHG", "Boost"]

BOOST_MAX_MMHG = 20.0
"""Furthest from the program, either way. Choice: twice the zone boost of Normatec 3 (+10 mmHg, FDA K220217)."""


class Boost:
    """Of one wrap that plays ``steps`` within ``limits``; none at first."""

    def __init__(self, steps: Sequence[WaveStep], limits: SafetyLimits) -> None:
        self._ceiling_mmhg = limits.ceiling_mmhg
        self._added_mmhg = [0.0] * limits.chambers
        self._peaks_mmhg = [0.0] * limits.chambers
        for step in steps:
            self._peaks_mmhg[step.chamber] = max(self._peaks_mmhg[step.chamber], step.target_mmhg)

    @property
    def added_mmhg(self) -> tuple[float, ...]:
        """Of each chamber."""
        return tuple(self._added_mmhg)

    def change(self, mmhg: float, chamber: int | None) -> None:
        """Add ``mmhg`` on ``chamber`` (on all that the program uses where None), as far as ceiling, 15 mmHg of peak and
        :data:`BOOST_MAX_MMHG` let it. A chamber that the wrap does not have is none of its own."""
        for at, peak_mmhg in enumerate(self._peaks_mmhg):
            if peak_mmhg > 0.0 and chamber in (None, at):
                most_mmhg = min(BOOST_MAX_MMHG, max(0.0, self._ceiling_mmhg - peak_mmhg))
                least_mmhg = max(-BOOST_MAX_MMHG, min(0.0, OVER_THRESHOLD_MMHG - peak_mmhg))
                self._added_mmhg[at] = min(max(self._added_mmhg[at] + mmhg, least_mmhg), most_mmhg)

    def on(self, step: WaveStep) -> float:
        """What it adds to ``step``, mmHg: nothing to a release, and never less than makes it one."""
        return max(self._added_mmhg[step.chamber], -step.target_mmhg) if step.target_mmhg > 0.0 else 0.0
