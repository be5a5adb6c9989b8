"""One class of stored messages on its way out: what has just been handed in, and what comes back out of the storage.

Every message is in the storage from the start. *Resident* ones are also here, or with the broker; the others are looked up when their
turn comes, by a cursor that runs over the numbers and starts again when something behind it is due once more.
"""

from bisect import insort
from collections import deque
from collections.abc import Callable

from wavewrap_gateway.runtime.publishing import DataClass
from wavewrap_gateway.runtime.storage import Kept, Page, Storage

__all__ = ["Lane"]

PAGE_ROWS = 200
"""Choice: one second of backfill at the default rate; about 100 kB."""


class Lane:
    """``in_order``: nothing new leaves before what lies in the storage has. ``fresh_bound``: so many new ones stay resident."""

    def __init__(self, data_class: DataClass, storage: Storage, *, in_order: bool, fresh_bound: int) -> None:
        self._data_class = data_class
        self._storage = storage
        self._in_order = in_order
        self._fresh_bound = fresh_bound
        self.fresh: deque[Kept] = deque()
        self.backlog: deque[Kept] = deque()
        self._resident: set[int] = set()
        self._cursor = 0
        self._ticket = 0
        self._asked: int | None = None
        self._exhausted = False
        self._grown = False
        self.on_spilled: Callable[[Kept], None] = lambda _kept: None
        """Called for a message that from now on lies in the storage alone."""

    def is_resident(self, number: int) -> bool:
        """Whether the message is here or with the broker."""
        return number in self._resident

    def residents(self) -> frozenset[int]:
        """Numbers of all that is here or with the broker."""
        return frozenset(self._resident)

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits here nor, as far as paths are not held back, in the storage."""
        return self._exhausted and not self.fresh and not self.backlog

    def offer(self, kept: Kept, *, connected: bool) -> None:
        """A new message, already in the storage."""
        if not connected or (self._in_order and not (self._exhausted and not self.backlog)):
            self._leave_to_storage(kept)
            return
        self._resident.add(kept.number)
        self.fresh.append(kept)
        if len(self.fresh) > self._fresh_bound:
            self.spill(self.fresh.popleft())

    def spill(self, kept: Kept) -> None:
        """A resident message goes back to the storage, to be looked up in its turn."""
        self._resident.discard(kept.number)
        self._leave_to_storage(kept)

    def _leave_to_storage(self, kept: Kept) -> None:
        if kept.number <= self._cursor:
            self._cursor = kept.number - 1
            self._ticket += 1
        self._exhausted = False
        self._grown = True  # a page that is under way may not know of it
        self.on_spilled(kept)

    def shelve(self, kept: Kept) -> None:
        """A resident message whose path is held back stays in the storage until :meth:`rewind`."""
        self._resident.discard(kept.number)
        self.on_spilled(kept)

    def settle(self, kept: Kept) -> None:
        """The message is done with."""
        self._resident.discard(kept.number)

    def put_back(self, kept: Kept) -> None:
        """A message taken from here goes out again, before all that was handed in later."""
        insort(self.backlog, kept, key=lambda one: one.number)

    def spill_all(self) -> None:
        """No broker: everything that waits here lies in the storage."""
        for kept in (*self.backlog, *self.fresh):
            self.spill(kept)
        self.backlog.clear()
        self.fresh.clear()
        self.rewind()

    def rewind(self) -> None:
        """Look through the storage from the beginning."""
        self._cursor = 0
        self._ticket += 1
        self._exhausted = False

    def fill(self, skip_paths: frozenset[str]) -> None:
        """Ask for a page of the storage when there is need for one."""
        if self._exhausted or self.backlog or self._asked is not None:
            return
        self._asked = self._ticket
        self._grown = False
        self._storage.fetch(self._data_class, self._ticket, self._cursor, PAGE_ROWS, skip_paths)

    def take_page(self, page: Page) -> None:
        """The page that was asked for; one from before a change of the cursor is not used."""
        self._asked = None
        if page.ticket != self._ticket:
            return
        for kept in page.rows:
            if kept.number not in self._resident:
                self._resident.add(kept.number)
                self.backlog.append(kept)
        self._cursor = page.last_number
        self._exhausted = page.complete and not self._grown
