"""The device: its state, its session, what it does with steps and with faults. Pure: no bytes, no link, no clock.

Times are counts: device ticks that never wrap. Not responsible for the wire (:mod:`wavewrap_sim.firmware`), for telemetry
(:mod:`wavewrap_sim.telemetry_stream`) or for how a pressure is reached (:mod:`wavewrap_sim.pressure_control`).
"""

from collections.abc import Callable

from wavewrap_protocol import limits
from wavewrap_protocol.commands import Acknowledge, Arm, End, Flush, Identify, Plan, Renew
from wavewrap_protocol.enums import Cause, DeviceState, Fault, ReportKind, Result, StepOutcome
from wavewrap_protocol.reports import FaultReport, Report, StateReport
from wavewrap_protocol.states import DeviceEvent, next_state
from wavewrap_protocol.units import TICK_MODULUS, TICKS_PER_S, cmmhg_to_mmhg, mmhg_to_cmmhg, tick_difference, ticks_to_seconds
from wavewrap_sim.diagnosis import Diagnosis
from wavewrap_sim.firmware_config import (
    CONTROL_PERIOD_TICK,
    FaultFound,
    FirmwareConfig,
    FirmwareEvent,
    Inputs,
    LightShown,
    StateChanged,
)
from wavewrap_sim.guards import Guards
from wavewrap_sim.pressure_control import Drive, PressureControl
from wavewrap_sim.scene import ALL_CHAMBERS, Finding
from wavewrap_sim.session import Session, is_lease
from wavewrap_sim.step_queue import QueuedStep, StepQueue
from wavewrap_sim.step_records import StepRecords

__all__ = ["Device", "Refusal"]

_LATE_TICKS = limits.LATE_TOLERANCE_MS * TICKS_PER_S // 1000
_LATE_QUEUELESS_TICKS = TICKS_PER_S // 2
"""A wrap without a queue runs steps as they come in; one this much over its time is refused. Choice: longer than a stall of the radio."""

_VENTED_CMMHG = mmhg_to_cmmhg(limits.VENTED_MMHG)

Refusal = tuple[Result, int]
"""Result and detail of a command's answer (OK among them)."""

_OK: Refusal = (Result.OK, 0)


