"""The plant against its own laws and against the reference rise and vent times."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.calf_plant import SHUT, TIGHT, filled, make_calf_plant, seconds_until, settled

from wavewrap_board.files import REFERENCE_BOARD, load_board
from wavewrap_protocol.errors import UsageError
from wavewrap_sim.from_board import plant_of
from wavewrap_sim.plant_parameters import ATMOSPHERE_MMHG, PlantParameters
from wavewrap_sim.pneumatics import MAX_SUBSTEP_S, Plant

BOARD = plant_of(load_board(REFERENCE_BOARD))


def tight(parameters: PlantParameters) -> PlantParameters:
    return replace(parameters, chambers=tuple(replace(chamber, leak_ml_s_mmhg=0.0) for chamber in parameters.chambers))


numbers = st.floats(-1.0, 1.0)


@settings(max_examples=25, deadline=None)
@given(
    fill_s=st.lists(st.floats(0.0, 0.6), min_size=3, max_size=3),
    moves=st.lists(st.tuples(st.floats(1e-4, 0.06), st.lists(st.booleans(), min_size=3, max_size=3), numbers, numbers), max_size=25),
)
def test_a_closed_system_keeps_its_air(fill_s: list[float], moves: list[tuple[float, list[bool], float, float]]) -> None:
    """Also while the limb moves and the air warms and cools."""
    plant = Plant([tight(replace(BOARD, chambers=BOARD.chambers[:3]))])
    closed = [[False] * 3]
    for chamber, seconds in enumerate(fill_s):
        plant.step(seconds, [1.0], [[at == chamber for at in range(3)]], closed, [False])
    plant.step(3.0, [0.0], [[True] * 3], closed, [False])  # the pump spins down to exp(-3/0.08)
    before = plant.free_air_ml[0]
    for seconds, inlets, swell, warmth in moves:
        plant.conditions.swell_ml[0] = swell * np.array([8.0, -3.0, 1.0])
        plant.conditions.warmth_k[0] = warmth * np.array([10.0, 0.0, -5.0])
        plant.step(seconds, [0.0], [inlets], closed, [False])
    assert plant.free_air_ml[0] == pytest.approx(before, rel=1e-9)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_air_goes_nowhere_unseen(seed: int) -> None:
    """Pumped = stored + vented + leaked + dumped + relieved + lost by a hose, by integrating the reported flows."""
    rng = np.random.default_rng(seed)
    plant = Plant([BOARD.scattered(rng, 0.3), BOARD.scattered(rng, 0.3)], 1.0)
    plant.conditions.leak_at_60_ml_s[:, 1] = 5.0
    plant.conditions.hose_on[1, 2] = 0.0
    before = plant.free_air_ml
    balance = np.zeros(2)
    for _ in range(60):
        command = (rng.random(2), rng.random((2, 4)) < 0.4, rng.random((2, 4)) < 0.2, rng.random(2) < 0.2)
        plant.conditions.swell_ml[:] = rng.uniform(-2.0, 2.0, (2, 4))
        for _ in range(5):
            plant.step(2e-3, *command)  # one substep: the longest is a second
            flows = plant.flows
            assert flows is not None
            out = flows.vent_ml_s.sum(axis=1) + flows.leak_ml_s.sum(axis=1) + flows.dump_ml_s + flows.relief_ml_s
            out += ((1.0 - plant.conditions.hose_on) * flows.inlet_ml_s).sum(axis=1)
            balance += 2e-3 * (flows.pump_ml_s - out)
    np.testing.assert_allclose(plant.free_air_ml - before, balance, rtol=0.0, atol=1e-9 * float(np.abs(plant.free_air_ml).max()))


def test_pumped_air_is_found_again() -> None:
    parameters = replace(TIGHT, pump=replace(TIGHT.pump, stall_mmhg=1e12, lag_s=1e-6))
    plant = Plant([replace(parameters, chambers=parameters.chambers * 2)])
    plant.step(0.1, [0.0], [[True, False]], [[False, False]], [False])  # vents and dump take their time to shut
    before = plant.free_air_ml[0]
    plant.step(1.0, [1.0], [[True, False]], [[False, False]], [False])
    assert plant.free_air_ml[0] - before == pytest.approx(TIGHT.pump.free_flow_ml_s, rel=1e-5)


def test_the_step_is_short_enough() -> None:
    """The longest substep against an eighth of it, through filling, a handover, equalising chambers, venting and random moves."""
    rng = np.random.default_rng(5)
    parameters = replace(BOARD, chambers=BOARD.chambers[:3])
    coarse, fine = Plant([parameters]), Plant([parameters], MAX_SUBSTEP_S / 8)
    script = [(1.0, [True, False, False], [False] * 3)] * 60 + [(1.0, [False, True, False], [False] * 3)] * 60
    script += [(0.0, [True, True, True], [False] * 3)] * 30 + [(0.0, [False] * 3, [True, False, False])] * 30
    script += [(float(rng.random()), (rng.random(3) < 0.5).tolist(), (rng.random(3) < 0.5).tolist()) for _ in range(60)]
    worst_mmhg = 0.0
    for duty, inlets, vents in script:
        for plant in (coarse, fine):
            plant.step(4 * MAX_SUBSTEP_S, [duty], [inlets], [vents], [False])
        worst_mmhg = max(worst_mmhg, float(np.abs(coarse.pressure_mmhg - fine.pressure_mmhg).max()))
    assert worst_mmhg < 0.2


def test_the_scheme_is_of_second_order_in_the_chambers() -> None:
    """Halving the step divides the error by four while a chamber vents (a valve without delay, so that nothing else is resolved)."""
    quick = replace(TIGHT.chambers[0].vent, dead_s=0.0, lag_s=1e-6)
    parameters = replace(TIGHT, chambers=(replace(TIGHT.chambers[0], vent=quick),))

    def vent(substep_s: float) -> float:
        plant = Plant([parameters], 1e-3)
        for _ in range(1_500):
            plant.step(1e-3, [1.0], [[True]], SHUT, [False])
        plant.step(5.0, [0.0], SHUT, SHUT, [True])
        plant._max_substep_s = substep_s * 1.001
        plant.step(0.8, [0.0], SHUT, [[True]], [True])
        return float(plant.pressure_mmhg[0, 0])

    truth_mmhg = vent(MAX_SUBSTEP_S / 16)
    errors_mmhg = [abs(vent(MAX_SUBSTEP_S / divisor) - truth_mmhg) for divisor in (0.5, 1)]
    assert errors_mmhg[0] / errors_mmhg[1] > 3.5


def test_a_shut_chamber_creeps_to_its_equilibrium() -> None:
    plant = filled(TIGHT, 60.0)
    plant.step(0.5, [0.0], [[True]], SHUT, [False])
    fresh_mmhg = plant.pressure_mmhg[0, 0]
    plant.step(60.0, [0.0], [[True]], SHUT, [False])
    settled_mmhg = plant.pressure_mmhg[0, 0]
    assert 5.0 < fresh_mmhg - settled_mmhg < 10.0
    chamber = TIGHT.chambers[0]
    compliance = chamber.compliance_ml_mmhg * (1.0 + chamber.creep_fraction)
    volume_ml = chamber.dead_volume_ml + chamber.soft_volume_ml * -np.expm1(-settled_mmhg / chamber.soft_mmhg) + compliance * settled_mmhg
    manifold_ml = TIGHT.manifold.volume_ml * plant.manifold_mmhg[0] / ATMOSPHERE_MMHG
    air_ml = (ATMOSPHERE_MMHG + settled_mmhg) / ATMOSPHERE_MMHG * volume_ml + manifold_ml
    assert plant.free_air_ml[0] == pytest.approx(air_ml, rel=1e-6)


@pytest.mark.parametrize(("litres_min", "expected_s"), [(3, 4.65), (5, 2.95), (8, 2.06), (12, 1.59)])
def test_rise_times(litres_min: float, expected_s: float) -> None:
    plant = Plant([make_calf_plant(pump_ml_s=litres_min * 1000 / 60)])
    assert seconds_until(plant, 60.0, 1.0, True, False) == pytest.approx(expected_s, rel=0.02)


@pytest.mark.parametrize(("reached_mmhg", "expected_s"), [(30, 0.66), (10, 1.7), (5, 3.1), (2, 5.5)])
def test_vent_times(reached_mmhg: float, expected_s: float) -> None:
    """From the top of a fresh fill; after minutes of hold the creep adds about 8 %."""
    assert seconds_until(filled(make_calf_plant(), 60.0), reached_mmhg, 0.0, False, True) == pytest.approx(expected_s, rel=0.05)


def test_each_valve_waits_out_its_own_dead_time() -> None:
    slow = replace(TIGHT, chambers=(replace(TIGHT.chambers[0], vent=replace(TIGHT.chambers[0].vent, dead_s=0.015)),))
    plant = Plant([TIGHT, slow])
    for _ in range(1_500):
        plant.step(1e-3, [1.0, 1.0], [[True], [True]], [[False], [False]], [False, False])
    shut = ([0.0, 0.0], [[False], [False]])
    plant.step(5.0, *shut, [[False], [False]], [True, True])
    before = plant.free_air_ml
    plant.step(0.005, *shut, [[True], [True]], [True, True])
    np.testing.assert_allclose(plant.free_air_ml, before, rtol=0.0, atol=1e-3)  # the spun-down manifold's last breath
    plant.step(0.010, *shut, [[True], [True]], [True, True])
    assert plant.free_air_ml[0] < before[0] - 0.1
    assert plant.free_air_ml[1] == pytest.approx(before[1], abs=1e-3)
    plant.step(0.010, *shut, [[True], [True]], [True, True])
    assert plant.free_air_ml[1] < before[1] - 0.1


def test_two_changes_within_one_dead_time_both_count() -> None:
    """A vent told open for 4 ms stands open for 4 ms, 5 ms later."""
    plant = settled()
    before = plant.free_air_ml[0]
    plant.step(0.004, [0.0], SHUT, [[True]], [True])
    plant.step(0.100, [0.0], SHUT, SHUT, [True])
    short_ml = before - plant.free_air_ml[0]
    plant.step(0.008, [0.0], SHUT, [[True]], [True])
    plant.step(0.100, [0.0], SHUT, SHUT, [True])
    long_ml = before - short_ml - plant.free_air_ml[0]
    assert long_ml / short_ml == pytest.approx(2.0, rel=0.05)


def test_any_number_of_changes_wait_out_a_dead_time() -> None:
    """A dead time only shifts: told half a millisecond apart with 15 ms of it, or without it 15 ms later, is the same."""
    period_s, late = 5e-4, 30
    inlets = (np.random.default_rng(4).random(2_000) < 0.5).tolist()
    ends = []
    for dead_s, shift in ((late * period_s, 0), (0.0, late)):
        inlet = replace(TIGHT.chambers[0].inlet, dead_s=dead_s)
        plant = Plant([replace(TIGHT, chambers=(replace(TIGHT.chambers[0], inlet=inlet),))])
        plant.step(0.05, [1.0], SHUT, SHUT, [False])
        for inlet_open in [False] * shift + inlets + [False] * (2 * late - shift):
            plant.step(period_s, [1.0], [[inlet_open]], SHUT, [False])
        ends.append((plant.pressure_mmhg[0, 0], plant.free_air_ml[0]))
    assert ends[0] == pytest.approx(ends[1], rel=1e-9)
    assert ends[0][0] > 1.0


def test_the_relief_valve_holds_the_manifold_of_a_pump_with_nowhere_to_go() -> None:
    plant = Plant([BOARD])
    shut = [[False] * 4]
    plant.step(3.0, [1.0], shut, shut, [False])
    blown_ml_s = BOARD.manifold.relief_ml_s_mmhg * (plant.manifold_mmhg[0] - BOARD.manifold.relief_mmhg)
    pumped_ml_s = BOARD.pump.free_flow_ml_s * (1.0 - plant.manifold_mmhg[0] / BOARD.pump.stall_mmhg)
    assert blown_ml_s == pytest.approx(pumped_ml_s, rel=1e-6)


def test_a_chamber_empties_through_its_inlet_and_the_dump() -> None:
    plant = settled(parameters=make_calf_plant())
    assert plant.pressure_mmhg[0, 0] > 45.0
    plant.step(5.0, [0.0], [[True]], SHUT, [True])
    assert plant.pressure_mmhg[0, 0] < 10.0
    assert np.abs(plant.manifold_mmhg[0]) < 5.0


def test_an_emptied_manifold_is_still() -> None:
    """An open orifice without a tube is infinitely steep at no flow: a scheme that is not damped rings there for ever."""
    plant = Plant([BOARD])
    shut = [[False] * 4]
    plant.step(0.05, [1.0], shut, shut, [False])
    assert plant.manifold_mmhg[0] > 50.0
    plant.step(0.10, [0.0], shut, shut, [False])
    plant.step(2.0, [0.0], shut, shut, [True])
    swings = []
    for _ in range(20):
        plant.step(2.5e-3, [0.0], shut, shut, [True])
        swings.append(plant.manifold_mmhg[0])
    assert np.abs(swings).max() < 0.01


def test_wraps_do_not_touch_each_other() -> None:
    parameters = [BOARD.scattered(np.random.default_rng(seed), 0.3) for seed in (1, 2)]
    together = Plant(parameters)
    apart = [Plant([wrap]) for wrap in parameters]
    inlets = [[True, False, False, False], [False, True, False, False]]
    shut = [[False] * 4] * 2
    for at in range(60):
        dump = [at > 40, False]
        together.step(0.01, [1.0, 0.5], inlets, shut, dump)
        for wrap in range(2):
            apart[wrap].step(0.01, [(1.0, 0.5)[wrap]], inlets[wrap : wrap + 1], shut[:1], dump[wrap : wrap + 1])
    np.testing.assert_array_equal(together.pressure_mmhg, np.vstack([plant.pressure_mmhg for plant in apart]))


def test_wraps_of_one_plant_have_the_same_number_of_chambers() -> None:
    with pytest.raises(UsageError, match="same number"):
        Plant([BOARD, replace(BOARD, chambers=BOARD.chambers[:2])])


def test_scatter_follows_its_seed_and_its_fraction() -> None:
    one, same, other = (BOARD.scattered(np.random.default_rng(seed), 0.3) for seed in (7, 7, 8))
    assert one == same != other
    assert 0.7 <= one.manifold.volume_ml / BOARD.manifold.volume_ml <= 1.3
    assert 0.9 <= one.manifold.relief_mmhg / BOARD.manifold.relief_mmhg <= 1.1
    assert len({chamber.inlet.dead_s for chamber in one.chambers}) == len(one.chambers), "no two valves are alike"
