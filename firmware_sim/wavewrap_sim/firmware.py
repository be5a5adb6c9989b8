"""The firmware of a wrap behind its GATT server: bytes in, bytes out, ticked by its caller. One pure state machine.

Law: any bytes to any characteristic in any state are answered or ignored, never an exception; a stop comes before everything else.
Ticks are 32 bit and wrap; inside they are counted on without wrap.
"""

from collections import deque
from collections.abc import Callable

from wavewrap_protocol import limits, uuids
from wavewrap_protocol.commands import (
    COMMANDS,
    Acknowledge,
    Arm,
    Command,
    ControlWrite,
    End,
    Flush,
    Identify,
    Plan,
    Renew,
    Replay,
    Reports,
    Step,
    Stream,
    TimePing,
)
from wavewrap_protocol.enums import Cause, DeviceState, Fault, Opcode, Result
from wavewrap_protocol.errors import RemoteError, UsageError
from wavewrap_protocol.reports import Answer, Capabilities, Report, StepsReport
from wavewrap_protocol.units import TICK_MODULUS, tick_difference
from wavewrap_sim.answer_memory import AnswerMemory
from wavewrap_sim.device import Device, Refusal
from wavewrap_sim.firmware_config import FirmwareConfig, FirmwareEvent, Inputs, Outgoing
from wavewrap_sim.pong_queue import PongQueue
from wavewrap_sim.pressure_control import Drive
from wavewrap_sim.report_log import ReportLog
from wavewrap_sim.telemetry_stream import TelemetryStream

__all__ = ["Firmware", "FirmwareConfig", "Inputs", "Outgoing"]

_OF_LINK = frozenset({Opcode.STREAM, Opcode.REPLAY, Opcode.REPORTS})
"""Commands whose effect ends with the connection: after a reconnect they are carried out again, not recalled."""


