"""Can the reference wrap follow a wave? Arithmetic of air, not physics: the simulator models the plant, this only warns a person.

The pump of the reference wrap serves one chamber after another. A wave that asks for more air than the pump delivers is played all the
same; its chambers then come up late, and this says by how much.
"""

from dataclasses import dataclass
from itertools import pairwise
from math import exp, log

from wavewrap_gateway.core.wave import Wave, WaveStep
from wavewrap_protocol.limits import OVER_THRESHOLD_MMHG

__all__ = ["Achievability", "assess_wave", "fall_s", "free_air_ml"]

ATMOSPHERE_MMHG = 760.0
DEAD_VOLUME_ML = 15.0
SLACK_VOLUME_ML = 120.0
SLACK_PRESSURE_MMHG = 5.0
COMPLIANCE_ML_MMHG = 1.2
"""Calf chamber of the reference wrap, ``V(P) = V_d + V_s (1 - exp(-P / P_k)) + C_c P``. Choice: starting values of the simulated plant, to
be fitted from one fill/vent log, because no published curve of a bladder was found."""

PUMP_FLOW_ML_S = 100.0
"""Mean flow of free air into a chamber. The reference pump moves 133 ml/s (8 L/min) at no load; run-up, back pressure, valve and tube leave
208 ml in 2.06 s (0 to 60 mmHg, simulated), rounded down."""

VENT_TAU_S = 1.0
"""Pressure of a vented chamber falls about as exp(-t / tau) down to 10 mmHg. Simulated: 60 to 30 mmHg in 0.66 s and to 10 in 1.7 s, both
with tau 0.95; rounded up. From 60 mmHg to the threshold of 15 that is 1.4 s."""

RESERVE = 1.15
"""A fill is planned this much longer than it takes alone. Choice, from the simulated wrap: ramps with 8 % in hand left a chamber more than
2 mmHg short when the pump went on to the next one, ramps with 20 % did not."""

LAG_TOLERANCE_S = 0.1
"""A chamber that comes up no later than this has followed. Choice: ten periods of the pressure control, which no one can feel."""


@dataclass(frozen=True, slots=True)
class Achievability:
    """What one wrap can make of a wave in its fullest cycle.

    ``air_ml``: free air taken per cycle. ``pump_s``: time that the pump needs for it. ``fill_s``: time for each chamber alone, from rest to
    its pressure. With :data:`RESERVE` on every fill: ``asked_delay_s`` and ``achieved_delay_s``, longest delay between one chamber being
    up and the next one, in the order of inflation (0 with one chamber), and ``lag_s``, how late the latest chamber is up.
    """

    air_ml: float
    pump_s: float
    fill_s: tuple[float, ...]
    asked_delay_s: float
    achieved_delay_s: float
    lag_s: float

    @property
    def ok(self) -> bool:
        """True when every chamber is up in time."""
        return self.lag_s <= LAG_TOLERANCE_S


def free_air_ml(pressure_mmhg: float) -> float:
    """Air at atmospheric pressure that one chamber takes from rest to ``pressure_mmhg``: ``V(P) (P_a + P) / P_a - V_d``, without creep."""
    slack_ml = SLACK_VOLUME_ML * (1.0 - exp(-pressure_mmhg / SLACK_PRESSURE_MMHG))
    volume_ml = DEAD_VOLUME_ML + slack_ml + COMPLIANCE_ML_MMHG * pressure_mmhg
    return volume_ml * (ATMOSPHERE_MMHG + pressure_mmhg) / ATMOSPHERE_MMHG - DEAD_VOLUME_ML


def fall_s(pressure_mmhg: float) -> float:
    """Seconds from the opening of the vent at ``pressure_mmhg`` until the chamber is under the threshold of 15 mmHg."""
    return VENT_TAU_S * log(pressure_mmhg / OVER_THRESHOLD_MMHG) if pressure_mmhg > OVER_THRESHOLD_MMHG else 0.0


def assess_wave(wave: Wave) -> Achievability:
    """Serve the inflations of the last cycle, which is the fullest, one after another at :data:`PUMP_FLOW_ML_S`."""
    set_mmhg = [0.0] * wave.chambers
    asked_s: list[float] = []
    reached_s: list[float] = []
    air_ml, pump_free_s = 0.0, 0.0
    for step in _last_cycle(wave):
        if step.target_mmhg > set_mmhg[step.chamber]:
            needed_ml = free_air_ml(step.target_mmhg) - free_air_ml(set_mmhg[step.chamber])
            air_ml += needed_ml
            pump_free_s = max(pump_free_s, step.at_s) + RESERVE * needed_ml / PUMP_FLOW_ML_S
            asked_s.append(step.at_s + step.ramp_s)
            reached_s.append(max(pump_free_s, asked_s[-1]))
        set_mmhg[step.chamber] = step.target_mmhg
    return Achievability(
        air_ml,
        air_ml / PUMP_FLOW_ML_S,
        tuple(free_air_ml(peak_mmhg) / PUMP_FLOW_ML_S for peak_mmhg in wave.peaks_mmhg),
        _longest_gap(asked_s),
        _longest_gap(reached_s),
        max(reached - asked for reached, asked in zip(reached_s, asked_s, strict=True)),
    )


def _last_cycle(wave: Wave) -> list[WaveStep]:
    return list(wave.steps[-(len(wave.steps) // wave.cycles) :])


def _longest_gap(times_s: list[float]) -> float:
    return max((later - earlier for earlier, later in pairwise(times_s)), default=0.0)
