"""The plant: a pump, a manifold, and per chamber an inlet valve, a vent valve, a tube and a bladder. Physics only.

Equations (gauge pressures, flows of free air, ``P_a`` = 760 mmHg):

- Pump ``q = d Q_f (1 - P_m / P_s)``, ``d`` follows the commanded duty with a first-order lag; nothing else lifts the manifold over ``P_s``.
- Valves and tubes: :mod:`wavewrap_sim.valve_flow`. Inlets lead from the manifold to the chambers, vents from the chambers and the dump from
  the manifold to the room. Where inlet and vent of one chamber are both open, each has the tube for itself.
- Relief: a spring, ``q = G_r (P_m - P_r)`` over its cracking pressure.
- Bladder ``V(P) = V_d + V_s (1 - exp(-P/P_k)) + C_c P + W - S`` with creep ``dW/dt = (C_w P - W)/tau_w`` and the volume ``S`` that the limb
  takes; the free air in it is ``N = (P_a + P) V / P_a * T_0 / T``. It leaks ``G_l P`` through its fabric, and by its conditions.

Free air is the state and pressure follows from it, so a closed system keeps its air to rounding. Integration is linearly implicit: theta =
0.5 with the actuators' mean over the step. The manifold follows within a millisecond, so its theta grows with its stiffness as exponential
fitting has it: with 0.5 it would ring where chambers equalise or the dump is open. The Jacobian, an arrowhead, is solved by elimination.

What may befall it: :mod:`wavewrap_sim.plant_conditions`. Not responsible for sensing or control. Many wraps step at once: arrays
have the shape (wraps, chambers) outside, and inside (chambers, wraps), whose parts are contiguous; what a wrap has one of is (1, wraps).
"""

from collections.abc import Sequence
from math import ceil
from operator import attrgetter

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wavewrap_protocol.errors import UsageError
from wavewrap_sim.plant_conditions import LEAK_AT_MMHG, ROOM_K, PlantConditions
from wavewrap_sim.plant_flows import Flows, Moved
from wavewrap_sim.plant_parameters import ATMOSPHERE_MMHG, GALLERY_MMHG_S_ML, PlantParameters, ValveParameters
from wavewrap_sim.valve_flow import ValveFlow
from wavewrap_sim.valve_train import ValveTrain

__all__ = ["MAX_SUBSTEP_S", "Plant"]

MAX_SUBSTEP_S = 2.5e-3
"""Longest internal step. Choice: a quarter of the control period; ``wavewrap bench plant`` shows what it costs."""

_SUBSTEP_SLACK = 1.001
"""A control period of a device clock some ppm off must not cost a fifth substep."""

_THETA = 0.5
_LEAST_STIFFNESS = 1e-4
"""Below this the manifold's theta is 0.5 to rounding."""
_RELINEARISE_MMHG = 6.0
"""A step in which a manifold moves further is solved twice, the second time with the flows linear around its middle: a root is no line.
Choice: it happens in the milliseconds after a valve has moved."""
_NOT_OFF: NDArray[np.float64] = np.zeros(1)
_EVERY = slice(None)
_TINY_S = 1e-12
_STILL = 1e-9

_HOSE_END_ML_S_MMHG = 20.0
"""An open hose end of 4 mm bore: ISO 6358 with C = 0.2 dm3/(s bar) a mm2 of bore times 0.64, at 30 mmHg, taken as linear."""

Array = NDArray[np.float64]


