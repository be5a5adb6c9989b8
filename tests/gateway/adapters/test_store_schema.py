"""The schema: made and migrated from every frozen version, on SQLite and on a real PostgreSQL server, without losing a row."""

import hashlib
import re
from importlib import resources
from pathlib import Path

import pytest
from sqlalchemy import Connection, inspect, text
from tests.support.store_places import Place, open_places

from wavewrap_gateway.adapters.store_engine import begin, open_engine, prepare
from wavewrap_gateway.adapters.store_schema import METADATA, SESSIONS, VERSION, migrate, read_version, version_sql
from wavewrap_protocol.errors import StoreError

FROZEN = {
    1: "6a2b6da10cc301a3",
    2: "726e8d24787df85b",
    3: "f00e3f639b3b6c91",
}
"""Of each file's statements. One that was released never changes: what it made is on people's disks."""

place = pytest.fixture(open_places, scope="module", params=["sqlite", "postgresql"])


def test_no_released_version_has_changed() -> None:
    folder = resources.files("wavewrap_gateway.adapters.store_schema")
    files = {int(found[1]) for entry in folder.iterdir() if (found := re.fullmatch(r"v(\d+)\.sql", entry.name))}
    assert files == set(FROZEN) == set(range(1, VERSION + 1))
    assert {version: digest(version) for version in FROZEN} == FROZEN


def digest(version: int) -> str:
    return hashlib.sha256(";".join(version_sql(version)).encode()).hexdigest()[:16]


def shape(connection: Connection) -> dict[str, dict[str, tuple[str, bool]]]:
    """Tables, columns, kinds and whether they may be empty, as the database itself says."""
    looked = inspect(connection)
    tables: dict[str, dict[str, tuple[str, bool]]] = {}
    for table in looked.get_table_names():
        keys = looked.get_pk_constraint(table)["constrained_columns"]
        columns = looked.get_columns(table)
        # SQLite lets a key that is text be NULL unless told otherwise, and says so.
        tables[table] = {one["name"]: (kind_of(str(one["type"])), bool(one["nullable"]) and one["name"] not in keys) for one in columns}
    return tables


def kind_of(declared: str) -> str:
    """The same word for what the databases and SQLAlchemy call a type."""
    if declared.startswith(("DOUBLE", "FLOAT", "REAL")):
        return "REAL"
    return "BYTEA" if declared in ("NUMERIC", "BLOB") else declared


def test_the_files_make_the_tables_that_we_write_to(place: Place) -> None:
    engine = open_engine(place.fresh())
    with engine.connect().execution_options(writes=True) as connection:
        with begin(connection, durable=True):
            assert migrate(connection) == 0
        made = shape(connection)
        assert read_version(connection) == VERSION
        connection.rollback()
        expected = {
            table.name: {
                column.name: (kind_of(str(column.type.compile(engine.dialect))), bool(column.nullable)) for column in table.columns
            }
            for table in METADATA.tables.values()
        }
        assert made == expected


@pytest.mark.parametrize("version", range(1, VERSION))
def test_an_older_history_is_brought_up_to_date_and_keeps_its_sessions(place: Place, version: int) -> None:
    name = place.fresh()
    engine = open_engine(name)
    with engine.connect().execution_options(writes=True) as connection:
        with begin(connection, durable=True):
            migrate(connection, upto=version)
            connection.execute(text(OLD_SESSION))
            connection.execute(text("INSERT INTO session_wraps VALUES ('old', 0, 'left', 'S-1', 'left', 'WR-4', '0.1', 4, 7)"))
            connection.execute(text("INSERT INTO events VALUES ('old', 'left', 1, 5.0, 'fault', 'leak', 7, 12)"))
        assert read_version(connection) == version
        connection.rollback()
    with prepare(open_engine(name), name) as connection:
        assert read_version(connection) == VERSION
        kept = connection.execute(SESSIONS.select()).mappings().one()
        assert (kept["session_id"], kept["state"], kept["planned_s"], kept["summary"]) == ("old", "completed", 60.0, None)
        assert connection.execute(text("SELECT wrap, text, tick FROM events")).all() == [("left", "leak", 12)]
        migrated = shape(connection)
    fresh = place.fresh()
    with prepare(open_engine(fresh), fresh) as connection:
        assert shape(connection) == migrated


OLD_SESSION = """
    INSERT INTO sessions VALUES
    ('old', 1, 'attic', '0.0.0', 4, 0.0, 'plain', '{}', 60.0, 80.0, 1.0, 61.0, 'completed', 'the program is over', 0, NULL)
"""


def test_a_later_version_is_refused_and_left_alone(place: Place) -> None:
    name = place.fresh()
    with prepare(open_engine(name), name) as connection, begin(connection, durable=True):
        connection.execute(text(f"UPDATE schema_version SET version = {VERSION + 1}"))
    with pytest.raises(StoreError, match=rf"schema version {VERSION + 1}, this wavewrap knows {VERSION}: update wavewrap"):
        prepare(open_engine(name), name)


def test_a_migration_that_fails_changes_nothing(place: Place) -> None:
    name = place.fresh()
    engine = open_engine(name)
    with engine.connect().execution_options(writes=True) as connection:
        with begin(connection, durable=True):
            migrate(connection, upto=1)
            # What version 2 is about to make is there already.
            connection.execute(text("CREATE TABLE steps (unrelated INTEGER)"))
        with pytest.raises(Exception, match="already exists"), begin(connection, durable=True):
            migrate(connection)
        assert read_version(connection) == 1


def test_a_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "history.sqlite"
    prepare(open_engine(str(path)), str(path)).close()
    assert path.stat().st_mode & 0o777 == 0o600
