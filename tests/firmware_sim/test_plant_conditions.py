"""What may befall the plant: each condition against the law that it stands for."""

from dataclasses import replace

import numpy as np
import pytest
from tests.support.calf_plant import SHUT, TIGHT, make_calf_plant, seconds_until, settled

from wavewrap_sim.plant_kernel import ROOM_K
from wavewrap_sim.plant_parameters import ATMOSPHERE_MMHG, PlantParameters
from wavewrap_sim.pneumatics import Plant


def test_swelling_limb_presses_the_air_of_a_shut_chamber_together() -> None:
    plant = settled()
    volume_ml = plant.free_air_ml[0] * ATMOSPHERE_MMHG / (ATMOSPHERE_MMHG + plant.pressure_mmhg[0, 0])
    before_mmhg = plant.pressure_mmhg[0, 0]
    plant.conditions.swell_ml[:] = 5.0
    plant.step(0.02, [0.0], SHUT, SHUT, [True])
    risen_mmhg = plant.pressure_mmhg[0, 0] - before_mmhg
    # (P_a + P) V is kept, and the bladder gives way by its compliance.
    expected_mmhg = 5.0 / (TIGHT.chambers[0].compliance_ml_mmhg + volume_ml / (ATMOSPHERE_MMHG + before_mmhg))
    assert risen_mmhg == pytest.approx(expected_mmhg, rel=0.05)
    plant.conditions.swell_ml[:] = 0.0
    plant.step(0.02, [0.0], SHUT, SHUT, [True])
    assert plant.pressure_mmhg[0, 0] == pytest.approx(before_mmhg, abs=0.2)


def test_warming_air_presses_as_the_gas_law_says() -> None:
    rigid = replace(TIGHT, chambers=(replace(TIGHT.chambers[0], soft_volume_ml=0.0, compliance_ml_mmhg=1e-6),))
    plant = Plant([rigid])
    plant.step(0.05, [1.0], [[True]], SHUT, [False])
    plant.step(3.0, [0.0], SHUT, SHUT, [False])
    before_mmhg = plant.pressure_mmhg[0, 0]
    plant.conditions.warmth_k[:] = 6.0
    plant.step(10.0, [0.0], SHUT, SHUT, [False])
    warmed_mmhg = (ATMOSPHERE_MMHG + before_mmhg) * (1.0 + 6.0 / ROOM_K) - ATMOSPHERE_MMHG
    assert plant.pressure_mmhg[0, 0] == pytest.approx(warmed_mmhg, rel=1e-4)


def test_a_leak_opens_with_the_pressure() -> None:
    rates = []
    for mmhg in (30.0, 60.0):
        plant = settled(mmhg)
        at_mmhg, before = plant.pressure_mmhg[0, 0], plant.free_air_ml[0]
        plant.conditions.leak_at_60_ml_s[:] = 1.0
        plant.step(0.1, [0.0], SHUT, SHUT, [True])
        rates.append((before - plant.free_air_ml[0]) / 0.1)
        assert rates[-1] == pytest.approx((at_mmhg / 60.0) ** 2, rel=0.01)
    assert rates[1] / rates[0] > 3.5


def test_a_kink_slows_the_way_through_the_inlet_and_not_the_vent() -> None:
    gained: list[float] = []
    lost: list[float] = []
    vented: list[float] = []
    for kink_mmhg_s_ml in (0.0, 5.0):
        plant = Plant([TIGHT])
        plant.conditions.kink_mmhg_s_ml[:] = kink_mmhg_s_ml
        plant.step(0.5, [1.0], [[True]], SHUT, [False])
        gained.append(plant.pressure_mmhg[0, 0])
        for inlet, vent, amounts in ((True, False, lost), (False, True, vented)):
            plant = settled()
            plant.conditions.kink_mmhg_s_ml[:] = kink_mmhg_s_ml
            before = plant.free_air_ml[0]
            plant.step(0.5, [0.0], [[inlet]], [[vent]], [True])
            amounts.append(before - plant.free_air_ml[0])
    assert gained[0] / gained[1] > 1.5
    assert lost[0] / lost[1] > 4.0
    assert vented[0] == vented[1]


