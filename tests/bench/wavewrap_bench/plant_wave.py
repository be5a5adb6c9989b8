"""The wave that ``bench plant`` plays: every valve pattern, faults and disturbances, open loop, for the plant and for its reference."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from wavewrap_sim.pneumatics import Plant

__all__ = ["GRID_S", "Segment", "make_wave", "play"]

GRID_S = 0.01
"""Commands change, and pressures are compared, on this grid: the control period."""

CHAMBERS = 4

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Segment:
    """Constant commands and conditions; ``swell_ml`` and ``warmth_k`` are reached at its end in a straight line from the last one's.

    ``conditions`` are values for arrays of :class:`wavewrap_sim.plant_conditions.PlantConditions`, one number a chamber.
    """

    name: str
    duration_s: float
    duty: float = 0.0
    inlets: tuple[int, ...] = ()
    """Open inlets."""
    vents: tuple[int, ...] = ()
    """Open vents."""
    dump: bool = False
    swell_ml: tuple[float, ...] = (0.0,) * CHAMBERS
    warmth_k: tuple[float, ...] = (0.0,) * CHAMBERS
    conditions: Mapping[str, tuple[float, ...]] = field(default_factory=dict)


def make_wave(*, short: bool = False) -> list[Segment]:
    """A minute within the reference board's working range, 90 mmHg; ``short`` is its first 9 s, without what befalls the wrap later."""
    every = tuple(range(CHAMBERS))
    calm = [
        Segment("rest", 0.5, vents=every, dump=True),
        Segment("fill 1", 0.45, 1.0, (0,), (1, 2, 3)),
        Segment("hand over to 2", 0.45, 1.0, (1,), (2, 3)),
        Segment("hand over to 3", 0.45, 1.0, (2,), (3,)),
        Segment("fill 4 gently", 0.80, 0.5, (3,)),
        Segment("relief blowing", 0.40, 1.0),
        Segment("hold", 0.95),
        Segment("equalise 1 and 4 through the manifold", 0.60, 0.0, (0, 3)),
        Segment("equalise all", 0.60, 0.0, every),
        Segment("top up 2", 0.10, 0.6, (1,)),
        Segment("empty the manifold", 0.30, dump=True),
        Segment("vent 2", 0.80, vents=(1,)),
        Segment("relieve 3 through inlet and dump", 1.00, 0.0, (2,), (1,), True),
        Segment("vent all", 1.60, vents=every, dump=True),
    ]
    if short:
        return calm
    pulsed = [Segment(f"top up {at % 4 + 1} in pulses", 0.05, (0.4, 0.0)[at // 4 % 2], (at % 4,)) for at in range(16)]
    kink = {"kink_mmhg_s_ml": (0.0, 1.0, 0.0, 0.2)}
    leak = {"leak_at_60_ml_s": (0.0, 0.0, 4.0, 0.0)}
    hose = {"hose_on": (1.0, 1.0, 0.0, 1.0)}
    return [
        *calm,
        *[Segment(f"fill {at + 1} again", 0.5, 0.9, (at,), every[at + 1 :]) for at in every],
        *pulsed,
        Segment("the limb swells", 0.5, swell_ml=(3.0, -2.0, 1.0, 4.0)),
        Segment("and moves on, one filling", 0.4, 0.3, (1,), swell_ml=(-2.0, 2.0, 0.0, 0.0)),
        Segment("and rests", 0.5),
        Segment("the air warms", 5.0, warmth_k=(6.0, 4.0, 8.0, 2.0)),
        Segment("vent 1, warm", 1.0, vents=(0,), warmth_k=(6.0, 4.0, 8.0, 2.0)),
        Segment("cool again", 4.0, warmth_k=(0.0,) * 4),
        Segment("vent all again", 2.0, vents=every, dump=True),
        Segment("fill a kinked 2", 0.8, 1.0, (1,), conditions=kink),
        Segment("fill a kinked 4", 0.6, 1.0, (3,), conditions=kink),
        Segment("hold them", 0.65, conditions=kink),
        Segment("vent them", 2.0, vents=every, dump=True, conditions=kink),
        *[Segment(f"fill {at + 1} of a leaky wrap", 0.4, 1.0, (at,), every[at + 1 :], conditions=leak) for at in every],
        Segment("hold the leaky wrap", 4.5, conditions=leak),
        Segment("open valves on the pump", 1.0, 0.8, (0, 1), (0,), conditions=leak),
        Segment("everything open", 1.0, 0.7, every, every, True, conditions=leak),
        Segment("fill for the hose", 0.6, 1.0, (2,), (0, 1, 3)),
        Segment("the hose comes off", 1.0, 1.0, (2,), (0, 1, 3), conditions=hose),
        Segment("and the pump stops", 1.0, 0.0, (2,), (0, 1, 3), conditions=hose),
        *[Segment(f"fill {at + 1} a last time", 0.5, 1.0, (at,), every[at + 1 :]) for at in every],
        Segment("a long hold", 9.0),
        *[Segment(f"release {at + 1}", 0.5, vents=every[at:]) for at in reversed(every)],
        Segment("the tail", 7.05, vents=every, dump=True),
    ]


def play(plant: Plant, wave: list[Segment]) -> tuple[Array, Array]:
    """Play ``wave`` on a plant of one wrap: chamber pressures (times, chambers) and manifold pressures (times,) after each grid step."""
    rows, manifold = [], []
    swell, warmth = np.zeros(CHAMBERS), np.zeros(CHAMBERS)
    conditions = plant.conditions
    for segment in wave:
        count = round(segment.duration_s / GRID_S)
        for name, idle in (("kink_mmhg_s_ml", 0.0), ("leak_at_60_ml_s", 0.0), ("hose_on", 1.0)):
            getattr(conditions, name)[0] = segment.conditions.get(name, (idle,) * CHAMBERS)
        inlets = [[at in segment.inlets for at in range(CHAMBERS)]]
        vents = [[at in segment.vents for at in range(CHAMBERS)]]
        for step in range(1, count + 1):
            conditions.swell_ml[0] = swell + (np.array(segment.swell_ml) - swell) * (step / count)
            conditions.warmth_k[0] = warmth + (np.array(segment.warmth_k) - warmth) * (step / count)
            plant.step(GRID_S, [segment.duty], inlets, vents, [segment.dump])
            rows.append(plant.pressure_mmhg[0])
            manifold.append(plant.manifold_mmhg[0])
        swell, warmth = np.array(segment.swell_ml), np.array(segment.warmth_k)
    return np.array(rows), np.array(manifold)
