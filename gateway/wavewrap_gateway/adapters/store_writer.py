"""Keeps sessions while they run: a thread of its own behind a bounded queue, so that a slow disk or a server that hangs delays nobody.

Whatever fails is told once in one line and tried again; what waits meanwhile is bounded, samples beyond it are dropped, oldest first, and
counted. A damaged file is set aside and a new one begun. Not responsible for what is recorded (:mod:`wavewrap_gateway.runtime.recording`).
"""

import logging
import os
import threading
from collections import Counter, deque
from collections.abc import Callable, Sequence

import psutil
from sqlalchemy import Connection, Engine

from wavewrap_gateway.adapters.store_batch import RecordBatch, write_batch, write_heads
from wavewrap_gateway.adapters.store_cut_off import close_cut_off, find_unfinished, next_chunk
from wavewrap_gateway.adapters.store_engine import (
    STORE_FAILURES,
    Trouble,
    begin,
    classify,
    explain,
    file_number,
    open_engine,
    prepare,
    set_aside,
)
from wavewrap_gateway.adapters.store_place import mask_place
from wavewrap_gateway.core.history import RecordedEvent, RecordedFrame, RecordedStep, SessionEnd, SessionHead
from wavewrap_gateway.core.late_samples import Unfinished
from wavewrap_protocol.errors import StoreError

__all__ = ["StoreWriter", "this_process"]

COMMIT_S = 4.0
"""Samples are committed so often: what a SIGKILL costs until the wraps are asked for it again. Choice: few writes spare a memory card."""

AGAIN_S = 0.5
"""Samples that were sent again are committed so soon after the first of them: a wrap forgets them in its minute, and whoever is killed over
and over asks for the same ones until a commit has them. Choice: a replay brings some hundreds in that time."""

RETRY_S = 5.0
"""After a failure. Choice: soon enough to lose nothing once the cause is gone, and no storm of attempts."""

FRAMES_BOUND = 6_000
RECORDS_BOUND = 20_000
"""What may wait, in frames and in events and steps. Choice: ten minutes of two wraps at 5 frames a second each, some 20 MB, and hours of
events."""

CLOSE_S = 8.0
"""Longest wait for the last batch. Choice: over what a file waits for another program (5 s), and well inside a service's time to stop."""

REMEMBERED = 64
"""Sessions that are over and may still get samples. Choice: far more than end in the minute that a wrap remembers."""

SAME_START_S = 2.0
"""A process that started this near to the one that is looked for is the same: wall clocks are stepped by less than that in a session."""

_log = logging.getLogger(__name__)


def this_process() -> tuple[int, float]:
    """Number and start, in wall time, of this process: what a record of it is known by."""
    return os.getpid(), psutil.Process().create_time()


def _is_alive(pid: int, started_unix_s: float) -> bool:
    try:
        process = psutil.Process(pid)
        return abs(process.create_time() - started_unix_s) < SAME_START_S and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True  # somebody else's, and there


