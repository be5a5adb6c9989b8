"""The two ways to hold a pressure: bang-bang with hysteresis, and PI on the pump's duty with pulsed vents. One instance a chamber.

Bang-bang within a band, centred a little over the set-point because creep and leak only ever pull down, wears the valves least.
The PI regulator asks for a rate and gets it by the duty of the pump while its inlet stays open; outward it opens the vent in whole control
periods and carries the remainder on. Far from the set-point both go full on (the fast path).

Not responsible for who gets the air (:mod:`wavewrap_sim.air_supply`).
"""

from dataclasses import dataclass
from typing import Literal, Protocol

from wavewrap_sim.pneumatic_figures import ChamberFigures, PneumaticFigures

__all__ = ["BangBang", "Correction", "PiPwm", "Regulator", "RegulatorParameters"]


@dataclass(frozen=True, slots=True)
class RegulatorParameters:
    """Pressures in mmHg."""

    method: Literal["bang_bang", "pi_pwm"]
    band_mmhg: float
    centre_mmhg: float
    full_duty_mmhg: float
    """Deficit from which the pump runs at full duty; below it the duty falls with the deficit."""
    vent_close_s: float
    """A closing vent lets the pressure fall on by this times its rate."""
    least_duty: float = 0.15
    """Choice: slower than this a pump barely turns."""
    pi_band_mmhg: float = 0.9
    """Choice: nine times the noise of a reading; within it nothing moves."""
    pi_centre_mmhg: float = 0.5
    """Choice: about half of the band, for the same reason as the other centre."""
    pi_reset_s: float = 0.6
    """Time of the integral part. Choice: shorter than the creep it has to follow, longer than the pump's lag."""


@dataclass(frozen=True, slots=True)
class Correction:
    """What a regulator wants now."""

    deficit_mmhg: float
    """Missing to where it wants the chamber."""
    wants: bool
    """Air."""
    venting: bool
    """The vent open in the next period."""
    barred: bool
    """Air must not come in now: it is letting some out."""
    duty: float


class Regulator(Protocol):
    """Called once a control period with the missing pressure (mmHg), the rate (mmHg/s), and the rate of the set-point."""

    def correct(self, missing_mmhg: float, pressure_mmhg: float, rate_mmhg_s: float, ramp_mmhg_s: float, dt_s: float) -> Correction:
        """Decide."""

    def serve(self) -> None:
        """Its fill has ended: what is missing by less than its band does not count."""

    def reset(self) -> None:
        """Forget: the chamber is released."""


class BangBang:
    """Hysteresis around the set-point."""

    def __init__(self, parameters: RegulatorParameters) -> None:
        self._parameters = parameters
        self._venting = self._wants = False

    def correct(self, missing_mmhg: float, pressure_mmhg: float, rate_mmhg_s: float, ramp_mmhg_s: float, dt_s: float) -> Correction:
        """By the bands alone."""
        parameters = self._parameters
        deficit_mmhg = missing_mmhg + parameters.centre_mmhg
        if self._venting:
            self._venting = deficit_mmhg < rate_mmhg_s * parameters.vent_close_s
        else:
            self._venting = deficit_mmhg < -parameters.band_mmhg
        self._wants = not self._venting and deficit_mmhg > (0.0 if self._wants else parameters.band_mmhg)
        duty = min(1.0, max(parameters.least_duty, deficit_mmhg / parameters.full_duty_mmhg))
        return Correction(deficit_mmhg, self._wants, self._venting, self._venting, duty)

    def serve(self) -> None:
        """No longer short."""
        self._wants = False

    def reset(self) -> None:
        """Closed."""
        self._venting = self._wants = False


class PiPwm:
    """PI on the rate of the chamber, by the board's own figures."""

    def __init__(self, parameters: RegulatorParameters, figures: PneumaticFigures, chamber: ChamberFigures) -> None:
        self._parameters = parameters
        self._figures = figures
        self._chamber = chamber
        # The rate that is right for a deficit is the one that full duty gives at the edge of the fast path.
        self._gain_per_s = figures.steepest_mmhg_s / parameters.full_duty_mmhg
        self._integral_mmhg_s = 0.0
        self._carried = 0.0
        self._wants = self._lets_out = False

    def correct(self, missing_mmhg: float, pressure_mmhg: float, rate_mmhg_s: float, ramp_mmhg_s: float, dt_s: float) -> Correction:
        """By the rate wanted and what pump and vent can do."""
        parameters = self._parameters
        deficit_mmhg = missing_mmhg + parameters.pi_centre_mmhg
        band_mmhg = parameters.pi_band_mmhg
        if self._lets_out:
            self._lets_out = deficit_mmhg < rate_mmhg_s * parameters.vent_close_s
        else:
            self._lets_out = deficit_mmhg < -band_mmhg
        self._wants = not self._lets_out and deficit_mmhg > (0.0 if self._wants else band_mmhg)
        if abs(deficit_mmhg) < parameters.full_duty_mmhg and (self._wants or self._lets_out):
            self._integral_mmhg_s += deficit_mmhg * self._gain_per_s * dt_s / parameters.pi_reset_s
        else:
            self._integral_mmhg_s = 0.0
        wanted_mmhg_s = deficit_mmhg * self._gain_per_s + self._integral_mmhg_s + ramp_mmhg_s
        air_ml_s = wanted_mmhg_s * self._chamber.capacity_ml_mmhg(pressure_mmhg)
        venting, duty = False, 1.0
        if self._lets_out:
            venting = deficit_mmhg < -parameters.full_duty_mmhg or self._takes_slot(air_ml_s, pressure_mmhg)
        elif deficit_mmhg < parameters.full_duty_mmhg:
            able_ml_s = self._figures.pump_flow_ml_s(1.0, pressure_mmhg)
            duty = min(1.0, max(parameters.least_duty, air_ml_s / able_ml_s)) if able_ml_s > 0.0 else 1.0
        return Correction(deficit_mmhg, self._wants, venting, self._lets_out, duty)

    def _takes_slot(self, air_ml_s: float, pressure_mmhg: float) -> bool:
        able_ml_s = self._figures.vent.flow_ml_s(pressure_mmhg)
        self._carried += min(1.0, max(0.0, -air_ml_s / able_ml_s)) if able_ml_s > 0.0 else 1.0
        if self._carried < 1.0:
            return False
        self._carried -= 1.0
        return True

    def serve(self) -> None:
        """No longer short; the integral begins anew."""
        self._wants, self._integral_mmhg_s = False, 0.0

    def reset(self) -> None:
        """Closed, the integral gone."""
        self._wants = self._lets_out = False
        self._integral_mmhg_s = self._carried = 0.0
