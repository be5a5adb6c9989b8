"""The outbox's SQLite file: what is in it, and what its errors mean. Belongs to one thread.

WAL; a commit with an event in it is synchronous FULL (it outlives a power cut), one of telemetry alone NORMAL (it outlives the process).
The file is locked while it is open: a second gateway is refused. Not responsible for when to commit, nor for going on without a file
(``outbox``).
"""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from wavewrap_gateway.core.telemetry import SampleRuns
from wavewrap_gateway.runtime.publishing import DataClass, Message, SampleRun
from wavewrap_gateway.runtime.storage import Bounds, Kept, Lost
from wavewrap_protocol.errors import LocalError

__all__ = ["FileCorruptError", "FileUnusableError", "OutboxFile", "Runs"]

SCHEMA_VERSION = 1
"""In ``PRAGMA user_version``. A file of another version is left alone."""

TRIM_ROWS = 100
"""Dropped at once at a bound, so that a full outbox does not pay for a search with every message."""

_TABLES = {DataClass.EVENT: "event", DataClass.TELEMETRY: "telemetry"}
_COLUMNS = "number, path, body, qos, retained, at_unix_s, wrap, boot_id, first_sample, samples"
_SCHEMA = "".join(
    f"CREATE TABLE {table} (number INTEGER PRIMARY KEY, path TEXT NOT NULL, body BLOB NOT NULL, qos INTEGER NOT NULL,"
    " retained INTEGER NOT NULL, at_unix_s REAL NOT NULL, wrap TEXT, boot_id INTEGER, first_sample INTEGER, samples INTEGER) STRICT;"
    for table in _TABLES.values()
)
_SCHEMA += "CREATE TABLE sample_run (wrap TEXT NOT NULL, boot_id INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL) STRICT;"

Runs = Mapping[tuple[str, int], Sequence[tuple[int, int]]]
"""By wrap and its boot: the runs of samples that have come, both ends included."""

_CORRUPT = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


class FileUnusableError(LocalError):
    """The file cannot be used now: disk full, no right, locked by another process, another version."""


class FileCorruptError(LocalError):
    """The file is no outbox any more."""


