"""A firmware with real air: the simulated plant of the reference board, its sensors, and whatever befalls them. One wrap, virtual time."""

from collections.abc import Callable, Sequence

import numpy as np

from wavewrap_board.files import REFERENCE_BOARD, load_board
from wavewrap_protocol import uuids
from wavewrap_protocol.commands import Acknowledge, Arm, Command, ControlWrite, Plan, Renew, Step
from wavewrap_protocol.enums import DeviceState, Fault, Result
from wavewrap_protocol.reports import Answer
from wavewrap_sim.firmware import Firmware, Inputs
from wavewrap_sim.firmware_config import CONTROL_PERIOD_S, CONTROL_PERIOD_TICK, FaultFound
from wavewrap_sim.firmware_from_board import firmware_config
from wavewrap_sim.from_board import manifold_sensor_of, plant_of, sensors_of
from wavewrap_sim.plant_conditions import PlantConditions
from wavewrap_sim.pneumatics import Plant
from wavewrap_sim.sensors import PressureSensors, to_cmmhg

SESSION = 0xA1
RENEW_TICKS = 10_000


ZEROED_TICK = 50_000
"""By then every sensor has its zero, or never. Choice: three times what most need."""


class AirBench:
    """Armed when made. ``befall`` is called before each control period with the seconds since then; ``distort`` changes what is read."""

    def __init__(self, seed: int = 0, spread_fraction: float = 0.0) -> None:
        board = load_board(REFERENCE_BOARD)
        rng = np.random.default_rng(seed)
        self.chambers = len(board.chambers)
        self.plant = Plant([plant_of(board).scattered(rng, spread_fraction)])
        self.sensors = PressureSensors(sensors_of(board), (1, self.chambers), rng)
        self.manifold_sensor = PressureSensors(manifold_sensor_of(board), (1,), rng)
        self.config = firmware_config(board)
        self.firmware = Firmware(self.config, 1)
        self.firmware.link_up(0, 244)
        self.tick = 0
        self.faults: list[FaultFound] = []
        self.befall: Callable[[float], None] | None = None
        self.distort: Callable[[list[int]], None] | None = None
        """Takes the readings of the chambers and the manifold, 0.01 mmHg, and may change them."""
        self.runs_by_itself = False
        """The pump's own switch is shorted: it runs whenever the second one is on."""
        self._cmd_id = 0
        self._seq = 0
        self._armed_tick = 0
        self.run(1.6)
        # As a gateway does: sensors may need another moment for their zero.
        while (result := self.command(Arm(SESSION, 5_000, 8_000)).result) is Result.NOT_VENTED and self.tick < ZEROED_TICK:
            self.run(0.2)
        assert result is Result.OK
        self._armed_tick = self.tick

    @property
    def conditions(self) -> PlantConditions:
        """What may befall the plant."""
        return self.plant.conditions

    @property
    def pressure_mmhg(self) -> list[float]:
        """True pressures."""
        return [float(value) for value in self.plant.pressure_mmhg[0]]

    def command(self, command: Command) -> Answer:
        """Write ``command``; its answer."""
        self._cmd_id += 1
        self.firmware.take_outgoing()
        self.firmware.write(self.tick, uuids.CONTROL, ControlWrite(self._cmd_id, command).encode())
        return next(Answer.decode(out.data) for out in self.firmware.take_outgoing() if out.characteristic == uuids.CONTROL)

    def acknowledge(self) -> Answer:
        """Acknowledge the fault that is latched."""
        return self.command(Acknowledge(self.firmware.fault))

    def plan(self, steps: Sequence[tuple[float, int, float, int]]) -> None:
        """Steps of (seconds from now, chamber, target mmHg, ramp ms)."""
        made = tuple(
            Step(self.tick + round(delay_s * 10_000), chamber, round(target * 100), ramp) for delay_s, chamber, target, ramp in steps
        )
        self._cmd_id += 1
        self.firmware.write(self.tick, uuids.PLAN, Plan(self._cmd_id, SESSION, self._seq, made).encode())
        self._seq += len(made)

    def wave(self, hold_s: float = 6.0) -> None:
        """One compression of every chamber, 0.6 s apart, and the release."""
        up = [(0.1 + 0.6 * at, at, 50.0 - 4.0 * at, 0) for at in range(self.chambers)]
        self.plan(up + [(2.0 + hold_s + 0.1 * at, at, 0.0, 0) for at in range(self.chambers)])

    def run(self, seconds: float) -> None:
        """Control periods and due steps, with the lease renewed, until a fault is found or the time is over."""
        for _ in range(round(seconds / CONTROL_PERIOD_S)):
            end_tick = self.tick + CONTROL_PERIOD_TICK
            drive = self.firmware.drive
            if self.befall is not None:
                self.befall((self.tick - self._armed_tick) / 10_000)
            if self.runs_by_itself:
                self.conditions.pump_held_duty[0] = 1.0 if drive.pump_enabled else np.nan
            duty = drive.pump_duty if drive.pump_enabled else 0.0
            self.plant.step(CONTROL_PERIOD_S, [duty], [drive.inlet_open], [drive.vent_open], [drive.dump_open])
            readings = list(to_cmmhg(self.sensors.read_mmhg(self.plant.pressure_mmhg, CONTROL_PERIOD_S)[0]))
            readings += to_cmmhg(self.manifold_sensor.read_mmhg(self.plant.manifold_mmhg, CONTROL_PERIOD_S))
            if self.distort is not None:
                self.distort(readings)
            inputs = Inputs(tuple(readings[:-1]), 90.0, readings[-1])
            while (wake := self.firmware.next_wake_tick(self.tick)) <= end_tick:
                self.tick = max(wake, self.tick)
                self.firmware.tick(self.tick, inputs)
                if self.firmware.next_wake_tick(self.tick) == wake:
                    break
            self.tick = end_tick
            if self.tick % RENEW_TICKS == 0 and self.firmware.state in (DeviceState.ARMED, DeviceState.RUNNING):
                self.command(Renew(SESSION, 5_000))
            self.firmware.take_outgoing()
            self.faults += [event for event in self.firmware.take_events() if isinstance(event, FaultFound)]

    def run_to_fault(self, seconds: float) -> Fault:
        """Run until a fault is latched, at most ``seconds``; the fault, or NONE."""
        for _ in range(round(seconds / 0.05)):
            if self.firmware.fault is not Fault.NONE:
                break
            self.run(0.05)
        return self.firmware.fault
