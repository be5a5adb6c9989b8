"""A firmware on the bench: its pressures are set by hand, its ticks are called at exactly the instants it asks for."""

from collections.abc import Sequence

from wavewrap_protocol import uuids
from wavewrap_protocol.codec import FROM_DEVICE, DeviceMessage
from wavewrap_protocol.commands import Arm, Command, ControlWrite, Plan, Renew, Step
from wavewrap_protocol.enums import Result
from wavewrap_protocol.reports import Answer, FaultReport, StateReport, StepRecord, StepsReport, Telemetry
from wavewrap_protocol.units import TICK_MODULUS, TICKS_PER_S, tick_difference
from wavewrap_sim.firmware import Firmware, FirmwareConfig, Inputs
from wavewrap_sim.firmware_config import FirmwareEvent

SESSION = 0xC0FFEE
PAYLOAD_BYTES = 244


class FirmwareBench:
    """Time starts at ``boot_tick``. Readings alternate by 0.01 mmHg, as no live sensor repeats itself."""

    def __init__(self, config: FirmwareConfig | None = None, boot_tick: int = 0, *, linked: bool = True) -> None:
        self.config = config or FirmwareConfig()
        self.firmware = Firmware(self.config, 0x01020304, boot_tick)
        self.tick = boot_tick
        self.pressure_mmhg = [0.0] * self.config.chambers
        self.manifold_mmhg = 0.0
        self.battery_pct = 90.0
        self.dither = True
        self.lease_session: int | None = None
        self.seen: list[DeviceMessage] = []
        self.events: list[FirmwareEvent] = []
        self._next_renewal = boot_tick
        self._calls = 0
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
        dither = self._calls % 2 if self.dither else 0
        pressure_cmmhg = tuple(round(p * 100) + dither for p in self.pressure_mmhg)
        self.firmware.tick(self.tick, Inputs(pressure_cmmhg, self.battery_pct, round(self.manifold_mmhg * 100)))
        self.collect()
        self.events += self.firmware.take_events()

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
        self.run(1.0)
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
