"""The sessions of one gateway, however they were asked for: at most one on each wrap, published, stopped when the broker stays away.

Not responsible for the course of a session (:mod:`wavewrap_gateway.runtime.session_runner`).
"""

import asyncio
from collections.abc import Callable, Sequence
from random import Random

from wavewrap_gateway.core.lateness import Lateness
from wavewrap_gateway.core.program import Program
from wavewrap_gateway.core.wave import compile_wave
from wavewrap_gateway.runtime.bridge import Bridge, SessionView
from wavewrap_gateway.runtime.publishing import BrokerChange, BrokerDown, Publisher
from wavewrap_gateway.runtime.recording import SessionRecorder
from wavewrap_gateway.runtime.session_runner import SessionRunner
from wavewrap_gateway.runtime.ticker import Timer
from wavewrap_gateway.runtime.wrap import Wrap
from wavewrap_gateway.runtime.wrap_run import WrapRun
from wavewrap_protocol.errors import LinkError, LocalError
from wavewrap_protocol.payloads import SessionSummary

__all__ = ["DRAIN_S", "LoadProgram", "Record", "SessionDesk", "record_nothing"]

DRAIN_S = 5.0
"""Longest wait for the broker to take what a session left."""

LoadProgram = Callable[[int, int], Program]
"""The program, checked for a wrap with so many chambers and so deep a queue."""


Record = Callable[[Program, int, SessionRunner], SessionRecorder | None]
"""Begins the record of a session, given its number on the wraps."""


def record_nothing(_program: Program, _number: int, _runner: SessionRunner) -> None:
    """Where sessions are not to be kept."""


class SessionDesk:
    """``clock`` is the time line of ``timer``. A broker that is gone for ``patience_s`` stops every session."""

    def __init__(
        self,
        bridge: Bridge,
        publisher: Publisher,
        lateness: Lateness,
        timer: Timer,
        clock: Callable[[], float],
        rng: Random,
        *,
        ceiling_mmhg: float,
        patience_s: float,
        record: Record = record_nothing,
    ) -> None:
        self._bridge = bridge
        self._publisher = publisher
        self._lateness = lateness
        self._timer = timer
        self._clock = clock
        self._rng = rng
        self._ceiling_mmhg = ceiling_mmhg
        self._patience_s = patience_s
        self._record = record
        self._sessions: dict[SessionRunner, tuple[Program, int]] = {}
        """With the program and the number on the wraps."""
        bridge.session_view = self.view
        bridge.is_in_session = lambda wrap: self.of(wrap) is not None

    @property
    def sessions(self) -> tuple[SessionRunner, ...]:
        """Those that were prepared and have not ended."""
        return tuple(self._sessions)

    def of(self, wrap: Wrap) -> SessionRunner | None:
        """The session that ``wrap`` is in."""
        return next((one for one in self._sessions if any(run.wrap is wrap for run in one.runs)), None)

    def prepare(self, wraps: Sequence[Wrap], load: LoadProgram, duration_s: float | None) -> SessionRunner:
        """A session on ``wraps``, theirs from now on; :meth:`play` it.

        Raises :class:`LinkError`, :class:`LocalError` for a wrap that is in a session, and what ``load`` raises.
        """
        for wrap in wraps:
            running = self.of(wrap)
            if running is not None:
                raise LocalError(f"{wrap.name} plays {running.progress().program}: stop that first, or wait until it has ended")
        session_id = self._rng.randrange(1, 1 << 32)
        waves, programs = [], []
        for wrap in wraps:
            capabilities = wrap.link.capabilities
            if capabilities is None:
                raise LinkError(f"{wrap.name} has not said what it is")
            programs.append(load(capabilities.chambers, capabilities.queue_depth))
            waves.append(compile_wave(programs[-1], wrap.side, capabilities.chambers, duration_s))
        runs = [WrapRun(wrap, wave, session_id, self._ceiling_mmhg, self._clock) for wrap, wave in zip(wraps, waves, strict=True)]
        runner = SessionRunner(programs[-1].name, runs, self._clock, self._lateness, self._timer)
        runner.observe = self._bridge.event
        self._sessions[runner] = (programs[-1], session_id)
        return runner

    def view(self, name: str) -> SessionView | None:
        """The session of the wrap called ``name``, ``None`` when it is in none."""
        for runner in self._sessions:
            runs = {run.wrap.name: run for run in runner.runs}
            if name in runs:
                return SessionView(runner.progress(), runs)
        return None

    async def play(self, runner: SessionRunner) -> SessionSummary:
        """Run ``runner`` to its end, vent included, publish its record and keep it."""
        recorder = self._record(*self._sessions[runner], runner)
        if recorder is None:
            return await self._play(runner)
        summary: SessionSummary | None = None
        forget = self._bridge.watch(recorder.take_event)
        try:
            summary = await self._play(runner)
        finally:
            forget()
            recorder.finish(summary, self._clock())
        return summary

    async def _play(self, runner: SessionRunner) -> SessionSummary:
        patience = _BrokerPatience(self._patience_s, runner.request_stop)
        forget = self._publisher.add_listener(patience.on_change)
        wraps = ", ".join(run.wrap.name for run in runner.runs)
        self._bridge.event("session_started", f"{runner.progress().program} on {wraps}")
        try:
            await runner.note_charges()
            outcome = await runner.run()
            self._bridge.event("session_ended", f"{outcome.ended.value}: {outcome.reason}")
            self._bridge.publish_states()
            self._bridge.publish_samples()
        finally:
            forget()
            patience.cancel()
            self._sessions.pop(runner)
        await runner.note_charges()
        if self._publisher.connected:
            await self._publisher.drain(DRAIN_S)
        summary = runner.summary(outcome, self._publisher.counts())
        self._bridge.publish_summary(summary)
        await self._publisher.drain(DRAIN_S)
        return summary


class _BrokerPatience:
    """Stops a session when the broker stays away."""

    def __init__(self, patience_s: float, stop: Callable[[str], None]) -> None:
        self._patience_s = patience_s
        self._stop = stop
        self._timer: asyncio.TimerHandle | None = None

    def on_change(self, change: BrokerChange) -> None:
        """The broker came or went."""
        self.cancel()
        if isinstance(change, BrokerDown):
            reason = f"the MQTT broker was gone for {self._patience_s:g} s ({change.reason}): bring it back, then start again"
            self._timer = asyncio.get_running_loop().call_later(self._patience_s, self._stop, reason)

    def cancel(self) -> None:
        """Wait no longer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
