"""One board, whole. Loading it from a file: :mod:`wavewrap_board.files`."""

from typing import Annotated

from pydantic import Field, model_validator

from wavewrap_board.checks import find_problem
from wavewrap_board.electric_parts import Battery, Mcu, Sensor
from wavewrap_board.pneumatic_parts import Chamber, Manifold, Pump, Tube, Valves
from wavewrap_board.protection_parts import Control, Limiter, Limits, Watchdog
from wavewrap_board.table import Table
from wavewrap_protocol.errors import UsageError
from wavewrap_protocol.limits import CHAMBERS_MAX

__all__ = ["Board"]


class Board(Table):
    """A reference board. Building one checks that its parts suit each other (:mod:`wavewrap_board.checks`)."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9]+(_[a-z0-9]+)*$", max_length=40)]
    title: Annotated[str, Field(min_length=1, max_length=60)]
    model: Annotated[str, Field(pattern=r"^[A-Z0-9-]+$", max_length=16)]
    """What the wrap advertises."""
    description: str
    spread_fraction: Annotated[float, Field(ge=0.0, lt=1.0)]
    """Every figure of a built wrap may be off by this; the hardware ceiling is sized for it."""
    chambers: Annotated[tuple[Chamber, ...], Field(min_length=1, max_length=CHAMBERS_MAX)]
    """Distal first."""
    pump: Pump
    manifold: Manifold
    valves: Valves
    tube: Tube
    """From the valve block to a bladder: the way in."""
    vent_stub: Tube
    """Between a bladder and its vent valve, which sits on it: the way out passes no hose."""
    sensors: Sensor
    """One a chamber, on a sense line of its own."""
    manifold_sensor: Sensor
    battery: Battery
    limits: Limits
    limiter: Limiter
    watchdog: Watchdog
    control: Control
    mcu: Mcu

    @model_validator(mode="after")
    def _suits_itself(self) -> "Board":
        problem = find_problem(self)
        if problem is not None:
            raise ValueError(problem)
        return self

    def with_chambers(self, count: int) -> "Board":
        """This board with its first ``count`` chambers; where it has fewer, the last one is repeated and spare pins are taken.

        Raises :class:`UsageError` when no wrap has so many chambers or the pins run out.
        """
        if not 1 <= count <= CHAMBERS_MAX:
            raise UsageError(f"{self.name}: {count} chambers: a wrap has 1 to {CHAMBERS_MAX}")
        if count == len(self.chambers):
            return self
        chambers, pins, spare = self.chambers[:count], self.mcu.pins, list(self.mcu.spare)
        added = count - len(chambers)
        if len(spare) < 3 * added:
            raise UsageError(f"{self.name}: {count} chambers need {3 * added} spare pins, there are {len(spare)}; name more in mcu.spare")
        taken = [tuple(spare[at : 3 * added : 3]) for at in range(3)]
        chambers += tuple(
            chambers[-1].model_copy(update={"name": f"{chambers[-1].name} {at}"}) for at in range(len(chambers) + 1, count + 1)
        )
        columns = ("inlets", "vents", "sensor_selects")
        more_pins = {key: getattr(pins, key)[:count] + more for key, more in zip(columns, taken, strict=True)}
        freed = tuple(pin for key in columns for pin in getattr(pins, key)[count:])
        mcu = self.mcu.model_copy(update={"pins": pins.model_copy(update=more_pins), "spare": tuple(spare[3 * added :]) + freed})
        return self.model_copy(update={"chambers": chambers, "mcu": mcu})
