"""One simulated wrap: crystal, plant, sensors, battery and electronics, moved together in exact device time, and what goes wrong with it.

Whoever owns it calls :meth:`SimulatedWrap.advance` now and then; every control tick and due step up to that instant is then carried out at
its own tick, however late the call. Not responsible for the radio (:mod:`wavewrap_sim.gatt`).
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from wavewrap_board.board import Board
from wavewrap_board.files import REFERENCE_BOARD, load_board
from wavewrap_protocol import limits
from wavewrap_protocol.enums import Cause, DeviceState
from wavewrap_protocol.payloads import Side
from wavewrap_protocol.units import cmmhg_to_mmhg, tick_difference
from wavewrap_sim.battery import Battery
from wavewrap_sim.device_clock import DeviceClock
from wavewrap_sim.electronics import Electronics
from wavewrap_sim.fault_player import FaultPlayer
from wavewrap_sim.faults import Fault, require_chambers
from wavewrap_sim.firmware import Inputs, Outgoing
from wavewrap_sim.firmware_config import FaultFound, LightShown, StateChanged, StepDone
from wavewrap_sim.firmware_from_board import firmware_config
from wavewrap_sim.from_board import battery_of, manifold_sensor_of, plant_of, sensors_of
from wavewrap_sim.log import FaultEntry, LightEntry, LogEntry, PressureEntry, StateEntry, StepEntry
from wavewrap_sim.pneumatics import MAX_SUBSTEP_S, Plant
from wavewrap_sim.pong_queue import DITHER_TICKS
from wavewrap_sim.protection import protection_of
from wavewrap_sim.sensors import PressureSensors, to_cmmhg

__all__ = ["SimulatedWrap", "WrapSettings"]

_PRESSURE_LOG_TICK = 1_000
"""Every 100 ms."""

_BATTERY_PCT = (70.0, 100.0)
"""Where a battery starts, drawn by the seed. Choice: somebody has charged it."""


@dataclass(frozen=True, slots=True)
class WrapSettings:
    """Which wrap it is. The same settings give the same wrap, reading by reading."""

    serial: str
    side: Side
    seed: int = 0
    clock_ppm: float = 0.0
    """How fast its crystal runs."""
    start_tick: int = 0
    """What its clock shows at first."""
    plant_scatter: float = 0.0
    """Each parameter of its plant is off by up to this fraction."""
    board: Board = field(default_factory=partial(load_board, REFERENCE_BOARD))
    """What it is built of: chambers, ceiling, model and all the rest."""
    queue_depth: int = limits.QUEUE_DEPTH_DEFAULT
    """Steps the firmware holds; 0 makes a wrap without a queue."""
    pong_dither_tick: int = DITHER_TICKS
    """Spread of the wait before a time answer; 0 answers at once, as careless firmware does."""
    plant_substep_s: float = MAX_SUBSTEP_S
    """Longest step of the plant's integration; a coarser one is faster and less true."""
    faults: tuple[Fault, ...] = ()
    """What goes wrong with it; their times count from when it is switched on."""


