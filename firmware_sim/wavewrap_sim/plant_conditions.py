"""What may befall a plant: faults of its parts and disturbances from outside, as arrays that its owner writes.

Write any element at any time: it acts from the next step on. A change of ``swell_ml`` or ``warmth_k`` is reached
in a straight line over the next step, because a limb or warming air does not jump.

Not responsible for when something befalls, nor for how limbs move (:mod:`wavewrap_sim.disturbances`).
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["LEAK_AT_MMHG", "ROOM_K", "PlantConditions"]

Array = NDArray[np.float64]

ROOM_K = 293.15
"""Temperature of the room, at which free air is counted. Choice: 20 degC."""

LEAK_AT_MMHG = 60.0
"""Pressure for which :attr:`PlantConditions.leak_at_60_ml_s` gives the flow."""


class PlantConditions:
    """Nothing is wrong at first. Shapes are (wraps, chambers), or (wraps,) where there is one a wrap.

    Of the chambers:

    - ``leak_at_60_ml_s``: a leak that lets out this much at 60 mmHg and opens with the pressure: its flow goes with the square, as
      published leaks do (dp/dt ~ p^1.7 to p^2.1). The even leak of the fabric is a parameter of the chamber.
    - ``kink_mmhg_s_ml``: resistance that a kink adds to the tube; 0.02 doubles it, 100 passes 0.6 ml/s at 60 mmHg. The sense line is
      another one, so the sensor still shows the chamber.
    - ``hose_on``: 1, or 0 when the hose is off: what comes through the inlet goes to the room, and the chamber empties by its open end.
    - ``slack_ml``: soft volume that a loose or unworn wrap adds.
    - ``compliance_factor``: on the taut bladder's compliance; under 1 is a stiffer limb or sleeve.
    - ``swell_ml``: volume that the limb takes from the bladder at any pressure: a muscle that swells or moves. Negative gives room.
    - ``warmth_k``: the bladder's air is this much warmer than the room.
    - ``inlet_held`` and ``vent_held``: the valve stands at this opening, 0 shut to 1 open, whatever it is told; NaN obeys.

    Of the wrap:

    - ``dump_held``: the same for the dump valve.
    - ``pump_efficiency``: factor on the pump's free flow; 0 is dead.
    - ``pump_held_duty``: the pump runs at this duty whatever it is told; NaN obeys. It knows nothing of a second switch in series.
    """

    def __init__(self, wraps: int, chambers: int) -> None:
        shape = (wraps, chambers)
        self.leak_at_60_ml_s: Array = np.zeros(shape)
        self.kink_mmhg_s_ml: Array = np.zeros(shape)
        self.hose_on: Array = np.ones(shape)
        self.slack_ml: Array = np.zeros(shape)
        self.compliance_factor: Array = np.ones(shape)
        self.swell_ml: Array = np.zeros(shape)
        self.warmth_k: Array = np.zeros(shape)
        self.inlet_held: Array = np.full(shape, np.nan)
        self.vent_held: Array = np.full(shape, np.nan)
        self.dump_held: Array = np.full(wraps, np.nan)
        self.pump_efficiency: Array = np.ones(wraps)
        self.pump_held_duty: Array = np.full(wraps, np.nan)
