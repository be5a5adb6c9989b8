"""Where messages lie until the broker has them: the port that a file stands behind, and the same in memory.

Messages are numbered by whoever hands them in, rising. A storage never decides what is sent; it only gives up the oldest at its bounds.
"""

from bisect import bisect_right, insort
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from wavewrap_gateway.runtime.publishing import DataClass, Message, SampleRun

__all__ = ["MEMORY_BOUNDS", "Bounds", "Kept", "Lost", "MemoryStorage", "Page", "Shelf", "Storage", "StorageListener", "StorageSize"]

STORED_CLASSES = (DataClass.EVENT, DataClass.TELEMETRY)


@dataclass(frozen=True, slots=True)
class Kept:
    """A message under its number, with the time it was handed in."""

    number: int
    message: Message
    at_unix_s: float


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much may wait. Past them the oldest telemetry goes first, then the oldest event."""

    rows: int
    size_bytes: int
    age_s: float


MEMORY_BOUNDS = Bounds(20_000, 32_000_000, 7 * 86_400.0)
"""Without a file. Choice: a quarter of an hour of two wraps, in memory that a small computer has."""


@dataclass(frozen=True, slots=True)
class Lost:
    """A message that a storage gave up."""

    number: int
    samples: SampleRun | None


@dataclass(frozen=True, slots=True)
class Page:
    """Rows of one class in the order of their numbers. ``complete``: there was no further one. ``ticket`` is the request's."""

    data_class: DataClass
    ticket: int
    rows: Sequence[Kept]
    last_number: int
    complete: bool


@dataclass(frozen=True, slots=True)
class StorageSize:
    """What lies there. ``oldest_unix_s`` is None when nothing does. ``in_file``: the newest went to a file."""

    rows: int
    size_bytes: int
    oldest_unix_s: float | None
    in_file: bool


class StorageListener(Protocol):
    """Whoever hands the messages in; called in the loop's thread."""

    def on_page(self, page: Page) -> None:
        """What was asked for by ``fetch``."""
        ...

    def on_lost(self, lost: Sequence[Lost], reason: str) -> None:
        """Messages were given up; none of them had been removed before."""
        ...

    def on_wiped(self, rows: int, safe: frozenset[int], reason: str) -> None:
        """All that lay here, ``rows`` messages, is gone, but for those with the numbers ``safe``."""
        ...

    def on_found(self, rows: int) -> None:
        """So many messages of an earlier run lie here."""
        ...


class Storage(Protocol):
    """Every method returns at once."""

    @property
    def durable(self) -> bool:
        """Whether what lies here now is meant to survive the process."""
        ...

    @property
    def next_number(self) -> int:
        """A number over every one that was used before."""
        ...

    def listen(self, listener: StorageListener) -> None:
        """Call ``listener`` from now on."""
        ...

    def append(self, kept: Kept) -> None:
        """Keep a message; its number is over every one before."""
        ...

    def remove(self, kept: Kept) -> None:
        """The message is settled."""
        ...

    def fetch(self, data_class: DataClass, ticket: int, after: int, limit: int, skip_paths: frozenset[str]) -> None:
        """Hand up to ``limit`` messages with numbers over ``after`` to the listener, without those of ``skip_paths``."""
        ...

    def expire(self, path: str, before_unix_s: float, reason: str) -> None:
        """Give up the telemetry of ``path`` handed in before ``before_unix_s``."""
        ...

    def size(self) -> StorageSize:
        """What lies here, as far as is known now."""
        ...


