"""The schema of the history: frozen SQL files, one a version, and the tables of the newest as SQLAlchemy knows them.

A file ``vN.sql`` turns version N - 1 into version N; no file is ever changed once it was released. A test holds the tables here equal to
what the files make.
"""

from importlib import resources

from sqlalchemy import BigInteger, Column, Connection, Double, Integer, LargeBinary, MetaData, Table, Text, inspect, text

from wavewrap_protocol.errors import StoreError

__all__ = [
    "EVENTS",
    "JOURNAL_RUNS",
    "JOURNAL_SORENESS",
    "METADATA",
    "SAMPLES",
    "SESSIONS",
    "STEPS",
    "VERSION",
    "WRAPS",
    "migrate",
    "read_version",
    "version_sql",
]

VERSION = 3

_LOCK = 0x57525753
"""Number of PostgreSQL's advisory lock while a schema is made: two gateways may start at once."""

METADATA = MetaData()

SCHEMA_VERSION = Table("schema_version", METADATA, Column("version", Integer, nullable=False))

SESSIONS = Table(
    "sessions",
    METADATA,
    Column("session_id", Text, primary_key=True),
    Column("number", BigInteger, nullable=False),
    Column("gateway", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("pid", BigInteger, nullable=False),
    Column("process_started_unix_s", Double, nullable=False),
    Column("program_name", Text, nullable=False),
    Column("program", Text, nullable=False),
    Column("planned_s", Double, nullable=False),
    Column("ceiling_mmhg", Double, nullable=False),
    Column("started_unix_s", Double, nullable=False),
    Column("ended_unix_s", Double),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("unrecorded", BigInteger, nullable=False),
    Column("summary", Text),
)

WRAPS = Table(
    "session_wraps",
    METADATA,
    Column("session_id", Text, primary_key=True),
    Column("wrap", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("serial", Text, nullable=False),
    Column("side", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("firmware", Text, nullable=False),
    Column("chambers", Integer, nullable=False),
    Column("boot_id", BigInteger, nullable=False),
)

EVENTS = Table(
    "events",
    METADATA,
    Column("session_id", Text, primary_key=True),
    Column("wrap", Text, primary_key=True),
    Column("seq", BigInteger, primary_key=True),
    Column("unix_s", Double, nullable=False),
    Column("kind", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("boot_id", BigInteger),
    Column("tick", BigInteger),
)

SAMPLES = Table(
    "samples",
    METADATA,
    Column("session_id", Text, primary_key=True),
    Column("wrap", Integer, primary_key=True),
    Column("chunk", Integer, primary_key=True),
    Column("epoch", Integer, nullable=False),
    Column("first_seq", BigInteger, nullable=False),
    Column("tick", BigInteger, nullable=False),
    Column("period_ms", Integer, nullable=False),
    Column("mask", Integer, nullable=False),
    Column("replay", Integer, nullable=False),
    Column("count", Integer, nullable=False),
    Column("unix_s", Double),
    Column("data", LargeBinary, nullable=False),
)

STEPS = Table(
    "steps",
    METADATA,
    Column("session_id", Text, primary_key=True),
    Column("wrap", Integer, primary_key=True),
    Column("answer", Integer, primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("chamber", Integer, nullable=False),
    Column("cycle", Integer, nullable=False),
    Column("wave_at_s", Double, nullable=False),
    Column("wave_target_mmhg", Double, nullable=False),
    Column("ramp_s", Double, nullable=False),
    Column("at_s", Double, nullable=False),
    Column("due_tick", BigInteger, nullable=False),
    Column("actual_tick", BigInteger),
    Column("outcome", Integer),
    Column("uncertainty_s", Double, nullable=False),
    Column("boost_mmhg", Double, nullable=False),
    Column("added", Integer, nullable=False),
    Column("compression", Integer, nullable=False),
)

JOURNAL_RUNS = Table(
    "journal_runs",
    METADATA,
    Column("entry_id", Text, primary_key=True),
    Column("gateway", Text, nullable=False),
    Column("written_unix_s", Double, nullable=False),
    Column("ended_unix_s", Double, nullable=False),
    Column("duration_s", Double, nullable=False),
    Column("distance_m", Double),
    Column("effort", Integer),
    Column("weight_before_kg", Double),
    Column("weight_after_kg", Double),
    Column("warm_up_s", Double),
    Column("stretch_s", Double),
    Column("note", Text, nullable=False),
)

JOURNAL_SORENESS = Table(
    "journal_soreness",
    METADATA,
    Column("entry_id", Text, primary_key=True),
    Column("gateway", Text, nullable=False),
    Column("written_unix_s", Double, nullable=False),
    Column("unix_s", Double, nullable=False),
    Column("soreness", Integer, nullable=False),
    Column("note", Text, nullable=False),
)


def version_sql(version: int) -> list[str]:
    """The statements of the file that makes ``version`` from the one before."""
    body = (resources.files(__name__) / f"v{version}.sql").read_text(encoding="utf-8")
    bare = "\n".join(line for line in body.splitlines() if not line.startswith("--"))
    return [statement.strip() for statement in bare.split(";") if statement.strip()]


def read_version(connection: Connection) -> int:
    """Version of the schema there; 0 when there is none."""
    if not inspect(connection).has_table(SCHEMA_VERSION.name):
        return 0
    return connection.execute(SCHEMA_VERSION.select()).scalar_one()  # type: ignore[no-any-return]  # the column is an integer


def migrate(connection: Connection, upto: int = VERSION) -> int:
    """Bring the schema up to ``upto``, inside the caller's transaction; returns the version that was there.

    Raises :class:`StoreError` when what is there is of a later version than this one.
    """
    if connection.dialect.name == SERVER_DIALECT:
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    found = read_version(connection)
    if found > VERSION:
        raise StoreError(f"the history has schema version {found}, this wavewrap knows {VERSION}: update wavewrap, or name another store")
    for version in range(found + 1, upto + 1):
        for statement in version_sql(version):
            connection.exec_driver_sql(statement)
    if found == 0:
        connection.execute(SCHEMA_VERSION.insert().values(version=upto))
    elif found < upto:
        connection.execute(SCHEMA_VERSION.update().values(version=upto))
    return found


SERVER_DIALECT = "postgresql"
