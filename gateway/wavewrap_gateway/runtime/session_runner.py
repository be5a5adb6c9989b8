"""One session on several wraps: one host timeline, one fate. Whatever ends it, every wrap is told to vent and the proof is awaited.

Not responsible for one wrap's lease and queue (:mod:`wavewrap_gateway.runtime.wrap_run`) nor for publishing.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from math import isfinite
from typing import Any

from wavewrap_gateway.core.account import quantiles, skew_ms
from wavewrap_gateway.core.diagnosis import Finding, diagnose
from wavewrap_gateway.core.dose import measure_dose
from wavewrap_gateway.core.lateness import Lateness
from wavewrap_gateway.core.scheduler import COMMAND_AHEAD_S, GUARD_S
from wavewrap_gateway.core.session import SessionEvent, SessionState, next_state
from wavewrap_gateway.runtime.ticker import LoopTimer, Ticker, Timer
from wavewrap_gateway.runtime.wrap_run import WrapRun
from wavewrap_protocol.errors import DeviceError, LinkError, LocalError
from wavewrap_protocol.payloads import ChamberFigures, EndedHow, FindingRecord, MqttCounts, SessionProgress, SessionSummary, WrapSummary

__all__ = ["Outcome", "SessionRunner"]

TICK_S = 0.2
"""Period of the session's rounds: twenty-five fit the horizon, and each wake-up costs."""

LEAD_S = 1.0
"""From armed to the first step: the guard, and time to send the first batches."""

SLIP_MARGIN_S = 0.25
"""A slip moves the timeline this much further than it must, so that it does not slip again at once."""

VENT_S = 15.0
"""Longest wait for the proof that all are vented: the lease (5 s), then the slowest vent of the reference plant under 5 mmHg, twice."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a session ended. ``vented`` only when every wrap has proved it."""

    ended: EndedHow
    reason: str
    vented: bool
    duration_s: float