class OutboxFile:
    """An open outbox. Every method raises :class:`FileUnusableError` or :class:`FileCorruptError`, and leaves the file as it was then."""

    def __init__(self, path: Path, bounds: Bounds) -> None:
        self.path = path
        self._bounds = bounds
        self._synchronous = ""
        self.rows = 0
        self.size_bytes = 0
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._connection = sqlite3.connect(path, timeout=1.0, isolation_level=None)
        except (OSError, sqlite3.Error) as cause:
            raise FileUnusableError(_word(cause)) from cause
        try:
            self._open()
        except BaseException as cause:
            self._connection.close()
            if isinstance(cause, sqlite3.Error):
                raise _explained(cause) from cause
            raise

    def _open(self) -> None:
        run = self._connection.execute
        run("PRAGMA locking_mode = EXCLUSIVE")
        run("PRAGMA auto_vacuum = INCREMENTAL")  # before the first table, or it says nothing
        run("PRAGMA journal_mode = WAL")
        run("PRAGMA journal_size_limit = 4000000")
        self._begin(full=True)
        try:
            (version,) = run("PRAGMA user_version").fetchone()
            if version == 0:
                for statement in _SCHEMA.split(";")[:-1]:
                    run(statement)
                run(f"PRAGMA user_version = {SCHEMA_VERSION}")
            run("COMMIT")
        except sqlite3.Error:
            self._roll_back()
            raise
        if version not in (0, SCHEMA_VERSION):
            raise FileUnusableError(f"it is of version {version}, this program knows {SCHEMA_VERSION}; use the program that made it")
        (verdict,) = run("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise FileCorruptError(str(verdict))
        for table in _TABLES.values():
            rows, size_bytes = run(f"SELECT count(*), coalesce(sum(length(body)), 0) FROM {table}").fetchone()
            self.rows += rows
            self.size_bytes += size_bytes

    def close(self) -> None:
        """Close; a file that cannot even be closed is left as it is."""
        with suppress(sqlite3.Error):
            self._connection.close()

    def last_number(self) -> int:
        """The highest number in use; 0 when there is none."""
        highest = [self._one(f"SELECT max(number) FROM {table}") for table in _TABLES.values()]
        return max(int(number or 0) for number in highest)

    def sample_runs(self) -> Runs:
        """Every sample that ever was in here, or acknowledged."""
        found: dict[tuple[str, int], list[tuple[int, int]]] = {}
        for wrap, boot_id, first, last in self._all("SELECT wrap, boot_id, first, last FROM sample_run ORDER BY first"):
            found.setdefault((wrap, boot_id), []).append((first, last))
        return found

    def oldest_unix_s(self) -> float | None:
        """When the oldest message was handed in."""
        times = [self._one(f"SELECT at_unix_s FROM {table} ORDER BY number LIMIT 1") for table in _TABLES.values()]
        return min((float(time) for time in times if time is not None), default=None)

    def write(self, appended: Sequence[Kept], removed: Mapping[DataClass, Sequence[int]], runs: Runs, now_unix_s: float) -> list[Lost]:
        """One commit: all of it, or an error and none of it. Returns what the bounds cost."""
        rows, size_bytes = self.rows, self.size_bytes
        try:
            self._begin(full=any(kept.message.data_class is DataClass.EVENT for kept in appended))
            for data_class, table in _TABLES.items():
                fresh = [_row(kept) for kept in appended if kept.message.data_class is data_class]
                if fresh:
                    self._connection.executemany(f"INSERT INTO {table} ({_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?)", fresh)
                    self.rows += len(fresh)
                    self.size_bytes += sum(len(row[2]) for row in fresh)
                numbers = removed.get(data_class, ())
                if numbers:
                    self._delete(table, numbers)
            for (wrap, boot_id), spans in runs.items():
                self._connection.execute("DELETE FROM sample_run WHERE wrap = ?", (wrap,))
                self._connection.executemany("INSERT INTO sample_run VALUES (?,?,?,?)", [(wrap, boot_id, *span) for span in spans])
            lost = self._trim(now_unix_s)
            self._connection.execute("COMMIT")
        except sqlite3.Error as cause:
            self._roll_back()
            self.rows, self.size_bytes = rows, size_bytes
            raise _explained(cause) from cause
        return lost

    def page(self, data_class: DataClass, after: int, limit: int, skip_paths: frozenset[str]) -> list[Kept]:
        """Messages over ``after``, in order."""
        marks = ",".join("?" * len(skip_paths))
        sql = f"SELECT {_COLUMNS} FROM {_TABLES[data_class]} WHERE number > ? AND path NOT IN ({marks}) ORDER BY number LIMIT ?"
        return [_kept(row, data_class) for row in self._all(sql, (after, *skip_paths, limit))]

    def expire(self, path: str, before_unix_s: float) -> list[Lost]:
        """Remove the telemetry of ``path`` from before ``before_unix_s``."""
        sql = "SELECT number, wrap, boot_id, first_sample, samples FROM telemetry WHERE path = ? AND at_unix_s < ? LIMIT 1000"
        lost = [_lost(row) for row in self._all(sql, (path, before_unix_s))]
        if lost:
            self.write((), {DataClass.TELEMETRY: [one.number for one in lost]}, {}, before_unix_s)
        return lost

    def _begin(self, *, full: bool) -> None:
        wanted = "FULL" if full else "NORMAL"
        if self._synchronous != wanted:
            self._connection.execute(f"PRAGMA synchronous = {wanted}")
            self._synchronous = wanted
        self._connection.execute("BEGIN IMMEDIATE")

    def _roll_back(self) -> None:
        with suppress(sqlite3.Error):  # some errors have rolled back already
            self._connection.execute("ROLLBACK")

    def _delete(self, table: str, numbers: Iterable[int]) -> None:
        runs = SampleRuns()
        for number in sorted(numbers):
            runs.add(number, number)
        for run in runs.runs():
            sql = f"DELETE FROM {table} WHERE number BETWEEN ? AND ? RETURNING length(body)"
            deleted = self._connection.execute(sql, run).fetchall()
            self.rows -= len(deleted)
            self.size_bytes -= sum(size for (size,) in deleted)

    def _trim(self, now_unix_s: float) -> list[Lost]:
        lost: list[Lost] = []
        for table in (_TABLES[DataClass.TELEMETRY], _TABLES[DataClass.EVENT]):
            while self._is_full() or self._is_old(table, now_unix_s - self._bounds.age_s):
                sql = f"SELECT number, wrap, boot_id, first_sample, samples, at_unix_s FROM {table} ORDER BY number LIMIT {TRIM_ROWS}"
                rows = self._all(sql)
                full = self._is_full()
                gone = [_lost(row[:-1]) for row in rows if full or row[-1] < now_unix_s - self._bounds.age_s]
                if not gone:
                    break
                self._delete(table, [one.number for one in gone])
                lost += gone
        return lost

    def _is_full(self) -> bool:
        return self.rows > self._bounds.rows or self.size_bytes > self._bounds.size_bytes

    def _is_old(self, table: str, before_unix_s: float) -> bool:
        at_unix_s = self._one(f"SELECT at_unix_s FROM {table} ORDER BY number LIMIT 1")
        return at_unix_s is not None and at_unix_s < before_unix_s

    def shrink(self) -> None:
        """Before another try on a disk that was full: give back what the journal holds."""
        self._all("PRAGMA wal_checkpoint(TRUNCATE)")

    def tidy(self) -> None:
        """Give space back to the disk once the file is empty."""
        if self.rows == 0:
            try:
                self._connection.executescript("PRAGMA incremental_vacuum(2000)")  # execute() would stop after one page
            except sqlite3.Error as cause:
                raise _explained(cause) from cause

    def _all(self, sql: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        try:
            return self._connection.execute(sql, values).fetchall()
        except sqlite3.Error as cause:
            raise _explained(cause) from cause

    def _one(self, sql: str) -> Any:
        found = self._all(sql)
        return found[0][0] if found else None


def _explained(cause: sqlite3.Error) -> LocalError:
    code = getattr(cause, "sqlite_errorcode", None)
    if code is not None and code & 0xFF in _CORRUPT:
        return FileCorruptError(_word(cause))
    if code is not None and code & 0xFF == sqlite3.SQLITE_BUSY:
        return FileUnusableError("another wavewrap uses it")
    return FileUnusableError(_word(cause))


def _word(cause: Exception) -> str:
    return (cause.strerror or str(cause)) if isinstance(cause, OSError) else str(cause)


def _row(kept: Kept) -> tuple[int, str, bytes, int, int, float, str | None, int | None, int | None, int | None]:
    message, run = kept.message, kept.message.samples
    samples = (None, None, None, None) if run is None else (run.wrap, run.boot_id, run.first, run.count)
    return (kept.number, message.path, message.body, message.qos, int(message.retained), kept.at_unix_s, *samples)


def _kept(row: Sequence[Any], data_class: DataClass) -> Kept:
    number, path, body, qos, retained, at_unix_s, *samples = row
    message = Message(path, body, qos, bool(retained), data_class, _run(samples))
    return Kept(number, message, at_unix_s)


def _lost(row: Sequence[Any]) -> Lost:
    return Lost(row[0], _run(row[1:]))


def _run(columns: Sequence[Any]) -> SampleRun | None:
    return None if columns[0] is None else SampleRun(*columns)
