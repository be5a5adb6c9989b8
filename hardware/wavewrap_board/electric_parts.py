"""What senses, feeds and computes: pressure sensors, battery, microcontroller and its pins."""

from typing import Annotated

from pydantic import Field

from wavewrap_board.table import NotNegative, Positive, Table

__all__ = ["Battery", "Mcu", "Pins", "Sensor"]

Pin = Annotated[str, Field(pattern=r"^P[0-9]\.[0-9]{2}$")]


class Sensor(Table):
    """A gauge pressure sensor with its converter."""

    lag_s: Positive
    noise_mmhg: NotNegative
    """Standard deviation of one reading."""
    offset_mmhg: NotNegative
    """Largest zero error, before the firmware zeroes it."""
    range_mmhg: Positive
    """A reading saturates at +/- this."""
    resolution_mmhg: Positive


class Battery(Table):
    """Charge, what the electronics always draw, and the levels at which the firmware acts."""

    capacity_j: Positive
    electronics_w: Positive
    arm_pct: float = Field(gt=0.0, le=100.0)
    """Below this no session begins."""
    reserve_pct: float = Field(gt=0.0, le=100.0)
    """At this a session is ended in order."""
    fault_pct: float = Field(gt=0.0, le=100.0)
    """At this it is a fault: the electronics may give way."""


class Pins(Table):
    """Port pins by function; ``inlets``, ``vents`` and ``sensor_selects`` have one entry a chamber, distal first."""

    pump_pwm: Pin
    pump_enable: Pin
    """The second switch in series with the PWM switch."""
    inlets: tuple[Pin, ...]
    vents: tuple[Pin, ...]
    dump: Pin
    sensor_clock: Pin
    sensor_in: Pin
    sensor_out: Pin
    sensor_selects: tuple[Pin, ...]
    manifold_sensor_select: Pin
    stop_button: Pin
    limiter_state: Pin
    limiter_reset: Pin
    watchdog_kick: Pin
    battery_sense: Pin
    display_clock: Pin
    display_data: Pin
    led: Pin

    def by_function(self) -> tuple[tuple[str, str], ...]:
        """Function and pin; chambers count from 1."""
        found: list[tuple[str, str]] = []
        for key in type(self).model_fields:
            value = getattr(self, key)
            if isinstance(value, tuple):
                found += [(f"{key.removesuffix('s')} {at}", pin) for at, pin in enumerate(value, 1)]
            else:
                found.append((key, value))
        return tuple((function.replace("_", " "), pin) for function, pin in found)


class Mcu(Table):
    """The microcontroller; ``spare`` pins go to further chambers first."""

    part: str = Field(min_length=1)
    supply_v: Positive
    pins: Pins
    spare: tuple[Pin, ...] = ()
