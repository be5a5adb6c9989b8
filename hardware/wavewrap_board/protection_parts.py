"""Limits of the firmware, and the two guards that are no part of it: the pressure limiter and the watchdog."""

from typing import Literal

from pydantic import Field

from wavewrap_board.table import Positive, Table

__all__ = ["Control", "Limiter", "Limits", "Watchdog"]


class Limits(Table):
    """What the firmware enforces; never looser than the protocol's own."""

    ceiling_mmhg: Positive
    ceiling_max_mmhg: Positive
    """The most that a firmware for this board may ever be set to."""
    hold_max_s: Positive
    vent_min_s: Positive
    session_max_s: Positive


class Limiter(Table):
    """A pressure switch on every chamber that cuts pump and coils by itself and latches."""

    trip_mmhg: Positive
    tolerance_mmhg: Positive
    delay_s: Positive
    """From the pressure to the cut."""
    hardware_ceiling_mmhg: Positive
    """No chamber gets over this with the firmware gone mad."""


class Watchdog(Table):
    """A timer of its own that the firmware must kick; when it runs out, pump and coils are cut and the processor is reset."""

    timeout_s: Positive


class Control(Table):
    """How the firmware holds a pressure."""

    method: Literal["bang_bang", "pi_pwm"]
    band_mmhg: Positive
    """Half width of the hysteresis."""
    centre_mmhg: float = Field(ge=0.0)
    """The band is centred this far over the set-point, because creep and leak only pull down."""
