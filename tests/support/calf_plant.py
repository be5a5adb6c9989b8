"""The plant of the literature's rise and vent times: one large calf bladder of each chamber, an 8 L/min pump, small valves, no relief.

Notes of a study before this project; not a board. Valve C: Parker X-Valve. Tube 4 mm x 0.8 m. The rest is assumed there.
"""

from wavewrap_sim.plant_parameters import ChamberParameters, ManifoldParameters, PlantParameters, PumpParameters, ValveParameters
from wavewrap_sim.pneumatics import Plant

__all__ = ["SHUT", "TIGHT", "filled", "make_calf_plant", "seconds_until", "settled"]


def make_calf_plant(chambers: int = 1, *, pump_ml_s: float = 8_000.0 / 60.0, leak_ml_s_mmhg: float = 5.6e-4) -> PlantParameters:
    """Each chamber takes about 200 ml of free air to 60 mmHg."""
    valve = ValveParameters(conductance_ml_s_mmhg=160.0 / 750.06, critical_ratio=0.35, lag_s=0.003, dead_s=0.005)
    chamber = ChamberParameters(
        dead_volume_ml=15.0,
        soft_volume_ml=120.0,
        soft_mmhg=5.0,
        compliance_ml_mmhg=1.2,
        creep_fraction=0.25,
        creep_s=4.0,
        leak_ml_s_mmhg=leak_ml_s_mmhg,
        tube_mmhg_s_ml=0.0173,
        vent_tube_mmhg_s_ml=0.0173,
        inlet=valve,
        vent=valve,
    )
    return PlantParameters(
        chambers=(chamber,) * chambers,
        pump=PumpParameters(free_flow_ml_s=pump_ml_s, stall_mmhg=600.0, lag_s=0.080),
        manifold=ManifoldParameters(volume_ml=8.0, relief_mmhg=1e6, relief_ml_s_mmhg=5.0),
        dump=valve,
    )


TIGHT = make_calf_plant(leak_ml_s_mmhg=0.0)

SHUT = [[False]]
"""The inlets or the vents of one wrap of one chamber."""


def seconds_until(plant: Plant, reached_mmhg: float, duty: float, inlet: bool, vent: bool) -> float:
    """How long the chamber takes to ``reached_mmhg``, from over or under it."""
    rising = plant.pressure_mmhg[0, 0] < reached_mmhg
    for step in range(20_000):
        if (plant.pressure_mmhg[0, 0] < reached_mmhg) is not rising:
            return step / 1000
        plant.step(0.001, [duty], [[inlet]], [[vent]], [False])
    raise AssertionError(f"never reached {reached_mmhg} mmHg")


def filled(parameters: PlantParameters, mmhg: float) -> Plant:
    """One chamber just filled to ``mmhg``, its inlet open and the pump running."""
    plant = Plant([parameters])
    seconds_until(plant, mmhg, 1.0, True, False)
    return plant


def settled(mmhg: float = 60.0, parameters: PlantParameters = TIGHT) -> Plant:
    """One chamber near ``mmhg``, shut for a minute, the pump at rest, the manifold empty."""
    plant = filled(parameters, mmhg)
    plant.step(60.0, [0.0], SHUT, SHUT, [True])
    return plant
