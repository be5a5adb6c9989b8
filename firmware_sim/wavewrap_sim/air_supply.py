"""Who gets the pump's air: one inlet at a time, the manifold charged before it opens, the pump cut off from it when it closes.

Topping up one chamber while another fills would disturb both by several mmHg, so the inlets are serialised. A chamber that only needs a
touch goes before one that fills from far below, so no hold starves; among equals the earliest request wins. A fill ends by a cut: the inlet
shuts and the dump opens together, so that the pump runs down into the room and neither into the chamber nor against a shut manifold. At
rest the manifold is open to the room; filling it again takes the pump some milliseconds.

Now and then a chamber that holds is *probed*, and one that should be empty and does not read so: pump off, dump shut, its inlet open for a
moment. Manifold and chamber must then show the same pressure; :mod:`wavewrap_sim.manifold_watch` judges that.

Pure logic: no clock, no physics.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple

from wavewrap_protocol.units import TICKS_PER_S

__all__ = ["AirSupply", "Demand", "SupplyMode", "SupplyParameters"]


@dataclass(frozen=True, slots=True)
class SupplyParameters:
    """How the air is handed out. What depends on the board is derived from it in :mod:`wavewrap_sim.firmware_from_board`."""

    close_gain_s: float
    """From the decision to shut an inlet until air stops: a chamber rises on by this times its rate."""
    run_down_s: float
    """The pump needs this to stop; its second switch stays on so long."""
    pause_s: float
    """A chamber that was just filled gets no touch before: the pump would still be too fast for it."""
    seal_s: float
    """Between closing the dump and opening an inlet for a probe, and back: else the chamber would lose air through both."""
    relieve_mmhg: float
    """Over this the manifold is opened to the room whatever else goes on."""
    charge_margin_mmhg: float = 10.0
    """The manifold is charged to this over the chamber before its inlet opens, so that no air flows back.
    Choice: what the valve's delay and the zero errors of two sensors need."""
    touch_mmhg: float = 5.0
    """A deficit up to this is a touch-up of a hold. Choice: about four bands."""
    probe_every_s: float = 3.0
    """Choice: a sensor that drifts by 1 mmHg/s is found before it hides 10 mmHg."""
    probe_most_s: float = 8.0
    """A probe that has waited for so long goes before a touch, even if the pump has to run down for it. Choice: most of the creep is over
    by then, so that the chamber sinks little meanwhile."""
    settle_s: float = 0.1
    """Between two probes. Choice: ten times what the dump needs to empty the manifold."""
    probe_s: float = 0.05
    """How long an inlet is open for it. Choice: a valve's delay and the sensors' lags leave two control ticks to compare."""


class Demand(NamedTuple):
    """One chamber's need for air at this moment, pressures in mmHg, rates in mmHg/s."""

    wants: bool
    """Its controller asks for air."""
    barred: bool
    """Released or venting: it may not get air."""
    pressure_mmhg: float
    deficit_mmhg: float
    rate_mmhg_s: float
    """How fast it rises."""
    ramp_mmhg_s: float
    """Rate of its set-point."""
    duty: float
    """What its controller would run the pump with."""
    duty_max: float
    """The most this chamber may be filled with; less than 1 while it is filled gently."""
    holds: bool
    """Its set-point stands still and it is not let down: it may be probed."""
    doubtful: bool = False
    """It is released and reads some pressure all the same: it is to be probed."""


class SupplyMode(Enum):
    """What pump and inlets are doing."""

    RESTING = auto()
    """Pump off twice, inlets shut, manifold open to the room."""
    RUNNING_DOWN = auto()
    """The same, with the pump's second switch still on: a pump that does not stop shows now."""
    CHARGING = auto()
    """Pump on, inlets shut, manifold shut."""
    FILLING = auto()
    """Pump on, one inlet open."""
    PROBING = auto()
    """Pump off twice, manifold shut, and then one inlet open."""


