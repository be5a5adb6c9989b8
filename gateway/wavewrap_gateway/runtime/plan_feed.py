"""Puts the schedule of one wrap on the device: batches ahead of time, or each step at its deadline on a wrap without a queue.

Every plan and flush is repeated with its own ``cmd_id`` until it is answered, so that none is carried out twice. Not responsible for the
lease nor for what the wrap says (:mod:`wavewrap_gateway.runtime.wrap_run`).
"""

import asyncio
from collections.abc import Callable

from wavewrap_gateway.core.clock_sync import ClockEstimate
from wavewrap_gateway.core.scheduler import COMMAND_AHEAD_S, GUARD_S, SLIP_AHEAD_S, Batch, ScheduledStep, Scheduler
from wavewrap_gateway.runtime.exchange import require_ok
from wavewrap_gateway.runtime.ticker import Timer
from wavewrap_gateway.runtime.wrap import Wrap
from wavewrap_protocol.commands import Flush, Plan
from wavewrap_protocol.errors import LinkError
from wavewrap_protocol.units import TICK_MODULUS

__all__ = ["CLOCK_UNCERTAINTY_MAX_S", "PlanFeed"]

CLOCK_UNCERTAINTY_MAX_S = 0.05
"""No step is scheduled on a clock known worse than this. Choice: a fifth of the guard."""

RETRY_S = 0.1
"""Pause between attempts on a link that is down. Choice: its shortest wait before a reconnect."""

LOOK_S = 0.1
"""How soon a command is noticed while a wrap without a queue waits for its next step. Choice: a fifth of what a command is ahead."""


class PlanFeed:
    """``on_dropped`` gets the steps that came too late to be sent at all. Set :attr:`lease_end_s` before anything else."""

    def __init__(
        self,
        wrap: Wrap,
        session_id: int,
        scheduler: Scheduler,
        clock: Callable[[], float],
        on_dropped: Callable[[list[ScheduledStep]], None],
    ) -> None:
        self.scheduler = scheduler
        self.planning = asyncio.Lock()
        self.lease_end_s = 0.0
        self._wrap = wrap
        self._session_id = session_id
        self._clock = clock
        self._on_dropped = on_dropped
        self._unanswered: Plan | None = None
        self._flush: tuple[int, Flush] | None = None

    def _usable_clock(self) -> ClockEstimate | None:
        """The estimate, when it is good enough to schedule on now."""
        estimate = self._wrap.link.clock_sync.estimate
        if estimate is None or estimate.uncertainty_at(self.lease_end_s) > CLOCK_UNCERTAINTY_MAX_S:
            return None
        return estimate

    async def fill(self) -> None:
        """Fill the queue up to the horizon. Raises :class:`LinkError`."""
        async with self.planning:
            await self._settle()
            await self._send_batches(SLIP_AHEAD_S)

    async def flush(self, from_s: float) -> None:
        """Have the device forget what is due from host second ``from_s`` on. Hold :attr:`planning`. Raises :class:`LinkError`."""
        await self._settle()
        from_tick = self.scheduler.flushable_from(from_s)
        if from_tick is not None:
            self._flush = (self._wrap.link.next_command_id(), Flush(self._session_id, from_tick % TICK_MODULUS))
            await self._settle()

    async def replan(self, cut_s: float, change: Callable[[float], None]) -> None:
        """Take the queue back from host second ``cut_s`` on, ``change`` the schedule from there, send it anew.

        A link that is down is tried until it is up again, or until somebody cancels this; then the change is made as early as it is safe.
        """
        while True:
            try:
                async with self.planning:
                    now_s = self._clock()
                    from_s = cut_s if cut_s - now_s >= GUARD_S else now_s + COMMAND_AHEAD_S
                    await self.flush(from_s)
                    change(from_s)
                    break
            except LinkError:
                await asyncio.sleep(RETRY_S)
        try:
            async with self.planning:
                await self._send_batches(GUARD_S)
        except LinkError:
            return  # the next round repeats it

    async def drive(self, timer: Timer) -> None:
        """Send each step of a wrap without a queue when its time has come, less the predicted way out. Until cancelled."""
        while True:
            due_s, now_s = self.scheduler.next_due_s(), self._clock()
            send_s = now_s + LOOK_S if due_s is None else due_s - self._wrap.link.lead.lead_s
            if send_s > now_s:
                await timer.sleep_until(min(send_s, now_s + LOOK_S))
                continue
            try:
                async with self.planning:
                    await self._settle()
                    sent = await self._send_moment()
            except LinkError:
                sent = False
            if not sent:
                await asyncio.sleep(RETRY_S)

    async def _settle(self) -> None:
        """Repeat what was not answered, with the same ``cmd_id``: the device knows whether it has carried it out."""
        if self._unanswered is not None:
            require_ok(await self._wrap.link.send_plan(self._unanswered), self._wrap.name)
            self._unanswered = None
        if self._flush is not None:
            cmd_id, command = self._flush
            answer = require_ok(await self._wrap.link.command(command, cmd_id), self._wrap.name)
            # What fell due while the flush was on its way has been carried out: only the device knows how many it forgot.
            self.scheduler.rewind(answer.detail)
            self._flush = None

    async def _send_batches(self, ahead_s: float) -> None:
        while (clock := self._usable_clock()) is not None:
            batch = None if self.scheduler.queueless else self.scheduler.next_batch(self._clock(), self.lease_end_s, clock, ahead_s)
            if batch is None:
                return
            await self._send(batch)

    async def _send_moment(self) -> bool:
        clock = self._usable_clock()
        if clock is None:
            return False
        batch, dropped = self.scheduler.next_moment(self._clock(), clock)
        self._on_dropped(dropped)
        if batch is not None:
            await self._send(batch)
        return True

    async def _send(self, batch: Batch) -> None:
        self._unanswered = Plan(self._wrap.link.next_command_id(), self._session_id, batch.first_seq, batch.steps)
        await self._settle()
