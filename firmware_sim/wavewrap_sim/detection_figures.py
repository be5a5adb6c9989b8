"""Margins of the detection: how far from the board's own figures a wrap may be before something must be wrong.

All are choices, made for wraps whose every figure may be off by 30 %. Factors multiply what the board's figures predict, so none of them
is bound to one plant; the few absolute ones are tied to sensors or to a moving limb.
"""

from dataclasses import dataclass

__all__ = ["DetectionFigures"]


@dataclass(frozen=True, slots=True)
class DetectionFigures:
    """Used by :mod:`wavewrap_sim.diagnosis` and the watches it runs."""

    gentle_mmhg: float = 10.0
    """The first inflation of a chamber is slow up to here. Below the 15 mmHg that count as compression."""
    gentle_duty: float = 0.35
    """Of the pump. Slow enough to judge the air it takes before the wrap is tight."""
    fit_factor: float = 2.2
    """Air for the gentle inflation, over the board's. A pump 30 % weak on bladders 30 % large looks like 1.9."""
    stall_mmhg: float = 20.0
    """A fill is judged each time the pump should have brought this much."""
    stall_fraction: float = 0.3
    """Least part of it that must have come. A pump 30 % weak on bladders 30 % large brings 0.54."""
    drop_factor: float = 3.5
    """Manifold over chamber while filling, over the board's drop. An inlet 30 % narrow with a pump 30 % strong has 3.4."""
    drop_mmhg: float = 15.0
    """And this much more: sensors, and the manifold's ripple when an inlet opens."""
    no_drop_fraction: float = 0.2
    """Least drop, of the board's, when the pump feeds a chamber. An inlet 30 % wide with a pump 30 % weak has 0.29."""
    charge_factor: float = 3.0
    """Time to charge the manifold, over the board's."""
    charge_s: float = 0.35
    """And this much more: the dump has to close first, a pump needs some revolutions to turn at all, and a chamber that takes the air
    instead shows only after a while."""
    idle_mmhg: float = 5.0
    """Most that an open, unfed manifold may show."""
    idle_s: float = 0.1
    """After that long: several times what the dump needs to empty it."""
    agree_mmhg: float = 4.0
    """Manifold against chamber in a probe. Two sensors 1 mmHg off each, a zero 1 mmHg old, and the limb moving."""
    drift_mmhg: float = 3.0
    """A zero may move by this from one to the next. 1 % of the range of a common part; more in minutes is no warming."""
    drifted_mmhg: float = 20.0
    """A higher reading is air: no drift stays unfound so long. Choice: a fast one of 2 mmHg/s makes 16 between two probes."""
    creep_factor: float = 2.0
    """Fall of a hold that creep may explain, over the board's. Its fraction 30 % up and its time 30 % down give 1.9."""
    leak_mmhg_s: float = 0.5
    """Fall of a hold beyond creep that is no leak yet."""
    leak_mmhg: float = 12.0
    """A hold must have lost this much more than that. A limb that moves takes as much back as it gives."""
    leak_s: float = 0.25
    """And stay so: a leak is not urgent, and a sensor that jumps is found before."""
    fed_mmhg: float = 20.0
    """A chamber whose inlet is told shut must have risen by this, vented air counted, while another one is fed."""
    crosstalk_mmhg: float = 3.0
    """A released chamber rises by less while another one is fed."""
    vent_factor: float = 3.0
    """Time to vent, over the board's. A vent 30 % narrow on bladders 30 % large needs 1.9."""
    vent_mmhg: float = 4.0
    """And this much pressure more."""
    vent_mmhg_s: float = 3.0
    """Sum over time of what a chamber is over that: 0.4 s for a vent that stays shut at 60 mmHg, more than a limb's kick."""
    persist_ticks: int = 5
    """Longer than any ripple of a valve."""
    still_ticks: int = 5
    """A reading that stood still for so long while air moved is its sensor's fault. Noise repeats one in 18 at 0.02 mmHg."""
    frozen_ticks: int = 20
    """Readings in a row equal to 0.01 mmHg. A noise of 0.1 mmHg repeats one in 35: twenty never come."""
