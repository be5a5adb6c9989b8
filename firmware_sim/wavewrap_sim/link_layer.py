"""One LE connection in time: a grid of connection events, a queue a direction, a budget of air an event.

The link layer is reliable: a lost event delays, it drops nothing (Bluetooth Core, Vol 6 Part B 4.5). A link that hears nothing for the
supervision timeout is lost (4.5.2). Events without data are not simulated one by one. Not responsible for what the packets mean.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from math import ceil, inf
from random import Random

from wavewrap_sim.outages import Outages

__all__ = ["Direction", "LinkLayer", "LinkTiming"]

BYTE_S = 8e-6
"""On air at 1 Mbit/s (LE 1M)."""

PACKET_OVERHEAD_BYTES = 10
"""Preamble 1, access address 4, header 2, CRC 3 (Vol 6 Part B 2.1). The L2CAP header is part of the payload."""

FRAME_SPACE_S = 150e-6
"""Between two packets of an event (Vol 6 Part B 4.1.1)."""

PREPARE_S = 100e-6
"""A packet later than this before an event waits for the next. Choice: controllers load their buffers shortly ahead."""

UPDATE_EVENTS = 6
"""A parameter update takes effect this many events later, the least the standard asks for (Vol 6 Part B 5.1.1)."""

WATCH_PERIODS = 3.0
"""Random outages are looked for so many supervision timeouts ahead. Choice: more than one, or an outage could slip through in between."""

SAME_S = 1e-6
"""Instants closer than this are the same: anchors are sums of floats."""

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
    ready_s: float
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
        self._next_free_s = 0.0
        self._closed = False
        self._watch()

    @property
    def timing(self) -> LinkTiming:
        """In force now."""
        return self._timing

    def send(self, direction: Direction, payload_bytes: int, deliver: Callable[[], None]) -> None:
        """Queue a packet; ``deliver`` is called when it has arrived, never when the link is closed before."""
        if self._closed:
            return
        ready_s = self._loop.time() + PREPARE_S
        self._queues[direction].append(_Packet(ready_s, (payload_bytes + PACKET_OVERHEAD_BYTES) * BYTE_S, deliver))
        if self._event is None:
            self._schedule(ready_s)

    def update(self, timing: LinkTiming, applied: Callable[[], None]) -> None:
        """Change to ``timing`` :data:`UPDATE_EVENTS` events from now, then call ``applied``."""
        if self._closed:
            return
        instant_s = self._anchor_after(self._loop.time()) + UPDATE_EVENTS * self._timing.interval_s
        self._call_at(instant_s, lambda: self._apply(timing, instant_s, applied))

    def close(self) -> None:
        """The connection is over: what was queued is gone, what is sent from now on too."""
        self._closed = True
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
        self._watch()
        applied()

    def _anchor_after(self, when_s: float) -> float:
        """The first connection event not before ``when_s``."""
        events = ceil((when_s - self._anchor_s) / self._timing.interval_s - 1e-9)
        return self._anchor_s + max(0, events) * self._timing.interval_s

    def _event_number(self, anchor_s: float) -> int:
        return round((anchor_s - self._anchor_s) / self._timing.interval_s)

    def _schedule(self, not_before_s: float) -> None:
        anchor_s = self._anchor_after(max(not_before_s, self._next_free_s))
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
        share = self._share()
        latest_s = anchor_s + self._timing.interval_s * share
        down, up = self._queues[Direction.TO_PERIPHERAL], self._queues[Direction.TO_CENTRAL]
        # A peripheral with latency sleeps through events unless it has something to say itself.
        listening = _first(up, anchor_s) is not None or self._event_number(anchor_s) % (self._timing.latency + 1) == 0
        cursor_s = anchor_s
        while listening:
            first_down, first_up = _first(down, anchor_s), _first(up, anchor_s)
            if first_down is None and first_up is None:
                break
            turn_s = sum(EMPTY_S if one is None else one.air_s for one in (first_down, first_up)) + 2.0 * FRAME_SPACE_S
            if cursor_s > anchor_s and cursor_s + turn_s > latest_s:
                break
            cursor_s = self._pass(down, first_down, cursor_s) + FRAME_SPACE_S
            cursor_s = self._pass(up, first_up, cursor_s) + FRAME_SPACE_S
        # One turn is always allowed; what it takes beyond the share is missing in the next events.
        self._next_free_s = anchor_s + max(PREPARE_S, (cursor_s - anchor_s) / share)
        if down or up:
            self._schedule(anchor_s + self._timing.interval_s / 2.0)

    def _pass(self, queue: deque[_Packet], packet: _Packet | None, cursor_s: float) -> float:
        """``packet``, the first of ``queue``, or an empty one, from ``cursor_s`` on; returns when it has arrived."""
        if packet is None:
            return cursor_s + EMPTY_S
        queue.popleft()
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

    def _watch(self) -> None:
        """Arm the supervision timer for the next outage that is long enough."""
        if self._supervision is not None:
            self._supervision.cancel()
            self._supervision = None
        now_s, limit_s = self._loop.time(), self._timing.supervision_s
        until_s = now_s + WATCH_PERIODS * limit_s if self._outages.are_random else inf
        start_s = self._outages.next_lasting(now_s, limit_s, until_s)
        if start_s is not None:
            self._supervision = self._loop.call_at(max(start_s + limit_s, now_s), self._on_lost)
        elif self._outages.are_random:
            self._supervision = self._loop.call_at(until_s - limit_s, self._watch)


def _first(queue: deque[_Packet], anchor_s: float) -> _Packet | None:
    """What ``queue`` has to send in the event at ``anchor_s``."""
    return queue[0] if queue and queue[0].ready_s <= anchor_s + SAME_S else None
