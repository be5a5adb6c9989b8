"""Units of the wire and their conversions.

Pressure is gauge pressure in 0.01 mmHg (``_cmmhg``), signed 16 bit. Device time is counted in ticks of 0.1 ms since boot, unsigned 32 bit,
and wraps every 119.3 h; compare ticks only through :func:`tick_difference`.
"""

from math import isfinite

from wavewrap_protocol.errors import WireRangeError

TICKS_PER_S = 10_000
TICK_MODULUS = 1 << 32
CMMHG_PER_MMHG = 100
_HALF_MODULUS = TICK_MODULUS >> 1


def mmhg_to_cmmhg(pressure_mmhg: float) -> int:
    """mmHg to the wire's 0.01 mmHg, rounded to nearest. Raises :class:`WireRangeError` outside int16 (about +/- 327 mmHg) and for NaN."""
    if not isfinite(pressure_mmhg):
        raise WireRangeError(f"pressure {pressure_mmhg} mmHg is no number: look for the sensor or sum that made it")
    value_cmmhg = round(pressure_mmhg * CMMHG_PER_MMHG)
    if not -32_768 <= value_cmmhg <= 32_767:
        raise WireRangeError(f"pressure {pressure_mmhg} mmHg does not fit the wire (-327.68 to 327.67 mmHg)")
    return value_cmmhg


def cmmhg_to_mmhg(value_cmmhg: int) -> float:
    """The wire's 0.01 mmHg to mmHg."""
    return value_cmmhg / CMMHG_PER_MMHG


def tick_difference(later: int, earlier: int) -> int:
    """Signed ticks from ``earlier`` to ``later`` across the wrap; right while they are less than 59.6 h apart."""
    return (later - earlier + _HALF_MODULUS) % TICK_MODULUS - _HALF_MODULUS


def tick_add(tick: int, delta: int) -> int:
    """``tick`` moved by ``delta`` ticks, wrapped to 32 bit."""
    return (tick + delta) % TICK_MODULUS


def seconds_to_ticks(duration_s: float) -> int:
    """Seconds to whole ticks, rounded to nearest."""
    return round(duration_s * TICKS_PER_S)


def ticks_to_seconds(ticks: int) -> float:
    """Ticks to seconds."""
    return ticks / TICKS_PER_S


class TickUnwrapper:
    """Turns 32-bit ticks into a count that never wraps, each relative to the newest seen.

    Feed it ticks in any order; it is right while no tick lies more than 59.6 h from the newest one.
    """

    __slots__ = ("_newest",)

    def __init__(self) -> None:
        self._newest: int | None = None

    def unwrap(self, tick: int) -> int:
        """The unwrapped count of ``tick``."""
        if self._newest is None:
            self._newest = tick
            return tick
        count = self._newest + tick_difference(tick, self._newest % TICK_MODULUS)
        self._newest = max(self._newest, count)
        return count