class AirSupply:
    """The pump, the inlets and the dump of one wrap."""

    def __init__(self, parameters: SupplyParameters, chambers: int) -> None:
        self._parameters = parameters
        self._asked_count: list[int | None] = [None] * chambers
        self._probed_count: list[int | None] = [None] * chambers
        self._held_count: list[int | None] = [None] * chambers
        self._served_count: list[int | None] = [None] * chambers
        self._mode = SupplyMode.RESTING
        self._chamber = 0
        self._since_count = 0
        self._duty = 0.0
        self._served: int | None = None
        self._sealed = False
        self._relieving = False

    @property
    def mode(self) -> SupplyMode:
        """What is going on."""
        return self._mode

    @property
    def since_count(self) -> int:
        """When that began; a handover from one inlet to the next begins anew."""
        return self._since_count

    @property
    def chamber(self) -> int:
        """Whom it is for: the chamber charged for, filled or probed, else the last one."""
        return self._chamber

    @property
    def pump_duty(self) -> float:
        """Commanded duty, 0 to 1."""
        return self._duty

    @property
    def open_inlet(self) -> int | None:
        """The chamber whose inlet is open."""
        opens = self._mode is SupplyMode.FILLING or (self._mode is SupplyMode.PROBING and self._sealed)
        return self._chamber if opens else None

    @property
    def served(self) -> int | None:
        """The chamber whose fill ended with the last update."""
        return self._served

    @property
    def dump_open(self) -> bool:
        """Whether the manifold is open to the room."""
        return self._relieving or self._mode in (SupplyMode.RESTING, SupplyMode.RUNNING_DOWN)

    @property
    def pump_enabled(self) -> bool:
        """The pump's second switch."""
        return self._mode in (SupplyMode.RUNNING_DOWN, SupplyMode.CHARGING, SupplyMode.FILLING)

    def test_pump(self, count: int) -> None:
        """Turn the second switch on for a while with the pump told off and the manifold open: a pump that runs by itself shows."""
        self._enter(SupplyMode.RUNNING_DOWN, count, self._chamber)

    def shut(self) -> None:
        """Pump off and every inlet closed, now."""
        self._mode, self._duty, self._relieving = SupplyMode.RESTING, 0.0, False
        self._asked_count = [None] * len(self._asked_count)
        self._probed_count = [None] * len(self._probed_count)
        self._held_count = [None] * len(self._held_count)

    def update(self, count: int, demands: Sequence[Demand], manifold_mmhg: float) -> None:
        """Decide at ``count``, with the manifold at ``manifold_mmhg``."""
        self._served = None
        self._note_holds(count, demands)
        asking = False
        for chamber, demand in enumerate(demands):
            if not demand.wants or demand.barred or self._pauses(chamber, count, demand):
                self._asked_count[chamber] = None
            else:
                asking = True
                if self._asked_count[chamber] is None:
                    self._asked_count[chamber] = count
        if self._mode is SupplyMode.FILLING:
            self._fill(count, demands)
        elif self._mode is SupplyMode.PROBING:
            self._probe(count, demands)
        elif asking and not self._waits_for_probe(count, demands):
            self._start(count, demands, manifold_mmhg)
        elif self._mode is SupplyMode.CHARGING:
            self._enter(SupplyMode.RUNNING_DOWN, count, self._chamber)
        else:
            self._rest(count, demands)
        self._relieving = manifold_mmhg > self._parameters.relieve_mmhg
        self._duty = self._wanted_duty(demands) if self._mode in (SupplyMode.CHARGING, SupplyMode.FILLING) else 0.0

    def _start(self, count: int, demands: Sequence[Demand], manifold_mmhg: float) -> None:
        chamber = self._first([c for c, asked in enumerate(self._asked_count) if asked is not None], demands)
        charging = self._mode is SupplyMode.CHARGING
        if charging and manifold_mmhg >= demands[chamber].pressure_mmhg + self._parameters.charge_margin_mmhg:
            self._enter(SupplyMode.FILLING, count, chamber)
        elif not charging:
            self._enter(SupplyMode.CHARGING, count, chamber)
        else:
            # Another chamber goes before: the manifold is charged on, the time it takes counts from the start.
            self._chamber = chamber

    def _fill(self, count: int, demands: Sequence[Demand]) -> None:
        active = demands[self._chamber]
        waiting = [c for c, asked in enumerate(self._asked_count) if asked is not None and c != self._chamber]
        # A rising set-point takes up a part of what still flows in.
        rising_mmhg = (active.rate_mmhg_s - active.ramp_mmhg_s) * self._parameters.close_gain_s
        full = active.barred or active.deficit_mmhg <= rising_mmhg
        if full:
            self._served = self._chamber
            self._served_count[self._chamber] = count
            # What it still wants, if anything, is a new request.
            self._asked_count[self._chamber] = None
        if full and waiting:
            self._enter(SupplyMode.FILLING, count, self._first(waiting, demands))
        elif full:
            self._enter(SupplyMode.RUNNING_DOWN, count, self._chamber)
        elif waiting and not self._is_touch(active):
            first = self._first([self._chamber, *waiting], demands)
            if first != self._chamber:
                self._enter(SupplyMode.FILLING, count, first)

    def _probe(self, count: int, demands: Sequence[Demand]) -> None:
        parameters, active = self._parameters, demands[self._chamber]
        age_s = (count - self._since_count) / TICKS_PER_S
        if (active.barred and not active.doubtful) or age_s >= 2.0 * parameters.seal_s + parameters.probe_s:
            self._enter(SupplyMode.RESTING, count, self._chamber)
        else:
            self._sealed = parameters.seal_s <= age_s < parameters.seal_s + parameters.probe_s

    def _rest(self, count: int, demands: Sequence[Demand]) -> None:
        if self._mode is SupplyMode.RUNNING_DOWN:
            if count - self._since_count >= self._parameters.run_down_s * TICKS_PER_S:
                self._enter(SupplyMode.RESTING, count, self._chamber)
            return
        if count - self._since_count < self._parameters.settle_s * TICKS_PER_S:
            return
        overdue = self._overdue(count)
        due = [
            at
            for at, probed_count in enumerate(self._probed_count)
            if demands[at].holds and not demands[at].wants and self._is_over(count, probed_count, self._parameters.probe_every_s)
        ]
        if overdue is not None or due:
            chamber = due[0] if overdue is None else overdue
            self._probed_count[chamber] = count
            self._enter(SupplyMode.PROBING, count, chamber)

    def _note_holds(self, count: int, demands: Sequence[Demand]) -> None:
        """Since when each chamber can be probed; a doubtful one could have been long ago."""
        for chamber, demand in enumerate(demands):
            if not demand.holds and not demand.doubtful:
                self._probed_count[chamber] = self._held_count[chamber] = None
            elif self._held_count[chamber] is None:
                ago_s = self._parameters.probe_most_s if demand.doubtful else 0.0
                self._held_count[chamber] = count - round(ago_s * TICKS_PER_S)

    def _overdue(self, count: int) -> int | None:
        """A chamber that has waited too long for a probe."""
        for chamber, held_count in enumerate(self._held_count):
            since_count = self._probed_count[chamber] or held_count
            if held_count is not None and self._is_over(count, since_count, self._parameters.probe_most_s):
                return chamber
        return None

    @staticmethod
    def _is_over(count: int, since_count: int | None, most_s: float) -> bool:
        return since_count is None or count - since_count >= most_s * TICKS_PER_S

    def _waits_for_probe(self, count: int, demands: Sequence[Demand]) -> bool:
        """Whether those who ask can wait until an overdue probe is made."""
        touches = all(self._is_touch(demands[at]) for at, asked in enumerate(self._asked_count) if asked is not None)
        return touches and self._mode in (SupplyMode.RESTING, SupplyMode.RUNNING_DOWN) and self._overdue(count) is not None

    def _enter(self, mode: SupplyMode, count: int, chamber: int) -> None:
        self._mode, self._since_count, self._chamber, self._sealed = mode, count, chamber, False

    def _first(self, asking: list[int], demands: Sequence[Demand]) -> int:
        def rank(chamber: int) -> tuple[bool, int, float]:
            demand = demands[chamber]
            return not self._is_touch(demand), self._asked_count[chamber] or 0, -demand.deficit_mmhg

        return min(asking, key=rank)

    def _pauses(self, chamber: int, count: int, demand: Demand) -> bool:
        """Whether the air that ``chamber`` has just got must do for now."""
        served_count = self._served_count[chamber]
        if served_count is None or not self._is_touch(demand):
            return False
        return count - served_count < self._parameters.pause_s * TICKS_PER_S

    def _is_touch(self, demand: Demand) -> bool:
        """A hold that sagged; the first mmHg of a rising set-point are none, else every new ramp would push in."""
        return demand.ramp_mmhg_s == 0.0 and demand.deficit_mmhg <= self._parameters.touch_mmhg

    def _wanted_duty(self, demands: Sequence[Demand]) -> float:
        duties = [demands[c].duty for c, asked in enumerate(self._asked_count) if asked is not None or c == self._chamber]
        return min(demands[self._chamber].duty_max, max(duties))
