"""The gateway's part in a safety run, without its runtime: a wave of the real core as real bytes, spoken in turns on a grid of time.

Arms, renews the lease, keeps the queue filled, repeats a plan that nobody answered, ends the session, and falls silent after a fault as a
gateway does that waits for a person. The clock is known exactly here. Not responsible for what a radio does to the bytes
(:mod:`wavewrap_bench.safety_rig`).
"""

from collections.abc import Iterable
from dataclasses import replace

from wavewrap_gateway.core.clock_sync import ClockEstimate
from wavewrap_gateway.core.safety import limits_for
from wavewrap_gateway.core.scheduler import Scheduler
from wavewrap_gateway.core.wave import Wave
from wavewrap_protocol import uuids
from wavewrap_protocol.commands import Arm, Command, ControlWrite, End, Plan, Renew
from wavewrap_protocol.enums import DeviceState, Opcode, Result
from wavewrap_protocol.limits import CEILING_DEFAULT_MMHG, LEASE_DEFAULT_MS, LEASE_RENEW_S
from wavewrap_protocol.reports import Answer, Capabilities, StateReport, StepsReport, decode_report
from wavewrap_protocol.units import TICKS_PER_S, mmhg_to_cmmhg
from wavewrap_sim.firmware_config import CONTROL_PERIOD_TICK, Outgoing

__all__ = ["PAYLOAD_BYTES", "GatewayPart", "Write"]

PAYLOAD_BYTES = 244
"""Of one notification or write on a link with data length extension."""

ARM_EVERY_S = 0.5
REPEAT_S = 1.0
START_AFTER_S = 1.0
"""From the answer to the first step: more than the scheduler's guard."""

Write = tuple[str, bytes]
"""Characteristic and value."""


class GatewayPart:
    """Plays ``wave`` as session ``session_id`` to a wrap with these ``capabilities`` whose ticks count from second 0."""

    def __init__(self, wave: Wave, capabilities: Capabilities, session_id: int) -> None:
        self._wave = wave
        self._session_id = session_id
        self._clock = ClockEstimate(capabilities.boot_id, 0.0, 0, 1.0, 0.0, 0.0)
        limits = limits_for(capabilities, CEILING_DEFAULT_MMHG)
        self._ceiling_cmmhg = mmhg_to_cmmhg(limits.ceiling_mmhg)
        self._scheduler = Scheduler(wave.steps, limits, capabilities.queue_depth, Plan.capacity(PAYLOAD_BYTES))
        self._cmd_id = 0
        self._next_s = 0.0
        self._renew_s = 0.0
        self._lease_end_s = 0.0
        self._end_s = float("inf")
        self._plan: tuple[int, bytes] | None = None
        self._plan_s = 0.0
        self.started_s: float | None = None
        """When session second 0 is; ``None`` before the wrap is armed."""
        self.is_over = False
        """Nothing will be said any more."""

    def hear(self, now_s: float, messages: Iterable[Outgoing]) -> None:
        """What came from the wrap."""
        for message in messages:
            if message.characteristic == uuids.CONTROL:
                self._take_answer(now_s, Answer.decode(message.data))
            elif message.characteristic == uuids.REPORT:
                report = decode_report(message.data)
                if isinstance(report, StepsReport):
                    self._scheduler.record(report.records, [record.actual_tick for record in report.records])
                elif isinstance(report, StateReport) and self.started_s is not None:
                    self.is_over = self.is_over or report.state not in (DeviceState.ARMED, DeviceState.RUNNING)

    def speak(self, now_s: float) -> list[Write]:
        """What it writes at ``now_s``."""
        if self.is_over:
            return []
        if self.started_s is None:
            if now_s < self._next_s:
                return []
            self._next_s = now_s + ARM_EVERY_S
            return [self._command(Arm(self._session_id, LEASE_DEFAULT_MS, self._ceiling_cmmhg))]
        if now_s >= self._end_s:
            self.is_over = True
            return [self._command(End(self._session_id))]
        writes: list[Write] = []
        if now_s >= self._renew_s:
            self._renew_s = now_s + LEASE_RENEW_S
            self._lease_end_s = now_s + LEASE_DEFAULT_MS / 1000.0
            writes.append(self._command(Renew(self._session_id, LEASE_DEFAULT_MS)))
        if self._plan is None:
            batch = self._scheduler.next_batch(now_s, self._lease_end_s, self._clock)
            if batch is not None:
                # On the control grid, so that a fleet of wraps acts on common instants; half a period at most.
                grid = CONTROL_PERIOD_TICK
                steps = tuple(replace(step, due_tick=round(step.due_tick / grid) * grid) for step in batch.steps)
                self._cmd_id += 1
                self._plan = self._cmd_id, Plan(self._cmd_id, self._session_id, batch.first_seq, steps).encode()
                self._plan_s = 0.0
        if self._plan is not None and now_s >= self._plan_s:
            self._plan_s = now_s + REPEAT_S
            writes.append((uuids.PLAN, self._plan[1]))
        return writes

    def _take_answer(self, now_s: float, answer: Answer) -> None:
        if answer.opcode == Opcode.ARM and answer.result is Result.OK and self.started_s is None:
            grid_s = CONTROL_PERIOD_TICK / TICKS_PER_S
            self.started_s = round((now_s + START_AFTER_S) / grid_s) * grid_s
            self._end_s = self.started_s + self._wave.duration_s
            self._lease_end_s = now_s + LEASE_DEFAULT_MS / 1000.0
            self._scheduler.start(self.started_s)
        elif answer.opcode == Opcode.PLAN and self._plan is not None and answer.cmd_id == self._plan[0]:
            if answer.result is not Result.CHECKSUM:
                self._plan = None
            # A plan that was damaged on its way goes again at once, under its own number.
            self._plan_s = now_s

    def _command(self, command: Command) -> Write:
        self._cmd_id += 1
        return uuids.CONTROL, ControlWrite(self._cmd_id, command).encode()
