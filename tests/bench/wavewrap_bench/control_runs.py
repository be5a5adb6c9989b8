"""Controllers on scattered plants: how one chamber each is brought to a pressure and held there, in quiet and on a limb that moves.

Many plants step together; each has a controller of its own that knows only the board's figures. Sensors are noisy and zeroed. No firmware,
no limits, no wave: what is measured is the control alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from wavewrap_board.board import Board
from wavewrap_sim.disturbances import LimbMovement
from wavewrap_sim.firmware_config import CONTROL_PERIOD_S, CONTROL_PERIOD_TICK
from wavewrap_sim.firmware_from_board import control_parameters, pneumatic_figures
from wavewrap_sim.from_board import manifold_sensor_of, plant_of, sensors_of
from wavewrap_sim.pneumatics import Plant
from wavewrap_sim.pressure_control import Drive, PressureControl
from wavewrap_sim.sensors import PressureSensors

__all__ = ["TARGET_MMHG", "ControlFigures", "Method", "measure_control"]

Method = Literal["bang_bang", "pi_pwm"]
Array = NDArray[np.float64]

TARGET_MMHG = 60.0
_INSIDE_MMHG = 2.0

_SETTLED_S = 3.0
"""A hold is judged from here on. Choice: longer than any fill within its limit."""

_QUIET_S, _MOVING_S = 10.0, 20.0
"""Choice: creep is over half way in the first; a limb moves twice or three times in the second."""


@dataclass(frozen=True, slots=True)
class ControlFigures:
    """Of one method, one entry a plant. Pressures are true ones, in mmHg."""

    method: Method
    inside_s: Array
    """From the step until the pressure is within +/- 2 mmHg and stays there while it is quiet; infinite where it never is."""
    overshoot_mmhg: Array
    quiet_mmhg: Array
    """Worst error of the hold."""
    moving_mmhg: Array
    """The same on a moving limb."""
    quiet_operations: Array
    """Inlet and vent opened or closed, per minute of the hold."""
    moving_operations: Array
    dump_operations: Array
    """Of the dump, in quiet."""


@dataclass(frozen=True, slots=True)
class _Run:
    pressure_mmhg: Array
    """(periods, plants)."""
    operations: Array
    dump_operations: Array


def measure_control(board: Board, method: Method, plants: int, seed: int, spread_fraction: float) -> ControlFigures:
    """Run ``plants`` chambers of ``board`` in turn, every figure off by up to ``spread_fraction``. The same ``seed`` gives the same."""
    quiet = _run(board, method, plants, seed, spread_fraction, _QUIET_S, moving=False)
    moving = _run(board, method, plants, seed, spread_fraction, _MOVING_S, moving=True)
    held = round(_SETTLED_S / CONTROL_PERIOD_S)
    error_mmhg = np.abs(quiet.pressure_mmhg - TARGET_MMHG)
    outside = error_mmhg > _INSIDE_MMHG
    # The period after the last one outside.
    last = len(outside) - np.argmax(outside[::-1], axis=0)
    inside_s = np.where(outside[-1], np.inf, last * CONTROL_PERIOD_S)
    return ControlFigures(
        method=method,
        inside_s=inside_s,
        overshoot_mmhg=quiet.pressure_mmhg.max(axis=0) - TARGET_MMHG,
        quiet_mmhg=error_mmhg[held:].max(axis=0),
        moving_mmhg=np.abs(moving.pressure_mmhg[held:] - TARGET_MMHG).max(axis=0),
        quiet_operations=quiet.operations,
        moving_operations=moving.operations,
        dump_operations=quiet.dump_operations,
    )


def _run(board: Board, method: Method, plants: int, seed: int, spread_fraction: float, seconds: float, *, moving: bool) -> _Run:
    rng = np.random.default_rng(seed)
    boards = [_one_chamber(board, at, method) for at in range(len(board.chambers))]
    mine = [boards[at % len(boards)] for at in range(plants)]
    plant = Plant([plant_of(each).scattered(rng, spread_fraction) for each in mine])
    controls = [PressureControl(pneumatic_figures(each), control_parameters(each)) for each in mine]
    sensors = PressureSensors(replace(sensors_of(board), offset_mmhg=0.0), (plants, 1), rng)
    manifold_sensors = PressureSensors(replace(manifold_sensor_of(board), offset_mmhg=0.0), (plants,), rng)
    compliance = np.array([[each.chambers[0].compliance_ml_mmhg] for each in mine])
    limb = LimbMovement([np.random.default_rng((seed, at)) for at in range(plants)], compliance)
    for control in controls:
        control.move(0, 0, TARGET_MMHG, 0.0)
    rows: list[Array] = []
    drives: list[Sequence[Drive]] = []
    for period in range(round(seconds / CONTROL_PERIOD_S)):
        sensed = sensors.read_mmhg(plant.pressure_mmhg, CONTROL_PERIOD_S)[:, 0].tolist()
        manifold = manifold_sensors.read_mmhg(plant.manifold_mmhg, CONTROL_PERIOD_S).tolist()
        count = period * CONTROL_PERIOD_TICK
        now = [control.update(count, (sensed[at],), manifold[at]) for at, control in enumerate(controls)]
        if moving:
            plant.conditions.swell_ml[:] = limb.advance(CONTROL_PERIOD_S)
        plant.step(
            CONTROL_PERIOD_S,
            [drive.pump_duty for drive in now],
            [drive.inlet_open for drive in now],
            [drive.vent_open for drive in now],
            [drive.dump_open for drive in now],
        )
        rows.append(plant.pressure_mmhg[:, 0])
        drives.append(now)
    held = drives[round(_SETTLED_S / CONTROL_PERIOD_S) :]
    minutes = len(held) * CONTROL_PERIOD_S / 60.0
    valves = np.array([[(drive.inlet_open[0], drive.vent_open[0], drive.dump_open) for drive in now] for now in held])
    changes = np.abs(np.diff(valves.astype(np.int8), axis=0)).sum(axis=0)
    return _Run(np.array(rows), (changes[:, 0] + changes[:, 1]) / minutes, changes[:, 2] / minutes)


def _one_chamber(board: Board, at: int, method: Method) -> Board:
    """``board`` with nothing but its chamber ``at``, held by ``method``."""
    control = board.control.model_copy(update={"method": method})
    return board.with_chambers(1).model_copy(update={"chambers": (board.chambers[at],), "control": control})
