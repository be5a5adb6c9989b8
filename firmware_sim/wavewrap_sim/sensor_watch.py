"""Sensors that read what cannot be, or the same for too long. Raw readings, 0.01 mmHg; channel ``chambers`` is the manifold's."""

from collections.abc import Sequence

from wavewrap_protocol.enums import Fault
from wavewrap_protocol.units import cmmhg_to_mmhg, mmhg_to_cmmhg
from wavewrap_sim.detection_figures import DetectionFigures
from wavewrap_sim.scene import ALL_CHAMBERS, Finding

__all__ = ["SensorWatch"]

_LEAST_CMMHG = -2_000
"""Choice: a bladder cannot be sucked 20 mmHg below the room."""

_MOST_FRACTION = 0.75
"""Of the range. Choice: a chamber is cut off by the limiter far below; a reading up there comes from a broken wire."""

_MOST_MANIFOLD_FRACTION = 0.95
"""The manifold's may rise to its relief valve."""

_PERSIST_TICKS = 3
"""Control ticks in a row. Choice: one noisy reading faults nobody, 30 ms of pressure does no harm."""

_LEAP_CMMHG = 2_500
"""From one control tick to the next a chamber's reading cannot go so far. Choice: a chamber of 60 mmHg whose hose comes off falls by 15."""

_LEAPS = 3
"""Within the doubt of one another. Choice: a wire that breaks leaps once, one that comes back twice; while in doubt nothing else is judged,
so it must not last."""


class SensorWatch:
    """The sensors of one wrap; ``range_mmhg`` is theirs."""

    def __init__(self, chambers: int, range_mmhg: float, figures: DetectionFigures) -> None:
        self._frozen_ticks = figures.frozen_ticks
        most = mmhg_to_cmmhg(range_mmhg * _MOST_FRACTION)
        self._most_cmmhg = (most,) * chambers + (mmhg_to_cmmhg(range_mmhg * _MOST_MANIFOLD_FRACTION),)
        self._last_cmmhg: tuple[int, ...] = (1 << 16,) * (chambers + 1)
        self._same = [0] * (chambers + 1)
        self._impossible = [0] * (chambers + 1)
        self._doubtful_ticks = 0
        self._leaps = 0
        self._read = False

    @property
    def same_ticks(self) -> Sequence[int]:
        """How often in a row each channel has read the same."""
        return self._same

    def check(self, raw_cmmhg: tuple[int, ...]) -> list[Finding]:
        """The readings of one control tick."""
        findings = []
        same, impossible = self._same, self._impossible
        for at, raw in enumerate(raw_cmmhg):
            same[at] = same[at] + 1 if raw == self._last_cmmhg[at] else 0
            impossible[at] = 0 if _LEAST_CMMHG <= raw <= self._most_cmmhg[at] else impossible[at] + 1
            if same[at] >= self._frozen_ticks or impossible[at] >= _PERSIST_TICKS:
                findings.append(Finding(Fault.SENSOR, self._chamber_of(at), cmmhg_to_mmhg(raw)))
        leapt = self._leapt(raw_cmmhg)
        if leapt is not None:
            self._leaps, self._doubtful_ticks = self._leaps + 1, self._frozen_ticks + 1
            if self._leaps >= _LEAPS:
                findings.append(Finding(Fault.SENSOR, leapt, cmmhg_to_mmhg(raw_cmmhg[leapt])))
        elif self._doubtful_ticks > 0:
            self._doubtful_ticks -= 1
        else:
            self._leaps = 0
        self._last_cmmhg, self._read = raw_cmmhg, True
        return findings

    def _leapt(self, raw_cmmhg: Sequence[int]) -> int | None:
        """The first chamber whose reading has leapt."""
        if not self._read:
            return None
        return next((at for at in range(len(raw_cmmhg) - 1) if abs(raw_cmmhg[at] - self._last_cmmhg[at]) > _LEAP_CMMHG), None)

    @property
    def is_broken(self) -> bool:
        """Whether a sensor reads nonsense now."""
        return any(ticks >= self._frozen_ticks for ticks in self._same) or any(self._impossible)

    def is_broken_at(self, channel: int) -> bool:
        """Whether ``channel`` reads nonsense now."""
        return self._same[channel] >= self._frozen_ticks or self._impossible[channel] > 0

    @property
    def is_doubtful(self) -> bool:
        """Whether a sensor may be broken, but not for long enough to say so: its reading is impossible, or has just leapt."""
        return self._doubtful_ticks > 0 or any(0 < ticks < _PERSIST_TICKS for ticks in self._impossible)

    def _chamber_of(self, channel: int) -> int:
        return ALL_CHAMBERS if channel == len(self._same) - 1 else channel
