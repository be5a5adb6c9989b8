"""Messages that wait for the broker: which goes next, what an answer of the broker means, and the counts.

Order: latest states, then events in their order, then new telemetry, then telemetry out of the storage. What is older than
:data:`HISTORICAL_S` when it leaves is marked historical, and leaves at a limited rate. Time is told by the ``unix_s`` that was passed in.

Not responsible for: how messages are kept (``storage``), connections and the window (the adapter).
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from wavewrap_gateway.runtime.holds import Holds
from wavewrap_gateway.runtime.lanes import Lane
from wavewrap_gateway.runtime.publishing import DataClass, Message, mark_historical
from wavewrap_gateway.runtime.storage import Kept, Lost, Page, Storage
from wavewrap_protocol.payloads import MqttCounts, OutboxHealth

__all__ = ["MessageQueues", "Outgoing", "QueueRules", "Verdict"]

FRESH_TELEMETRY = 1000
"""New telemetry that is kept at hand while the socket stalls. Choice: 50 s of two wraps at 10 batches a second each, under 1 MB."""

FRESH_EVENTS = 5000
"""Events kept at hand; further ones lie in the storage alone. Choice: as many messages as a bulk of them makes in a second."""

HISTORICAL_S = 5.0
"""Choice: a person at a live view would call data this old late."""

BUSY_PAUSES_S = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
"""After a broker's "quota exceeded". Choice: as between attempts to connect."""

_log = logging.getLogger(__name__)


class Verdict(Enum):
    """Why the broker did not deliver a message."""

    UNHEARD = "no subscriber"
    BUSY = "busy"
    DENIED = "denied"
    IMPOSSIBLE = "impossible"


