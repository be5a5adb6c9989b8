"""The device: its state, its session, what it does with steps and with faults. Pure: no bytes, no link, no clock.

Times are counts: device ticks that never wrap. Not responsible for the wire (:mod:`wavewrap_sim.firmware`), for telemetry
(:mod:`wavewrap_sim.telemetry_stream`) or for how a pressure is reached (:mod:`wavewrap_sim.pressure_control`).
"""

from collections.abc import Callable
from dataclasses import dataclass

from wavewrap_protocol import limits
from wavewrap_protocol.commands import Acknowledge, Arm, End, Flush, Plan, Renew, Step
from wavewrap_protocol.enums import Cause, DeviceState, Fault, ReportKind, Result, StepOutcome
from wavewrap_protocol.reports import FaultReport, Report, StateReport, StepRecord, StepsReport
from wavewrap_protocol.states import PRESSURISING, DeviceEvent, next_state
from wavewrap_protocol.units import TICK_MODULUS, TICKS_PER_S, cmmhg_to_mmhg, mmhg_to_cmmhg, tick_difference, ticks_to_seconds
from wavewrap_sim.firmware_config import CONTROL_PERIOD_TICK, FaultFound, FirmwareConfig, FirmwareEvent, Inputs, StateChanged, StepDone
from wavewrap_sim.guards import ALL_CHAMBERS, BATTERY_ARM_PCT, Finding, Guards, Reading
from wavewrap_sim.pressure_control import Drive, PressureControl
from wavewrap_sim.sensor_zero import SensorZero
from wavewrap_sim.step_queue import QueuedStep, StepQueue

__all__ = ["Device", "Refusal"]

_TICKS_PER_MS = TICKS_PER_S // 1000
_LATE_TICKS = limits.LATE_TOLERANCE_MS * _TICKS_PER_MS
_LATE_QUEUELESS_TICKS = TICKS_PER_S // 2
"""A wrap without a queue runs steps as they come in; one this much over its time is refused. Choice: longer than a stall of the radio."""

_VENTED_CMMHG = mmhg_to_cmmhg(limits.VENTED_MMHG)

_WATCHDOG_TICKS = TICKS_PER_S // 10
"""100 ms without control. Choice: ten periods; a chamber at full flow rises about 6 mmHg in it."""

_REPORT_DELAY_TICKS = TICKS_PER_S // 10
"""A step record waits this long for others. Choice: as long as a telemetry batch."""

Refusal = tuple[Result, int]
"""Result and detail of a command's answer (OK among them)."""

_OK: Refusal = (Result.OK, 0)


@dataclass(slots=True)
class _Session:
    session_id: int
    ceiling_cmmhg: int
    lease_end_count: int
    limit_count: int