class SessionRunner:
    """Runs once. ``lateness`` gets the score of every round; ``timer`` is the loop's own when none is given."""

    def __init__(
        self, program: str, runs: Sequence[WrapRun], clock: Callable[[], float], lateness: Lateness, timer: Timer | None = None
    ) -> None:
        self._program = program
        self.runs = tuple(runs)
        self._clock = clock
        self._state = SessionState.ARMING
        self._stop = asyncio.Event()
        self._stop_reason = ""
        self._start_s: float | None = None
        self._shift_s = 0.0
        self._paused_s: float | None = None
        self._ended_s: float | None = None
        self._commanding = asyncio.Lock()
        self._commands: set[asyncio.Future[None]] = set()
        self._lateness = lateness
        self._timer = LoopTimer() if timer is None else timer
        self.slips = 0
        self.armed = asyncio.Event()
        """Set once every wrap is armed and the timeline runs."""
        self.observe: Callable[[str, str], None] = lambda _kind, _text: None
        """Called with kind and text of what happens to the timeline."""

    @property
    def state(self) -> SessionState:
        """Where the session is."""
        return self._state

    def request_stop(self, reason: str) -> None:
        """End the session and vent. Safe at any time and any number of times; the first reason counts."""
        if not self._stop.is_set():
            self._stop_reason = reason
            self._stop.set()

    def elapsed_s(self) -> float:
        """Session time, slips not counted; 0 before the start, frozen in a pause and at the end."""
        if self._start_s is None:
            return 0.0
        until_s = next(at_s for at_s in (self._paused_s, self._ended_s, self._clock()) if at_s is not None)
        return min(max(0.0, until_s - self._start_s - self._shift_s), self.duration_s)

    @property
    def duration_s(self) -> float:
        """Planned length."""
        return max(run.wave.duration_s for run in self.runs)

    def progress(self) -> SessionProgress:
        """For screens and topics."""
        wave = self.runs[0].wave
        elapsed_s = self.elapsed_s()
        return SessionProgress(
            program=self._program,
            state=self._state.value,
            elapsed_s=round(elapsed_s, 1),
            duration_s=self.duration_s,
            cycle=wave.cycle_at(elapsed_s) + 1,
            cycles=wave.cycles,
        )

    def boost_mmhg(self) -> float:
        """The boost now in force that is furthest from none, of any chamber of any wrap; 0 before the start."""
        return max((mmhg for run in self.runs for mmhg in run.boosts_mmhg()), key=abs, default=0.0)

    async def pause(self) -> None:
        """Release what is inflated at the earliest safe moment and stop the timeline of every wrap alike; the leases go on.

        Returns once every wrap has been told. Raises :class:`LocalError` when nothing runs or the session ends first.
        """
        await self._command(self._pause())

    async def resume(self) -> None:
        """Go on with the steps that are left. The timeline moves, for every wrap alike, only as far as the next inflation needs it.

        So a pause counts as rest. Raises :class:`LocalError` when there is no pause or the session ends first.
        """
        await self._command(self._resume())

    async def boost(self, mmhg: float, chamber: int | None = None) -> None:
        """Add ``mmhg`` (under 0: lower) on ``chamber``, counted from 0, or on all, as far as :mod:`wavewrap_gateway.core.boost` lets it.

        A raise reaches a chamber with its next inflation, a reduction also what is inflated now. Raises :class:`LocalError` for no such
        chamber or number, before the start and when the session ends first.
        """
        await self._command(self._boost(mmhg, chamber))

    async def _command(self, work: Coroutine[Any, Any, None]) -> None:
        """Carry out ``work``, even when the caller gives up: half of the wraps paused would be worse than all."""
        task = asyncio.ensure_future(work)
        self._commands.add(task)
        task.add_done_callback(self._commands.discard)
        await asyncio.wait({task})
        if task.cancelled():
            raise LocalError("the session ended before the command was carried out: start another one")
        task.result()

    def _require(self, what: str, *allowed: SessionState) -> None:
        if self._state not in allowed:
            when = " or ".join(state.value for state in allowed)
            raise LocalError(f"{what}: the session is {self._state.value}; try again when it is {when}")

    async def _pause(self) -> None:
        async with self._commanding:
            self._require("pause", SessionState.RUNNING)
            cut_s = self._clock() + COMMAND_AHEAD_S
            self._enter(SessionEvent.PAUSE)
            self._paused_s = cut_s
            await _together(*(run.feed.replan(cut_s, run.scheduler.pause) for run in self.runs))
            self._tell("session_paused", f"at {self.elapsed_s():.1f} s, everything is released")

    async def _resume(self) -> None:
        async with self._commanding:
            self._require("resume", SessionState.PAUSED)
            risings_s = [at_s for run in self.runs if (at_s := run.scheduler.next_rising_s()) is not None]
            shift_s = max(0.0, self._clock() + LEAD_S - min(risings_s)) if risings_s else 0.0
            for run in self.runs:
                run.scheduler.resume(shift_s)
            self._shift_s += shift_s
            self._paused_s = None
            self._enter(SessionEvent.RESUME)
            self._tell("session_resumed", f"the timeline has moved by {shift_s:.3f} s")

    async def _boost(self, mmhg: float, chamber: int | None) -> None:
        async with self._commanding:
            self._require("boost", SessionState.RUNNING, SessionState.PAUSED)
            chambers = max(run.wave.chambers for run in self.runs)
            if chamber is not None and not 0 <= chamber < chambers:
                raise LocalError(f"boost: chamber {chamber + 1} of {chambers}; name one that the wraps have")
            if not isfinite(mmhg):
                raise LocalError(f"boost: {mmhg} mmHg is no number; give one")
            cut_s = self._clock() + COMMAND_AHEAD_S
            await _together(*(run.feed.replan(cut_s, partial(run.scheduler.change_boost, mmhg, chamber)) for run in self.runs))
            where = "every chamber" if chamber is None else f"chamber {chamber + 1}"
            self._tell("session_boosted", f"{mmhg:+g} mmHg on {where}, up to {self.boost_mmhg():+g} mmHg in all")

    def _tell(self, kind: str, text: str) -> None:
        _log.info("%s: %s", kind, text)
        self.observe(kind, text)

    def _enter(self, event: SessionEvent) -> None:
        self._state = next_state(self._state, event)

    async def run(self) -> Outcome:
        """The whole session. A cancellation vents first, then goes on. Never raises for what a wrap or a radio does."""
        begun_s = self._clock()
        ended, reason = EndedHow.FAULTED, "cancelled"
        try:
            ended, reason = await self._race_stop()
        except (DeviceError, LinkError) as cause:
            ended, reason = EndedHow.FAULTED, str(cause)
        finally:
            self._ended_s = self._clock()
            for command in self._commands:
                command.cancel()
            self._enter(SessionEvent.FINISH)
            _log.info("session ends: %s, %s", ended, reason)
            vented, cancelled = await self._vent_whatever_comes(graceful=ended is EndedHow.COMPLETED)
            self._enter(SessionEvent.VENTED if vented else SessionEvent.DEADLINE)
            for run in self.runs:
                run.close()
        if cancelled:
            raise asyncio.CancelledError("cancelled while venting: vented first")
        start_s = begun_s if self._start_s is None else self._start_s
        return Outcome(ended, reason, vented, round(max(0.0, self._ended_s - start_s), 3))

    async def _race_stop(self) -> tuple[EndedHow, str]:
        play = asyncio.ensure_future(self._play())
        stop = asyncio.ensure_future(self._stop.wait())
        try:
            await asyncio.wait({play, stop}, return_when=asyncio.FIRST_COMPLETED)
            if stop.done():
                return EndedHow.STOPPED, self._stop_reason
            play.result()
            return EndedHow.COMPLETED, "the program is over"
        finally:
            await _cancel(play, stop)

    async def _vent_whatever_comes(self, *, graceful: bool) -> tuple[bool, bool]:
        """Vent every wrap; a cancellation waits until that is done. Says whether all have proved it, and whether one was waiting."""
        deadline_s = self._clock() + VENT_S
        work = asyncio.gather(*(run.vent(graceful=graceful, deadline_s=deadline_s) for run in self.runs))
        cancelled = False
        while not work.done():
            try:
                await asyncio.shield(work)
            except asyncio.CancelledError:
                cancelled = True
        return all(work.result()), cancelled

    async def _play(self) -> None:
        await _together(*(run.arm() for run in self.runs))
        self._start_s = self._clock() + LEAD_S
        for run in self.runs:
            run.scheduler.start(self._start_s)
        self._enter(SessionEvent.ARMED)
        self.armed.set()
        rounds = asyncio.ensure_future(self._keep_all())
        slips = asyncio.ensure_future(self._keep_in_step())
        try:
            await asyncio.wait([rounds, slips], return_when=asyncio.FIRST_COMPLETED)
            if slips.done():
                slips.result()
            await rounds
        finally:
            await _cancel(rounds, slips)

    async def _keep_all(self) -> None:
        await _together(*(self._keep(run) for run in self.runs))

    async def _keep(self, run: WrapRun) -> None:
        """Rounds of one wrap until the session time is over and every step is answered for."""
        ticker = Ticker(TICK_S, self._clock, self._lateness, self._timer)
        driver = asyncio.ensure_future(run.feed.drive(self._timer)) if run.scheduler.queueless else None
        try:
            while not run.is_over(self.elapsed_s(), self.duration_s):
                await run.keep()
                for finding in run.new_findings(self.elapsed_s()):
                    self._tell("finding", f"{run.wrap.side.value}, {finding.text}")
                if driver is not None and driver.done():
                    driver.result()
                await ticker.wait()
        finally:
            if driver is not None:
                await _cancel(driver)

    async def _keep_in_step(self) -> None:
        """Slip the timeline of all wraps when one of them would be late."""
        ticker = Ticker(TICK_S, self._clock, self._lateness, self._timer)
        while True:
            await ticker.wait()
            late_s = max(run.scheduler.overdue_s(self._clock()) for run in self.runs)
            if late_s > 0.0:
                await self._slip(late_s + SLIP_MARGIN_S)

    async def _slip(self, shift_s: float) -> None:
        """Move everything unsent of every wrap by the same time.

        The wraps that are late are asked first: while one of them is out of reach the others play on, and its lease decides.
        """
        late = [run for run in self.runs if run.scheduler.overdue_s(self._clock()) > 0.0]
        for run in self.runs:
            await run.feed.planning.acquire()
        from_s = self._clock() + GUARD_S
        try:
            await _together(*(run.feed.flush(from_s) for run in late))
            await _together(*(run.feed.flush(from_s) for run in self.runs if run not in late))
        except LinkError:
            return
        else:
            for run in self.runs:
                run.scheduler.slip(shift_s)
            self._shift_s += shift_s
            self.slips += 1
            self._tell("session_slipped", f"the timeline has moved by {shift_s:.3f} s")
        finally:
            for run in self.runs:
                run.feed.planning.release()

    async def note_charges(self) -> None:
        """For the record: before and after :meth:`run`, so that neither a step nor a vent waits for it."""
        await asyncio.gather(*(run.note_charge() for run in self.runs))

    def summary(self, outcome: Outcome, mqtt: MqttCounts) -> SessionSummary:
        """The record of the session."""
        return SessionSummary(
            program=self._program,
            ended=outcome.ended,
            reason=outcome.reason,
            vented=outcome.vented,
            duration_s=outcome.duration_s,
            wraps=[_wrap_summary(run) for run in self.runs],
            skew_ms=quantiles(skew_ms([run.account for run in self.runs])),
            mqtt=mqtt,
            host_lateness_ms=self._lateness.quantiles(),
            slips=self.slips,
        )


