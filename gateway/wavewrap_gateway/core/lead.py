"""How early to send what shall take effect at once: the way out over the radio, predicted from the last pings.

For a wrap without a queue; the prediction removes the mean of the delay, never its spread, which is why a queue is better.
"""

from collections import deque
from statistics import median

__all__ = ["LeadPredictor"]

KEPT = 31
"""Delays remembered. Choice: a median over them is steady against a stall and follows a new interval within a minute."""


class LeadPredictor:
    """Fed with delays of the way out, seconds."""

    def __init__(self) -> None:
        self._delays_s: deque[float] = deque(maxlen=KEPT)

    def add(self, delay_s: float) -> None:
        """One observed delay; a negative one, which only a bad clock gives, counts as none."""
        self._delays_s.append(max(0.0, delay_s))

    @property
    def lead_s(self) -> float:
        """The median of what was observed, 0 before the first."""
        return median(self._delays_s) if self._delays_s else 0.0