class Device:
    """Booted at ``boot_count`` into IDLE because of ``boot_cause``; ``report`` takes each report, built from its number."""

    def __init__(
        self, config: FirmwareConfig, boot_count: int, report: Callable[[Callable[[int], Report]], None], boot_cause: Cause = Cause.BOOT
    ) -> None:
        self._config = config
        self._report = report
        self._boot_cause = boot_cause
        self._state = DeviceState.IDLE
        self._fault = Fault.NONE
        self._session: Session | None = None
        self._session_id = 0
        self._queue = StepQueue(config.queue_depth)
        self._control = PressureControl(config.pneumatics, config.control)
        self._guards = Guards(config.chambers, config.hold_max_s, config.vent_min_s, config.battery)
        self._diagnosis = Diagnosis(config)
        self._watchdog_ticks = round(config.watchdog_s * TICKS_PER_S)
        self._boot_count = boot_count
        self._last_count = boot_count
        self._control_count = boot_count
        self._inputs: Inputs | None = None
        self._sensed_cmmhg = (0,) * (config.chambers + 1)
        self._drive = self._safe = Drive.safe(config.chambers)
        self._all_released = (True,) * config.chambers
        self._none_gentle = (False,) * config.chambers
        self._records = StepRecords(report)
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
        return self._sensed_cmmhg[:-1]

    @property
    def next_wake_count(self) -> int:
        """The next control tick or due step."""
        due_count = self._queue.next_due_count
        return self._control_count if due_count is None else min(due_count, self._control_count)

    def begin(self) -> None:
        """Report the boot."""
        self._tell_state(self._boot_count, self._boot_cause)

    def set_records_per_report(self, records: int) -> None:
        """How many step records one report may carry; at least 1 is taken."""
        self._records.set_capacity(records)

    def take_events(self) -> list[FirmwareEvent]:
        """What happened since the last call, for a log."""
        events, self._events = self._events, []
        return events

    def tick(self, count: int, inputs: Inputs) -> bool:
        """One control tick or due step. True when it was a control tick."""
        self._inputs = inputs
        self._sensed_cmmhg = self._diagnosis.sensed(inputs)
        controls = count >= self._control_count
        if count - self._last_count > self._watchdog_ticks:
            self._latch(count, Finding(Fault.WATCHDOG, ALL_CHAMBERS, 0.0))
        self._last_count = count
        self._enforce_ends(count)
        if controls:
            self._control_count += ((count - self._control_count) // CONTROL_PERIOD_TICK + 1) * CONTROL_PERIOD_TICK
            self._look(count, inputs)
        while self._session is not None and (queued := self._queue.take_due(count)) is not None:
            self._carry_out(count, queued)
        if self._state is DeviceState.VENTING and self._is_vented():
            self._enter(count, DeviceEvent.VENTED, Cause.VENTED)
        if self._session is not None:
            pressures_mmhg = [cmmhg_to_mmhg(value) for value in self._sensed_cmmhg]
            self._drive = self._control.update(count, pressures_mmhg[:-1], pressures_mmhg[-1], self._diagnosis.doubtful)
        self._records.tell_due(count)
        return controls

    def arm(self, count: int, command: Arm) -> Refusal:
        """Open a session."""
        if self._state is DeviceState.FAULT:
            return Result.FAULT_PRESENT, self._fault
        if self._state is DeviceState.VENTING:
            return Result.NOT_VENTED, 0
        if self._state is not DeviceState.IDLE:
            return Result.WRONG_STATE, 0
        if command.session_id == 0 or not is_lease(command.lease_ms) or command.ceiling_cmmhg <= 0:
            return Result.OUT_OF_RANGE, 0
        if self._inputs is None or not self._is_vented():
            return Result.NOT_VENTED, 0
        if self._inputs.battery_pct < self._config.battery.arm_pct:
            return Result.BATTERY_LOW, 0
        if not self._diagnosis.is_zeroed:
            return Result.NOT_VENTED, 0
        self._session = Session(self._config, count, command)
        self._session_id = command.session_id
        self._control.begin(count)
        self._enter(count, DeviceEvent.ARM, Cause.COMMAND)
        return _OK

    def renew(self, count: int, command: Renew) -> Refusal:
        """Move the end of the lease; the detail is the tick of receipt, one more stamp for the gateway's clock."""
        session = self._open_session(count, command.session_id)
        if not isinstance(session, Session):
            return session
        if not is_lease(command.lease_ms):
            return Result.OUT_OF_RANGE, 0
        session.renew(count, command.lease_ms)
        return Result.OK, count % TICK_MODULUS

    def end(self, count: int, command: End) -> Refusal:
        """End the session."""
        session = self._open_session(count, command.session_id)
        if not isinstance(session, Session):
            return session
        self._leave(count, Cause.SESSION_END)
        return _OK

    def flush(self, count: int, command: Flush) -> Refusal:
        """Forget steps; the detail counts them."""
        session = self._open_session(count, command.session_id)
        if not isinstance(session, Session):
            return session
        return Result.OK, self._queue.flush(_count_of(command.from_tick, count))

    def plan(self, count: int, plan: Plan) -> Refusal:
        """Take a plan, whole or not at all."""
        session = self._open_session(count, plan.session_id)
        if not isinstance(session, Session):
            return session
        steps = [QueuedStep(plan.first_seq + at, step, _count_of(step.due_tick, count)) for at, step in enumerate(plan.steps)]
        earliest = self._queue.last_due_count
        for queued in steps:
            if not session.allows(queued.step) or (earliest is not None and queued.due_count < earliest):
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

    def identify(self, count: int, command: Identify) -> Refusal:
        """Show the light; in any state, for it moves nothing."""
        if command.for_s > limits.IDENTIFY_MAX_S:
            return Result.OUT_OF_RANGE, 0
        self._events.append(LightShown(count % TICK_MODULUS, command.for_s))
        return Result.OK, 0

    def acknowledge(self, count: int, command: Acknowledge) -> Refusal:
        """Clear the latch when its cause is gone."""
        if self._state is not DeviceState.FAULT or self._inputs is None:
            return Result.WRONG_STATE, 0
        if command.fault != self._fault:
            return Result.OUT_OF_RANGE, self._fault
        if self._is_present(self._inputs):
            return Result.FAULT_PRESENT, self._fault
        if not self._is_vented():
            return Result.NOT_VENTED, 0
        self._fault = Fault.NONE
        self._enter(count, DeviceEvent.ACKNOWLEDGE, Cause.ACKNOWLEDGED)
        return _OK

    def stop(self, count: int) -> None:
        """Vent, whatever else is going on."""
        self._leave(count, Cause.STOP)

    def _open_session(self, count: int, session_id: int) -> "Session | Refusal":
        self._enforce_ends(count)
        if self._session is None:
            return Result.WRONG_STATE, 0
        return self._session if session_id == self._session.session_id else (Result.WRONG_SESSION, 0)

    def _is_vented(self) -> bool:
        return all(value < _VENTED_CMMHG for value in self._sensed_cmmhg[:-1])

    def _is_present(self, inputs: Inputs) -> bool:
        """Whether the cause of the fault can still be seen at rest; the others are looked for at `Arm` and in the first inflations."""
        if self._fault is Fault.BATTERY:
            return inputs.battery_pct < self._config.battery.fault_pct
        return self._diagnosis.is_present(self._fault, self._sensed_cmmhg)

    def _enforce_ends(self, count: int) -> None:
        """Whatever ends a session in order."""
        session, inputs = self._session, self._inputs
        if session is None:
            return
        if inputs is not None and inputs.stop_pressed:
            self._leave(count, Cause.STOP)
        elif count >= session.lease_end_count:
            self._leave(count, Cause.LEASE_END)
        elif count >= session.limit_count:
            self._leave(count, Cause.SESSION_LIMIT)
        elif inputs is not None and inputs.battery_pct < self._config.battery.reserve_pct:
            self._leave(count, Cause.BATTERY_LOW)

    def _look(self, count: int, inputs: Inputs) -> None:
        """Look for everything that can be wrong, and latch it."""
        session, control = self._session, self._control
        released, gentle = self._all_released, self._none_gentle
        ceiling_cmmhg = self._config.ceiling_cmmhg
        if session is not None:
            chambers = range(self._config.chambers)
            released = tuple([control.is_released(count, chamber) for chamber in chambers])
            gentle = tuple([session.start.is_gentle(chamber) for chamber in chambers])
            ceiling_cmmhg = session.ceiling_cmmhg
            for chamber in session.start.watch(self._sensed_cmmhg):
                control.bound_duty(chamber, 1.0)
        # What a sensor that is broken reads is no pressure: the diagnosis comes before the guards.
        findings = self._guards.check_limiter(inputs, self._sensed_cmmhg[:-1])
        findings += self._diagnosis.check(
            count, inputs, self._sensed_cmmhg, self._drive, control.supply, released, gentle, in_session=session is not None
        )
        findings += self._guards.check(count, inputs, self._sensed_cmmhg[:-1], ceiling_cmmhg)
        for finding in findings:
            self._latch(count, finding)
        if self._session is None:
            relieved = self._diagnosis.relieved if self._fault is Fault.VENT_FAILED else ()
            self._drive = Drive.safe(self._config.chambers, relieved) if relieved else self._safe

    def _carry_out(self, count: int, queued: QueuedStep) -> None:
        step = queued.step
        late_ticks = count - queued.due_count
        late = late_ticks > (_LATE_TICKS if self._config.queue_depth else _LATE_QUEUELESS_TICKS)
        target_mmhg = cmmhg_to_mmhg(step.target_cmmhg)
        chamber, control, session = step.chamber, self._control, self._session
        released = control.is_released(count, chamber)
        inflates = target_mmhg > control.set_point_mmhg(count, chamber)
        if session is None:
            outcome = StepOutcome.FLUSHED
        elif inflates and late:
            outcome = StepOutcome.TOO_LATE
        elif inflates and released and not self._guards.has_rested(chamber, count):
            outcome = StepOutcome.VENT_TOO_SHORT
        else:
            outcome = StepOutcome.RELEASED_LATE if late else StepOutcome.EXECUTED
            begins = inflates and released
            highest_mmhg = session.start.highest_mmhg(chamber, begins=begins)
            if begins:
                session.start.begin_compression(chamber)
                control.bound_duty(chamber, session.start.duty_max(chamber))
            if target_mmhg > highest_mmhg:
                target_mmhg = highest_mmhg
                outcome = StepOutcome.RELEASED_LATE if late else StepOutcome.EASED
            # A late release makes up for its delay: its ramp ends when it should have.
            ramp_s = step.ramp_ms / 1000.0 - (ticks_to_seconds(late_ticks) if late else 0.0)
            control.move(count, chamber, target_mmhg, max(0.0, ramp_s))
            if self._state is DeviceState.ARMED:
                self._enter(count, DeviceEvent.FIRST_STEP, Cause.FIRST_STEP)
        self._events.append(self._records.add(count, queued, outcome))

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
        value_cmmhg = max(-32_768, min(32_767, mmhg_to_cmmhg(finding.value_mmhg)))
        self._events.append(FaultFound(tick, finding.fault, finding.chamber, value_cmmhg))
        self._report(lambda number: FaultReport(ReportKind.FAULT, number, tick, finding.fault, finding.chamber, value_cmmhg))
        self._enter(count, DeviceEvent.FAULT, Cause.FAULT)
        self._drop_plan(count)

    def _vent(self) -> None:
        self._session = None
        self._control.release_all()
        self._drive = self._safe

    def _drop_plan(self, count: int) -> None:
        for queued in self._queue.clear():
            self._events.append(self._records.add(count, queued, StepOutcome.FLUSHED))

    def _enter(self, count: int, event: DeviceEvent, cause: Cause) -> None:
        self._state = next_state(self._state, event)
        self._tell_state(count, cause)
        if self._state is DeviceState.IDLE:
            self._session_id = 0

    def _tell_state(self, count: int, cause: Cause) -> None:
        self._records.tell()
        tick = count % TICK_MODULUS
        self._events.append(StateChanged(tick, self._state, cause))
        self._report(lambda number: StateReport(ReportKind.STATE, number, tick, self._state, cause, self._fault, self._session_id))


def _count_of(tick: int, count: int) -> int:
    """The count nearest to ``count`` that shows ``tick`` on the wire."""
    return count + tick_difference(tick, count % TICK_MODULUS)
