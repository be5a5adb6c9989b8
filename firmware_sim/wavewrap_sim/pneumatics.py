"""The plant: a pump, a manifold, and per chamber a bladder with an inlet valve and a vent valve on tubes of their own. Physics only.

Equations (gauge pressures, flows of free air, ``P_a`` = 760 mmHg):

- Pump ``q = d Q_f (1 - P_m / P_s)``, ``d`` follows the commanded duty with a first-order lag; nothing else lifts the manifold over ``P_s``.
- Valve and tube in series: the subsonic branch of ISO 6358 with Poiseuille's law, ``q = K/2 (sqrt(R^2 + 4|dp|/K) - R) sign(dp)``,
  ``K = C^2 2/(1-b) (P_1 - |dp| / (2(1-b)))``, ``P_1`` the absolute pressure upstream. It cannot choke: 400 mmHg against the room is a
  pressure ratio of 0.66, over b. A valve follows its command after a dead time and with a first-order lag; open in part, it has that
  part of C. Inlets lead from the manifold to the chambers, vents from the chambers and the dump from the manifold to the room.
- Relief: a spring, ``q = G_r (P_m - P_r)`` over its cracking pressure.
- Bladder ``V(P) = V_d + V_s (1 - exp(-P/P_k)) + C_c P + W - S`` with creep ``dW/dt = (C_w P - W)/tau_w`` and the volume ``S`` that the limb
  takes; the free air in it is ``N = (P_a + P) V / P_a * T_0 / T``. It leaks ``G_l P`` through its fabric, and by its conditions.

Free air is the state and pressure follows from it, so a closed system keeps its air to rounding. Integration is linearly implicit: theta =
0.5 with the actuators' mean over the step. The manifold follows within a millisecond, so its theta grows with its stiffness as exponential
fitting has it: with 0.5 it would ring where chambers equalise or the dump is open. The Jacobian, an arrowhead, is solved by elimination.

The arithmetic is in :mod:`wavewrap_sim.plant_kernel`, what may befall a plant in :mod:`wavewrap_sim.plant_conditions`. Not responsible for
sensing or control. Many wraps step at once, each as it would alone.
"""

from collections.abc import Sequence
from math import ceil, inf

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wavewrap_protocol.errors import UsageError
from wavewrap_sim import plant_kernel as kernel
from wavewrap_sim.compiled import Kernel, fastest_kernel
from wavewrap_sim.plant_conditions import PlantConditions
from wavewrap_sim.plant_flows import Flows
from wavewrap_sim.plant_parameters import ATMOSPHERE_MMHG, GALLERY_MMHG_S_ML, ChamberParameters, PlantParameters, ValveParameters

__all__ = ["MAX_SUBSTEP_S", "Plant"]

MAX_SUBSTEP_S = 2.5e-3
"""Longest internal step. Choice: a quarter of the control period; ``wavewrap bench plant`` shows what it costs."""

_SUBSTEP_SLACK = 1.001
"""A control period of a device clock some ppm off must not cost a fifth substep."""

_TINY_S = 1e-12

_PLACES = 4
"""For commands that a valve has yet to follow, at first; a dead time is some control periods at most."""

Array = NDArray[np.float64]


