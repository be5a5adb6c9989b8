"""The controller on the plant it was made for, and on plants up to 20 % off in every parameter."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from wavewrap_board.files import REFERENCE_BOARD, load_board
from wavewrap_sim.firmware_from_board import control_parameters, pneumatic_figures
from wavewrap_sim.from_board import manifold_sensor_of, plant_of, sensors_of
from wavewrap_sim.pneumatics import Plant
from wavewrap_sim.pressure_control import Drive, PressureControl
from wavewrap_sim.sensors import PressureSensors, to_cmmhg

PERIOD_S = 0.01


class Rig:
    """A controller, a plant and zeroed sensors at 100 Hz."""

    def __init__(self, seed: int, scatter: float, chambers: int, method: str = "bang_bang") -> None:
        rng = np.random.default_rng(seed)
        board = load_board(REFERENCE_BOARD).with_chambers(chambers)
        self.plant = Plant([plant_of(board).scattered(rng, scatter)])
        self.sensors = PressureSensors(replace(sensors_of(board), offset_mmhg=0.0), (chambers,), rng)
        self.manifold_sensor = PressureSensors(replace(manifold_sensor_of(board), offset_mmhg=0.0), (1,), rng)
        board = board.model_copy(update={"control": board.control.model_copy(update={"method": method})})
        self.control = PressureControl(pneumatic_figures(board), control_parameters(board))
        self.count = 0
        self.drives: list[Drive] = []
        self.manifold_mmhg: list[float] = []

    def move(self, chamber: int, target_mmhg: float, ramp_s: float = 0.0) -> None:
        self.control.move(self.count, chamber, target_mmhg, ramp_s)

    def run(self, seconds: float) -> NDArray[np.float64]:
        """True pressures, one row every period."""
        rows = []
        for _ in range(round(seconds / PERIOD_S)):
            sensed = to_cmmhg(self.sensors.read_mmhg(self.plant.pressure_mmhg[0], PERIOD_S))
            (manifold_mmhg,) = self.manifold_sensor.read_mmhg(self.plant.manifold_mmhg, PERIOD_S)
            drive = self.control.update(self.count, [value / 100 for value in sensed], float(manifold_mmhg))
            self.drives.append(drive)
            self.plant.step(PERIOD_S, [drive.pump_duty], [drive.inlet_open], [drive.vent_open], [drive.dump_open])
            self.count += 100
            self.manifold_mmhg.append(float(self.plant.manifold_mmhg[0]))
            rows.append(self.plant.pressure_mmhg[0])
        return np.array(rows)


@pytest.mark.parametrize(("seed", "scatter"), [(0, 0.0), (1, 0.2), (2, 0.2), (3, 0.2), (4, 0.2)])
def test_one_chamber_reaches_and_holds_60(seed: int, scatter: float) -> None:
    rig = Rig(seed, scatter, 1)
    rig.move(0, 60.0)
    pressure_mmhg = rig.run(7.0)[:, 0]
    inside = np.abs(pressure_mmhg - 60.0) <= 2.0
    assert np.argmax(inside) * PERIOD_S < 2.6
    assert pressure_mmhg.max() - 60.0 < 2.0
    assert np.abs(pressure_mmhg[350:] - 60.0).max() < 2.0
    assert max(rig.manifold_mmhg) < 250.0, "the pump was stopped before the inlet closed"


def test_a_wave_over_four_chambers() -> None:
    rig = Rig(11, 0.2, 4)
    targets_mmhg = (60.0, 55.0, 50.0, 45.0)
    rows = []
    for chamber, target_mmhg in enumerate(targets_mmhg):
        rig.move(chamber, target_mmhg, 2.0)
        rows.append(rig.run(2.6))
    rows.append(rig.run(3.0))
    pressure_mmhg = np.vstack(rows)
    assert (pressure_mmhg.max(axis=0) - targets_mmhg < 2.2).all()
    assert (np.abs(pressure_mmhg[-100:] - targets_mmhg) < 2.2).all()
    assert max(sum(drive.inlet_open) for drive in rig.drives) == 1, "inlets are serialised"
    assert not any(i and v for drive in rig.drives for i, v in zip(drive.inlet_open, drive.vent_open, strict=True) if drive.pump_duty > 0)
    for chamber in range(4):
        rig.move(chamber, 0.0)
    assert (rig.run(5.0)[-1] < 5.0).all()
    assert rig.drives[-1] == Drive.safe(4)


def test_an_older_fill_is_not_starved_by_a_younger_ramp() -> None:
    rig = Rig(0, 0.0, 2)
    rig.move(0, 60.0)
    rig.run(1.5)
    rig.move(1, 55.0, 2.0)
    assert abs(rig.run(1.2)[-1][0] - 60.0) < 2.0


def test_a_gradient_release_falls_into_its_band_and_stays() -> None:
    rig = Rig(0, 0.0, 2)
    rig.move(0, 70.0)
    rig.run(4.0)
    rig.move(0, 45.0)
    pressure_mmhg = rig.run(4.0)[:, 0]
    assert np.argmax(np.abs(pressure_mmhg - 45.0) < 2.5) * PERIOD_S < 1.0
    assert pressure_mmhg.min() > 43.0
    assert (np.abs(pressure_mmhg[150:] - 45.0) < 2.5).all()


def test_releasing_while_filling_drains_the_pump_through_the_open_vent() -> None:
    rig = Rig(0, 0.0, 1)
    rig.move(0, 60.0)
    rig.run(1.0)
    rig.move(0, 0.0)
    rig.run(3.0)
    assert max(rig.manifold_mmhg) < 250.0
    assert rig.drives[-1] == Drive.safe(1)


def test_release_all_is_immediate() -> None:
    rig = Rig(0, 0.0, 2)
    rig.move(0, 60.0)
    rig.run(1.0)
    rig.control.release_all()
    rig.run(PERIOD_S)
    assert rig.drives[-1] == Drive.safe(2)
