"""Keeps the recovery journal in the store of the sessions. A failure is a :class:`StoreError`, a wrong name a :class:`UsageError`.

A journal belongs to a gateway, so that those who share a server do not read each other's. Not responsible for what an entry means.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, RowMapping, Table, select

from wavewrap_gateway.adapters.store_engine import give_room_back, reading
from wavewrap_gateway.adapters.store_place import is_server, sqlite_path
from wavewrap_gateway.adapters.store_schema import JOURNAL_RUNS, JOURNAL_SORENESS, SESSIONS
from wavewrap_gateway.core.journal import JournalEntry
from wavewrap_gateway.core.journal_book import JournalBook, JournalSession
from wavewrap_gateway.core.soreness import Occasion
from wavewrap_protocol.errors import UsageError
from wavewrap_protocol.journal_notes import RunNote, SorenessNote
from wavewrap_protocol.payloads import OccasionKind

__all__ = ["add_entry", "delete_entries", "delete_journal", "load_journal", "load_ratings"]

_TABLES = (JOURNAL_RUNS, JOURNAL_SORENESS)


def add_entry(place: str, gateway: str, entry: JournalEntry) -> None:
    """Keep ``entry``; makes the store where there is none yet."""
    note = entry.note
    table = JOURNAL_RUNS if isinstance(note, RunNote) else JOURNAL_SORENESS
    row = {"entry_id": entry.entry_id, "gateway": gateway, "written_unix_s": entry.written_unix_s, **note.model_dump()}
    with reading(place, writes=True, makes=True) as connection:
        connection.execute(table.insert().values(row))


def load_journal(place: str, gateway: str, since_unix_s: float = 0.0) -> JournalBook:
    """Entries about what was since then, and the sessions that began since then; nothing where there is no store yet."""
    if not is_server(place) and not sqlite_path(place).exists():
        return JournalBook([], [])
    with reading(place) as connection:
        runs = _rows(connection, JOURNAL_RUNS, "ended_unix_s", gateway, since_unix_s)
        ratings = _rows(connection, JOURNAL_SORENESS, "unix_s", gateway, since_unix_s)
        sessions = _rows(connection, SESSIONS, "started_unix_s", gateway, since_unix_s)
    entries = [_entry(row, RunNote) for row in runs] + [_entry(row, SorenessNote) for row in ratings]
    entries.sort(key=lambda entry: (entry.note.at_unix_s, entry.entry_id), reverse=True)
    return JournalBook(entries, [_session(row) for row in sessions])


def load_ratings(place: str, gateway: str, from_unix_s: float, until_unix_s: float) -> list[SorenessNote]:
    """Every soreness that was noted between the two moments, both included."""
    when = JOURNAL_SORENESS.c.unix_s
    wanted = JOURNAL_SORENESS.select().where(JOURNAL_SORENESS.c.gateway == gateway, when.between(from_unix_s, until_unix_s)).order_by(when)
    with reading(place) as connection:
        return [SorenessNote.model_construct(**_fields(row, SorenessNote)) for row in connection.execute(wanted).mappings()]


def delete_entries(place: str, gateway: str, wanted: Sequence[str]) -> list[str]:
    """Delete the entries that ``wanted`` names by how their names begin, all or none; returns their full names."""
    with _erasing(place) as connection:
        names = list(dict.fromkeys(_find(connection, gateway, one) for one in wanted))
        for table in _TABLES:
            connection.execute(table.delete().where(table.c.gateway == gateway, table.c.entry_id.in_(names)))
    give_room_back(place)
    return names


def delete_journal(place: str, gateway: str) -> int:
    """Delete every entry; returns how many there were."""
    with _erasing(place) as connection:
        gone = sum(connection.execute(table.delete().where(table.c.gateway == gateway)).rowcount for table in _TABLES)
    give_room_back(place)
    return gone


@contextmanager
def _erasing(place: str) -> Iterator[Connection]:
    with reading(place, writes=True) as connection:
        if connection.dialect.name == "sqlite":
            # What somebody wanted gone must not lie about in the free pages of the file.
            connection.exec_driver_sql("PRAGMA secure_delete = ON")
        yield connection


def _find(connection: Connection, gateway: str, wanted: str) -> str:
    found: list[str] = [
        name
        for table in _TABLES
        for name in connection.scalars(
            select(table.c.entry_id).where(table.c.gateway == gateway, table.c.entry_id.startswith(wanted, autoescape=True)).limit(2)
        )
    ]
    if wanted in found:
        return wanted
    if not found or not wanted:
        raise UsageError(f"no entry of the journal is called {wanted!r}: 'wavewrap journal list' shows those there are")
    if len(found) > 1:
        raise UsageError(f"more than one entry of the journal begins with {wanted!r}: give more of its name")
    return found[0]


def _rows(connection: Connection, table: Table, when: str, gateway: str, since_unix_s: float) -> Sequence[RowMapping]:
    column = table.c[when]
    chosen = table.select().where(table.c.gateway == gateway, column >= since_unix_s)
    return connection.execute(chosen.order_by(column.desc())).mappings().all()


def _entry(row: RowMapping, kind: type[RunNote] | type[SorenessNote]) -> JournalEntry:
    return JournalEntry(row["entry_id"], row["written_unix_s"], kind.model_construct(**_fields(row, kind)))


def _fields(row: RowMapping, kind: type[RunNote] | type[SorenessNote]) -> dict[str, Any]:
    """For ``model_construct``: as it was checked when it was written. A later version that is stricter must not make it unreadable."""
    return {name: row[name] for name in kind.model_fields}


def _session(row: RowMapping) -> JournalSession:
    occasion = Occasion(OccasionKind.SESSION, row["session_id"], row["started_unix_s"], row["ended_unix_s"], row["planned_s"])
    return JournalSession(occasion, row["program_name"])