@dataclass(frozen=True, slots=True)
class QueueRules:
    """``backfill_per_s``: messages out of the storage. ``unheard_s``: how long telemetry that nobody listens to is kept for them."""

    backfill_per_s: float = 200.0
    unheard_s: float = 300.0


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message on its way. ``kept`` is None for a state; ``message`` may differ from what is kept by its historical mark."""

    message: Message
    kept: Kept | None


class MessageQueues:
    """Every message handed in is counted once, as acknowledged, dropped, replaced or unheard, or is still waiting."""

    def __init__(self, storage: Storage, unix_s: Callable[[], float], rules: QueueRules = QueueRules()) -> None:
        self._storage = storage
        self._unix_s = unix_s
        self._rules = rules
        self._latest: dict[str, Message] = {}
        self._lanes = {
            DataClass.EVENT: Lane(DataClass.EVENT, storage, in_order=True, fresh_bound=FRESH_EVENTS),
            DataClass.TELEMETRY: Lane(DataClass.TELEMETRY, storage, in_order=False, fresh_bound=FRESH_TELEMETRY),
        }
        for lane in self._lanes.values():
            lane.on_spilled = self._note_spilled
        self._holds = Holds()
        self._number = storage.next_number
        self._newest: dict[str, int] = {}  # by path, of retained events
        self._forsaken: dict[int, str] = {}  # resident, no longer in the storage: why
        self._connected = False
        self._hurry = False
        self._tokens = self._burst
        self._filled_s = unix_s()
        self._expired_s = unix_s()
        self._paused_until_s = 0.0
        self._busy = 0
        self._published = self._acknowledged = self._replaced = self._unheard = 0
        self._drops: Counter[str] = Counter()
        self._dropped_samples: Counter[str] = Counter()
        self.on_more: Callable[[], None] = lambda: None
        """Called when the storage has brought something to send."""
        storage.listen(self)

    # In.

    def put(self, message: Message) -> None:
        """Take a new message in."""
        self._published += 1
        if message.data_class is DataClass.LATEST:
            self._replaced += self._latest.pop(message.path, None) is not None
            self._latest[message.path] = message
            return
        kept = Kept(self._number, message, self._unix_s())
        self._number += 1
        if message.retained:
            self._newest[message.path] = kept.number
        self._storage.append(kept)
        self._lanes[message.data_class].offer(kept, connected=self._connected)

    def connect(self) -> None:
        """A broker takes messages from now on."""
        self._connected = True
        self._holds.clear()
        self._paused_until_s, self._busy = 0.0, 0
        for lane in self._lanes.values():
            lane.rewind()

    def disconnect(self, in_flight: Iterable[Outgoing]) -> None:
        """No broker; ``in_flight`` are the messages that it did not answer, oldest first."""
        self._connected = False
        for outgoing in in_flight:
            self._put_back(outgoing)
        for lane in self._lanes.values():
            lane.spill_all()

    def _put_back(self, outgoing: Outgoing) -> None:
        if outgoing.kept is not None:
            self._lanes[outgoing.message.data_class].put_back(outgoing.kept)
        elif outgoing.message.path in self._latest:
            self._replaced += 1
        else:
            self._latest[outgoing.message.path] = outgoing.message

    # Out.

    def take(self) -> Outgoing | None:
        """Hand out the next message; it is settled later by :meth:`acknowledge`, :meth:`refuse` or :meth:`disconnect`."""
        now_s = self._unix_s()
        if not self._connected or now_s < self._paused_until_s:
            return None
        if self._latest:
            path = next(iter(self._latest))
            return Outgoing(self._latest.pop(path), None)
        self._look_around(now_s)
        events, telemetry = self._lanes[DataClass.EVENT], self._lanes[DataClass.TELEMETRY]
        for lane in (events, telemetry):
            lane.fill(self._holds.closed())
            kept = self._next_of(lane, now_s)
            if kept is not None:
                return self._send(kept, now_s)
        return None

    def _next_of(self, lane: Lane, now_s: float) -> Kept | None:
        in_order = lane is self._lanes[DataClass.EVENT]
        if lane.fresh and not (in_order and lane.backlog):
            return lane.fresh.popleft()
        while lane.backlog:
            if not self._holds.admits(lane.backlog[0].message.path):
                lane.shelve(lane.backlog.popleft())
                continue
            is_late = lane.backlog[0].at_unix_s < now_s - HISTORICAL_S
            return lane.backlog.popleft() if not is_late or self._may_backfill(now_s) else None
        return None

    @property
    def _burst(self) -> float:
        """A tenth of a second's worth at once: what was not used is not saved up."""
        return max(1.0, self._rules.backfill_per_s / 10.0)

    def _may_backfill(self, now_s: float) -> bool:
        if self._hurry:
            return True
        self._tokens = min(self._burst, self._tokens + max(0.0, now_s - self._filled_s) * self._rules.backfill_per_s)
        self._filled_s = now_s
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True

    def _send(self, kept: Kept, now_s: float) -> Outgoing:
        message = kept.message
        if kept.at_unix_s < now_s - HISTORICAL_S:
            message = mark_historical(message)
        if message.retained and self._newest.get(message.path, 0) > kept.number:
            # A newer one has gone out or will: only that one may stay for those who come later.
            message = replace(message, retained=False)
        return Outgoing(message, kept)

    def _look_around(self, now_s: float) -> None:
        """Try held paths again, and give up telemetry that nobody listens to."""
        if self._holds.let_probe(now_s):
            for lane in self._lanes.values():
                lane.rewind()
        if now_s - self._expired_s >= 1.0:
            self._expired_s = now_s
            for path in list(self._holds.unheard()):
                self._storage.expire(path, now_s - self._rules.unheard_s, Verdict.UNHEARD.value)

    def wait_s(self) -> float | None:
        """After how long :meth:`take` may have something that it has not now; None when only a call here can change that."""
        if not self._connected:
            return None
        now_s = self._unix_s()
        waits_s = [self._paused_until_s - now_s] if self._paused_until_s > now_s else []
        if any(lane.backlog for lane in self._lanes.values()):
            waits_s.append(0.05)  # five percent of the rate's second: few wake-ups, small bursts
        due_s = self._holds.next_due_unix_s()
        if due_s is not None:
            waits_s.append(max(0.05, due_s - now_s))
        return min(waits_s, default=None)

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits, here or in the storage, and no path is held back."""
        return not self._latest and all(lane.is_empty for lane in self._lanes.values()) and self._holds.next_due_unix_s() is None

    @property
    def is_settled(self) -> bool:
        """Whether nothing waits that could go out; what the broker does not take now does not count."""
        if not self._connected:
            return self._waiting() == 0
        return not self._latest and (self._unix_s() < self._paused_until_s or all(lane.is_empty for lane in self._lanes.values()))

    def hurry(self, wanted: bool) -> None:
        """Whether the rate of what comes out of the storage has no limit."""
        self._hurry = wanted

    # The broker's answers.

    def acknowledge(self, outgoing: Outgoing) -> None:
        """The broker has the message, and whoever listens gets it."""
        self._busy = 0
        if outgoing.kept is None:
            self._acknowledged += 1
            return
        if self._holds.release(outgoing.message.path):
            for lane in self._lanes.values():
                lane.rewind()
        self._settle(outgoing.kept)
        self._acknowledged += 1

    def refuse(self, outgoing: Outgoing, verdict: Verdict, reason: str) -> None:
        """The broker has not delivered the message, for ``reason`` in its own words."""
        if verdict is Verdict.BUSY:
            pause_s = BUSY_PAUSES_S[min(self._busy, len(BUSY_PAUSES_S) - 1)]
            if self._unix_s() >= self._paused_until_s:
                _log.warning("the broker is busy (%s): waiting %g s", reason, pause_s)
                self._busy += 1
                self._paused_until_s = self._unix_s() + pause_s
            self._put_back(outgoing)
            return
        data_class, kept, path = outgoing.message.data_class, outgoing.kept, outgoing.message.path
        if kept is None or (verdict is Verdict.UNHEARD and outgoing.message.retained):
            if verdict is Verdict.UNHEARD:  # the broker keeps what is retained, and what is not is for those who are there
                if kept is not None:
                    self._settle(kept)
                self._acknowledged += 1
            else:
                self._drop(reason, path)
            return
        if verdict is Verdict.IMPOSSIBLE or (verdict is Verdict.DENIED and data_class is DataClass.TELEMETRY):
            self._settle(kept)
            self._drop(reason, path)
            self._count_samples([Lost(kept.number, kept.message.samples)])
            return
        if self._holds.hold(path, self._unix_s(), unheard=verdict is Verdict.UNHEARD) and verdict is Verdict.DENIED:
            _log.error("%s: %s; events are kept and tried again: give this gateway the right to publish there", path, reason)
        self._lanes[data_class].shelve(kept)

    def _settle(self, kept: Kept) -> None:
        self._lanes[kept.message.data_class].settle(kept)
        if self._forsaken.pop(kept.number, None) is None:
            self._storage.remove(kept)

    def _drop(self, reason: str, path: str) -> None:
        if not self._drops[reason]:
            _log.warning("message on %s dropped: %s", path, reason)
        self._drops[reason] += 1

    # The storage.

    def on_page(self, page: Page) -> None:
        """What a lane has asked for."""
        lane = self._lanes[page.data_class]
        lane.take_page(page)
        if lane.backlog or not lane.is_empty:
            self.on_more()

    def on_found(self, rows: int) -> None:
        """An earlier run has left something."""
        self._published += rows
        for lane in self._lanes.values():
            lane.rewind()
        self.on_more()

    def on_wiped(self, rows: int, safe: frozenset[int], reason: str) -> None:
        """The storage has lost everything; what is at hand goes out all the same."""
        at_hand = {number for lane in self._lanes.values() for number in lane.residents() if number not in safe}
        self._forsaken.update(dict.fromkeys(at_hand, reason))
        self._count_lost([Lost(0, None)] * max(0, rows - len(at_hand)), reason)

    def on_lost(self, lost: Sequence[Lost], reason: str) -> None:
        """Messages have left the storage at a bound; those that are still at hand go out all the same."""
        gone: list[Lost] = []
        for one in lost:
            if any(lane.is_resident(one.number) for lane in self._lanes.values()):
                self._forsaken[one.number] = reason
            else:
                gone.append(one)
        self._count_lost(gone, reason)

    def _note_spilled(self, kept: Kept) -> None:
        reason = self._forsaken.pop(kept.number, None)
        if reason is not None:
            self._count_lost([Lost(kept.number, kept.message.samples)], reason)

    def _count_lost(self, lost: Sequence[Lost], reason: str) -> None:
        if reason == Verdict.UNHEARD.value:
            self._unheard += len(lost)
            return
        if not lost:
            return
        if not self._drops[reason]:
            _log.error("%s: messages are dropped, the oldest telemetry first, and counted in bridge/health", reason)
        self._drops[reason] += len(lost)
        self._count_samples(lost)

    def _count_samples(self, lost: Iterable[Lost]) -> None:
        for one in lost:
            if one.samples is not None:
                self._dropped_samples[one.samples.wrap] += one.samples.count

    def give_up(self, reason: str) -> None:
        """The gateway ends: what no file keeps is counted as dropped."""
        given_up = len(self._latest) if self._storage.durable else self._waiting()
        if given_up:
            self._drops[reason] += given_up
        self._latest.clear()

    # The counts.

    def _waiting(self) -> int:
        return self._published - self._acknowledged - self._drops.total() - self._replaced - self._unheard

    def counts(self) -> MqttCounts:
        """Counts since start."""
        return MqttCounts(
            published=self._published,
            acknowledged=self._acknowledged,
            dropped=self._drops.total(),
            replaced=self._replaced,
            unheard=self._unheard,
            waiting=self._waiting(),
        )

    def drops(self) -> dict[str, int]:
        """Dropped messages by reason."""
        return dict(self._drops)

    def dropped_samples(self, wrap: str) -> int:
        """Samples of ``wrap`` in dropped telemetry."""
        return self._dropped_samples[wrap]

    def health(self) -> OutboxHealth:
        """Where messages wait."""
        size = self._storage.size()
        oldest_s = None if size.oldest_unix_s is None else round(max(0.0, self._unix_s() - size.oldest_unix_s), 1)
        return OutboxHealth(
            store="file" if size.in_file else "memory",
            rows=size.rows,
            size_bytes=size.size_bytes,
            oldest_s=oldest_s,
            dropped={reason: count for reason, count in self._drops.items() if count},
        )
