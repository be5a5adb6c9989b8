"""One control tick as those see it who look for what is wrong. Pressures are in mmHg less their zero."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from wavewrap_protocol.enums import Fault
from wavewrap_sim.air_supply import SupplyMode
from wavewrap_sim.pressure_control import Drive

__all__ = ["ALL_CHAMBERS", "Finding", "Scene"]

ALL_CHAMBERS = 255
"""Chamber of a finding that is in none in particular."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something is wrong in ``chamber``; ``value_mmhg`` is the pressure that showed it."""

    fault: Fault
    chamber: int
    value_mmhg: float


class Scene(NamedTuple):
    """What was sensed and what had been commanded until then; sequences have one entry per chamber.

    A named tuple: one is made on every control tick.
    """

    dt_s: float
    """Since the last scene."""
    pressure_mmhg: Sequence[float]
    manifold_mmhg: float
    drive: Drive
    """In force since the last scene."""
    released: Sequence[bool]
    """The vent stands open for good."""
    mode: SupplyMode
    chamber: int
    """Whom the air is for, see :class:`wavewrap_sim.air_supply.AirSupply`."""
    mode_s: float
    """How long the mode lasts."""
    gentle: bool
    """That chamber is in its first, slow inflation."""
    spin: float
    """Speed that the pump should have, 0 to 1."""
    same_ticks: Sequence[int]
    """How often in a row each chamber's raw reading has been the same."""
    manifold_same_ticks: int
    seeping: Sequence[bool]
    """Its inlet let air through while it was told shut."""
    standing: Sequence[bool]
    """It is released and has more pressure than even a slow vent would have left."""
    in_session: bool

    @property
    def is_feeding(self) -> bool:
        """Whether the pump is told to run."""
        return self.mode in (SupplyMode.CHARGING, SupplyMode.FILLING)
