"""One wrap inside a session: keeps its lease and its queue, watches what it says, and vents it.

Not responsible for the other wraps nor for the common timeline (:mod:`wavewrap_gateway.runtime.session_runner`).
"""

import asyncio
from collections.abc import Callable
from random import Random

from wavewrap_gateway.core.account import SessionAccount
from wavewrap_gateway.core.clock_sync import ClockEstimate
from wavewrap_gateway.core.link_state import Failed
from wavewrap_gateway.core.safety import limits_for
from wavewrap_gateway.core.scheduler import Scheduler
from wavewrap_gateway.core.wave import Wave
from wavewrap_gateway.runtime.exchange import require_ok
from wavewrap_gateway.runtime.wrap import Wrap
from wavewrap_gateway.runtime.wrap_link import Booted, FrameArrived, LinkEvent, ReportArrived
from wavewrap_protocol.commands import Arm, End, Flush, Plan, Renew
from wavewrap_protocol.enums import DeviceState, Result
from wavewrap_protocol.errors import DeviceError, LinkError
from wavewrap_protocol.limits import LEASE_DEFAULT_MS, LEASE_RENEW_S
from wavewrap_protocol.payloads import SampleCounts
from wavewrap_protocol.reports import StepsReport
from wavewrap_protocol.states import PRESSURISING
from wavewrap_protocol.units import TICK_MODULUS, mmhg_to_cmmhg

__all__ = ["CLOCK_UNCERTAINTY_MAX_S", "WrapRun"]

CLOCK_UNCERTAINTY_MAX_S = 0.05
"""No step is scheduled on a clock known worse than this. Choice: a fifth of the guard."""

ARM_PATIENCE_S = 3.0
ARM_RETRY_S = 0.25
"""A wrap arms on readings that have settled, a second after it vented or booted. Choice: longer than that, and shorter than the lease of
the wraps that are armed already."""

RENEW_DITHER_S = 0.05
"""The longest usual connection interval."""


