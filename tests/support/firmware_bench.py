"""A firmware on the bench: its pressures are set by hand, its ticks are called at exactly the instants it asks for.

Chambers and manifold follow what the firmware commands, roughly, as on a wrap whose air goes where it is sent: nothing else would be left
in peace. A test stops that by ``moves = False``, or sets ``manifold_mmhg`` to have that read something else. Real air: :mod:`air_bench`.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from wavewrap_board.files import REFERENCE_BOARD, load_board
from wavewrap_protocol import uuids
from wavewrap_protocol.codec import FROM_DEVICE, DeviceMessage
from wavewrap_protocol.commands import Arm, Command, ControlWrite, Plan, Renew, Step
from wavewrap_protocol.enums import Result
from wavewrap_protocol.reports import Answer, FaultReport, StateReport, StepRecord, StepsReport, Telemetry
from wavewrap_protocol.units import TICK_MODULUS, TICKS_PER_S, tick_difference
from wavewrap_sim.firmware import Firmware, FirmwareConfig, Inputs
from wavewrap_sim.firmware_config import FirmwareEvent
from wavewrap_sim.firmware_from_board import firmware_config

SESSION = 0xC0FFEE
PAYLOAD_BYTES = 244


RISE_MMHG_S, FALL_MMHG_S = 120.0, 100.0
CHARGED_MMHG = 15.0
"""The manifold over the chamber that is filled."""


def bench_config(chambers: int = 4, **changes: Any) -> FirmwareConfig:
    """The reference board's, with its first ``chambers`` chambers and with ``changes`` of fields."""
    return replace(firmware_config(load_board(REFERENCE_BOARD).with_chambers(chambers)), **changes)


