"""The plant: a pump, a manifold, and per chamber an inlet valve, a vent valve and a bladder. Physics only.

Equations (gauge pressures, flows of free air, ``P_a`` = 760 mmHg):

- Pump ``q = d Q_f (1 - P_m / P_s)``, ``d`` follows the commanded duty with a first-order lag.
- Valve and tube in series: the subsonic branch of ISO 6358 with Poiseuille's law,
  ``q = K/2 (sqrt(R^2 + 4|dp|/K) - R) sign(dp)``, ``K = C^2 2/(1-b) (P_1 - |dp| / (2(1-b)))``, ``P_1`` the absolute pressure upstream.
  It cannot choke: 600 mmHg against the room is a pressure ratio of 0.56, over b. A valve opens as C, with dead time and a first-order lag.
- Bladder ``V(P) = V_d + V_s (1 - exp(-P/P_k)) + C_c P + W`` with creep ``dW/dt = (C_w P - W)/tau_w``; isothermal, so the free air
  in it is ``N = (P_a + P) V / P_a``.

Free air is the state and pressure follows from it, so a closed system keeps its air to rounding. Integration is linearly implicit with
theta = 0.5 and the actuators taken at mid-step; the Jacobian is an arrowhead and is solved by elimination. The manifold has a dump valve
to the room, open without power, and a mechanical relief valve, a spring: ``q = G_r (P_m - P_r)`` over its cracking pressure.

Not responsible for sensing or control. Arrays have the shape (wraps, chambers), so many wraps step at once.
"""

from collections import deque
from collections.abc import Sequence
from math import ceil

import numpy as np
from numpy.typing import ArrayLike, NDArray

from wavewrap_sim.plant_parameters import ATMOSPHERE_MMHG, PlantParameters

__all__ = ["MAX_SUBSTEP_S", "Plant"]

MAX_SUBSTEP_S = 2.5e-3
"""Longest internal step. Choice: half a valve's dead time; the tests hold it against an eighth of it."""

_SUBSTEP_SLACK = 1.001
"""A control period of a device clock some ppm off must not cost a fifth substep."""

_THETA = 0.5
_TINY = 1e-12

Array = NDArray[np.float64]