class WrapRun:
    """``wave`` is this wrap's part of the session ``session_id``."""

    def __init__(self, wrap: Wrap, wave: Wave, session_id: int, ceiling_mmhg: float, clock: Callable[[], float]) -> None:
        self.wrap = wrap
        self.wave = wave
        self.account = SessionAccount(wave)
        self.planning = asyncio.Lock()
        self._session_id = session_id
        self._ceiling_mmhg = ceiling_mmhg
        self._clock = clock
        self._scheduler: Scheduler | None = None
        self._lease_ms = LEASE_DEFAULT_MS
        self._lease_end_s = 0.0
        self._renew_s = 0.0
        self._unanswered: Plan | None = None
        self._flush: tuple[int, Flush] | None = None
        self._in_session = False
        self._rebooted = False
        self._boot_tick = 0
        self._armed = False
        self._samples_before = SampleCounts(expected=0, received=0, replayed=0, missing=0)
        self._rng = Random(session_id)
        self._forget = wrap.listen(self._on_event)

    def _on_event(self, _wrap: Wrap, event: LinkEvent) -> None:
        sync = self.wrap.link.clock_sync
        self._in_session |= self._armed and self.wrap.picture.device_state in PRESSURISING
        match event:
            case FrameArrived(frame, _) if self._armed:
                self.account.add_frame(frame, self._boot_tick + sync.unwrap(frame.tick))
            case ReportArrived(StepsReport() as report) if self._scheduler is not None:
                ticks = [sync.unwrap(record.actual_tick) for record in report.records]
                self.account.add_steps(self._scheduler.record(report.records, ticks))
            case Booted():
                # Its ticks start over; in the account they go on.
                self._boot_tick = self.account.last_tick
                self._rebooted = True
            case _:
                pass

    @property
    def scheduler(self) -> Scheduler:
        """The schedule; there is one from :meth:`arm` on."""
        if self._scheduler is None:
            raise DeviceError(f"{self.wrap.name} is not armed")
        return self._scheduler

    def samples(self) -> SampleCounts:
        """Samples since the session was armed."""
        now, before = self.wrap.link.samples.counts(), self._samples_before
        return SampleCounts(**{name: getattr(now, name) - getattr(before, name) for name in SampleCounts.model_fields})

    def planned_steps(self) -> int:
        """Steps of this wrap in the whole session."""
        return self._scheduler.planned if self._scheduler is not None else len(self.wave.steps)

    async def arm(self) -> None:
        """Open the session on the device. Raises :class:`DeviceError` or :class:`LinkError`."""
        link = self.wrap.link
        capabilities = link.capabilities
        if capabilities is None:
            raise LinkError(f"{self.wrap.name} has not said what it is")
        limits = limits_for(capabilities, self._ceiling_mmhg)
        batch_steps = Plan.capacity(link.payload_bytes)
        if batch_steps < 1:
            raise LinkError(f"{self.wrap.name}: {link.payload_bytes} bytes a write carry no step: the adapter needs a larger ATT MTU")
        self._lease_ms = min(LEASE_DEFAULT_MS, capabilities.lease_max_ms)
        self._scheduler = Scheduler(self.wave.steps, limits, capabilities.queue_depth, batch_steps)
        self._samples_before = link.samples.counts()
        self._armed = True
        arm = Arm(self._session_id, self._lease_ms, mmhg_to_cmmhg(limits.ceiling_mmhg))
        patience_end_s = self._clock() + ARM_PATIENCE_S
        while True:
            sent_s = self._clock()
            answer = await link.command(arm)
            if answer.result is not Result.NOT_VENTED or sent_s > patience_end_s:
                break
            await asyncio.sleep(ARM_RETRY_S)
        require_ok(answer, self.wrap.name)
        self._hold_lease(sent_s)

    def _hold_lease(self, sent_s: float) -> None:
        self._lease_end_s = sent_s + self._lease_ms / 1000.0
        self._renew_s = sent_s + LEASE_RENEW_S

    def _usable_clock(self) -> ClockEstimate | None:
        """The estimate, when it is good enough to schedule on now."""
        estimate = self.wrap.link.clock_sync.estimate
        if estimate is None or estimate.uncertainty_at(self._lease_end_s) > CLOCK_UNCERTAINTY_MAX_S:
            return None
        return estimate

    def check(self) -> None:
        """Raises :class:`DeviceError` when the wrap is no longer in the session, :class:`LinkError` when it cannot come back in time."""
        picture, name = self.wrap.picture, self.wrap.name
        if self._rebooted:
            raise DeviceError(f"{name} restarted during the session and has vented: start again")
        if picture.device_state is DeviceState.FAULT:
            raise DeviceError(f"{name} reports the fault {picture.fault.name} and has vented: see to it, then acknowledge it")
        if self._in_session and picture.device_state in (DeviceState.VENTING, DeviceState.IDLE):
            cause = picture.cause.name if picture.cause is not None else "an unknown cause"
            raise DeviceError(f"{name} ended the session by itself ({cause}) and vents")
        if isinstance(self.wrap.link.state, Failed):
            raise LinkError(f"{name}: {self.wrap.link.state.reason}")
        if self._clock() > self._lease_end_s:
            raise LinkError(f"{name} was out of reach until its lease ended and vents by itself: bring it nearer and start again")

    async def keep(self) -> None:
        """One round of lease and queue. A link that is down is not an error here: the lease decides, in :meth:`check`."""
        self.check()
        try:
            if self._clock() >= self._renew_s:
                # Off the beat of the rounds, so that the stamp of its answer meets every phase of the connection interval.
                await asyncio.sleep(self._rng.uniform(0.0, RENEW_DITHER_S))
                sent_s = self._clock()
                answer = require_ok(await self.wrap.link.command(Renew(self._session_id, self._lease_ms)), self.wrap.name)
                self.wrap.link.clock_sync.add_departure(sent_s, answer.detail)
                self._hold_lease(sent_s)
            async with self.planning:
                while await self._send_batch():
                    pass
        except LinkError:
            return

    async def _send_batch(self) -> bool:
        """Send the next batch, or the one whose answer was lost, with the same ``cmd_id``. Says whether there was one."""
        if self._unanswered is None:
            clock = self._usable_clock()
            if clock is None or self._flush is not None or self.scheduler.overdue_s(self._clock()) > 0.0:
                return False
            batch = self.scheduler.next_batch(self._clock(), self._lease_end_s, clock)
            if batch is None:
                return False
            self._unanswered = Plan(self.wrap.link.next_command_id(), self._session_id, batch.first_seq, batch.steps)
        require_ok(await self.wrap.link.send_plan(self._unanswered), self.wrap.name)
        self._unanswered = None
        return True

    async def flush(self) -> None:
        """Have the device forget what is not due yet, so that it can be planned anew. Hold :attr:`planning`. Raises :class:`LinkError`."""
        if self._unanswered is not None:
            await self._send_batch()
        if self._flush is None:
            from_tick = self.scheduler.flushable_from(self._clock())
            if from_tick is None:
                return
            self._flush = (self.wrap.link.next_command_id(), Flush(self._session_id, from_tick % TICK_MODULUS))
        cmd_id, command = self._flush
        answer = require_ok(await self.wrap.link.command(command, cmd_id), self.wrap.name)
        # What fell due while the flush was on its way has been carried out: only the device knows how many it forgot.
        self.scheduler.rewind(answer.detail)
        self._flush = None

    async def vent(self, *, graceful: bool, deadline_s: float) -> bool:
        """END or STOP until the wrap proves that it is vented, or ``deadline_s`` (host).

        A wrap out of reach is tried until then; one that cannot come back vents by itself, unproven.
        """
        if not self._armed:
            return self.wrap.picture.is_vented(self._clock())
        asked = False
        while self._clock() < deadline_s and not isinstance(self.wrap.link.state, Failed):
            if asked and self.wrap.picture.is_vented(self._clock()):
                return True
            try:
                if not asked:
                    if graceful:
                        require_ok(await self.wrap.link.command(End(self._session_id)), self.wrap.name)
                    else:
                        await self.wrap.link.stop()
                    asked = True
            except (LinkError, DeviceError):
                graceful = False
            await asyncio.sleep(0.05)
        return False

    def close(self) -> None:
        """Stop listening to the wrap."""
        self._forget()