class FirmwareBench:
    """Time starts at ``boot_tick``. Readings alternate by 0.01 mmHg, as no live sensor repeats itself."""

    def __init__(self, config: FirmwareConfig | None = None, boot_tick: int = 0, *, linked: bool = True) -> None:
        self.config = config or bench_config()
        self.firmware = Firmware(self.config, 0x01020304, boot_tick)
        self.tick = boot_tick
        self.pressure_mmhg = [0.0] * self.config.chambers
        self.moves = True
        self.manifold_mmhg: float | None = None
        self.battery_pct = 90.0
        self.stop_pressed = False
        self.limiter_tripped = False
        self.dither = True
        self.lease_session: int | None = None
        self.seen: list[DeviceMessage] = []
        self.events: list[FirmwareEvent] = []
        self._next_renewal = boot_tick
        self._calls = 0
        self._moved_tick = boot_tick
        self._cmd_id = 0
        if linked:
            self.firmware.link_up(boot_tick, PAYLOAD_BYTES)

    def run(self, seconds: float) -> None:
        """Call every tick that falls due within the next ``seconds``; renew the lease of ``lease_session`` on the way."""
        self.run_ticks(round(seconds * TICKS_PER_S))

    def run_ticks(self, ticks: int) -> None:
        """The same in ticks."""
        end = (self.tick + ticks) % TICK_MODULUS
        while tick_difference(wake := self.firmware.next_wake_tick(self.tick), end) <= 0:
            self.tick = wake
            self._tick_once()
            if self.lease_session is not None and tick_difference(self.tick, self._next_renewal) >= 0:
                self._next_renewal = (self.tick + TICKS_PER_S) % TICK_MODULUS
                self.command(Renew(self.lease_session, 5_000))
        self.tick = end

    def _tick_once(self) -> None:
        self._calls += 1
        self._move_air()
        dither = self._calls % 2 if self.dither else 0
        pressure_cmmhg = tuple(round(p * 100) + dither for p in self.pressure_mmhg)
        manifold_cmmhg = round(self._manifold_now() * 100) + dither
        self.firmware.tick(self.tick, Inputs(pressure_cmmhg, self.battery_pct, manifold_cmmhg, self.stop_pressed, self.limiter_tripped))
        self.collect()
        self.events += self.firmware.take_events()

    def _move_air(self) -> None:
        drive, dt_s = self.firmware.drive, tick_difference(self.tick, self._moved_tick) / TICKS_PER_S
        self._moved_tick = self.tick
        if not self.moves:
            return
        for at, pressure_mmhg in enumerate(self.pressure_mmhg):
            if drive.vent_open[at] and pressure_mmhg > 0.0:
                self.pressure_mmhg[at] = max(0.0, pressure_mmhg - FALL_MMHG_S * dt_s)
            elif drive.inlet_open[at] and drive.pump_duty:
                self.pressure_mmhg[at] = pressure_mmhg + RISE_MMHG_S * dt_s

    def _manifold_now(self) -> float:
        if self.manifold_mmhg is not None:
            return self.manifold_mmhg
        drive = self.firmware.drive
        if drive.dump_open:
            return 0.0
        opened = [at for at, inlet in enumerate(drive.inlet_open) if inlet]
        if opened:
            return self.pressure_mmhg[opened[0]] + (CHARGED_MMHG if drive.pump_duty else 0.0)
        return max(self.pressure_mmhg) + CHARGED_MMHG

    def collect(self) -> list[DeviceMessage]:
        """Decode what the firmware sends now."""
        messages = [FROM_DEVICE[out.characteristic](out.data) for out in self.firmware.take_outgoing()]
        self.seen += messages
        return messages

    def write(self, characteristic: str, data: bytes) -> list[DeviceMessage]:
        """Write at the present tick; what comes back at once."""
        self.collect()
        self.firmware.write(self.tick, characteristic, data)
        return self.collect()

    def next_cmd_id(self) -> int:
        """One that was not used."""
        self._cmd_id += 1
        return self._cmd_id

    def command(self, command: Command, cmd_id: int | None = None) -> Answer:
        """Write ``command``; its answer."""
        data = ControlWrite(self.next_cmd_id() if cmd_id is None else cmd_id, command).encode()
        return only_answer(self.write(uuids.CONTROL, data))

    def plan(self, first_seq: int, steps: Sequence[tuple[int, int, float, int]], session_id: int = SESSION) -> Answer:
        """Write a plan of steps (due tick, chamber, target mmHg, ramp ms); its answer."""
        made = tuple(Step(due % TICK_MODULUS, chamber, round(target * 100), ramp) for due, chamber, target, ramp in steps)
        return only_answer(self.write(uuids.PLAN, Plan(self.next_cmd_id(), session_id, first_seq, made).encode()))

    def arm(self, ceiling_mmhg: float = 80.0, *, keep: bool = True) -> None:
        """Settle, arm, and from now on renew the lease (unless ``keep`` is false)."""
        self.run(1.2)
        answer = self.command(Arm(SESSION, 5_000, round(ceiling_mmhg * 100)))
        assert answer.result is Result.OK
        if keep:
            self.lease_session = SESSION
            self._next_renewal = self.tick

    def records(self) -> list[StepRecord]:
        """Every step record seen."""
        return [record for message in self.seen if isinstance(message, StepsReport) for record in message.records]

    def states(self) -> list[StateReport]:
        """Every state report seen."""
        return [message for message in self.seen if isinstance(message, StateReport)]

    def faults(self) -> list[FaultReport]:
        """Every fault report seen."""
        return [message for message in self.seen if isinstance(message, FaultReport)]

    def frames(self) -> list[Telemetry]:
        """Every telemetry frame seen."""
        return [message for message in self.seen if isinstance(message, Telemetry)]


def only_answer(messages: Sequence[DeviceMessage]) -> Answer:
    """The one answer among ``messages``."""
    answers = [message for message in messages if isinstance(message, Answer)]
    assert len(answers) == 1
    return answers[0]


def armed(boot_tick: int = 0, config: FirmwareConfig | None = None, ceiling_mmhg: float = 80.0) -> FirmwareBench:
    """A bench that is armed."""
    bench = FirmwareBench(config, boot_tick)
    bench.arm(ceiling_mmhg)
    return bench


def inflate(bench: FirmwareBench, target_mmhg: float, chamber: int = 0) -> None:
    """A step from now on, and the pressure that it brings."""
    bench.plan(0, [(bench.tick + 1, chamber, target_mmhg, 0)])
    bench.run(0.02)
    bench.pressure_mmhg[chamber] = target_mmhg
    bench.run(0.02)
