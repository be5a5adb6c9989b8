"""The durable outbox: a ``runtime.storage.Storage`` whose messages lie in a file that a thread of its own writes.

The loop gathers changes for 20 ms, or 200 of them, and hands them over for one commit. What the broker has acknowledged by then is never
written, and while it always has, the thread sleeps. Where the file cannot be written (disk full, no right, in use), messages are kept in
memory within tighter bounds, one line says so, and the file is tried again; a corrupt file is set aside and a new one begun. Nothing here
ever waits for the disk in the loop's thread.
"""

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from wavewrap_gateway.adapters.outbox_batch import Batch, Opened, Trouble
from wavewrap_gateway.adapters.outbox_file import FileCorruptError, FileUnusableError, OutboxFile, Runs
from wavewrap_gateway.core.telemetry import SampleRuns
from wavewrap_gateway.runtime.publishing import DataClass, SampleRun
from wavewrap_gateway.runtime.storage import MEMORY_BOUNDS, Bounds, Kept, Lost, Page, Shelf, StorageListener, StorageSize

__all__ = ["Outbox", "Trouble"]

GATHER_S = 0.02
GATHER_CHANGES = 200
"""Choice: a sample is safe within two of its own periods, and a busy outbox commits a thousand times less often than it is used."""

RUNS_S = 2.0
"""Which samples have come is written this often when nothing else is. Choice: after a crash two seconds of them come twice."""

RETRY_S = 5.0
"""How often a file that could not be used is tried again."""

OPEN_S, CLOSE_S = 10.0, 5.0
"""Longest waits for a disk, to open the file and for the last commit; one that hangs is left behind."""

_CORRUPT_KEPT = 3


