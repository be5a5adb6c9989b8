"""Opens the history's database and says in one line what is wrong with it: SQLite on file, or PostgreSQL, through SQLAlchemy's Core.

SQLite runs with a write-ahead log, so that readers never wait for the writer; a transaction that holds more than samples is on the disk
before it is over (``synchronous = FULL``), one of samples alone need not be. Not responsible for what is written.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum, auto
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from wavewrap_gateway.adapters.store_place import check_place, is_server, mask_place, sqlite_path
from wavewrap_gateway.adapters.store_schema import VERSION, migrate, read_version
from wavewrap_protocol.errors import StoreError, UsageError

__all__ = [
    "STORE_FAILURES",
    "Trouble",
    "begin",
    "classify",
    "explain",
    "file_number",
    "give_room_back",
    "open_engine",
    "prepare",
    "reading",
    "set_aside",
]

STORE_FAILURES = (SQLAlchemyError, OSError)
"""What a database and its file may raise."""

BUSY_S = 5.0
"""Longest wait for another process that writes. Choice: far over the few ms that our own transactions take."""

LOG_PAGES = 250
"""The log is folded into the file when it has grown to so many pages of 4 kB. Choice: every minute or so, and a log of 1 MB."""

CONNECT_S = 5
STATEMENT_MS = 10_000
"""Bounds of a server that does not answer. Choice: over what any statement here needs, under what the backlog holds."""


class Trouble(Enum):
    """What is wrong with a database, as far as it decides what to do."""

    DAMAGED = auto()
    """What the file holds is no database any more."""
    UNAVAILABLE = auto()
    """It may work later: disk full, not writable, locked, server away."""


def open_engine(place: str) -> Engine:
    """An engine on ``place``; nothing is opened yet. Raises :class:`UsageError`."""
    check_place(place)
    if is_server(place):
        return _server_engine(place)
    path = sqlite_path(place)
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        poolclass=NullPool,
        # Transactions are begun by us: the driver would leave DDL outside of them.
        connect_args={"timeout": BUSY_S, "isolation_level": None, "check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def _set_up(connection: sqlite3.Connection, _record: object) -> None:
        if connection.execute("PRAGMA page_count").fetchone() == (0,):
            # Before there is a first page; so what is deleted later can give its room back. On a file that exists it would take the right
            # to write, which a reader must not need.
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA wal_autocheckpoint = {LOG_PAGES}")
        connection.execute("PRAGMA foreign_keys = ON")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # At once the right to write: a reader that became a writer half way could be refused.
        connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("writes") else "BEGIN")

    return engine


def _server_engine(place: str) -> Engine:
    try:
        url = make_url(place)
        return create_engine(
            url.set(drivername="postgresql+psycopg"),
            poolclass=NullPool,
            connect_args={
                "connect_timeout": CONNECT_S,
                "tcp_user_timeout": STATEMENT_MS,
                "options": f"-c statement_timeout={STATEMENT_MS} -c lock_timeout={STATEMENT_MS}",
            },
        )
    except ArgumentError as cause:
        raise UsageError(f"store {mask_place(place)}: not a URL; write postgresql://user@host/database") from cause
    except (NoSuchModuleError, ModuleNotFoundError) as cause:
        raise UsageError("a store on PostgreSQL needs psycopg: pip install 'wavewrap[postgres]'") from cause


def prepare(engine: Engine, place: str) -> Connection:
    """A connection on which to write, its schema up to date; a file of ours is for its owner alone. Raises :data:`STORE_FAILURES`."""
    if not is_server(place):
        path = sqlite_path(place)
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    connection = engine.connect().execution_options(writes=True)
    try:
        with begin(connection, durable=True):
            migrate(connection)
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def begin(connection: Connection, *, durable: bool) -> Iterator[None]:
    """A transaction; when it is over a ``durable`` one has reached the disk, another one may be lost when the power fails."""
    if connection.dialect.name == "sqlite":
        driver = connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        driver.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
    with connection.begin():
        if connection.dialect.name != "sqlite" and not durable:
            connection.execute(text("SET LOCAL synchronous_commit = off"))
        yield


@contextmanager
def reading(place: str, *, writes: bool = False, makes: bool = False) -> Iterator[Connection]:
    """A connection in one transaction, for a command that looks at the history; raises :class:`StoreError` in one line.

    Where there is no history yet, one is made where ``makes``.
    """
    absent = not is_server(place) and not sqlite_path(place).exists()
    if absent and not makes:
        raise StoreError(f"there is no history at {place} yet: a session makes one, unless record = false is configured")
    engine = open_engine(place)
    try:
        if absent:
            prepare(engine, place).close()
        with engine.connect() as plain:
            behind = read_version(plain) != VERSION
        if behind:
            prepare(engine, place).close()
        with engine.connect().execution_options(writes=writes) as connection, begin(connection, durable=True):
            yield connection
    except STORE_FAILURES as cause:
        raise StoreError(f"history {mask_place(place)}: {explain(cause)}") from cause
    finally:
        engine.dispose()


def file_number(place: str) -> int | None:
    """The number by which the file system knows the file of ``place``; ``None`` where there is none, or ``place`` is a server."""
    try:
        return None if is_server(place) else sqlite_path(place).stat().st_ino
    except FileNotFoundError:
        return None


def give_room_back(place: str) -> None:
    """Shorten an SQLite file by what was deleted from it; a server sees to that by itself. Raises :class:`StoreError`."""
    if is_server(place):
        return
    try:
        connection = sqlite3.connect(sqlite_path(place), timeout=BUSY_S, isolation_level=None)
        try:
            # As a script, because this statement goes on for as long as it is asked for its next row.
            connection.executescript("PRAGMA incremental_vacuum; PRAGMA wal_checkpoint(TRUNCATE);")
        finally:
            connection.close()
    except sqlite3.Error as cause:
        raise StoreError(f"history {place}: {_WORDS.get(_sqlite_code(cause) or 0, str(cause))}") from cause


_WORDS = {
    sqlite3.SQLITE_FULL: "the disk is full: make room",
    sqlite3.SQLITE_READONLY: "it is read-only: make the file and its folder writable, or configure another store",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened: make the file and its folder writable, or configure another store",
    sqlite3.SQLITE_IOERR: "the disk fails, or is full: look at it",
    sqlite3.SQLITE_BUSY: "another program holds it locked: end that one",
    sqlite3.SQLITE_CONSTRAINT: "the session was deleted while it ran",
    sqlite3.SQLITE_CORRUPT: "the file is damaged: the next session sets it aside and begins a new one",
    sqlite3.SQLITE_NOTADB: "the file is no SQLite database: the next session sets it aside and begins a new one",
}


def _sqlite_code(cause: BaseException) -> int | None:
    inner = cause.orig if isinstance(cause, DBAPIError) else cause
    code = getattr(inner, "sqlite_errorcode", None)
    # The low byte is the kind, the rest says where it happened.
    return None if code is None else int(code) & 0xFF


def classify(cause: BaseException) -> Trouble:
    """What to do about ``cause``, one of :data:`STORE_FAILURES`."""
    return Trouble.DAMAGED if _sqlite_code(cause) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB) else Trouble.UNAVAILABLE


def explain(cause: BaseException) -> str:
    """``cause`` in one line, with what to do about it where that is known."""
    if isinstance(cause, DBAPIError):
        code = _sqlite_code(cause)
        if code in _WORDS:
            return _WORDS[code]
        lines = str(cause.orig).strip().splitlines()
        return lines[0].strip() if lines else type(cause.orig).__name__
    if isinstance(cause, OSError):
        return f"{(cause.strerror or str(cause)).lower()}: make its folder writable, or configure another store"
    return " ".join(str(cause).split())


def set_aside(place: str, unix_s: float) -> Path:
    """Give the file of ``place``, and what SQLite keeps beside it, another name; returns it. Raises ``OSError``."""
    path = sqlite_path(place)
    aside = path.with_name(f"{path.name}.damaged-{unix_s:.0f}")
    path.rename(aside)
    for suffix in ("-wal", "-shm"):
        beside = path.with_name(path.name + suffix)
        if beside.exists():
            beside.rename(aside.with_name(aside.name + suffix))
    return aside