class Firmware:
    """Boots at ``boot_tick`` (32 bit) under the number ``boot_id``, because of ``boot_cause``.

    Call :meth:`tick` at every :meth:`next_wake_tick`.
    """

    def __init__(self, config: FirmwareConfig, boot_id: int, boot_tick: int = 0, boot_cause: Cause = Cause.BOOT) -> None:
        self._config = config
        self._boot_id = boot_id
        self._count = boot_tick
        self._payload_bytes = 0
        self._outgoing: list[Outgoing] = []
        self._answers = AnswerMemory(limits.COMMANDS_REMEMBERED)
        self._reports = ReportLog(config.reports_kept)
        self._stream = TelemetryStream(config, boot_id, boot_tick)
        self._held: deque[tuple[int, bytes]] = deque()
        self._pongs = PongQueue(boot_id, config.pong_dither_tick)
        self._device = Device(config, boot_tick, self._take_report, boot_cause)
        self._device.begin()

    @property
    def state(self) -> DeviceState:
        """Where the device stands."""
        return self._device.state

    @property
    def fault(self) -> Fault:
        """The fault latched, or NONE."""
        return self._device.fault

    @property
    def drive(self) -> Drive:
        """What the actuators are told now; a write may change it between two ticks."""
        return self._device.drive

    def next_wake_tick(self, now_tick: int) -> int:
        """The tick of the next control period, due step, time answer or frame; ``now_tick`` when one is due already."""
        wake_counts = [self._device.next_wake_count]
        if (pong_count := self._pongs.next_due_count) is not None:
            wake_counts.append(pong_count)
        if self._held:
            wake_counts.append(self._held[0][0])
        return max(min(wake_counts), self._advance(now_tick)) % TICK_MODULUS

    def tick(self, now_tick: int, inputs: Inputs) -> Drive:
        """Sense, check, carry out what is due, regulate. Returns the commands that hold from now on."""
        count = self._advance(now_tick)
        if self._device.tick(count, inputs):
            for wait_ticks, frame in self._stream.sample(count, self._device.state, self._device.sensed_cmmhg):
                self._held.append((count + (wait_ticks if self._config.pong_dither_tick else 0), frame))
        while self._held and self._held[0][0] <= count:
            self._outgoing.append(Outgoing(uuids.TELEMETRY, self._held.popleft()[1]))
        self._outgoing.extend(Outgoing(uuids.TIME, pong.encode()) for pong in self._pongs.due(count))
        return self._device.drive

    def link_up(self, now_tick: int, payload_bytes: int) -> None:
        """A gateway is connected, or its MTU changed: a notification now carries ``payload_bytes``."""
        self._advance(now_tick)
        self._payload_bytes = payload_bytes
        self._stream.set_payload(payload_bytes)
        self._device.set_records_per_report(StepsReport.capacity(payload_bytes))

    def link_down(self, now_tick: int) -> None:
        """The gateway is gone: the stream ends, sampling and the session go on, the lease decides."""
        self._advance(now_tick)
        self._payload_bytes = 0
        self._stream.set_payload(0)
        self._answers.forget_link()
        self._pongs.clear()
        self._held.clear()
        self._outgoing.clear()

    def read(self, now_tick: int, characteristic_uuid: str) -> bytes:
        """The value of a characteristic. Raises :class:`UsageError` for one that cannot be read."""
        self._advance(now_tick)
        if characteristic_uuid != uuids.CAPABILITIES:
            raise UsageError(f"characteristic {characteristic_uuid} cannot be read: only the capabilities ({uuids.CAPABILITIES}) can")
        config = self._config
        return Capabilities(
            version_major=limits.VERSION_MAJOR,
            version_minor=limits.VERSION_MINOR,
            chambers=config.chambers,
            sample_period_ms=limits.SAMPLE_PERIOD_MS,
            batch_max=config.batch_max,
            queue_depth=config.queue_depth,
            boot_id=self._boot_id,
            ceiling_cmmhg=config.ceiling_cmmhg,
            ceiling_max_cmmhg=config.ceiling_max_cmmhg,
            lease_max_ms=limits.LEASE_MAX_MS,
            hold_max_ds=round(config.hold_max_s * 10),
            vent_min_ds=round(config.vent_min_s * 10),
            session_max_s=round(config.session_max_s),
            ring_s=config.ring_s,
            reports_kept=config.reports_kept,
        ).encode()

    def write(self, now_tick: int, characteristic_uuid: str, data: bytes) -> None:
        """Take a write. Never raises; a characteristic that is not written to ignores it."""
        count = self._advance(now_tick)
        if characteristic_uuid == uuids.STOP:
            self._device.stop(count)
        elif characteristic_uuid == uuids.CONTROL:
            self._write_control(count, data)
        elif characteristic_uuid == uuids.PLAN:
            self._write_plan(count, data)
        elif characteristic_uuid == uuids.TIME and len(data) == TimePing.STRUCT.size:
            self._pongs.take(count, TimePing.decode(data).ping_id)

    def take_outgoing(self) -> list[Outgoing]:
        """What is to be sent, in order, since the last call."""
        outgoing, self._outgoing = self._outgoing, []
        return outgoing

    def take_events(self) -> list[FirmwareEvent]:
        """What happened since the last call, for a log."""
        return self._device.take_events()

    def _advance(self, now_tick: int) -> int:
        """The count at ``now_tick``; time that runs backwards stands still."""
        self._count += max(0, tick_difference(now_tick, self._count % TICK_MODULUS))
        return self._count

    def _take_report(self, build: Callable[[int], Report]) -> None:
        data = self._reports.add(build)
        if self._payload_bytes:
            self._outgoing.append(Outgoing(uuids.REPORT, data))

    def _write_control(self, count: int, data: bytes) -> None:
        opcode = data[0] if data else 0
        cmd_id = int.from_bytes(data[1:3], "little") if len(data) >= ControlWrite.HEADER.size else 0
        if data and opcode not in COMMANDS:
            self._answer(Answer(opcode, cmd_id, Result.UNKNOWN_OPCODE))
            return
        try:
            command = ControlWrite.decode(data).command
        except RemoteError:
            self._answer(Answer(opcode, cmd_id, Result.MALFORMED))
            return
        if not self._repeats(cmd_id, uuids.CONTROL, data):
            after: list[bytes] = []
            result, detail = self._carry_out(count, command, after)
            answer = Answer(opcode, cmd_id, result, detail)
            self._answers.remember(cmd_id, uuids.CONTROL, data, answer.encode(), command.OPCODE in _OF_LINK)
            self._answer(answer)
            self._outgoing.extend(Outgoing(uuids.REPORT, report) for report in after)

    def _write_plan(self, count: int, data: bytes) -> None:
        cmd_id = int.from_bytes(data[:2], "little") if len(data) >= 2 else 0
        try:
            plan = Plan.decode(data)
        except RemoteError:
            steps_bytes = len(data) - Plan.HEADER.size - Plan.CRC.size
            whole = steps_bytes > 0 and steps_bytes % Step.STRUCT.size == 0 and len(data) <= limits.CHARACTERISTIC_MAX_BYTES
            self._answer(Answer(Opcode.PLAN, cmd_id, Result.CHECKSUM if whole else Result.MALFORMED))
            return
        if not self._repeats(cmd_id, uuids.PLAN, data):
            answer = Answer(Opcode.PLAN, cmd_id, *self._device.plan(count, plan))
            self._answers.remember(cmd_id, uuids.PLAN, data, answer.encode(), of_link=False)
            self._answer(answer)

    def _repeats(self, cmd_id: int, characteristic: str, data: bytes) -> bool:
        known = self._answers.recall(cmd_id, characteristic, data)
        if known is not None:
            self._outgoing.append(Outgoing(uuids.CONTROL, known))
        return known is not None

    def _answer(self, answer: Answer) -> None:
        self._outgoing.append(Outgoing(uuids.CONTROL, answer.encode()))

    def _carry_out(self, count: int, command: Command, after: list[bytes]) -> Refusal:
        """Result and detail; ``after`` takes the reports that follow the answer."""
        match command:
            case Arm():
                return self._device.arm(count, command)
            case Renew():
                return self._device.renew(count, command)
            case End():
                return self._device.end(count, command)
            case Flush():
                return self._device.flush(count, command)
            case Acknowledge():
                return self._device.acknowledge(count, command)
            case Identify():
                return self._device.identify(count, command)
            case Stream():
                if command.enabled > 1:
                    return Result.OUT_OF_RANGE, 0
                return self._stream.switch(command.enabled == 1, command.batch)
            case Replay():
                return self._stream.replay(command.epoch, command.first, command.last)
            case Reports():
                return self._resend(command.first, after)
            case _:
                return Result.UNKNOWN_OPCODE, 0

    def _resend(self, first: int, after: list[bytes]) -> Refusal:
        kept = self._reports.since(first)
        if kept is None:
            return Result.NOT_AVAILABLE, 0
        # A report written for a wider link cannot cross this one; the count tells that it is not among them.
        after.extend(report for report in kept if len(report) <= self._payload_bytes)
        return Result.OK, len(after)