class Outbox:
    """The file at ``path`` within ``bounds``; ``memory`` are the bounds without it. ``on_trouble`` is called in the loop's thread."""

    def __init__(
        self,
        path: Path,
        bounds: Bounds,
        unix_s: Callable[[], float],
        on_trouble: Callable[[Trouble], None],
        memory: Bounds = MEMORY_BOUNDS,
    ) -> None:
        self._path = path
        self._bounds = bounds
        self._memory = memory
        self._unix_s = unix_s
        self._on_trouble = on_trouble
        self._listener: StorageListener | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        # Shared, under the lock.
        self._lock = threading.Lock()
        self._batch = Batch()
        self._woken = threading.Event()
        self._closing = False
        # The loop's.
        self._pending: dict[int, Kept] = {}
        self._removed: dict[int, DataClass] = {}
        self._noted: list[SampleRun] = []
        self._noted_unix_s = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._settled: set[int] = set()
        self._size = StorageSize(0, 0, None, in_file=False)
        self._found = 0
        self.next_number = 1
        self.sample_runs: Runs = {}
        """What an earlier run has left, as of :meth:`open`."""
        # The thread's.
        self._file: OutboxFile | None = None
        self._shelf = Shelf(memory)
        self._unremoved: dict[int, DataClass] = {}
        self._runs: dict[str, tuple[int, SampleRuns]] = {}
        self._unwritten_runs: set[str] = set()
        self._runs_unix_s = 0.0
        self._retry_unix_s = 0.0
        self._in_trouble = False
        self.written = 0
        """Messages that have gone into the file so far."""

    @property
    def durable(self) -> bool:
        """Whether the file works."""
        return self._size.in_file

    async def open(self) -> None:
        """Open the file and start the thread. Never fails: without a file the messages are kept in memory."""
        self._loop = asyncio.get_running_loop()
        # Above every number of an earlier run, should the file come only later.
        self.next_number = int(self._unix_s() * 1e6)
        opened: asyncio.Future[Opened] = self._loop.create_future()
        self._thread = threading.Thread(target=self._work, args=(opened,), name="outbox", daemon=True)
        self._thread.start()
        try:
            async with asyncio.timeout(OPEN_S):
                found = await asyncio.shield(opened)
        except TimeoutError:
            opened.add_done_callback(lambda late: self._note_found(late.result().size.rows))
            text = f"outbox {self._path}: its disk does not answer; what the broker has not taken is kept in memory"
            self._on_trouble(Trouble("outbox_in_memory", text))
            return
        self._size, self._found, self.sample_runs = found.size, found.size.rows, found.runs
        self.next_number = max(self.next_number, found.last_number + 1)

    async def close(self) -> None:
        """Commit what is left and close the file; a disk that hangs is left behind."""
        self._hand_over(closing=True)
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join, CLOSE_S)

    # The port.

    def listen(self, listener: StorageListener) -> None:
        """As the port says."""
        self._listener = listener
        if self._found:
            listener.on_found(self._found)

    def append(self, kept: Kept) -> None:
        """As the port says."""
        self._pending[kept.number] = kept
        self._gather()

    def remove(self, kept: Kept) -> None:
        """As the port says."""
        if self._pending.pop(kept.number, None) is None:
            self._settled.add(kept.number)
            self._removed[kept.number] = kept.message.data_class
            self._gather()
            return
        if kept.message.samples is not None:
            self._noted.append(kept.message.samples)
        if self._unix_s() - self._noted_unix_s >= RUNS_S:
            self._hand_over()
        elif not self._pending and not self._removed and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _gather(self) -> None:
        if len(self._pending) + len(self._removed) >= GATHER_CHANGES:
            self._hand_over()
        elif self._timer is None and self._loop is not None:
            self._timer = self._loop.call_later(GATHER_S, self._hand_over)

    def _hand_over(self, question: Callable[[], object] | None = None, *, closing: bool = False) -> None:
        """Give the thread what has gathered. One that takes nothing any more, on a disk that hangs, must not cost all the memory."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        with self._lock:
            self._batch.appended += self._pending.values()
            self._batch.removed |= self._removed
            self._batch.noted += self._noted
            self._batch.asked += [] if question is None else [question]
            self._closing |= closing
            excess = len(self._batch.appended) - max(self._memory.rows, GATHER_CHANGES)
            lost = self._batch.lose(excess) if excess > 0 else []
        self._pending.clear()
        self._removed = {}
        self._noted.clear()
        self._noted_unix_s = self._unix_s()
        self._woken.set()
        if lost:
            self._note_done({}, lost, "outbox full", self._size)

    def fetch(self, data_class: DataClass, ticket: int, after: int, limit: int, skip_paths: frozenset[str]) -> None:
        """As the port says; what was handed in before is among it."""
        self._hand_over(lambda: self._fetch(data_class, ticket, after, limit, skip_paths))

    def expire(self, path: str, before_unix_s: float, reason: str) -> None:
        """As the port says."""
        self._hand_over(lambda: self._expire(path, before_unix_s, reason))

    def size(self) -> StorageSize:
        """As of the last commit."""
        return self._size

    # In the loop, called by the thread.

    def _tell(self, act: Callable[..., None], *arguments: object) -> None:
        assert self._loop is not None  # open() set it
        with suppress(RuntimeError):  # the loop is closed: the process is at its end
            self._loop.call_soon_threadsafe(act, *arguments)

    def _deliver(self, page: Page) -> None:
        rows = [kept for kept in page.rows if kept.number not in self._settled]
        if self._listener is not None:
            self._listener.on_page(Page(page.data_class, page.ticket, rows, page.last_number, page.complete))

    def _note_done(self, removed: Mapping[int, DataClass], lost: Sequence[Lost], reason: str, size: StorageSize) -> None:
        self._size = size
        gone = [one for one in lost if one.number not in self._settled]
        self._settled.difference_update(removed)
        if gone and self._listener is not None:
            self._listener.on_lost(gone, reason)

    def _note_wiped(self, rows: int, safe: frozenset[int]) -> None:
        with self._lock:
            handed_over = {kept.number for kept in self._batch.appended}
        if self._listener is not None:
            self._listener.on_wiped(rows, safe | self._pending.keys() | handed_over, "outbox file corrupt")

    def _note_found(self, rows: int) -> None:
        self._found = rows
        if self._listener is not None:
            self._listener.on_found(rows)

    # The thread.

    def _work(self, opened: "asyncio.Future[Opened]") -> None:
        self._try_open()
        found = Opened(self._measure(), 0, {})
        if self._file is not None:
            try:
                found = Opened(self._measure(), self._file.last_number(), self._file.sample_runs())
            except (FileUnusableError, FileCorruptError) as cause:
                self._fail(FileUnusableError(str(cause)))
            self._runs = {wrap: (boot_id, SampleRuns(runs)) for (wrap, boot_id), runs in found.runs.items()}
        self._tell(opened.set_result, found)
        while True:
            self._woken.wait(None if not self._in_trouble else RETRY_S)
            with self._lock:
                batch, self._batch = self._batch, Batch()
                self._woken.clear()
                closing = self._closing
            self._commit(batch, closing=closing)
            for question in batch.asked:
                question()
            if closing:
                break
        if self._file is not None:
            self._file.close()

    def _commit(self, batch: Batch, *, closing: bool) -> None:
        now_s = self._unix_s()
        for run in (*batch.noted, *(kept.message.samples for kept in batch.appended)):
            self._note_samples(run)
        fresh = [kept for kept in batch.appended if kept.number not in batch.removed]
        taken = {kept.number for kept in batch.appended if kept.number in batch.removed}
        for number, data_class in batch.removed.items():
            if number not in taken and self._shelf.pop(data_class, number) is None:
                self._unremoved[number] = data_class
        for kept in fresh:
            self._shelf.add(kept)
        lost: list[Lost] = []
        if self._file is None and now_s >= self._retry_unix_s:
            self._try_open()
            if self._file is not None and self._file.rows:
                self._tell(self._note_found, self._file.rows)
        runs_due = bool(self._unwritten_runs) and (closing or bool(batch.noted) or now_s - self._runs_unix_s >= RUNS_S)
        if self._file is not None and (len(self._shelf) or self._unremoved or runs_due) and now_s >= self._retry_unix_s:
            lost += self._write(self._file, now_s)
        lost += self._shelf.trim(now_s)
        self._tell(self._note_done, batch.removed, lost, "outbox full", self._measure())

    def _write(self, file: OutboxFile, now_s: float) -> list[Lost]:
        appended = self._shelf.rows()
        removed: dict[DataClass, list[int]] = {}
        for number, data_class in self._unremoved.items():
            removed.setdefault(data_class, []).append(number)
        runs = {(wrap, self._runs[wrap][0]): self._runs[wrap][1].runs() for wrap in self._unwritten_runs}
        try:
            if self._in_trouble:
                file.shrink()
            lost = file.write(appended, removed, runs, now_s)
            if removed and not appended:
                file.tidy()
        except FileCorruptError as cause:
            self._set_aside(cause)
            return []
        except FileUnusableError as cause:
            self._fail(cause)
            return []
        self.written += len(appended)
        for kept in appended:
            self._shelf.pop(kept.message.data_class, kept.number)
        self._unremoved.clear()
        self._unwritten_runs.clear()
        self._runs_unix_s = now_s
        self._recover()
        return lost

    def _note_samples(self, run: SampleRun | None) -> None:
        if run is None or run.count == 0:
            return
        known = self._runs.get(run.wrap)
        if known is None or known[0] != run.boot_id:
            known = self._runs[run.wrap] = (run.boot_id, SampleRuns())
        known[1].add(run.first, run.first + run.count - 1)
        self._unwritten_runs.add(run.wrap)

    def _fetch(self, data_class: DataClass, ticket: int, after: int, limit: int, skip_paths: frozenset[str]) -> None:
        in_memory, memory_last, memory_complete = self._shelf.page(data_class, after, limit, skip_paths)
        in_file: list[Kept] = []
        if self._file is not None:
            try:
                in_file = self._file.page(data_class, after, limit, skip_paths)
            except FileCorruptError as cause:
                self._set_aside(cause)
            except FileUnusableError as cause:
                self._fail(cause)
        file_complete = len(in_file) < limit
        file_last = in_file[-1].number if in_file else after
        # Of two sources, only that far as both were read.
        cuts = [last for last, complete in ((memory_last, memory_complete), (file_last, file_complete)) if not complete]
        last = min(cuts, default=max(memory_last, file_last))
        rows = [kept for kept in (*in_file, *in_memory) if kept.number <= last and kept.number not in self._unremoved]
        rows.sort(key=lambda kept: kept.number)
        self._tell(self._deliver, Page(data_class, ticket, rows, last, not cuts))

    def _expire(self, path: str, before_unix_s: float, reason: str) -> None:
        lost = self._shelf.expire(path, before_unix_s)
        if self._file is not None and not self._in_trouble:
            try:
                lost += self._file.expire(path, before_unix_s)
            except FileCorruptError as cause:
                self._set_aside(cause)
            except FileUnusableError as cause:
                self._fail(cause)
        if lost:
            self._tell(self._note_done, {}, lost, reason, self._measure())

    def _measure(self) -> StorageSize:
        rows, size_bytes, oldest = len(self._shelf), self._shelf.size_bytes, self._shelf.oldest()
        oldest_unix_s = None if oldest is None else oldest.at_unix_s
        if self._file is not None:
            rows += self._file.rows
            size_bytes += self._file.size_bytes
            if self._file.rows and not self._in_trouble:
                with suppress(FileUnusableError, FileCorruptError):  # the next write says it
                    oldest_unix_s = self._file.oldest_unix_s()
        return StorageSize(rows, size_bytes, oldest_unix_s, in_file=self._file is not None and not self._in_trouble)

    # Trouble.

    def _try_open(self) -> None:
        try:
            self._file = OutboxFile(self._path, self._bounds)
        except FileUnusableError as cause:
            self._fail(cause)
        except FileCorruptError as cause:
            self._set_aside(cause)

    def _fail(self, cause: FileUnusableError) -> None:
        self._retry_unix_s = self._unix_s() + RETRY_S
        if not self._in_trouble:
            self._in_trouble = True
            text = f"outbox {self._path}: {cause}; what the broker has not taken is kept in memory and ends with this program"
            self._tell(self._on_trouble, Trouble("outbox_in_memory", text))

    def _recover(self) -> None:
        if self._in_trouble:
            self._in_trouble = False
            self._tell(self._on_trouble, Trouble("outbox_restored", f"outbox {self._path} can be written again"))

    def _set_aside(self, cause: FileCorruptError) -> None:
        """Move the file out of the way and begin a new one; what lay only in it is not sent."""
        lost_rows = 0
        if self._file is not None:
            lost_rows = self._file.rows
            self._file.close()
            self._file = None
        aside = self._path.with_name(f"{self._path.name}.corrupt-{int(self._unix_s())}")
        try:
            for ending in ("", "-wal", "-shm"):
                part = self._path.with_name(self._path.name + ending)
                if part.exists():
                    part.rename(aside.with_name(aside.name + ending))
            for old in sorted(self._path.parent.glob(f"{self._path.name}.corrupt-*[0-9]"))[:-_CORRUPT_KEPT]:
                old.unlink()
        except OSError as failed:
            self._fail(FileUnusableError(f"corrupt ({cause}), and cannot be set aside ({failed.strerror})"))
            return
        self._unwritten_runs = set(self._runs)
        text = f"outbox {self._path} was corrupt ({cause}): set aside as {aside.name}, a new one begun"
        self._tell(
            self._on_trouble, Trouble("outbox_set_aside", text + (f"; {lost_rows} messages in it are not sent" if lost_rows else ""))
        )
        self._tell(self._note_wiped, lost_rows, frozenset(kept.number for kept in self._shelf.rows()))
        self._unremoved.clear()
        try:
            self._file = OutboxFile(self._path, self._bounds)
        except (FileUnusableError, FileCorruptError) as failed:
            self._fail(FileUnusableError(str(failed)))
