"""One LE connection in time: a grid of connection events, a queue a direction, a budget of air an event.

The link layer is reliable: a lost event delays, it drops nothing (Bluetooth Core, Vol 6 Part B 4.5). A link that hears nothing for the
supervision timeout is lost (4.5.2). Events without data are not simulated one by one. Not responsible for what the packets mean.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from math import ceil
from random import Random

from wavewrap_sim.outages import Outages

__all__ = ["Direction", "LinkLayer", "LinkTiming"]

BYTE_S = 8e-6
"""On air at 1 Mbit/s (LE 1M)."""

PACKET_OVERHEAD_BYTES = 14
"""Preamble 1, access address 4, header 2, CRC 3, and the L2CAP header 4 (Vol 6 Part B 2.1, Vol 3 Part A 3.1)."""

FRAME_SPACE_S = 150e-6
"""Between two packets of an event (Vol 6 Part B 4.1.1)."""

PREPARE_S = 100e-6
"""A packet later than this before an event waits for the next. Choice: controllers load their buffers shortly ahead."""

UPDATE_EVENTS = 6
"""A parameter update takes effect this many events later, the least the standard asks for (Vol 6 Part B 5.1.1)."""

EMPTY_S = PACKET_OVERHEAD_BYTES * BYTE_S


class Direction(Enum):
    """Which way a packet goes."""

    TO_PERIPHERAL = 0
    TO_CENTRAL = 1


@dataclass(frozen=True, slots=True)
class LinkTiming:
    """Connection interval and supervision timeout in seconds; ``latency`` is the events a peripheral may skip."""

    interval_s: float
    latency: int
    supervision_s: float


@dataclass(frozen=True, slots=True)
class _Packet:
    air_s: float
    deliver: Callable[[], None]


class LinkLayer:
    """One connection. ``share`` is how much of each interval is this link's; ``on_lost`` is called at the supervision timeout."""

    def __init__(
        self,
        timing: LinkTiming,
        anchor_s: float,
        loss: float,
        outages: Outages,
        rng: Random,
        share: Callable[[], float],
        on_lost: Callable[[], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._timing = timing
        self._anchor_s = anchor_s
        self._loss = loss
        self._outages = outages
        self._rng = rng
        self._share = share
        self._on_lost = on_lost
        self._queues: dict[Direction, deque[_Packet]] = {direction: deque() for direction in Direction}
        self._event: asyncio.TimerHandle | None = None
        self._deliveries: set[asyncio.TimerHandle] = set()
        self._supervision: asyncio.TimerHandle | None = None
        self._event_end_s = 0.0
        self.watch()

    @property
    def timing(self) -> LinkTiming:
        """In force now."""
        return self._timing

    def send(self, direction: Direction, payload_bytes: int, deliver: Callable[[], None]) -> None:
        """Queue a packet; ``deliver`` is called when it has arrived."""
        air_s = (payload_bytes + PACKET_OVERHEAD_BYTES) * BYTE_S
        self._queues[direction].append(_Packet(air_s, deliver))
        if self._event is None:
            self._schedule(self._loop.time() + PREPARE_S)

    def update(self, timing: LinkTiming, applied: Callable[[], None]) -> None:
        """Change to ``timing`` :data:`UPDATE_EVENTS` events from now, then call ``applied``."""
        instant_s = self._anchor_after(self._loop.time()) + UPDATE_EVENTS * self._timing.interval_s
        self._call_at(instant_s, lambda: self._apply(timing, instant_s, applied))

    def close(self) -> None:
        """The connection is over: what was queued is gone."""
        for timer in (self._event, self._supervision, *self._deliveries):
            if timer is not None:
                timer.cancel()
        self._event = self._supervision = None
        self._deliveries.clear()
        for queue in self._queues.values():
            queue.clear()

    def _apply(self, timing: LinkTiming, instant_s: float, applied: Callable[[], None]) -> None:
        self._timing, self._anchor_s = timing, instant_s
        if self._event is not None:
            self._event.cancel()
            self._schedule(self._loop.time())
        self.watch()
        applied()

    def _anchor_after(self, when_s: float) -> float:
        """The first connection event not before ``when_s``."""
        events = ceil((when_s - self._anchor_s) / self._timing.interval_s - 1e-9)
        return self._anchor_s + max(0, events) * self._timing.interval_s

    def _event_number(self, anchor_s: float) -> int:
        return round((anchor_s - self._anchor_s) / self._timing.interval_s)

    def _schedule(self, not_before_s: float) -> None:
        anchor_s = self._anchor_after(max(not_before_s, self._event_end_s))
        self._event = self._loop.call_at(anchor_s, self._run_event, anchor_s)

    def _run_event(self, anchor_s: float) -> None:
        """One connection event: both sides take turns until the queues are empty or the air is used up."""
        self._event = None
        outage_end_s = self._outages.end_at(anchor_s)
        if outage_end_s is not None:
            self._schedule(outage_end_s)
            return
        if self._loss > 0.0 and self._rng.random() < self._loss:
            self._schedule(anchor_s + self._timing.interval_s / 2.0)
            return
        down, up = self._queues[Direction.TO_PERIPHERAL], self._queues[Direction.TO_CENTRAL]
        # A peripheral with latency sleeps through events unless it has something to say itself.
        listening = bool(up) or self._event_number(anchor_s) % (self._timing.latency + 1) == 0
        cursor_s, end_s = anchor_s, anchor_s + self._timing.interval_s * self._share()
        while listening and (down or up):
            turn_s = (down[0].air_s if down else EMPTY_S) + FRAME_SPACE_S + (up[0].air_s if up else EMPTY_S) + FRAME_SPACE_S
            if cursor_s > anchor_s and cursor_s + turn_s > end_s:
                break
            cursor_s = self._pass(down, cursor_s) + FRAME_SPACE_S
            cursor_s = self._pass(up, cursor_s) + FRAME_SPACE_S
        self._event_end_s = max(cursor_s, anchor_s + PREPARE_S)
        if down or up:
            self._schedule(anchor_s + self._timing.interval_s / 2.0)

    def _pass(self, queue: deque[_Packet], cursor_s: float) -> float:
        """One packet of ``queue``, or an empty one, from ``cursor_s`` on; returns when it has arrived."""
        if not queue:
            return cursor_s + EMPTY_S
        packet = queue.popleft()
        arrived_s = cursor_s + packet.air_s
        self._call_at(arrived_s, packet.deliver)
        return arrived_s

    def _call_at(self, when_s: float, act: Callable[[], None]) -> None:
        """``act`` at ``when_s``, unless the link is closed before."""

        def run() -> None:
            self._deliveries.discard(timer)
            act()

        timer = self._loop.call_at(when_s, run)
        self._deliveries.add(timer)

    def watch(self) -> None:
        """Arm the supervision timer for the next fade that is long enough; again whenever the outages have changed."""
        if self._supervision is not None:
            self._supervision.cancel()
            self._supervision = None
        start_s = self._outages.next_lasting(self._loop.time(), self._timing.supervision_s)
        if start_s is not None:
            self._supervision = self._loop.call_at(max(start_s + self._timing.supervision_s, self._loop.time()), self._on_lost)
