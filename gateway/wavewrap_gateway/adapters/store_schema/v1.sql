-- Version 1. Frozen: a change is a new version with its own file, and a step to it.
-- Written for SQLite and PostgreSQL alike: SQLite keeps what it is given in a column called BYTEA.
CREATE TABLE schema_version (
    version INTEGER NOT NULL
);

CREATE TABLE sessions (
    session_id TEXT PRIMARY KEY,
    number BIGINT NOT NULL,
    gateway TEXT NOT NULL,
    version TEXT NOT NULL,
    pid BIGINT NOT NULL,
    process_started_unix_s DOUBLE PRECISION NOT NULL,
    program_name TEXT NOT NULL,
    program TEXT NOT NULL,
    planned_s DOUBLE PRECISION NOT NULL,
    ceiling_mmhg DOUBLE PRECISION NOT NULL,
    started_unix_s DOUBLE PRECISION NOT NULL,
    ended_unix_s DOUBLE PRECISION,
    state TEXT NOT NULL,
    reason TEXT NOT NULL,
    unrecorded BIGINT NOT NULL,
    summary TEXT
);

CREATE INDEX sessions_by_start ON sessions (started_unix_s);

CREATE TABLE session_wraps (
    session_id TEXT NOT NULL REFERENCES sessions (session_id) ON DELETE CASCADE,
    wrap INTEGER NOT NULL,
    name TEXT NOT NULL,
    serial TEXT NOT NULL,
    side TEXT NOT NULL,
    model TEXT NOT NULL,
    firmware TEXT NOT NULL,
    chambers INTEGER NOT NULL,
    boot_id BIGINT NOT NULL,
    PRIMARY KEY (session_id, wrap)
);

CREATE TABLE events (
    session_id TEXT NOT NULL REFERENCES sessions (session_id) ON DELETE CASCADE,
    wrap TEXT NOT NULL,
    seq BIGINT NOT NULL,
    unix_s DOUBLE PRECISION NOT NULL,
    kind TEXT NOT NULL,
    text TEXT NOT NULL,
    boot_id BIGINT,
    tick BIGINT,
    PRIMARY KEY (session_id, wrap, seq)
);

CREATE TABLE samples (
    session_id TEXT NOT NULL REFERENCES sessions (session_id) ON DELETE CASCADE,
    wrap INTEGER NOT NULL,
    chunk INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    first_seq BIGINT NOT NULL,
    tick BIGINT NOT NULL,
    period_ms INTEGER NOT NULL,
    mask INTEGER NOT NULL,
    replay INTEGER NOT NULL,
    count INTEGER NOT NULL,
    unix_s DOUBLE PRECISION,
    data BYTEA NOT NULL,
    PRIMARY KEY (session_id, wrap, chunk)
);
