"""Keeps the estimate of one wrap's clock fresh by dithered time pings, and that of how long a write takes to get there.

Not responsible for the estimates themselves (:mod:`wavewrap_gateway.core.clock_sync`, :mod:`wavewrap_gateway.core.lead`).
"""

import asyncio
import logging
from collections.abc import Callable
from random import Random

from wavewrap_gateway.core.clock_sync import ClockSync
from wavewrap_gateway.core.lead import LeadPredictor
from wavewrap_gateway.runtime.ports import Connection
from wavewrap_protocol import uuids
from wavewrap_protocol.commands import TimePing
from wavewrap_protocol.reports import TimePong

__all__ = ["ClockKeeper"]

WARM_UP_PINGS = 12
WARM_UP_GAP_S = (0.03, 0.12)
PING_GAP_S = (0.2, 2.5)
PING_GAP_SHARE = 0.1
PING_DITHER = (0.7, 1.3)
"""A tenth of the time since the link came up, within bounds: the skew is found soon, then held cheaply. Dithered, so that pings never
fall into step with the radio's connection interval."""

PONG_S = 1.0
_PING_NUMBERS = 1 << 16

_log = logging.getLogger(__name__)


class ClockKeeper:
    """Of the wrap called ``name`` in the log. ``clock`` is host time, ``rng`` dithers."""

    def __init__(self, name: str, clock: Callable[[], float], rng: Random) -> None:
        self.sync = ClockSync()
        self.lead = LeadPredictor()
        self._name = name
        self._clock = clock
        self._rng = rng
        self._pings: dict[int, float] = {}
        self._ping_id = 0
        self._pong = asyncio.Event()

    async def warm_up(self, connection: Connection) -> None:
        """A handful of pings at once, for a first estimate."""
        for _ in range(WARM_UP_PINGS):
            await self._ping(connection)
            await asyncio.sleep(self._rng.uniform(*WARM_UP_GAP_S))

    async def run(self, connection: Connection) -> None:
        """Until cancelled."""
        up_s = self._clock()
        while True:
            gap_s = min(max(PING_GAP_SHARE * (self._clock() - up_s), PING_GAP_S[0]), PING_GAP_S[1])
            await asyncio.sleep(gap_s * self._rng.uniform(*PING_DITHER))
            await self._ping(connection)

    async def _ping(self, connection: Connection) -> None:
        self._ping_id = (self._ping_id + 1) % _PING_NUMBERS
        self._pings = {self._ping_id: self._clock()}
        self._pong.clear()
        await connection.write(uuids.TIME, TimePing(self._ping_id).encode(), response=False)
        try:
            async with asyncio.timeout(PONG_S):
                await self._pong.wait()
        except TimeoutError:
            _log.info("link %s: no answer to a time ping", self._name)

    def take_pong(self, pong: TimePong, returned_s: float) -> None:
        """An answer that came at host time ``returned_s``; one to no ping of this boot is ignored."""
        if pong.boot_id != self.sync.boot_id or (sent_s := self._pings.pop(pong.ping_id, None)) is None:
            return
        self.sync.add_ping(sent_s, pong.received_tick, pong.sent_tick, returned_s)
        self._watch_way_out(sent_s, pong.received_tick)
        self._pong.set()

    def add_departure(self, sent_s: float, received_tick: int) -> None:
        """Something that left here at ``sent_s`` was received at ``received_tick``."""
        self.sync.add_departure(sent_s, received_tick)
        self._watch_way_out(sent_s, received_tick)

    def _watch_way_out(self, sent_s: float, received_tick: int) -> None:
        estimate = self.sync.estimate
        if estimate is not None:
            self.lead.add(estimate.host_at(self.sync.unwrap(received_tick)) - sent_s)
