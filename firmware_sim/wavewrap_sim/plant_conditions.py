"""What may befall a plant: faults of its parts and disturbances from outside, as arrays that its owner writes.

Write any element at any time: it acts from the next step on. A change of ``swell_ml`` or ``warmth_k`` is reached
in a straight line over the next step, because a limb or warming air does not jump.

Not responsible for when something befalls, nor for how limbs move (:mod:`wavewrap_sim.disturbances`).
"""

import numpy as np
from numpy.typing import NDArray

from wavewrap_sim import plant_kernel as kernel

__all__ = ["PlantConditions"]

Array = NDArray[np.float64]


class PlantConditions:
    """Nothing is wrong at first. Shapes are (wraps, chambers), or (wraps,) where there is one a wrap.

    Of the chambers:

    - ``leak_at_60_ml_s``: a leak that lets out this much at 60 mmHg and opens with the pressure: its flow goes with the square, as
      published leaks do (dp/dt ~ p^1.7 to p^2.1). The even leak of the fabric is a parameter of the chamber.
    - ``kink_mmhg_s_ml``: resistance that a kink adds to the hose of the inlet; 0.02 doubles it, 100 passes 0.6 ml/s at 60 mmHg. The vent
      sits on the bladder, and the sense line is another one: the chamber still empties, and its sensor still shows it.
    - ``hose_on``: 1, or 0 when the hose is off: what comes through the inlet goes to the room, and the chamber empties by its open end,
      and by its vent where that is open.
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
        of_chambers: Array = np.zeros((wraps, chambers, kernel.CHAMBER_CONDITIONS))
        of_wraps: Array = np.zeros((wraps, kernel.WRAP_CONDITIONS))
        self._tables = of_chambers, of_wraps
        self.leak_at_60_ml_s: Array = of_chambers[:, :, kernel.LEAK_AT_60]
        self.kink_mmhg_s_ml: Array = of_chambers[:, :, kernel.KINK]
        self.slack_ml: Array = of_chambers[:, :, kernel.SLACK_ML]
        self.hose_on: Array = of_chambers[:, :, kernel.HOSE_ON]
        self.compliance_factor: Array = of_chambers[:, :, kernel.COMPLIANCE_FACTOR]
        self.inlet_held: Array = of_chambers[:, :, kernel.INLET_HELD]
        self.vent_held: Array = of_chambers[:, :, kernel.VENT_HELD]
        self.swell_ml: Array = of_chambers[:, :, kernel.SWELL_TO_ML]
        self.warmth_k: Array = of_chambers[:, :, kernel.WARMTH_K]
        self.pump_efficiency: Array = of_wraps[:, kernel.PUMP_EFFICIENCY]
        self.dump_held: Array = of_wraps[:, kernel.DUMP_HELD]
        self.pump_held_duty: Array = of_wraps[:, kernel.PUMP_HELD_DUTY]
        self.hose_on[:] = self.compliance_factor[:] = 1.0
        self.pump_efficiency[:] = 1.0
        self.inlet_held[:] = self.vent_held[:] = np.nan
        self.dump_held[:] = self.pump_held_duty[:] = np.nan

    @property
    def tables(self) -> tuple[Array, Array]:
        """Of the chambers and of the wraps, as :mod:`wavewrap_sim.plant_kernel` has them; all the arrays are views of these."""
        return self._tables
