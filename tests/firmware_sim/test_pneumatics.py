"""The plant against its own laws and against the reference rise and vent times."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wavewrap_sim.plant_parameters import ATMOSPHERE_MMHG, PlantParameters
from wavewrap_sim.pneumatics import MAX_SUBSTEP_S, Plant

TIGHT = replace(PlantParameters(), leak_ml_s_mmhg=0.0)


def seconds_until(plant: Plant, reached_mmhg: float, duty: float, inlet: bool, vent: bool) -> float:
    rising = plant.pressure_mmhg[0, 0] < reached_mmhg
    for step in range(20_000):
        if (plant.pressure_mmhg[0, 0] < reached_mmhg) is not rising:
            return step / 1000
        plant.step(0.001, [duty], [[inlet]], [[vent]], [False])
    raise AssertionError(f"never reached {reached_mmhg} mmHg")


def filled(parameters: PlantParameters, mmhg: float) -> Plant:
    plant = Plant([parameters], 1)
    seconds_until(plant, mmhg, 1.0, True, False)
    return plant


@settings(max_examples=25, deadline=None)
@given(
    fill_s=st.lists(st.floats(0.0, 1.2), min_size=3, max_size=3),
    moves=st.lists(st.tuples(st.floats(1e-4, 0.06), st.lists(st.booleans(), min_size=3, max_size=3)), max_size=25),
)
def test_a_closed_system_keeps_its_air(fill_s: list[float], moves: list[tuple[float, list[bool]]]) -> None:
    plant = Plant([TIGHT], 3)
    closed = [[False] * 3]
    for chamber, seconds in enumerate(fill_s):
        plant.step(seconds, [1.0], [[at == chamber for at in range(3)]], closed, [False])
    plant.step(3.0, [0.0], [[True] * 3], closed, [False])  # the pump spins down to exp(-3/0.08)
    before = plant.free_air_ml[0]
    for seconds, inlets in moves:
        plant.step(seconds, [0.0], [inlets], closed, [False])
    assert plant.free_air_ml[0] == pytest.approx(before, rel=1e-9)
    assert (plant.pressure_mmhg >= -0.01).all()


def test_pumped_air_is_found_again() -> None:
    plant = Plant([replace(TIGHT, pump_stall_mmhg=1e12, pump_lag_s=1e-6, relief_mmhg=1e6)], 2)
    plant.step(0.1, [0.0], [[True, False]], [[False, False]], [False])  # vents and dump take their time to shut
    before = plant.free_air_ml[0]
    plant.step(1.0, [1.0], [[True, False]], [[False, False]], [False])
    assert plant.free_air_ml[0] - before == pytest.approx(PlantParameters().pump_free_flow_ml_s, rel=2e-3)


def test_the_step_is_short_enough() -> None:
    """The longest substep against an eighth of it, through filling, a handover, equalising chambers and venting."""
    rng = np.random.default_rng(5)
    coarse, fine = Plant([PlantParameters()], 3), Plant([PlantParameters()], 3)
    script = [(1.0, [True, False, False], [False] * 3)] * 60 + [(1.0, [False, True, False], [False] * 3)] * 60
    script += [(0.0, [True, True, True], [False] * 3)] * 30 + [(0.0, [False] * 3, [True, False, False])] * 30
    script += [(float(rng.random()), (rng.random(3) < 0.5).tolist(), (rng.random(3) < 0.5).tolist()) for _ in range(60)]
    worst_mmhg = 0.0
    for duty, inlets, vents in script:
        coarse.step(4 * MAX_SUBSTEP_S, [duty], [inlets], [vents], [False])
        for _ in range(32):
            fine.step(MAX_SUBSTEP_S / 8, [duty], [inlets], [vents], [False])
        worst_mmhg = max(worst_mmhg, float(np.abs(coarse.pressure_mmhg - fine.pressure_mmhg).max()))
    assert worst_mmhg < 0.1


def test_the_scheme_is_of_second_order() -> None:
    """Halving the step divides the error by four while a chamber fills (valves without delay, so that nothing else is resolved)."""
    parameters = replace(PlantParameters(), valve_dead_s=0.0, valve_lag_s=1e-6)

    def fill(substep_s: float) -> float:
        plant = Plant([parameters], 1)
        plant.step(1e-4, [0.0], [[True]], [[False]], [False])
        for _ in range(round(1.2 / substep_s)):
            plant.step(substep_s, [1.0], [[True]], [[False]], [False])
        return float(plant.pressure_mmhg[0, 0])

    truth_mmhg = fill(MAX_SUBSTEP_S / 16)
    errors_mmhg = [abs(fill(MAX_SUBSTEP_S / divisor) - truth_mmhg) for divisor in (1, 2)]
    assert errors_mmhg[0] / errors_mmhg[1] > 3.5


def test_a_shut_chamber_creeps_to_its_equilibrium() -> None:
    plant = filled(TIGHT, 60.0)
    plant.step(0.5, [0.0], [[True]], [[False]], [False])
    fresh_mmhg = plant.pressure_mmhg[0, 0]
    plant.step(60.0, [0.0], [[True]], [[False]], [False])
    settled_mmhg = plant.pressure_mmhg[0, 0]
    assert 5.0 < fresh_mmhg - settled_mmhg < 10.0
    compliance = TIGHT.compliance_ml_mmhg * (1.0 + TIGHT.creep_fraction)
    volume_ml = TIGHT.dead_volume_ml + TIGHT.soft_volume_ml * -np.expm1(-settled_mmhg / TIGHT.soft_mmhg) + compliance * settled_mmhg
    manifold_ml = TIGHT.manifold_ml * plant.manifold_mmhg[0] / ATMOSPHERE_MMHG
    air_ml = (ATMOSPHERE_MMHG + settled_mmhg) / ATMOSPHERE_MMHG * volume_ml + manifold_ml
    assert plant.free_air_ml[0] == pytest.approx(air_ml, rel=1e-6)


@pytest.mark.parametrize(("litres_min", "expected_s"), [(3, 4.65), (5, 2.95), (8, 2.06), (12, 1.59)])
def test_rise_times(litres_min: float, expected_s: float) -> None:
    plant = Plant([replace(PlantParameters(), pump_free_flow_ml_s=litres_min * 1000 / 60)], 1)
    assert seconds_until(plant, 60.0, 1.0, True, False) == pytest.approx(expected_s, rel=0.02)


@pytest.mark.parametrize(("reached_mmhg", "expected_s"), [(30, 0.66), (10, 1.7), (5, 3.1), (2, 5.5)])
def test_vent_times(reached_mmhg: float, expected_s: float) -> None:
    """From the top of a fresh fill; after minutes of hold the creep adds about 8 %."""
    assert seconds_until(filled(PlantParameters(), 60.0), reached_mmhg, 0.0, False, True) == pytest.approx(expected_s, rel=0.05)


def test_a_valve_waits_out_its_dead_time() -> None:
    plant = filled(TIGHT, 60.0)
    plant.step(5.0, [0.0], [[False]], [[False]], [False])
    plant.step(0.02, [0.0], [[False]], [[False]], [False])
    before = plant.free_air_ml[0]
    plant.step(0.005, [0.0], [[False]], [[True]], [False])
    assert plant.free_air_ml[0] == pytest.approx(before, abs=1e-9)
    plant.step(0.005, [0.0], [[False]], [[True]], [False])
    assert plant.free_air_ml[0] < before - 0.1


def test_the_relief_valve_holds_the_manifold_of_a_pump_with_nowhere_to_go() -> None:
    plant = filled(PlantParameters(), 60.0)
    plant.step(3.0, [1.0], [[False]], [[False]], [False])
    parameters = PlantParameters()
    blown_ml_s = parameters.relief_ml_s_mmhg * (plant.manifold_mmhg[0] - parameters.relief_mmhg)
    pumped_ml_s = parameters.pump_free_flow_ml_s * (1.0 - plant.manifold_mmhg[0] / parameters.pump_stall_mmhg)
    assert blown_ml_s == pytest.approx(pumped_ml_s, rel=1e-3)


def test_a_chamber_empties_through_its_inlet_and_the_dump() -> None:
    plant = filled(PlantParameters(), 60.0)
    plant.step(0.5, [0.0], [[True]], [[False]], [False])
    assert plant.pressure_mmhg[0, 0] > 50.0
    plant.step(5.0, [0.0], [[True]], [[False]], [True])
    assert plant.pressure_mmhg[0, 0] < 10.0


def test_wraps_do_not_touch_each_other() -> None:
    parameters = [PlantParameters().scattered(np.random.default_rng(seed), 0.2) for seed in (1, 2)]
    # One dead time for all is a limit of stepping wraps together.
    parameters = [replace(p, valve_dead_s=0.005) for p in parameters]
    together = Plant(parameters, 2)
    apart = [Plant([p], 2) for p in parameters]
    for _ in range(50):
        together.step(0.01, [1.0, 0.5], [[True, False], [False, True]], [[False, False], [False, False]], [False, False])
        apart[0].step(0.01, [1.0], [[True, False]], [[False, False]], [False])
        apart[1].step(0.01, [0.5], [[False, True]], [[False, False]], [False])
    np.testing.assert_allclose(together.pressure_mmhg, np.vstack([plant.pressure_mmhg for plant in apart]), rtol=1e-12)


def test_scatter_follows_its_seed_and_its_fraction() -> None:
    one, same, other = (PlantParameters().scattered(np.random.default_rng(seed), 0.2) for seed in (7, 7, 8))
    assert one == same != other
    assert 0.8 <= one.manifold_ml / PlantParameters().manifold_ml <= 1.2