def _wrap_summary(run: WrapRun) -> WrapSummary:
    account = run.account
    cycles, shortfalls = account.cycles_and_shortfalls()
    return WrapSummary(
        id=run.wrap.name,
        side=run.wrap.side,
        samples=run.samples(),
        steps=account.step_counts(run.planned_steps()),
        timing_ms=quantiles(account.timing_errors_ms()),
        cycles=cycles,
        target_mmhg=account.targets_mmhg(),
        peak_mmhg=account.peaks_mmhg(),
        final_mmhg=account.finals_mmhg(),
        tracking_rms_mmhg=account.tracking_rms_mmhg(),
        shortfalls=shortfalls,
        findings=[_record(finding) for finding in diagnose(account.compressions())],
        dose=[ChamberFigures(**asdict(dose)) for dose in measure_dose(account)],
        battery_start_pct=run.battery_start_pct,
        battery_end_pct=run.battery_end_pct,
    )


def _record(finding: Finding) -> FindingRecord:
    return FindingRecord(kind=finding.kind, chamber=None if finding.chamber is None else finding.chamber + 1, text=finding.text)


async def _cancel(*tasks: asyncio.Future[Any]) -> None:
    """Cancel ``tasks`` and wait until they are gone; what they raised was dealt with by whoever awaited them."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _together(*works: Coroutine[Any, Any, None]) -> None:
    """Run ``works``; the first that raises ends them all. With gather alone the others would go on renewing leases."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.gather(*tasks)
    finally:
        await _cancel(*tasks)