class Shelf:
    """Messages in memory by number, within bounds. Pure: it tells nobody."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._rows: dict[DataClass, dict[int, Kept]] = {data_class: {} for data_class in STORED_CLASSES}
        self._order: dict[DataClass, list[int]] = {data_class: [] for data_class in STORED_CLASSES}
        self.size_bytes = 0

    def __len__(self) -> int:
        return sum(map(len, self._rows.values()))

    def add(self, kept: Kept) -> None:
        """Keep ``kept``."""
        data_class = kept.message.data_class
        self._rows[data_class][kept.number] = kept
        order = self._order[data_class]
        if order and kept.number < order[-1]:
            insort(order, kept.number)
        else:
            order.append(kept.number)
        self.size_bytes += len(kept.message.body)

    def pop(self, data_class: DataClass, number: int) -> Kept | None:
        """Take a message away."""
        kept = self._rows[data_class].pop(number, None)
        if kept is not None:
            self.size_bytes -= len(kept.message.body)
            order = self._order[data_class]
            if order[0] == number:
                del order[0]
            elif len(order) > 64 and len(order) > 2 * len(self._rows[data_class]):
                self._order[data_class] = [one for one in order if one in self._rows[data_class]]
        return kept

    def rows(self) -> list[Kept]:
        """All, in the order of their numbers."""
        found = [kept for rows in self._rows.values() for kept in rows.values()]
        return sorted(found, key=lambda kept: kept.number)

    def page(self, data_class: DataClass, after: int, limit: int, skip_paths: frozenset[str]) -> tuple[list[Kept], int, bool]:
        """Messages over ``after``, the number up to which was looked, and whether that was all."""
        order, rows = self._order[data_class], self._rows[data_class]
        found: list[Kept] = []
        last = after
        for at in range(bisect_right(order, after), len(order)):
            if len(found) == limit:
                return found, last, False
            last = order[at]
            kept = rows.get(last)
            if kept is not None and kept.message.path not in skip_paths:
                found.append(kept)
        return found, last, True

    def oldest(self) -> Kept | None:
        """The message with the lowest number."""
        firsts = [kept for data_class in STORED_CLASSES if (kept := self._first(data_class)) is not None]
        return min(firsts, key=lambda kept: kept.number, default=None)

    def _first(self, data_class: DataClass) -> Kept | None:
        return next(iter(self._rows[data_class].values()), None)

    def trim(self, now_unix_s: float) -> list[Lost]:
        """Give up what is over the bounds."""
        lost: list[Lost] = []
        while len(self) > self._bounds.rows or self.size_bytes > self._bounds.size_bytes:
            kept = self._first(DataClass.TELEMETRY) or self._first(DataClass.EVENT)
            if kept is None:
                break
            lost.append(self._lose(kept))
        for data_class in STORED_CLASSES:
            while (first := self._first(data_class)) is not None and first.at_unix_s < now_unix_s - self._bounds.age_s:
                lost.append(self._lose(first))
        return lost

    def expire(self, path: str, before_unix_s: float) -> list[Lost]:
        """Give up the telemetry of ``path`` from before ``before_unix_s``."""
        rows = self._rows[DataClass.TELEMETRY].values()
        return [self._lose(kept) for kept in list(rows) if kept.message.path == path and kept.at_unix_s < before_unix_s]

    def _lose(self, kept: Kept) -> Lost:
        self.pop(kept.message.data_class, kept.number)
        return Lost(kept.number, kept.message.samples)


class MemoryStorage:
    """A :class:`Storage` that ends with the process. ``unix_s`` tells the time."""

    durable = False
    next_number = 1

    def __init__(self, bounds: Bounds, unix_s: Callable[[], float]) -> None:
        self._shelf = Shelf(bounds)
        self._unix_s = unix_s
        self._listener: StorageListener | None = None

    def listen(self, listener: StorageListener) -> None:
        """As the port says."""
        self._listener = listener

    def append(self, kept: Kept) -> None:
        """As the port says."""
        self._shelf.add(kept)
        self._tell(self._shelf.trim(self._unix_s()), "outbox full")

    def remove(self, kept: Kept) -> None:
        """As the port says."""
        self._shelf.pop(kept.message.data_class, kept.number)

    def fetch(self, data_class: DataClass, ticket: int, after: int, limit: int, skip_paths: frozenset[str]) -> None:
        """As the port says; the answer comes before this returns."""
        rows, last, complete = self._shelf.page(data_class, after, limit, skip_paths)
        if self._listener is not None:
            self._listener.on_page(Page(data_class, ticket, rows, last, complete))

    def expire(self, path: str, before_unix_s: float, reason: str) -> None:
        """As the port says."""
        self._tell(self._shelf.expire(path, before_unix_s), reason)

    def size(self) -> StorageSize:
        """As the port says."""
        oldest = self._shelf.oldest()
        return StorageSize(len(self._shelf), self._shelf.size_bytes, None if oldest is None else oldest.at_unix_s, in_file=False)

    def _tell(self, lost: Iterable[Lost], reason: str) -> None:
        found = list(lost)
        if found and self._listener is not None:
            self._listener.on_lost(found, reason)
