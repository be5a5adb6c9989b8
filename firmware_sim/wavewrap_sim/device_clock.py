"""The device's crystal: host seconds to device ticks and back. It counts without wrap; the wire's 32 bits are taken at the edge."""

from math import floor

from wavewrap_protocol.units import TICK_MODULUS, TICKS_PER_S

__all__ = ["DeviceClock"]


class DeviceClock:
    """A clock that showed ``start_tick`` at ``start_s`` (host) and runs ``ppm`` parts per million fast."""

    def __init__(self, start_s: float, start_tick: int = 0, ppm: float = 0.0) -> None:
        self._start_s = start_s
        self._start_count = start_tick
        self._ticks_per_s = TICKS_PER_S * (1.0 + ppm * 1e-6)

    def count_at(self, host_s: float) -> int:
        """The newest count not later than ``host_s``: the largest ``n`` with ``host_s_of(n) <= host_s``."""
        count = self._start_count + floor((host_s - self._start_s) * self._ticks_per_s)
        # Floating point may land one off on either side; the inverse decides.
        if self.host_s_of(count + 1) <= host_s:
            return count + 1
        return count - 1 if self.host_s_of(count) > host_s else count

    def host_s_of(self, count: int) -> float:
        """Host seconds at which the clock reaches ``count``."""
        return self._start_s + (count - self._start_count) / self._ticks_per_s

    @staticmethod
    def tick_of(count: int) -> int:
        """The 32 bits of ``count`` that the device itself sees."""
        return count % TICK_MODULUS