class Device:
    """Booted at ``boot_count`` into IDLE; ``report`` takes each report, built from its number."""

    def __init__(self, config: FirmwareConfig, boot_count: int, report: Callable[[Callable[[int], Report]], None]) -> None:
        self._config = config
        self._report = report
        self._state = DeviceState.IDLE
        self._fault = Fault.NONE
        self._session: _Session | None = None
        self._session_id = 0
        self._queue = StepQueue(config.queue_depth)
        self._control = PressureControl(config.chambers, config.control)
        self._guards = Guards(config.chambers, config.hold_max_s, config.vent_min_s)
        self._zero = SensorZero(config.chambers)
        self._boot_count = boot_count
        self._last_count = boot_count
        self._control_count = boot_count
        self._inputs: Inputs | None = None
        self._sensed_cmmhg = (0,) * config.chambers
        self._drive = Drive.safe(config.chambers)
        self._records: list[StepRecord] = []
        self._records_since = boot_count
        self._records_per_report = 1
        self._events: list[FirmwareEvent] = []

    @property
    def state(self) -> DeviceState:
        """Where the state table stands."""
        return self._state

    @property
    def fault(self) -> Fault:
        """The fault latched."""
        return self._fault

    @property
    def drive(self) -> Drive:
        """What the actuators are told."""
        return self._drive

    @property
    def sensed_cmmhg(self) -> tuple[int, ...]:
        """Newest pressures less the zero, one per chamber."""
        return self._sensed_cmmhg

    @property
    def next_wake_count(self) -> int:
        """The next control tick or due step."""
        due_count = self._queue.next_due_count
        return self._control_count if due_count is None else min(due_count, self._control_count)

    def begin(self) -> None:
        """Report the boot."""
        self._tell_state(self._boot_count, Cause.BOOT)

    def set_records_per_report(self, records: int) -> None:
        """How many step records one report may carry; at least 1 is taken."""
        self._records_per_report = max(1, records)

    def take_events(self) -> list[FirmwareEvent]:
        """What happened since the last call, for a log."""
        events, self._events = self._events, []
        return events

    def tick(self, count: int, inputs: Inputs) -> bool:
        """One control tick or due step. True when it was a control tick."""
        self._inputs = inputs
        self._sensed_cmmhg = tuple(max(-32_768, min(32_767, value)) for value in self._zero.corrected(inputs.pressure_cmmhg))
        controls = count >= self._control_count
        if count - self._last_count > _WATCHDOG_TICKS:
            self._latch(count, Finding(Fault.WATCHDOG, ALL_CHAMBERS, 0))
        self._last_count = count
        self._enforce_time(count)
        if controls:
            self._control_count += ((count - self._control_count) // CONTROL_PERIOD_TICK + 1) * CONTROL_PERIOD_TICK
            self._zero.watch(inputs.pressure_cmmhg)
            for finding in self._guards.check(self._reading(count, inputs)):
                self._latch(count, finding)
        while self._session is not None and (queued := self._queue.take_due(count)) is not None:
            self._carry_out(count, queued)
        if self._state is DeviceState.VENTING and self._is_vented():
            self._enter(count, DeviceEvent.VENTED, Cause.VENTED)
        if self._state in PRESSURISING:
            self._drive = self._control.update(count, [cmmhg_to_mmhg(value) for value in self._sensed_cmmhg])
        if self._records and count - self._records_since >= _REPORT_DELAY_TICKS:
            self._tell_records()
        return controls

    def arm(self, count: int, command: Arm) -> Refusal:
        """Open a session."""
        if self._state is DeviceState.FAULT:
            return Result.FAULT_PRESENT, self._fault
        if self._state is DeviceState.VENTING:
            return Result.NOT_VENTED, 0
        if self._state is not DeviceState.IDLE:
            return Result.WRONG_STATE, 0
        if command.session_id == 0 or not _is_lease(command.lease_ms) or command.ceiling_cmmhg <= 0:
            return Result.OUT_OF_RANGE, 0
        if self._inputs is None or not self._is_vented():
            return Result.NOT_VENTED, 0
        if self._inputs.battery_pct < BATTERY_ARM_PCT:
            return Result.BATTERY_LOW, 0
        if not self._zero.take():
            return Result.NOT_VENTED, 0
        limit_count = count + round(self._config.session_max_s * TICKS_PER_S)
        ceiling_cmmhg = min(command.ceiling_cmmhg, self._config.ceiling_cmmhg)
        self._session = _Session(command.session_id, ceiling_cmmhg, count + command.lease_ms * _TICKS_PER_MS, limit_count)
        self._session_id = command.session_id
        self._enter(count, DeviceEvent.ARM, Cause.COMMAND)
        return _OK

    def renew(self, count: int, command: Renew) -> Refusal:
        """Move the end of the lease; the detail is the tick of receipt, one more stamp for the gateway's clock."""
        session = self._open_session(count, command.session_id)
        if not isinstance(session, _Session):
            return session
        if not _is_lease(command.lease_ms):
            return Result.OUT_OF_RANGE, 0
        session.lease_end_count = count + command.lease_ms * _TICKS_PER_MS
        return Result.OK, count % TICK_MODULUS

    def end(self, count: int, command: End) -> Refusal:
        """End the session."""
        session = self._open_session(count, command.session_id)
        if not isinstance(session, _Session):
            return session
        self._leave(count, Cause.SESSION_END)
        return _OK

    def flush(self, count: int, command: Flush) -> Refusal:
        """Forget steps; the detail counts them."""
        session = self._open_session(count, command.session_id)
        if not isinstance(session, _Session):
            return session
        return Result.OK, self._queue.flush(_count_of(command.from_tick, count))

    def plan(self, count: int, plan: Plan) -> Refusal:
        """Take a plan, whole or not at all."""
        session = self._open_session(count, plan.session_id)
        if not isinstance(session, _Session):
            return session
        steps = [QueuedStep(plan.first_seq + at, step, _count_of(step.due_tick, count)) for at, step in enumerate(plan.steps)]
        earliest = self._queue.last_due_count
        for queued in steps:
            if not self._is_allowed(queued.step, session) or (earliest is not None and queued.due_count < earliest):
                return Result.OUT_OF_RANGE, 0
            earliest = queued.due_count
        if plan.first_seq != self._queue.expected_seq:
            return Result.OUT_OF_ORDER, self._queue.expected_seq
        if self._config.queue_depth == 0:
            self._queue.pass_by(len(steps))
            for queued in steps:
                self._carry_out(count, queued)
            return _OK
        if len(steps) > self._queue.free:
            return Result.QUEUE_FULL, self._queue.free
        self._queue.extend(steps)
        return Result.OK, self._queue.free

    def acknowledge(self, count: int, command: Acknowledge) -> Refusal:
        """Clear the latch when its cause is gone."""
        if self._state is not DeviceState.FAULT or self._inputs is None:
            return Result.WRONG_STATE, 0
        if command.fault != self._fault:
            return Result.OUT_OF_RANGE, self._fault
        if Guards.is_present(self._fault, self._inputs.pressure_cmmhg, self._inputs.battery_pct):
            return Result.FAULT_PRESENT, self._fault
        if not self._is_vented():
            return Result.NOT_VENTED, 0
        self._fault = Fault.NONE
        self._enter(count, DeviceEvent.ACKNOWLEDGE, Cause.ACKNOWLEDGED)
        return _OK

    def stop(self, count: int) -> None:
        """Vent, whatever else is going on."""
        self._leave(count, Cause.STOP)

    def _open_session(self, count: int, session_id: int) -> "_Session | Refusal":
        self._enforce_time(count)
        if self._session is None:
            return Result.WRONG_STATE, 0
        return self._session if session_id == self._session.session_id else (Result.WRONG_SESSION, 0)

    def _is_allowed(self, step: Step, session: _Session) -> bool:
        return (
            step.chamber < self._config.chambers and 0 <= step.target_cmmhg <= session.ceiling_cmmhg and step.ramp_ms <= limits.RAMP_MAX_MS
        )

    def _is_vented(self) -> bool:
        return all(value < _VENTED_CMMHG for value in self._sensed_cmmhg)

    def _enforce_time(self, count: int) -> None:
        if self._session is not None and count >= self._session.lease_end_count:
            self._leave(count, Cause.LEASE_END)
        elif self._session is not None and count >= self._session.limit_count:
            self._leave(count, Cause.SESSION_LIMIT)

    def _reading(self, count: int, inputs: Inputs) -> Reading:
        pressurising = self._state in PRESSURISING
        chambers = range(self._config.chambers)
        return Reading(
            count,
            inputs.pressure_cmmhg,
            self._sensed_cmmhg,
            [mmhg_to_cmmhg(self._control.set_point_mmhg(count, chamber)) for chamber in chambers],
            [not pressurising or self._control.is_released(count, chamber) for chamber in chambers],
            self._config.ceiling_cmmhg if self._session is None else self._session.ceiling_cmmhg,
            self._drive,
            inputs.battery_pct,
        )

    def _carry_out(self, count: int, queued: QueuedStep) -> None:
        step = queued.step
        late_ticks = count - queued.due_count
        late = late_ticks > (_LATE_TICKS if self._config.queue_depth else _LATE_QUEUELESS_TICKS)
        target_mmhg = cmmhg_to_mmhg(step.target_cmmhg)
        inflates = target_mmhg > self._control.set_point_mmhg(count, step.chamber)
        if inflates and late:
            outcome = StepOutcome.TOO_LATE
        elif inflates and self._control.is_released(count, step.chamber) and not self._guards.has_rested(step.chamber, count):
            outcome = StepOutcome.VENT_TOO_SHORT
        else:
            outcome = StepOutcome.RELEASED_LATE if late else StepOutcome.EXECUTED
            # A late release makes up for its delay: its ramp ends when it should have.
            ramp_s = step.ramp_ms / 1000.0 - (ticks_to_seconds(late_ticks) if late else 0.0)
            self._control.move(count, step.chamber, target_mmhg, max(0.0, ramp_s))
            if self._state is DeviceState.ARMED:
                self._enter(count, DeviceEvent.FIRST_STEP, Cause.FIRST_STEP)
        self._record(count, queued, outcome)

    def _record(self, count: int, queued: QueuedStep, outcome: StepOutcome) -> None:
        if not self._records:
            self._records_since = count
        tick, planned_tick = count % TICK_MODULUS, queued.step.due_tick
        self._records.append(StepRecord(queued.seq, planned_tick, tick, outcome))
        self._events.append(StepDone(queued.seq, queued.step.chamber, planned_tick, tick, outcome))
        if len(self._records) >= self._records_per_report:
            self._tell_records()

    def _leave(self, count: int, cause: Cause) -> None:
        """End the session; where there is none, nothing is left to do: the vents are open already."""
        if self._session is None:
            return
        self._vent()
        self._enter(count, DeviceEvent.STOP, cause)
        self._drop_plan(count)

    def _latch(self, count: int, finding: Finding) -> None:
        # The first fault stays, but for a vent that fails: that one must not hide behind it.
        if self._state is DeviceState.FAULT and (finding.fault is not Fault.VENT_FAILED or self._fault is Fault.VENT_FAILED):
            return
        self._vent()
        self._fault = finding.fault
        tick = count % TICK_MODULUS
        self._events.append(FaultFound(tick, finding.fault, finding.chamber, finding.value_cmmhg))
        self._report(lambda number: FaultReport(ReportKind.FAULT, number, tick, finding.fault, finding.chamber, finding.value_cmmhg))
        self._enter(count, DeviceEvent.FAULT, Cause.FAULT)
        self._drop_plan(count)

    def _vent(self) -> None:
        self._session = None
        self._control.release_all()
        self._drive = Drive.safe(self._config.chambers)

    def _drop_plan(self, count: int) -> None:
        for queued in self._queue.clear():
            self._record(count, queued, StepOutcome.FLUSHED)

    def _enter(self, count: int, event: DeviceEvent, cause: Cause) -> None:
        self._state = next_state(self._state, event)
        self._tell_state(count, cause)
        if self._state is DeviceState.IDLE:
            self._session_id = 0

    def _tell_state(self, count: int, cause: Cause) -> None:
        self._tell_records()
        tick = count % TICK_MODULUS
        self._events.append(StateChanged(tick, self._state, cause))
        self._report(lambda number: StateReport(ReportKind.STATE, number, tick, self._state, cause, self._fault, self._session_id))

    def _tell_records(self) -> None:
        if self._records:
            records, self._records = tuple(self._records), []
            self._report(lambda number: StepsReport(number, records))


def _is_lease(lease_ms: int) -> bool:
    return limits.LEASE_MIN_MS <= lease_ms <= limits.LEASE_MAX_MS


def _count_of(tick: int, count: int) -> int:
    """The count nearest to ``count`` that shows ``tick`` on the wire."""
    return count + tick_difference(tick, count % TICK_MODULUS)
