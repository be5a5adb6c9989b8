"""The plant of the literature's rise and vent times: one large calf bladder of each chamber, an 8 L/min pump, small valves, no relief.

Notes of a study before this project; not a board. Valve C: Parker X-Valve. Tube 4 mm x 0.8 m. The rest is assumed there.
"""

from wavewrap_sim.plant_parameters import ChamberParameters, ManifoldParameters, PlantParameters, PumpParameters, ValveParameters

__all__ = ["make_calf_plant"]


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
        inlet=valve,
        vent=valve,
    )
    return PlantParameters(
        chambers=(chamber,) * chambers,
        pump=PumpParameters(free_flow_ml_s=pump_ml_s, stall_mmhg=600.0, lag_s=0.080),
        manifold=ManifoldParameters(volume_ml=8.0, relief_mmhg=1e6, relief_ml_s_mmhg=5.0),
        dump=valve,
    )