class StoreWriter:
    """Implements :class:`wavewrap_gateway.runtime.recording.HistoryStore` on ``place`` for ``gateway``.

    ``tell`` gets a line for every trouble, in the writer's thread; ``unix_s`` names a file that is set aside. ``expect``, called in that
    thread too, gets what sessions that were cut off may still get.
    """

    def __init__(
        self,
        place: str,
        gateway: str,
        tell: Callable[[str], None],
        unix_s: Callable[[], float],
        expect: Callable[[Sequence[Unfinished]], None] | None = None,
    ) -> None:
        self._expect = expect
        self._place = place
        self._gateway = gateway
        self._tell = tell
        self._unix_s = unix_s
        self._changed = threading.Condition()
        self._frames: deque[RecordedFrame] = deque()
        self._records = RecordBatch()
        self._unrecorded: Counter[str] = Counter()
        self._refused = 0
        self._sent_again = False
        self._closing = False
        self._thread: threading.Thread | None = None
        # From here on the writer's thread alone.
        self._engine: Engine | None = None
        self._connection: Connection | None = None
        self._file: int | None = None
        self._running: dict[str, SessionHead] = {}
        self._numbers: Counter[tuple[str, int]] = Counter()
        self._over: deque[str] = deque()
        self._failing = False

    def start(self) -> None:
        """Begin to write. Raises :class:`wavewrap_protocol.errors.UsageError` for a place that cannot be one."""
        self._engine = open_engine(self._place)
        self._thread = threading.Thread(target=self._run, name="history", daemon=True)
        self._thread.start()

    def begin(self, head: SessionHead) -> None:
        """As the port says."""
        with self._changed:
            self._records.heads.append(head)
            self._changed.notify()

    def add_frame(self, frame: RecordedFrame) -> None:
        """As the port says."""
        with self._changed:
            self._frames.append(frame)
            if len(self._frames) == 1 or (frame.replay and not self._sent_again):
                self._changed.notify()  # nothing may be running: then it is waiting for just this
            self._sent_again |= frame.replay
            if len(self._frames) > FRAMES_BOUND:
                oldest = self._frames.popleft()
                self._unrecorded[oldest.session_id] += len(oldest.samples_cmmhg)

    def add_event(self, event: RecordedEvent) -> None:
        """As the port says."""
        with self._changed:
            if self._has_room():
                self._records.events.append(event)
                self._changed.notify()

    def add_steps(self, steps: Sequence[RecordedStep]) -> None:
        """As the port says."""
        with self._changed:
            if self._has_room():
                self._records.steps += steps
                self._changed.notify()

    def finish(self, end: SessionEnd) -> None:
        """As the port says."""
        with self._changed:
            self._records.ends.append(end)
            self._changed.notify()

    def _has_room(self) -> bool:
        room = len(self._records.events) + len(self._records.steps) < RECORDS_BOUND
        self._refused += not room
        return room

    def close(self) -> None:
        """Write what waits, once more if that failed, and end; :data:`CLOSE_S` at most. Blocks: call it outside the loop's thread."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(CLOSE_S)
            if self._thread.is_alive():
                self._tell(f"history {mask_place(self._place)}: it does not answer: the end of this session is not kept")

    def _run(self) -> None:
        batch = RecordBatch()
        while True:
            ok = self._write(batch)
            closing = self._wait(for_records=ok)
            if ok:
                batch = self._take()
            if closing:
                break
        self._end(batch)

    def _wait(self, *, for_records: bool) -> bool:
        """Until it is time to write: records have come, or samples for long enough. Whether this is the end."""
        with self._changed:
            if for_records and not self._running:
                self._changed.wait_for(lambda: self._closing or self._records.is_durable or self._frames)

            def is_due() -> bool:
                return self._closing or (for_records and self._records.is_durable)

            if self._changed.wait_for(lambda: is_due() or (for_records and self._sent_again), COMMIT_S if for_records else RETRY_S):
                self._changed.wait_for(is_due, AGAIN_S)
            return self._closing

    def _end(self, batch: RecordBatch) -> None:
        """The last batch, and what came while it could not be written."""
        if self._write(batch):
            batch = self._take()
            self._write(batch)
        with self._changed:
            left = self._failing and (batch or self._records or self._frames)
        if left or self._refused:
            self._tell(f"history {mask_place(self._place)}: the end of this session is not kept")
        self._disconnect()

    def _take(self) -> RecordBatch:
        """All that waits, as a batch."""
        with self._changed:
            batch, self._records = self._records, RecordBatch()
            frames, self._frames = self._frames, deque()
            self._sent_again = False
        # Not while somebody waits for the lock: after an outage this is the work of minutes.
        batch.add_frames(frames, self._numbers)
        self._running |= {head.session_id: head for head in batch.heads}
        return batch

    def _write(self, batch: RecordBatch) -> bool:
        """Write ``batch``; False when it has to be tried again. Connects where that is needed, also for an empty one."""
        for last_try in (False, True):
            try:
                if self._connection is not None and batch and file_number(self._place) != self._file:
                    # What we have open has another name now, or none: nobody would find what we write to it.
                    self._disconnect()
                    self._tell(f"history {self._place}: the file was moved or deleted; a new one has begun")
                if self._connection is None:
                    self._connect()
                assert self._connection is not None
                if batch:
                    write_batch(self._connection, batch, self._unrecorded, self._running)
            except STORE_FAILURES as cause:
                self._disconnect()
                if last_try or classify(cause) is not Trouble.DAMAGED or not self._set_aside():
                    self._fail(explain(cause))
                    return False
            except StoreError as cause:
                self._fail(str(cause))
                return False
            else:
                break
        with self._changed:
            lost = sum(self._unrecorded.values())
            for end in batch.ends:
                self._forget(end.session_id)
        if self._failing:
            self._failing = False
            self._tell(f"history {mask_place(self._place)}: recording again, {lost} samples lost")
        return True

    def _forget(self, session_id: str) -> None:
        """A session that is over: a gateway that runs for months plays many. Hold the condition."""
        self._running.pop(session_id, None)
        self._unrecorded.pop(session_id, None)
        # Samples may come late, and their chunks count on.
        self._over.append(session_id)
        if len(self._over) > REMEMBERED:
            oldest = self._over.popleft()
            for key in [key for key in self._numbers if key[0] == oldest]:
                del self._numbers[key]

    def _connect(self) -> None:
        assert self._engine is not None  # the thread begins after it is made
        self._connection = prepare(self._engine, self._place)
        self._file = file_number(self._place)
        closed = close_cut_off(self._connection, self._gateway, _is_alive)
        if closed:
            _log.info("%d session(s) that were cut off are closed as interrupted", closed)
        if self._expect is not None:
            unfinished = [
                one for one in find_unfinished(self._connection, self._gateway, self._unix_s()) if one.session_id not in self._over
            ]
            for one in unfinished:
                self._numbers[one.session_id, one.wrap] = next_chunk(self._connection, one.session_id, one.wrap)
            if unfinished:
                self._expect(unfinished)
        if self._running:
            # Where the file is new, or somebody has deleted what runs.
            with begin(self._connection, durable=True):
                write_heads(self._connection, list(self._running.values()))

    def _set_aside(self) -> bool:
        """Whether the damaged file is out of the way."""
        try:
            aside = set_aside(self._place, self._unix_s())
        except OSError as cause:
            self._fail(f"damaged, and cannot be moved away ({cause.strerror})")
            return False
        self._tell(f"history {self._place}: the file is damaged; it is now {aside}, and a new one has begun")
        return True

    def _fail(self, why: str) -> None:
        if not self._failing:
            self._failing = True
            self._tell(f"history {mask_place(self._place)}: {why}. The session goes on; what it records waits")

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.close()
            except STORE_FAILURES as cause:
                _log.info("history: closing: %s", explain(cause))