class SimulatedWrap:
    """A wrap switched on at host second ``now_s``. ``log`` takes what it truly does.

    Raises :class:`wavewrap_protocol.errors.UsageError` for a fault in a chamber that it has not.
    """

    def __init__(self, settings: WrapSettings, now_s: float, log: Callable[[LogEntry], None]) -> None:
        board = settings.board
        chambers = len(board.chambers)
        require_chambers(settings.faults, chambers, settings.serial)
        self._settings = settings
        self._log = log
        seeds = np.random.SeedSequence(settings.seed).spawn(4)
        plant_rng, sensor_rng, boot_rng, limiter_rng = (np.random.default_rng(seed) for seed in seeds)
        self._plant = Plant([plant_of(board).scattered(plant_rng, settings.plant_scatter)], settings.plant_substep_s)
        self._sensors = PressureSensors(sensors_of(board), (chambers,), sensor_rng)
        self._manifold_sensor = PressureSensors(manifold_sensor_of(board), (1,), sensor_rng)
        self._battery = Battery(battery_of(board), float(sensor_rng.uniform(*_BATTERY_PCT)))
        config = firmware_config(board)
        config = replace(config, queue_depth=settings.queue_depth, pong_dither_tick=settings.pong_dither_tick)
        self._electronics = Electronics(config, protection_of(board), limiter_rng, boot_rng)
        compliance_ml_mmhg = [chamber.compliance_ml_mmhg for chamber in board.chambers]
        self._player = FaultPlayer(settings.faults, self._plant.conditions, 0, compliance_ml_mmhg)
        self._plant_s = self._read_s = self._begin_s = now_s
        self._stop_pressed = False
        self._boot(now_s, settings.start_tick, Cause.BOOT)

    def _boot(self, now_s: float, tick: int, cause: Cause) -> None:
        self._clock = DeviceClock(now_s, tick, self._settings.clock_ppm)
        self._boot_count = self._count = tick
        self._electronics.boot(tick, cause)
        self._drive = self._electronics.drive
        self._log_events()

    @property
    def settings(self) -> WrapSettings:
        """What it was made of."""
        return self._settings

    @property
    def state(self) -> DeviceState:
        """Where its firmware stands."""
        return self._electronics.firmware.state

    @property
    def boots(self) -> int:
        """How often it has started again; whoever owns its radio then lets the links die."""
        return self._electronics.boots

    @property
    def battery_pct(self) -> float:
        """Charge left, 0 to 100."""
        return self._battery.charge_pct

    @property
    def pressure_mmhg(self) -> tuple[float, ...]:
        """True pressure of each chamber at the last tick that was carried out."""
        return tuple(self._plant.pressure_mmhg[0].tolist())

    def next_wake_s(self) -> float:
        """Host second of the next control tick or due step."""
        return self._clock.host_s_of(self._next_count())

    def advance(self, now_s: float) -> list[Outgoing]:
        """Carry out everything up to ``now_s``, in order; what is to be sent."""
        self._catch_up(now_s)
        return self._electronics.take_outgoing()

    def write(self, now_s: float, characteristic_uuid: str, data: bytes) -> list[Outgoing]:
        """A gateway writes ``data``; what is to be sent."""
        self._catch_up(now_s)
        self._electronics.write(self._tick, characteristic_uuid, data, self.pressure_mmhg)
        self._follow_electronics()
        return self._electronics.take_outgoing()

    def read(self, now_s: float, characteristic_uuid: str) -> bytes:
        """A gateway reads. Raises :class:`UsageError` for what cannot be read."""
        self._catch_up(now_s)
        return self._electronics.firmware.read(self._tick, characteristic_uuid)

    def connected(self, now_s: float, payload_bytes: int) -> None:
        """A gateway is there, or its MTU changed: ``payload_bytes`` fit one notification."""
        self._catch_up(now_s)
        self._electronics.firmware.link_up(self._tick, payload_bytes)

    def disconnected(self, now_s: float) -> None:
        """The gateway is gone."""
        self._catch_up(now_s)
        self._electronics.firmware.link_down(self._tick)

    def reboot(self, now_s: float) -> None:
        """Power off and on: a new boot id, ticks from 0, the ring and the reports lost, the air still in the chambers."""
        self._catch_up(now_s)
        self._move_plant(self._clock.host_s_of(self._count))
        self._boot(now_s, 0, Cause.BOOT)

    def press_stop(self, now_s: float) -> None:
        """Somebody presses the button on the wrap; the firmware sees it at its next tick."""
        self._catch_up(now_s)
        self._stop_pressed = True

    @property
    def _tick(self) -> int:
        return DeviceClock.tick_of(self._count)

    def _next_count(self) -> int:
        return self._count + tick_difference(self._electronics.next_wake_tick(self._tick), self._tick)

    def _catch_up(self, now_s: float) -> None:
        # A boot within starts the count anew, so it is asked for each time.
        while (count := self._next_count()) <= (last_count := self._clock.count_at(now_s)):
            self._count = count
            self._carry_out_tick()
        self._count = max(self._count, last_count)

    def _carry_out_tick(self) -> None:
        host_s = self._clock.host_s_of(self._count)
        self._move_plant(host_s)
        since_s, time_s = host_s - self._read_s, host_s - self._begin_s
        true_mmhg = self._plant.pressure_mmhg[0]
        chambers_cmmhg = to_cmmhg(self._sensors.read_mmhg(true_mmhg, since_s))
        manifold_cmmhg = to_cmmhg(self._manifold_sensor.read_mmhg(self._plant.manifold_mmhg, since_s))[0]
        self._read_s = host_s
        self._player.advance(time_s, self._electronics)
        if self._player.tampers:
            chambers_cmmhg, manifold_cmmhg = self._player.tamper(time_s, chambers_cmmhg, manifold_cmmhg)
        inputs = Inputs(chambers_cmmhg, self._battery.charge_pct, manifold_cmmhg, self._stop_pressed)
        boot_cause = self._electronics.tick(self._tick, since_s, true_mmhg.tolist(), inputs)
        self._stop_pressed = False
        self._follow_electronics()
        if (self._count - self._boot_count) % _PRESSURE_LOG_TICK == 0:
            pressure_mmhg = [round(value, 3) for value in self.pressure_mmhg]
            self._log(PressureEntry(self._settings.serial, host_s, pressure_mmhg, self.state.name.lower()))
        if boot_cause is not None:
            self._boot(host_s, 0, boot_cause)

    def _follow_electronics(self) -> None:
        """Take over what reaches the actuators now. Until this instant the plant ran under the old commands."""
        drive = self._electronics.drive
        if drive != self._drive:
            self._move_plant(self._clock.host_s_of(self._count))
            self._drive = drive
        self._player.hold_pump(enabled=drive.pump_enabled)
        self._log_events()

    def _move_plant(self, host_s: float) -> None:
        dt_s = host_s - self._plant_s
        if dt_s > 0.0:
            drive = self._drive
            self._plant.step(dt_s, (drive.pump_duty,), (drive.inlet_open,), (drive.vent_open,), (drive.dump_open,))
            self._battery.draw(dt_s, drive.pump_duty, drive.inlet_open, drive.vent_open, drive.dump_open)
            self._plant_s = host_s

    def _log_events(self) -> None:
        serial = self._settings.serial
        for event in self._electronics.take_events():
            match event:
                case StepDone(seq, chamber, planned_tick, actual_tick, outcome):
                    host_s = self._host_s_of(actual_tick)
                    self._log(StepEntry(serial, host_s, seq, chamber, planned_tick, actual_tick, outcome.name.lower()))
                case StateChanged(tick, state, cause):
                    self._log(StateEntry(serial, self._host_s_of(tick), state.name.lower(), cause.name.lower()))
                case LightShown(tick, for_s):
                    self._log(LightEntry(serial, self._host_s_of(tick), for_s))
                case FaultFound(tick, fault, chamber, value_cmmhg):
                    self._log(FaultEntry(serial, self._host_s_of(tick), fault.name.lower(), chamber, cmmhg_to_mmhg(value_cmmhg)))

    def _host_s_of(self, tick: int) -> float:
        return self._clock.host_s_of(self._count + tick_difference(tick, self._tick))
