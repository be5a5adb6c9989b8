"""What protects apart from the firmware: pressure switches, a watchdog, a supply supervisor. Wired, no program, no access to the sensors.

Each chamber has a switch on its true pressure. One that stays over its threshold for the delay cuts the pump's supply and every coil, and
latches: pump off, inlets closed, vents and dump open. The firmware is told by a line and clears the latch with a pulse, which works only
under the threshold. The watchdog cuts the same when the firmware has not kicked it in time, and resets the processor.

Figures come from a board's ``[limiter]`` and ``[watchdog]``. Not responsible for what is done after a reset
(:mod:`wavewrap_sim.electronics`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wavewrap_board.board import Board
from wavewrap_sim.pressure_control import Drive

__all__ = ["Limiter", "ProtectionParameters", "Watchdog", "protect", "protection_of"]

_TINY_S = 1e-9


@dataclass(frozen=True, slots=True)
class ProtectionParameters:
    """Of one kind of wrap."""

    trip_mmhg: float
    tolerance_mmhg: float
    """Each switch has its own threshold within this of the nominal one."""
    delay_s: float
    watchdog_s: float


def protection_of(board: Board) -> ProtectionParameters:
    """The figures of ``board``."""
    limiter = board.limiter
    return ProtectionParameters(limiter.trip_mmhg, limiter.tolerance_mmhg, limiter.delay_s, board.watchdog.timeout_s)


class Limiter:
    """The pressure switches of one wrap; ``rng`` draws where each one trips."""

    def __init__(self, parameters: ProtectionParameters, chambers: int, rng: np.random.Generator) -> None:
        spread_mmhg = parameters.tolerance_mmhg
        self._trip_mmhg = tuple(float(parameters.trip_mmhg + off) for off in rng.uniform(-spread_mmhg, spread_mmhg, chambers))
        self._lowest_mmhg = min(self._trip_mmhg)
        self._delay_s = parameters.delay_s
        self._over_s: list[float] | None = None
        self._tripped = False

    @property
    def trip_mmhg(self) -> Sequence[float]:
        """Where the switch of each chamber trips."""
        return self._trip_mmhg

    @property
    def is_tripped(self) -> bool:
        """Whether pump and coils are cut; the line that the firmware reads."""
        return self._tripped

    def watch(self, pressure_mmhg: Sequence[float], dt_s: float) -> None:
        """The true pressures after ``dt_s`` more."""
        if max(pressure_mmhg) <= self._lowest_mmhg:
            self._over_s = None
            return
        over_s = self._over_s or [0.0] * len(self._trip_mmhg)
        self._over_s = [
            lasted_s + dt_s if now_mmhg > trip_mmhg else 0.0
            for lasted_s, now_mmhg, trip_mmhg in zip(over_s, pressure_mmhg, self._trip_mmhg, strict=True)
        ]
        self._tripped = self._tripped or max(self._over_s) >= self._delay_s - _TINY_S

    def reset(self, pressure_mmhg: Sequence[float]) -> None:
        """The firmware's pulse. It does nothing while a switch is still over its threshold."""
        if all(now_mmhg <= trip_mmhg for now_mmhg, trip_mmhg in zip(pressure_mmhg, self._trip_mmhg, strict=True)):
            self._tripped = False

    def lose_power(self) -> None:
        """A latch without supply forgets."""
        self._tripped, self._over_s = False, None


class Watchdog:
    """A timer that the firmware kicks on every control tick."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._since_kick_s = 0.0

    def kick(self) -> None:
        """The firmware lives."""
        self._since_kick_s = 0.0

    def has_run_out(self, dt_s: float) -> bool:
        """Whether it runs out within ``dt_s`` more."""
        self._since_kick_s += dt_s
        return self._since_kick_s >= self._timeout_s - _TINY_S


def protect(drive: Drive, safe: Drive, *, cut: bool) -> Drive:
    """What reaches the actuators of what the firmware commands: ``safe``, all at rest, when the limiter or the supply has ``cut``.

    A pump whose second switch is off does not run, whatever duty it is given.
    """
    if cut:
        return safe
    if drive.pump_duty and not drive.pump_enabled:
        return Drive(0.0, drive.inlet_open, drive.vent_open, drive.dump_open, pump_enabled=False)
    return drive
