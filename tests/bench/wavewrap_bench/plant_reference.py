"""The plant's equations written a second time, for scipy's Radau: pressures are the states, valves and pump are differential equations.

Shares the parameters and the script with the plant, and none of its formulas.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

from wavewrap_bench.plant_wave import GRID_S, Segment
from wavewrap_sim.plant_parameters import GALLERY_MMHG_S_ML, PlantParameters, ValveParameters

__all__ = ["integrate_reference"]

Array = NDArray[np.float64]

ROOM_MMHG = 760.0
ROOM_TEMPERATURE_K = 293.15
HOSE_END_ML_S_MMHG = 20.0


class _Reference:
    """The right-hand side. State: manifold, pressures, creep volumes, openings of inlets, vents and dump, duty."""

    def __init__(self, wrap: PlantParameters) -> None:
        self.wrap = wrap
        chambers = wrap.chambers
        self.count = len(chambers)
        self.valves: list[ValveParameters] = [*(c.inlet for c in chambers), *(c.vent for c in chambers), wrap.dump]
        self.dead_s = np.array([valve.dead_s for valve in self.valves])
        self.lag_s = np.array([valve.lag_s for valve in self.valves])
        self.conductance = np.array([valve.conductance_ml_s_mmhg for valve in self.valves])
        self.critical = np.array([valve.critical_ratio for valve in self.valves])
        self.dead_ml = np.array([c.dead_volume_ml for c in chambers])
        self.soft_ml = np.array([c.soft_volume_ml for c in chambers])
        self.soft_mmhg = np.array([c.soft_mmhg for c in chambers])
        self.compliance = np.array([c.compliance_ml_mmhg for c in chambers])
        self.creep_ml_mmhg = np.array([c.creep_fraction * c.compliance_ml_mmhg for c in chambers])
        self.creep_s = np.array([c.creep_s for c in chambers])
        self.leak = np.array([c.leak_ml_s_mmhg for c in chambers])
        self.tube = np.array([c.tube_mmhg_s_ml for c in chambers])
        self.vent_tube = np.array([c.vent_tube_mmhg_s_ml for c in chambers])

    def start(self) -> Array:
        """Empty, vented, everything at rest."""
        opening = [0.0] * self.count + [1.0] * (self.count + 1)
        return np.array([0.0] * (1 + 2 * self.count) + opening + [0.0])

    def derive(
        self, time_s: float, state: Array, duty: float, targets: Array, segment: Segment, ramps: tuple[float, float, Array, Array]
    ) -> Array:
        """``ramps``: begin and end of the segment, swell and warmth at its begin."""
        n = self.count
        manifold, pressure, creep = state[0], state[1 : 1 + n], state[1 + n : 1 + 2 * n]
        opening, speed = state[1 + 2 * n : -1], state[-1]
        conditions = segment.conditions
        hose_on = np.array(conditions.get("hose_on", (1.0,) * n))
        tube = self.tube + np.array(conditions.get("kink_mmhg_s_ml", (0.0,) * n))
        worse = np.array(conditions.get("leak_at_60_ml_s", (0.0,) * n))
        at_hose = np.where(hose_on > 0.0, pressure, 0.0)
        room = np.zeros(n)
        up = np.concatenate((np.full(n, manifold), pressure, [manifold]))
        down = np.concatenate((at_hose, room, [0.0]))
        tubes = np.concatenate((tube, self.vent_tube, [GALLERY_MMHG_S_ML]))
        flow = _iso_flow(up, down, self.conductance * opening, self.critical, tubes)
        inlet, vent, dump = flow[:n], flow[n:-1], flow[-1]
        leak = self.leak * pressure + worse * pressure * np.abs(pressure) / 3600.0
        leak = leak + np.where(hose_on > 0.0, 0.0, HOSE_END_ML_S_MMHG * pressure)
        pump = speed * self.wrap.pump.free_flow_ml_s * (1.0 - manifold / self.wrap.pump.stall_mmhg)
        relief = self.wrap.manifold.relief_ml_s_mmhg * max(0.0, manifold - self.wrap.manifold.relief_mmhg)

        begin_s, end_s, swell, warmth = ramps
        part = (time_s - begin_s) / (end_s - begin_s)
        swell_ml_s = (np.array(segment.swell_ml) - swell) / (end_s - begin_s)
        warming_k_s = (np.array(segment.warmth_k) - warmth) / (end_s - begin_s)
        swell = swell + part * (np.array(segment.swell_ml) - swell)
        kelvin = ROOM_TEMPERATURE_K + warmth + part * (np.array(segment.warmth_k) - warmth)
        slack = np.exp(-pressure / self.soft_mmhg)
        volume = self.dead_ml + self.soft_ml * (1.0 - slack) + self.compliance * pressure + creep - swell
        creep_ml_s = (self.creep_ml_mmhg * pressure - creep) / self.creep_s
        gained = np.where(hose_on > 0.0, inlet, 0.0) - vent - leak
        # N = p V T_0 / (p_0 T), so dN/N = dp/p + dV/V - dT/T with the absolute p.
        absolute = ROOM_MMHG + pressure
        air = absolute * volume / ROOM_MMHG * ROOM_TEMPERATURE_K / kelvin
        relative = gained / air - (creep_ml_s - swell_ml_s) / volume + warming_k_s / kelvin
        by_pressure = 1.0 / absolute + (self.soft_ml / self.soft_mmhg * slack + self.compliance) / volume
        manifold_rise = (pump - relief - dump - inlet.sum()) * ROOM_MMHG / self.wrap.manifold.volume_ml
        opening_rate = (targets - opening) / self.lag_s
        duty_rate = (duty - speed) / self.wrap.pump.lag_s
        return np.concatenate(([manifold_rise], relative / by_pressure, creep_ml_s, opening_rate, [duty_rate]))


def _iso_flow(up: Array, down: Array, conductance: Array, critical: Array, tube: Array) -> Array:
    """ISO 6358 subsonic, ``dp = R q + q^2 / K`` solved for the flow."""
    drop = up - down
    high = np.maximum(up, down) + ROOM_MMHG
    fall = np.abs(drop) / high / (1.0 - critical)
    k = conductance**2 * high * 2.0 / (1.0 - critical) * (1.0 - fall / 2.0)
    return np.asarray(np.sign(drop) * 2.0 * np.abs(drop) / (tube + np.sqrt(tube**2 + 4.0 * np.abs(drop) / np.maximum(k, 1e-30)) + 1e-30))


def integrate_reference(wrap: PlantParameters, wave: list[Segment], tolerance: float = 1e-8) -> tuple[Array, Array]:
    """Chamber pressures (times, chambers) and manifold pressures (times,) of ``wrap`` on the grid of ``wave``, by Radau.

    Raises :class:`ArithmeticError` where Radau gives up.
    """
    reference = _Reference(wrap)
    n = reference.count
    changes: list[tuple[float, int, float]] = []
    begin_s = 0.0
    for segment in wave:
        asked = [float(at in segment.inlets) for at in range(n)] + [float(at in segment.vents) for at in range(n)] + [float(segment.dump)]
        changes += [(begin_s + reference.dead_s[valve], valve, value) for valve, value in enumerate(asked)]
        begin_s += segment.duration_s
    changes.sort()
    state, targets = reference.start(), reference.start()[1 + 2 * n : -1]
    rows: list[Array] = []
    begin_s = 0.0
    swell, warmth = np.zeros(n), np.zeros(n)
    for segment in wave:
        end_s = begin_s + segment.duration_s
        grid_s = begin_s + GRID_S * np.arange(1, round(segment.duration_s / GRID_S) + 1)
        at_s = begin_s
        while at_s < end_s - 1e-9:
            while changes and changes[0][0] <= at_s + 1e-12:
                _, valve, value = changes.pop(0)
                targets = targets.copy()
                targets[valve] = value
            until_s = min([end_s, *(change_s for change_s, valve, value in changes[:1])])
            given: Any = (segment.duty, targets, segment, (begin_s, end_s, swell, warmth))
            wanted = grid_s[(grid_s > at_s + 1e-9) & (grid_s <= until_s + 1e-9)]
            solved = solve_ivp(
                reference.derive, (at_s, until_s), state, "Radau", dense_output=True, args=given, rtol=tolerance, atol=tolerance
            )
            if not solved.success:
                raise ArithmeticError(f"{segment.name} at {solved.t[-1]:.4f} s: {solved.message}")
            rows += [solved.sol(min(moment_s, until_s)) for moment_s in wanted]
            state, at_s = solved.y[:, -1], until_s
        begin_s = end_s
        swell, warmth = np.array(segment.swell_ml), np.array(segment.warmth_k)
    table = np.array(rows)
    return table[:, 1 : 1 + n], table[:, 0]
