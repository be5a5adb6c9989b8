"""One wrap inside a session: keeps its lease and its queue, watches what it says, and vents it.

Not responsible for how a plan gets onto the device (:mod:`wavewrap_gateway.runtime.plan_feed`), nor for the
other wraps nor for the common timeline (:mod:`wavewrap_gateway.runtime.session_runner`).
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from random import Random

from wavewrap_gateway.core.account import SessionAccount
from wavewrap_gateway.core.advice import FindingKind, describe_fault, explain_end
from wavewrap_gateway.core.diagnosis import Finding, diagnose
from wavewrap_gateway.core.link_state import BondLost, Failed, RadioDown
from wavewrap_gateway.core.safety import limits_for
from wavewrap_gateway.core.scheduler import ScheduledStep, Scheduler
from wavewrap_gateway.core.telemetry import SampleLedger
from wavewrap_gateway.core.wave import Wave
from wavewrap_gateway.runtime.exchange import require_ok
from wavewrap_gateway.runtime.plan_feed import PlanFeed
from wavewrap_gateway.runtime.wrap import Wrap
from wavewrap_gateway.runtime.wrap_link import Booted, FrameArrived, LinkEvent, ReportArrived
from wavewrap_protocol.commands import Arm, End, Plan, Renew
from wavewrap_protocol.enums import DeviceState, Result
from wavewrap_protocol.errors import DeviceError, LinkError
from wavewrap_protocol.limits import LEASE_DEFAULT_MS, LEASE_RENEW_S
from wavewrap_protocol.payloads import SampleCounts
from wavewrap_protocol.reports import StepsReport
from wavewrap_protocol.states import PRESSURISING
from wavewrap_protocol.units import mmhg_to_cmmhg

__all__ = ["WrapRun"]

ARM_PATIENCE_S = 3.0
ARM_RETRY_S = 0.25
"""A wrap arms on readings that have settled, a second after it vented or booted. Choice: longer than that, and shorter than the lease of
the wraps that are armed already."""

LIMIT_MARGIN_S = 2.0
"""A session without steps left ends this long before the wrap's own limit. Choice: twice the lead, by which a program of the full 60 min
would run into that limit in its last rest."""

RENEW_DITHER_S = 0.05
"""The longest usual connection interval."""


class WrapRun:
    """``wave`` is this wrap's part of the session ``session_id``."""

    def __init__(self, wrap: Wrap, wave: Wave, session_id: int, ceiling_mmhg: float, clock: Callable[[], float]) -> None:
        self.wrap = wrap
        self.wave = wave
        self.account = SessionAccount(wave)
        self._session_id = session_id
        self._ceiling_mmhg = ceiling_mmhg
        self._clock = clock
        self._feed: PlanFeed | None = None
        self._lease_ms = LEASE_DEFAULT_MS
        self._lease_end_s = 0.0
        self._limit_s = 0.0
        self._renew_s = 0.0
        self.battery_start_pct: int | None = None
        self.battery_end_pct: int | None = None
        self._in_session = False
        self._rebooted = False
        self._boot_tick = 0
        self._armed = False
        self._looked_cycle = 0
        self._told: set[tuple[FindingKind, int | None]] = set()
        self._samples = SampleLedger()
        self._rng = Random(session_id)
        self.observe_steps: Callable[[Sequence[ScheduledStep]], None] | None = None
        """Called with steps that are answered for, once each."""
        self._forget = wrap.listen(self._on_event)

    def _on_event(self, _wrap: Wrap, event: LinkEvent) -> None:
        sync = self.wrap.link.clock_sync
        self._in_session |= self._armed and self.wrap.picture.device_state in PRESSURISING
        match event:
            case FrameArrived(frame, _) if self._armed:
                self._samples.add(frame)
                self.account.add_frame(frame, self._boot_tick + sync.unwrap(frame.tick))
            case ReportArrived(StepsReport() as report) if self._feed is not None:
                ticks = [sync.unwrap(record.actual_tick) for record in report.records]
                self._take_steps(self.scheduler.record(report.records, ticks))
            case Booted():
                # Its ticks start over; in the account they go on.
                self._boot_tick = self.account.last_tick
                self._rebooted = True
            case _:
                pass

    def _take_steps(self, steps: Sequence[ScheduledStep]) -> None:
        self.account.add_steps(steps)
        if self.observe_steps is not None:
            self.observe_steps(steps)

    @property
    def feed(self) -> PlanFeed:
        """What sends the schedule; there is one from :meth:`arm` on."""
        if self._feed is None:
            raise DeviceError(f"{self.wrap.name} is not armed")
        return self._feed

    @property
    def scheduler(self) -> Scheduler:
        """The schedule; there is one from :meth:`arm` on."""
        return self.feed.scheduler

    def samples(self) -> SampleCounts:
        """Samples since the session was armed; what a replay brings of earlier ones is not among them."""
        return self._samples.counts()

    def planned_steps(self) -> int:
        """Steps of this wrap in the whole session."""
        return self.scheduler.planned if self._feed is not None else len(self.wave.steps)

    def targets_mmhg(self) -> tuple[float, ...]:
        """What each chamber has been told to be now."""
        return (0.0,) * self.wave.chambers if self._feed is None else self.scheduler.set_points_mmhg(self._clock())

    def path_mmhg(self, from_s: float, to_s: float) -> list[tuple[float, tuple[float, ...]]]:
        """The same between two host seconds, as far as it is sent; nothing before the wrap is armed."""
        return [] if self._feed is None else self.scheduler.path_mmhg(from_s, to_s)

    def boosts_mmhg(self) -> tuple[float, ...]:
        """What a person has added to each chamber."""
        return () if self._feed is None else self.scheduler.boost.added_mmhg

    def is_over(self, elapsed_s: float, duration_s: float) -> bool:
        """Whether every step is answered for and the session, or what the wrap allows of it, is over but for a last rest."""
        return self.scheduler.done and (elapsed_s >= duration_s or self._clock() >= self._limit_s - LIMIT_MARGIN_S)

    def new_findings(self, elapsed_s: float) -> list[Finding]:
        """What the pressures have told since the last call, looked at once a cycle."""
        cycle = self.wave.cycle_at(elapsed_s)
        if cycle == self._looked_cycle:
            return []
        self._looked_cycle = cycle
        news = [one for one in diagnose(self.account.compressions()) if (one.kind, one.chamber) not in self._told]
        self._told.update((one.kind, one.chamber) for one in news)
        return news

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
        scheduler = Scheduler(self.wave.steps, limits, capabilities.queue_depth, batch_steps)
        self._feed = PlanFeed(self.wrap, self._session_id, scheduler, self._clock, self._take_steps)
        self._samples = link.samples.successor()
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
        self._limit_s = sent_s + capabilities.session_max_s
        self._hold_lease(sent_s)

    def _hold_lease(self, sent_s: float) -> None:
        self._lease_end_s = self.feed.lease_end_s = sent_s + self._lease_ms / 1000.0
        self._renew_s = sent_s + LEASE_RENEW_S

    def check(self) -> None:
        """Raises :class:`DeviceError` when the wrap is no longer in the session, :class:`LinkError` when it cannot come back in time."""
        picture, name = self.wrap.picture, self.wrap.name
        if self._rebooted:
            raise DeviceError(f"{name} restarted during the session and has vented: start again")
        if picture.device_state is DeviceState.FAULT:
            raise DeviceError(f"{name} vents with {describe_fault(picture.fault)}")
        if self._in_session and picture.device_state in (DeviceState.VENTING, DeviceState.IDLE):
            raise DeviceError(f"{name} ended the session by itself and vents: {explain_end(picture.cause)}")
        if isinstance(self.wrap.link.state, Failed | BondLost):
            raise LinkError(f"{name}: {self.wrap.link.state.reason}")
        if self._clock() > self._lease_end_s:
            if isinstance(self.wrap.link.state, RadioDown):
                raise LinkError(f"{name} vents by itself, its lease has ended: {self.wrap.link.state.reason}")
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
                self.wrap.link.add_departure(sent_s, answer.detail)
                self._hold_lease(sent_s)
            await self.feed.fill()
        except LinkError:
            return
        except DeviceError:
            # A wrap that has left the session refuses; its report of why came before the refusal, and says more.
            self.check()
            raise

    async def vent(self, *, graceful: bool, deadline_s: float) -> bool:
        """END or STOP until the wrap proves that it is vented, or ``deadline_s`` (host).

        A wrap out of reach is tried until then; one that cannot come back vents by itself, unproven.
        """
        if not self._armed:
            return self.wrap.picture.is_vented(self._clock())
        asked = False
        while self._clock() < deadline_s and not isinstance(self.wrap.link.state, Failed | BondLost):
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

    async def note_charge(self) -> None:
        """Ask for the charge: before :meth:`arm` it is the start's, from then on the end's. Of a wrap out of reach it stays unknown."""
        with suppress(LinkError):
            # Asked for, and not what the link was told when it came up: that may be days ago.
            battery_pct = await self.wrap.link.read_battery()
            if self._armed:
                self.battery_end_pct = battery_pct
            else:
                self.battery_start_pct = battery_pct

    def close(self) -> None:
        """Stop listening to the wrap."""
        self._forget()