def test_inlet_and_vent_have_tubes_of_their_own() -> None:
    def lost(inlet: bool, tube_mmhg_s_ml: float, vent_tube_mmhg_s_ml: float) -> float:
        chamber = replace(TIGHT.chambers[0], tube_mmhg_s_ml=tube_mmhg_s_ml, vent_tube_mmhg_s_ml=vent_tube_mmhg_s_ml)
        plant = settled(parameters=replace(TIGHT, chambers=(chamber,)))
        before = plant.free_air_ml[0]
        plant.step(0.5, [0.0], [[inlet]], [[not inlet]], [True])
        return float(before - plant.free_air_ml[0])

    short, long = 0.001, 5.0
    assert lost(True, short, long) > 3.0 * lost(True, long, short)
    assert lost(False, long, short) > 3.0 * lost(False, short, long)


def test_without_its_hose_a_chamber_empties_and_the_pump_blows_into_the_room() -> None:
    plant = settled()
    plant.conditions.hose_on[:] = 0.0
    plant.step(2.0, [1.0], [[True]], SHUT, [False])
    assert abs(plant.pressure_mmhg[0, 0]) < 1.0
    assert plant.flows is not None
    assert plant.flows.inlet_ml_s[0, 0] == pytest.approx(plant.flows.pump_ml_s[0], rel=1e-3)


def test_without_its_hose_a_chamber_still_empties_through_its_vent() -> None:
    vented = []
    for vent in (False, True):
        plant = settled()
        plant.step(0.02, [0.0], SHUT, [[vent]], [True])
        plant.conditions.hose_on[:] = 0.0
        plant.step(2.5e-3, [0.0], SHUT, [[vent]], [True])
        assert plant.flows is not None
        vented.append(plant.flows.vent_ml_s[0, 0])
    assert vented[0] == pytest.approx(0.0, abs=1e-4)
    assert vented[1] > 20.0


@pytest.mark.parametrize("valve", ["inlet", "vent", "dump"])
def test_a_held_valve_does_not_obey(valve: str) -> None:
    plant = settled()
    before = plant.free_air_ml[0]
    getattr(plant.conditions, f"{valve}_held")[...] = 0.0
    plant.step(0.5, [0.0], [[valve != "vent"]], [[valve == "vent"]], [True])
    if valve == "dump":
        assert plant.manifold_mmhg[0] > 40.0, "the manifold fills from the chamber and stays full"
    assert plant.free_air_ml[0] == pytest.approx(before, rel=1e-6)
    getattr(plant.conditions, f"{valve}_held")[...] = np.nan
    plant.step(0.5, [0.0], [[valve != "vent"]], [[valve == "vent"]], [True])
    assert plant.free_air_ml[0] < before - 5.0


def test_a_dead_pump_and_one_that_will_not_stop() -> None:
    parameters = make_calf_plant()
    dead, stuck = Plant([parameters]), Plant([parameters])
    dead.conditions.pump_efficiency[:] = 0.0
    stuck.conditions.pump_held_duty[:] = 1.0
    dead.step(1.0, [1.0], [[True]], SHUT, [False])
    stuck.step(1.0, [0.0], [[True]], SHUT, [False])
    assert dead.pressure_mmhg[0, 0] == pytest.approx(0.0, abs=0.01)
    assert stuck.pressure_mmhg[0, 0] == pytest.approx(filled_for_1_s(parameters), rel=1e-6)


def filled_for_1_s(parameters: PlantParameters) -> float:
    plant = Plant([parameters])
    plant.step(1.0, [1.0], [[True]], SHUT, [False])
    return float(plant.pressure_mmhg[0, 0])


def test_a_loose_wrap_takes_more_air_and_a_stiff_limb_less() -> None:
    times_s = []
    for slack_ml, factor in ((0.0, 1.0), (200.0, 1.0), (0.0, 0.5)):
        plant = Plant([TIGHT])
        plant.conditions.slack_ml[:] = slack_ml
        plant.conditions.compliance_factor[:] = factor
        times_s.append(seconds_until(plant, 40.0, 1.0, True, False))
    assert times_s[2] < times_s[0] < times_s[1]