class Plant:
    """The pneumatics of ``len(parameters)`` wraps of as many chambers each, empty and vented at first.

    ``substep_s`` is the longest step of the integration. Raises :class:`UsageError` for wraps of different numbers of chambers.
    """

    def __init__(self, parameters: Sequence[PlantParameters], substep_s: float = MAX_SUBSTEP_S) -> None:
        counts = {len(wrap.chambers) for wrap in parameters}
        if len(counts) != 1:
            raise UsageError(f"{len(parameters)} wraps of {sorted(counts)} chambers: wraps that step together need the same number")
        chambers = counts.pop()
        shape = (len(parameters), chambers)
        self._shape = shape
        self._max_substep_s = substep_s * _SUBSTEP_SLACK
        self.conditions = PlantConditions(*shape)
        """What befalls these wraps; write to its arrays at any time."""

        def column(name: str) -> Array:
            return np.array([[attrgetter(name)(wrap) for wrap in parameters]], dtype=np.float64)

        def table(name: str) -> Array:
            return np.array([[getattr(wrap.chambers[at], name) for wrap in parameters] for at in range(chambers)], dtype=np.float64)

        def valves(name: str) -> Array:
            return np.array([[getattr(valve, name) for valve in _valves_of(wrap)] for wrap in parameters], dtype=np.float64).T.copy()

        self._pump_free_ml_s = column("pump.free_flow_ml_s")
        self._pump_stall_mmhg = column("pump.stall_mmhg")
        self._pump_lag_s = column("pump.lag_s")
        self._manifold_ml_mmhg = column("manifold.volume_ml") / ATMOSPHERE_MMHG
        self._relief_mmhg = column("manifold.relief_mmhg")
        self._relief_ml_s_mmhg = column("manifold.relief_ml_s_mmhg")
        self._least_relief_mmhg = float(self._relief_mmhg.min())
        self._nothing = np.zeros_like(self._relief_mmhg)
        self._dead_ml = table("dead_volume_ml")
        self._soft_ml = table("soft_volume_ml")
        self._minus_by_soft = -1.0 / table("soft_mmhg")
        self._compliance = table("compliance_ml_mmhg")
        self._creep_fraction = table("creep_fraction")
        self._creep_s = table("creep_s")
        self._leak = table("leak_ml_s_mmhg")
        self._tube = table("tube_mmhg_s_ml")
        inside = (chambers, len(parameters))
        rest = np.zeros((2 * chambers + 1, len(parameters)))
        rest[chambers:] = 1.0
        self._valves = ValveTrain(valves("dead_s"), valves("lag_s"), rest)
        self._valve_flow = ValveFlow(valves("conductance_ml_s_mmhg"), valves("critical_ratio"), chambers)

        self._time_s = 0.0
        self._duty: Array = np.zeros((1, len(parameters)))
        self._manifold: Array = np.zeros((1, len(parameters)))
        self._factors_for_s = -1.0
        self._pressure = np.zeros(inside)
        self._creep = np.zeros(inside)
        self._swell = np.zeros(inside)
        self._coldness = np.ones(inside)
        self._room_share = self._coldness / ATMOSPHERE_MMHG
        self._air_ml = self._dead_ml.copy()
        self._seen = self.conditions.fingerprint
        self._take_conditions()
        self._duty_target = self._duty
        self._last: tuple[float, Moved, Array] | None = None

    @property
    def pressure_mmhg(self) -> Array:
        """True pressure, shape (wraps, chambers)."""
        return self._pressure.T.copy()

    @property
    def manifold_mmhg(self) -> Array:
        """True pressure of each manifold, shape (wraps,)."""
        manifold: Array = self._manifold[0].copy()
        return manifold

    @property
    def free_air_ml(self) -> Array:
        """Free air in each wrap over an empty manifold, shape (wraps,)."""
        total: Array = self._air_ml.sum(axis=0) + (self._manifold * self._manifold_ml_mmhg)[0]
        return total

    @property
    def flows(self) -> Flows | None:
        """What flowed in the last substep; None before the first."""
        if self._last is None:
            return None
        h_s, moved, leak = self._last
        risen = moved.theta * moved.manifold_delta
        dump, relief = ((flow + slope * risen)[0] for flow, slope in (moved.dump, moved.relief))
        pump = (moved.pump[0] - moved.pump[1] * risen)[0]
        return Flows(h_s, pump, dump, relief, moved.inlet.T.copy(), moved.vent.T.copy(), leak.T.copy())

    def step(self, dt_s: float, pump_duty: ArrayLike, inlet_open: ArrayLike, vent_open: ArrayLike, dump_open: ArrayLike) -> None:
        """Move the physics by ``dt_s`` under these commands.

        Duty (0 to 1) and dump have the shape (wraps,), inlets and vents the shape (wraps, chambers).
        """
        if dt_s <= _TINY_S:
            return
        command: Array = np.empty_like(self._tubes)
        chambers = self._shape[1]
        command[:chambers] = np.asarray(inlet_open, dtype=np.float64).T
        command[chambers:-1] = np.asarray(vent_open, dtype=np.float64).T
        command[-1] = dump_open
        duty: Array = np.asarray(pump_duty, dtype=np.float64).reshape(1, -1)
        if (seen := self.conditions.fingerprint) != self._seen:
            self._seen = seen
            self._take_conditions()
        self._duty_target = duty if self._held_duty is None else np.where(np.isnan(self._held_duty), duty, self._held_duty)
        self._valves.command(self._time_s, command)
        conditions = self.conditions
        swell_ml_s = (conditions.swell_ml.T - self._swell) / dt_s
        coldness = ROOM_K / (ROOM_K + conditions.warmth_k.T.copy())
        cooling_s = (coldness - self._coldness) / dt_s
        drift = swell_ml_s.any() or cooling_s.any()
        count = max(1, ceil(dt_s / self._max_substep_s))
        h_s = dt_s / count
        for _ in range(count):
            self._substep(h_s, (swell_ml_s, cooling_s) if drift else None)
            self._time_s += h_s
        if drift:
            self._swell, self._coldness = conditions.swell_ml.T.copy(), coldness
            self._room_share = coldness / ATMOSPHERE_MMHG

    def _take_conditions(self) -> None:
        conditions = self.conditions
        held = np.concatenate((conditions.inlet_held.T, conditions.vent_held.T, conditions.dump_held[None]))
        self._valves.hold(held)
        held_duty = conditions.pump_held_duty[None].copy()
        self._held_duty = None if np.isnan(held_duty).all() else held_duty
        self._free_flow_ml_s = self._pump_free_ml_s * conditions.pump_efficiency[None]
        tube = self._tube + conditions.kink_mmhg_s_ml.T
        self._tubes = np.concatenate((tube, tube, np.full((1, self._shape[0]), GALLERY_MMHG_S_ML)))
        hose = conditions.hose_on.T.copy()
        off = 1.0 - hose
        self._hose = hose if off.any() else None
        self._even_leak = self._leak + _HOSE_END_ML_S_MMHG * off
        square = np.ascontiguousarray(conditions.leak_at_60_ml_s.T) / LEAK_AT_MMHG**2
        self._square_leak = square if square.any() else None
        self._soft_now_ml = self._soft_ml + conditions.slack_ml.T
        self._taut_ml_mmhg = self._compliance * conditions.compliance_factor.T
        self._creep_ml_mmhg = self._creep_fraction * self._taut_ml_mmhg
        self._creep_by = _THETA * self._creep_ml_mmhg
        self._even_leak_by = _THETA * self._even_leak
        self._base_ml = self._dead_ml + self._soft_now_ml

    def _mean_duty(self, h_s: float) -> Array:
        """The pump's speed over the next ``h_s``, which it also moves on by."""
        if self._duty is self._duty_target:
            return self._duty
        gap = self._duty - self._duty_target
        if np.abs(gap).max() < _STILL:
            self._duty = self._duty_target
            self._turning = bool(self._duty.any())
            return self._duty
        self._turning = True
        left = gap * np.exp(-h_s / self._pump_lag_s)
        self._duty = self._duty_target + left
        mean: Array = self._duty_target + (gap - left) * (self._pump_lag_s / h_s)
        return mean

    def _substep(self, h_s: float, drift: tuple[Array, Array] | None) -> None:
        duty = self._mean_duty(h_s)
        opening = self._valves.advance(self._time_s, h_s)
        room_share = self._room_share if drift is None else self._coldness / ATMOSPHERE_MMHG
        pressure, capacity = self._weigh_air(room_share)

        # What a chamber does by itself: it leaks, creeps, is moved and warmed.
        leak = self._even_leak * pressure
        leak_by = self._even_leak_by
        if self._square_leak is not None:
            more = self._square_leak * np.abs(pressure)
            leak += more * pressure
            leak_by = leak_by + more
        creep_gap = self._creep_ml_mmhg * pressure
        creep_gap -= self._creep
        if h_s != self._factors_for_s:
            self._factors_for_s = h_s
            self._creep_share = 1.0 / (self._creep_s + _THETA * h_s)
            self._store = self._manifold_ml_mmhg / h_s
        stretch = pressure + ATMOSPHERE_MMHG
        stretch *= room_share
        own = stretch * self._creep_share
        own_by = own * self._creep_by
        own *= creep_gap
        own += leak
        if drift is not None:
            own -= stretch * drift[0]
            own += self._air_ml / self._coldness * drift[1]
        own_by += leak_by
        own_by += capacity / h_s

        moved = self._move_air(duty, opening, pressure, own, own_by)
        far = np.abs(moved.manifold_delta[0]) > _RELINEARISE_MMHG
        if far.any():
            at = np.flatnonzero(far)
            again = self._move_air(duty, opening[:, at], pressure[:, at], own[:, at], own_by[:, at], at, moved.part(at))
            moved = again if far.all() else moved.merged(again, at)
        delta = moved.delta
        leak += leak_by * delta
        gained = moved.inlet - moved.vent if self._hose is None else moved.inlet * self._hose - moved.vent
        gained -= leak
        gained *= h_s
        self._air_ml = self._air_ml + gained
        creep_gap += self._creep_by * delta
        creep_gap *= self._creep_share
        creep_gap *= h_s
        self._creep = self._creep + creep_gap
        self._pressure = pressure + delta
        self._manifold = self._manifold + moved.manifold_delta
        self._last = (h_s, moved, leak)
        if drift is not None:
            self._swell = self._swell + h_s * drift[0]
            self._coldness = self._coldness + h_s * drift[1]

    def _weigh_air(self, room_share: Array) -> tuple[Array, Array]:
        """The pressure that the free air really has, one Newton step from the last prediction, and the free air a mmHg there."""
        pressure = self._pressure
        folded = np.exp(self._minus_by_soft * pressure)
        folded *= self._soft_now_ml
        volume = self._taut_ml_mmhg * pressure
        volume += self._base_ml
        volume += self._creep
        volume -= self._swell
        volume -= folded
        absolute = pressure + ATMOSPHERE_MMHG
        folded *= self._minus_by_soft
        capacity = self._taut_ml_mmhg - folded
        capacity *= absolute
        capacity += volume
        capacity *= room_share
        volume *= absolute
        volume *= room_share
        missing = self._air_ml - volume
        missing /= capacity
        missing += pressure
        return missing, capacity

    def _move_air(
        self,
        duty: Array,
        opening: Array,
        pressure: Array,
        own: Array,
        own_by: Array,
        at: slice | NDArray[np.intp] = _EVERY,
        guess: Moved | None = None,
    ) -> Moved:
        """Solve the step of the wraps ``at`` with the valves' flows taken as linear around its begin, or around the middle of ``guess``.

        ``own`` is the air that each chamber loses by itself, ``own_by`` its slope with the storage. ``duty`` is every wrap's, the other
        arrays are those of ``at``.
        """
        chambers = self._shape[1]
        hose = None if self._hose is None else self._hose[:, at]
        manifold = self._manifold[:, at]
        at_chamber, at_manifold = pressure, manifold
        off_chamber = off_manifold = _NOT_OFF
        if guess is not None:
            off_chamber, off_manifold = _THETA * guess.delta, guess.theta * guess.manifold_delta
            at_chamber, at_manifold = pressure + off_chamber, manifold + off_manifold
        seen = at_chamber if hose is None else at_chamber * hose
        drop = np.empty_like(opening)
        np.subtract(at_manifold, seen, drop[:chambers])
        drop[chambers:-1] = seen
        drop[-1:] = at_manifold
        flow, by_up, by_down = self._valve_flow.evaluate(drop, seen, opening, self._tubes[:, at], at)
        inlet, vent, dump = flow[:chambers], flow[chambers:-1], flow[-1:]
        from_manifold, to_room, from_dump = by_up[:chambers], by_up[chambers:-1], by_up[-1:]
        if hose is not None:
            by_down *= hose
            to_room *= hose
        nothing = self._nothing[:, at]
        relief = relief_by = nothing
        blowing = at_manifold.max() > self._least_relief_mmhg
        if blowing:
            over = at_manifold - self._relief_mmhg[:, at]
            relief_by = self._relief_ml_s_mmhg[:, at] * (over > 0.0)
            relief = relief_by * over
        if guess is not None:
            inlet -= from_manifold * off_manifold - by_down * off_chamber
            vent -= to_room * off_chamber
            dump -= from_dump * off_manifold
            relief = relief - relief_by * off_manifold
        pump = pump_by = nothing
        if self._turning:
            pump = duty[:, at] * self._free_flow_ml_s[:, at]
            pump_by = pump / self._pump_stall_mmhg[:, at]
            pump -= pump_by * manifold

        # How much of the manifold's change counts into the step's mean: theta = 1/(1 - exp(-z)) - 1/z is exact for a relaxation.
        escape_by = relief_by + pump_by
        escape_by += from_dump
        stiffness = np.add.reduce(from_manifold, axis=0, keepdims=True)
        stiffness += escape_by
        store = self._store[:, at]
        stiffness /= store
        np.maximum(stiffness, _LEAST_STIFFNESS, out=stiffness)
        theta = -1.0 / np.expm1(-stiffness)
        theta -= 1.0 / stiffness

        from_manifold *= theta
        to_room *= _THETA
        by_down *= _THETA
        fed, fed_by = (inlet, from_manifold) if hose is None else (inlet * hose, from_manifold * hose)
        rest = fed - vent
        rest -= own
        diagonal = own_by + by_down
        diagonal += to_room
        share = by_down / diagonal
        kept = 1.0 - share if hose is None else 1.0 - share * hose
        kept *= from_manifold
        manifold_diagonal = np.add.reduce(kept, axis=0, keepdims=True)
        manifold_diagonal += theta * escape_by
        manifold_diagonal += store
        share *= rest
        share -= inlet
        manifold_delta = np.add.reduce(share, axis=0, keepdims=True)
        manifold_delta += pump
        manifold_delta -= dump
        if blowing:
            manifold_delta -= relief
        manifold_delta /= manifold_diagonal
        delta = fed_by * manifold_delta
        delta += rest
        delta /= diagonal
        inlet += from_manifold * manifold_delta
        inlet -= by_down * delta
        vent += to_room * delta
        return Moved(manifold_delta, delta, theta, inlet, vent, (pump, pump_by), (dump, from_dump), (relief, relief_by))


def _valves_of(wrap: PlantParameters) -> list[ValveParameters]:
    """Inlets, vents, dump."""
    return [*(chamber.inlet for chamber in wrap.chambers), *(chamber.vent for chamber in wrap.chambers), wrap.dump]