class Plant:
    """The pneumatics of ``len(parameters)`` wraps of as many chambers each, empty and vented at first.

    ``substep_s`` is the longest step of the integration, ``form`` the kernel to use (default: the fastest there is).
    Raises :class:`UsageError` for wraps of different numbers of chambers.
    """

    def __init__(self, parameters: Sequence[PlantParameters], substep_s: float = MAX_SUBSTEP_S, form: Kernel | None = None) -> None:
        counts = {len(wrap.chambers) for wrap in parameters}
        if len(counts) != 1:
            raise UsageError(f"{len(parameters)} wraps of {sorted(counts)} chambers: wraps that step together need the same number")
        wraps, count = len(parameters), counts.pop()
        self._kernel = form or fastest_kernel()
        self._advance = self._kernel.advance
        self._max_substep_s = substep_s * _SUBSTEP_SLACK
        self._time_s = 0.0
        self._last_substep_s = 0.0
        self.conditions = PlantConditions(wraps, count)
        """What befalls these wraps; write to its arrays at any time."""
        self._chamber_conditions, self._wrap_conditions = self.conditions.tables
        self._chambers: Array = np.zeros((wraps, count, kernel.CHAMBER_FIELDS))
        self._chambers[:, :, : kernel.PRESSURE] = [[_chamber_row(chamber) for chamber in wrap.chambers] for wrap in parameters]
        self._chambers[:, :, kernel.AIR_ML] = self._chambers[:, :, kernel.DEAD_ML]
        self._chambers[:, :, kernel.COLDNESS] = 1.0
        self._valves: Array = np.zeros((wraps, 2 * count + 1, kernel.VALVE_FIELDS))
        self._valves[:, :, : kernel.COMMANDED] = [_valve_rows(wrap) for wrap in parameters]
        self._valves[:, count:, kernel.COMMANDED :] = 1.0  # vents and dump are open without power
        self._wraps: Array = np.zeros((wraps, kernel.WRAP_FIELDS))
        self._wraps[:, : kernel.MANIFOLD] = [_wrap_row(wrap) for wrap in parameters]
        self._pending: Array = np.full((wraps, 2 * count + 1, _PLACES, kernel.PENDING_FIELDS), inf)
        self._commands: Array = np.zeros((wraps, 2 * count + 2))
        self._work: Array = np.zeros((count, kernel.WORK_FIELDS))
        self._inlets, self._vents = self._commands[:, :count], self._commands[:, count : 2 * count]
        self._dump, self._duty = self._commands[:, -2], self._commands[:, -1]

    @property
    def kernel(self) -> Kernel:
        """What does the arithmetic."""
        return self._kernel

    @property
    def pressure_mmhg(self) -> Array:
        """True pressure, shape (wraps, chambers)."""
        return self._chambers[:, :, kernel.PRESSURE].copy()

    @property
    def manifold_mmhg(self) -> Array:
        """True pressure of each manifold, shape (wraps,)."""
        return self._wraps[:, kernel.MANIFOLD].copy()

    @property
    def free_air_ml(self) -> Array:
        """Free air in each wrap over an empty manifold, shape (wraps,)."""
        total: Array = self._chambers[:, :, kernel.AIR_ML].sum(axis=1)
        return total + self._wraps[:, kernel.MANIFOLD] * self._wraps[:, kernel.MANIFOLD_ML_MMHG]

    @property
    def flows(self) -> Flows | None:
        """What flowed in the last substep; None before the first."""
        if not self._last_substep_s:
            return None
        pump, dump, relief = (self._wraps[:, field].copy() for field in (kernel.PUMP_ML_S, kernel.DUMP_ML_S, kernel.RELIEF_ML_S))
        inlet, vent, leak = (self._chambers[:, :, field].copy() for field in (kernel.INLET_ML_S, kernel.VENT_ML_S, kernel.LEAK_ML_S))
        return Flows(self._last_substep_s, pump, dump, relief, inlet, vent, leak)

    def step(self, dt_s: float, pump_duty: ArrayLike, inlet_open: ArrayLike, vent_open: ArrayLike, dump_open: ArrayLike) -> None:
        """Move the physics by ``dt_s`` under these commands.

        Duty (0 to 1) and dump have the shape (wraps,), inlets and vents the shape (wraps, chambers).
        """
        if dt_s <= _TINY_S:
            return
        self._inlets[:] = inlet_open
        self._vents[:] = vent_open
        self._dump[:] = dump_open
        self._duty[:] = pump_duty
        steps = max(1, ceil(dt_s / self._max_substep_s))
        while not self._advance(
            self._chambers,
            self._chamber_conditions,
            self._valves,
            self._pending,
            self._wraps,
            self._wrap_conditions,
            self._commands,
            self._work,
            self._time_s,
            dt_s,
            steps,
        ):
            self._pending = np.concatenate((self._pending, np.full_like(self._pending, inf)), axis=2)
        self._time_s += dt_s
        self._last_substep_s = dt_s / steps


def _chamber_row(chamber: ChamberParameters) -> list[float]:
    """The fields up to ``PRESSURE``."""
    row = [chamber.dead_volume_ml, chamber.soft_volume_ml, -1.0 / chamber.soft_mmhg, chamber.compliance_ml_mmhg]
    return [*row, chamber.creep_fraction, chamber.creep_s, chamber.leak_ml_s_mmhg]


def _valve_rows(wrap: PlantParameters) -> list[list[float]]:
    """The fields up to ``COMMANDED`` of inlets, vents and dump."""
    inlets = [_valve_row(chamber.inlet, chamber.tube_mmhg_s_ml) for chamber in wrap.chambers]
    vents = [_valve_row(chamber.vent, chamber.vent_tube_mmhg_s_ml) for chamber in wrap.chambers]
    return [*inlets, *vents, _valve_row(wrap.dump, GALLERY_MMHG_S_ML)]


def _valve_row(valve: ValveParameters, tube_mmhg_s_ml: float) -> list[float]:
    spare = 1.0 - valve.critical_ratio
    return [valve.conductance_ml_s_mmhg**2 * 2.0 / spare, 0.5 - 0.5 / spare, tube_mmhg_s_ml, valve.dead_s, valve.lag_s]


def _wrap_row(wrap: PlantParameters) -> list[float]:
    """The fields up to ``MANIFOLD``."""
    pump, manifold = wrap.pump, wrap.manifold
    row = [pump.free_flow_ml_s, pump.stall_mmhg, pump.lag_s, manifold.volume_ml / ATMOSPHERE_MMHG]
    return [*row, manifold.relief_mmhg, manifold.relief_ml_s_mmhg]