class Plant:
    """The pneumatics of ``len(parameters)`` wraps with ``chambers`` chambers each, empty and vented at first.

    ``substep_s`` is the longest step of the integration.
    """

    def __init__(self, parameters: Sequence[PlantParameters], chambers: int, substep_s: float = MAX_SUBSTEP_S) -> None:
        self._max_substep_s = substep_s * _SUBSTEP_SLACK

        def column(name: str) -> Array:
            return np.array([[getattr(p, name)] for p in parameters], dtype=np.float64)

        shape = (len(parameters), chambers)
        self._pump_free_ml_s = column("pump_free_flow_ml_s")
        self._pump_stall_mmhg = column("pump_stall_mmhg")
        self._pump_lag_s = column("pump_lag_s")
        self._manifold_ml_mmhg = column("manifold_ml") / ATMOSPHERE_MMHG
        critical_ratio = column("valve_critical_ratio")
        self._valve_gain = column("valve_ml_s_mmhg") ** 2 * 2.0 / (1.0 - critical_ratio)
        self._beta = 0.5 / (1.0 - critical_ratio)
        self._valve_lag_s = column("valve_lag_s")
        self._valve_dead_s = max(p.valve_dead_s for p in parameters)
        self._tube = column("tube_mmhg_s_ml")
        self._dead_ml = column("dead_volume_ml")
        self._soft_ml = column("soft_volume_ml")
        self._soft_mmhg = column("soft_mmhg")
        self._compliance = column("compliance_ml_mmhg")
        self._creep_ml_mmhg = column("creep_fraction") * self._compliance
        self._creep_s = column("creep_s")
        self._leak = column("leak_ml_s_mmhg")

        self._relief_mmhg = column("relief_mmhg")
        self._relief = column("relief_ml_s_mmhg")

        self._time_s = 0.0
        self._duty = np.zeros((shape[0], 1))
        self._command = np.concatenate((np.zeros(shape), np.ones((shape[0], shape[1] + 1))), axis=1)
        self._driven = self._command.copy()
        self._opening = self._command.copy()
        self._pending: deque[tuple[float, Array]] = deque()
        self._manifold = np.zeros((shape[0], 1))
        self._pressure = np.zeros(shape)
        self._creep = np.zeros(shape)
        self._air_ml = np.broadcast_to(self._dead_ml, shape).copy()
        self._factors_for_s = -1.0
        self._half_pump = self._half_valve = self._manifold

    @property
    def pressure_mmhg(self) -> Array:
        """True pressure, shape (wraps, chambers)."""
        return self._pressure.copy()

    @property
    def manifold_mmhg(self) -> Array:
        """True pressure of each manifold, shape (wraps,)."""
        return self._manifold[:, 0].copy()

    @property
    def free_air_ml(self) -> Array:
        """Free air in each wrap over an empty manifold, shape (wraps,)."""
        total: Array = self._air_ml.sum(axis=1) + (self._manifold * self._manifold_ml_mmhg)[:, 0]
        return total

    def step(self, dt_s: float, pump_duty: ArrayLike, inlet_open: ArrayLike, vent_open: ArrayLike, dump_open: ArrayLike) -> None:
        """Move the physics by ``dt_s`` under these commands.

        Duty (0 to 1) and dump have the shape (wraps,), inlets and vents the shape (wraps, chambers).
        """
        duty: Array = np.asarray(pump_duty, dtype=np.float64).reshape(-1, 1)
        dump: Array = np.asarray(dump_open, dtype=np.float64).reshape(-1, 1)
        valves = (np.asarray(inlet_open, dtype=np.float64), np.asarray(vent_open, dtype=np.float64), dump)
        command = np.concatenate(valves, axis=1)
        if not np.array_equal(command, self._command):
            self._command = command
            self._pending.append((self._time_s + self._valve_dead_s, command))
        end_s = self._time_s + dt_s
        while True:
            while self._pending and self._pending[0][0] <= self._time_s + _TINY:
                self._driven = self._pending.popleft()[1]
            until_s = min(end_s, self._pending[0][0]) if self._pending else end_s
            span_s = until_s - self._time_s
            if span_s <= _TINY:
                break
            count = max(1, ceil(span_s / self._max_substep_s))
            for _ in range(count):
                self._substep(span_s / count, duty)
            self._time_s = until_s

    def _substep(self, h_s: float, duty: Array) -> None:
        if h_s != self._factors_for_s:
            self._factors_for_s = h_s
            self._half_pump = np.exp(-0.5 * h_s / self._pump_lag_s)
            self._half_valve = np.exp(-0.5 * h_s / self._valve_lag_s)
        duty_mid = duty + (self._duty - duty) * self._half_pump
        self._duty = duty + (duty_mid - duty) * self._half_pump
        opening_mid = self._driven + (self._opening - self._driven) * self._half_valve
        self._opening = self._driven + (opening_mid - self._driven) * self._half_valve

        # Volume, and the pressure that the free air really has: one Newton step from the last prediction.
        slack = np.exp(self._pressure / -self._soft_mmhg)
        slope_ml_mmhg = self._soft_ml / self._soft_mmhg * slack + self._compliance
        volume_ml = self._dead_ml + self._soft_ml * (1.0 - slack) + self._compliance * self._pressure + self._creep
        absolute = self._pressure + ATMOSPHERE_MMHG
        capacity = (volume_ml + absolute * slope_ml_mmhg) / ATMOSPHERE_MMHG
        pressure = self._pressure + (self._air_ml - absolute * volume_ml / ATMOSPHERE_MMHG) / capacity

        flow, by_up, by_down_inlet = self._flows(pressure, opening_mid)
        chambers = pressure.shape[1]
        inlet, vent, dump = flow[:, :chambers], flow[:, chambers:-1], flow[:, -1:]
        by_up_inlet, by_up_vent, by_up_dump = by_up[:, :chambers], by_up[:, chambers:-1], by_up[:, -1:]
        over_mmhg = self._manifold - self._relief_mmhg
        relief_by = np.where(over_mmhg > 0.0, self._relief, 0.0)
        escape = dump + relief_by * over_mmhg
        escape_by = by_up_dump + relief_by

        swell = (pressure + ATMOSPHERE_MMHG) / (ATMOSPHERE_MMHG * (self._creep_s + _THETA * h_s))
        swell_now = swell * (self._creep_ml_mmhg * pressure - self._creep)
        swell_by = swell * self._creep_ml_mmhg * _THETA
        leak = self._leak * pressure
        rest = inlet - vent - leak - swell_now
        diagonal = capacity / h_s + _THETA * (by_down_inlet + by_up_vent + self._leak) + swell_by
        pump_gain = duty_mid * self._pump_free_ml_s
        pump_by = pump_gain / self._pump_stall_mmhg
        pump = pump_gain - pump_by * self._manifold
        share = _THETA * by_down_inlet / diagonal
        manifold_diagonal = (
            self._manifold_ml_mmhg / h_s
            + _THETA * (pump_by + escape_by)
            + _THETA * (by_up_inlet * (1.0 - share)).sum(axis=1, keepdims=True)
        )
        manifold_delta = (pump - escape + (share * rest - inlet).sum(axis=1, keepdims=True)) / manifold_diagonal
        delta = (rest + _THETA * by_up_inlet * manifold_delta) / diagonal

        inlet_mid = inlet + _THETA * (by_up_inlet * manifold_delta - by_down_inlet * delta)
        vent_mid = vent + _THETA * by_up_vent * delta
        leak_mid = leak + _THETA * self._leak * delta
        self._air_ml = self._air_ml + h_s * (inlet_mid - vent_mid - leak_mid)
        self._creep = self._creep + h_s * (self._creep_ml_mmhg * (pressure + _THETA * delta) - self._creep) / (self._creep_s + _THETA * h_s)
        self._pressure = pressure + delta
        self._manifold = self._manifold + manifold_delta

    def _flows(self, pressure: Array, opening: Array) -> tuple[Array, Array, Array]:
        """Flow through inlets, vents and dump (wraps, 2 chambers + 1), its slope by the upstream side, and the inlets' by the chamber."""
        chambers = pressure.shape[1]
        drop = np.concatenate((self._manifold - pressure, pressure, self._manifold), axis=1)
        size = np.abs(drop)
        mean = ATMOSPHERE_MMHG + 0.5 * drop + (0.5 - self._beta) * size
        mean[:, :chambers] += pressure
        root_k = opening * np.sqrt(self._valve_gain * mean)
        tube = self._tube * root_k
        root = np.sqrt(tube * tube + 4.0 * size + _TINY)
        flow = 2.0 * drop * root_k / (root + tube)
        slope = root_k / root
        # K itself moves with the pressures; without this term the scheme would lose its second order.
        moved = slope * (root - tube) ** 2 / (4.0 * mean)
        side = np.copysign(0.5, drop)
        by_up = slope + moved * (0.5 - self._beta + side)
        by_down: Array = (slope + moved * (0.5 - self._beta - side))[:, :chambers]
        return flow, by_up, by_down
