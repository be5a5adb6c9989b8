"""Time answers, held back for a moment so that they leave at every phase of the radio's connection interval.

A ping arrives at a connection event; an answer given at once would always wait one whole interval for the next, and the gateway
could not tell that wait from a slow clock. Held for a time spread evenly over the longest usual interval, some answers leave right
after they were stamped, and the least delay of both ways is the same: none. Pure; times are counts.
"""

from dataclasses import dataclass

from wavewrap_protocol.reports import TimePong
from wavewrap_protocol.units import TICK_MODULUS

__all__ = ["PongQueue"]

DITHER_TICKS = 500
"""50 ms: covers every connection interval up to that. Choice: wraps ask for 15 ms, systems give up to 50."""

WAITING_MAX = 8
"""Pings that may wait. Choice: a gateway sends one at a time; more are not answered, which harms nobody."""

_LCG_FACTOR, _LCG_STEP, _LCG_MASK = 1_103_515_245, 12_345, 0x7FFF_FFFF
"""The generator of the C standard's example (ISO C11, 7.22.2.2): small, and good enough to spread waits."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    due_count: int
    ping_id: int
    received_count: int


class PongQueue:
    """Of one boot, whose number also seeds the waits; they are shorter than ``dither_ticks``, or none for 0."""

    def __init__(self, boot_id: int, dither_ticks: int = DITHER_TICKS) -> None:
        self._boot_id = boot_id
        self._dither_ticks = dither_ticks
        self._random = boot_id & _LCG_MASK
        self._waiting: list[_Waiting] = []

    @property
    def next_due_count(self) -> int | None:
        """When the next answer is to leave."""
        return min((waiting.due_count for waiting in self._waiting), default=None)

    def take(self, count: int, ping_id: int) -> None:
        """A ping came in."""
        if len(self._waiting) < WAITING_MAX:
            self._random = (self._random * _LCG_FACTOR + _LCG_STEP) & _LCG_MASK
            self._waiting.append(_Waiting(count + (self._random >> 8) % max(1, self._dither_ticks), ping_id, count))

    def clear(self) -> None:
        """The gateway is gone."""
        self._waiting.clear()

    def due(self, count: int) -> list[TimePong]:
        """The answers to send now, stamped ``count``."""
        ready = [waiting for waiting in self._waiting if waiting.due_count <= count]
        self._waiting = [waiting for waiting in self._waiting if waiting.due_count > count]
        return [TimePong(waiting.ping_id, self._boot_id, waiting.received_count % TICK_MODULUS, count % TICK_MODULUS) for waiting in ready]
