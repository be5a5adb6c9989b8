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
      another one, so the sensor still shows the chamber, and the vent sits on the bladder, so it still empties.
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
        # What changes seldom lies in two blocks, so that a plant sees cheaply whether anything did.
        self._chambers: Array = np.zeros((7, wraps, chambers))
        self._wraps: Array = np.zeros((3, wraps))
        self.leak_at_60_ml_s: Array = self._chambers[0]
        self.kink_mmhg_s_ml: Array = self._chambers[1]
        self.slack_ml: Array = self._chambers[2]
        self.hose_on: Array = self._chambers[3]
        self.compliance_factor: Array = self._chambers[4]
        self.inlet_held: Array = self._chambers[5]
        self.vent_held: Array = self._chambers[6]
        self.pump_efficiency: Array = self._wraps[0]
        self.dump_held: Array = self._wraps[1]
        self.pump_held_duty: Array = self._wraps[2]
        self._chambers[3:5] = self._wraps[0] = 1.0
        self._chambers[5:] = self._wraps[1:] = np.nan
        self.swell_ml: Array = np.zeros((wraps, chambers))
        self.warmth_k: Array = np.zeros((wraps, chambers))

    @property
    def fingerprint(self) -> tuple[bytes, bytes]:
        """Another one whenever anything but ``swell_ml`` and ``warmth_k`` has changed."""
        return self._chambers.tobytes(), self._wraps.tobytes()
