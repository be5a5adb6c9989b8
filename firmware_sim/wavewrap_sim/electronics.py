"""The electronics of one wrap: a processor that runs the firmware, its supply, and the protection wired around it.

The owner moves the plant and says what the sensors read; between two calls the actuators follow :attr:`Electronics.drive`. The firmware's
commands reach them through :func:`wavewrap_sim.protection.protect` only. Not responsible for time: ticks and seconds are passed in.
"""

from collections.abc import Sequence

import numpy as np

from wavewrap_protocol.enums import Cause, DeviceState
from wavewrap_sim.firmware import Firmware, Inputs, Outgoing
from wavewrap_sim.firmware_config import CONTROL_PERIOD_TICK, FirmwareConfig, FirmwareEvent
from wavewrap_sim.pressure_control import Drive
from wavewrap_sim.protection import Limiter, ProtectionParameters, Watchdog, protect

__all__ = ["Electronics"]


class Electronics:
    """Off until :meth:`boot`. ``limiter_rng`` draws the limiter's thresholds, ``boot_rng`` the boot numbers."""

    def __init__(
        self, config: FirmwareConfig, protection: ProtectionParameters, limiter_rng: np.random.Generator, boot_rng: np.random.Generator
    ) -> None:
        self._config = config
        self._boot_rng = boot_rng
        self._watchdog_s = protection.watchdog_s
        self.limiter = Limiter(protection, config.chambers, limiter_rng)
        self._safe = Drive.safe(config.chambers)
        self._drive = self._safe
        self._dark_s = 0.0
        self._dark_cause = Cause.BOOT
        self.boots = -1
        """How often it has started again."""

    def boot(self, tick: int, cause: Cause) -> None:
        """Start the firmware at device ``tick``; everything it knew is lost."""
        self.boots += 1
        self._firmware = Firmware(self._config, int(self._boot_rng.integers(1, 1 << 32)), tick, cause)
        self._watchdog = Watchdog(self._watchdog_s)
        self._hangs = False
        self._dark_s = 0.0
        self._was = self._firmware.state
        self._follow(None)

    @property
    def firmware(self) -> Firmware:
        """What runs now, or stands still."""
        return self._firmware

    @property
    def drive(self) -> Drive:
        """What reaches the actuators."""
        return self._drive

    @property
    def is_alive(self) -> bool:
        """Whether the firmware runs."""
        return self.is_powered and not self._hangs

    @property
    def is_powered(self) -> bool:
        """Whether there is a supply."""
        return self._dark_s <= 0.0

    def hang(self) -> None:
        """The firmware stands still; its outputs stay as they are until the watchdog acts."""
        self._hangs = True

    def lose_power(self, for_s: float, cause: Cause) -> None:
        """The supply is gone for ``for_s``: all actuators at rest, memory lost; ``cause`` is what the next boot gives."""
        self._dark_s, self._dark_cause = for_s, cause
        self.limiter.lose_power()
        self._drive = self._safe

    def next_wake_tick(self, now_tick: int) -> int:
        """When to call :meth:`tick` next, as the firmware's own; a control period later while it does not run."""
        return self._firmware.next_wake_tick(now_tick) if self.is_alive else now_tick + CONTROL_PERIOD_TICK

    def tick(self, tick: int, dt_s: float, pressure_mmhg: Sequence[float], inputs: Inputs) -> Cause | None:
        """``dt_s`` later: true pressures for the switches, ``inputs`` for the firmware, whose ``limiter_tripped`` is filled in here.

        Returns why the processor is to be booted now, which the owner does with :meth:`boot`; ``None`` when it is not.
        """
        if self._dark_s > 0.0:
            self._dark_s -= dt_s
            return self._dark_cause if self._dark_s <= 0.0 else None
        limiter = self.limiter
        limiter.watch(pressure_mmhg, dt_s)
        if self._hangs:
            if self._watchdog.has_run_out(dt_s):
                self._drive = self._safe
                return Cause.BOOT_WATCHDOG
        else:
            if limiter.is_tripped:
                inputs = Inputs(inputs.pressure_cmmhg, inputs.battery_pct, inputs.manifold_cmmhg, inputs.stop_pressed, limiter_tripped=True)
            self._firmware.tick(tick, inputs)
            self._watchdog.kick()
        self._follow(pressure_mmhg)
        return None

    def write(self, tick: int, characteristic_uuid: str, data: bytes, pressure_mmhg: Sequence[float]) -> None:
        """A gateway writes; nothing happens while the firmware does not run."""
        if self.is_alive:
            self._firmware.write(tick, characteristic_uuid, data)
            self._follow(pressure_mmhg)

    def take_outgoing(self) -> list[Outgoing]:
        """What is to be sent."""
        return self._firmware.take_outgoing() if self.is_alive else []

    def take_events(self) -> list[FirmwareEvent]:
        """What happened, for a log."""
        return self._firmware.take_events()

    def _follow(self, pressure_mmhg: Sequence[float] | None) -> None:
        firmware, limiter = self._firmware, self.limiter
        if firmware.state is not self._was:
            if self._was is DeviceState.FAULT and pressure_mmhg is not None:
                limiter.reset(pressure_mmhg)
            self._was = firmware.state
        drive = firmware.drive
        cut = limiter.is_tripped
        if cut or drive.pump_duty:
            drive = protect(drive, self._safe, cut=cut)
        self._drive = drive
