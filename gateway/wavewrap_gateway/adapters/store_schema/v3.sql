-- Version 3: the recovery journal, what a person notes. It refers to no session: what a rating answers follows from its time. Frozen.
CREATE TABLE journal_runs (
    entry_id TEXT PRIMARY KEY,
    gateway TEXT NOT NULL,
    written_unix_s DOUBLE PRECISION NOT NULL,
    ended_unix_s DOUBLE PRECISION NOT NULL,
    duration_s DOUBLE PRECISION NOT NULL,
    distance_m DOUBLE PRECISION,
    effort INTEGER,
    weight_before_kg DOUBLE PRECISION,
    weight_after_kg DOUBLE PRECISION,
    warm_up_s DOUBLE PRECISION,
    stretch_s DOUBLE PRECISION,
    note TEXT NOT NULL
);

CREATE TABLE journal_soreness (
    entry_id TEXT PRIMARY KEY,
    gateway TEXT NOT NULL,
    written_unix_s DOUBLE PRECISION NOT NULL,
    unix_s DOUBLE PRECISION NOT NULL,
    soreness INTEGER NOT NULL,
    note TEXT NOT NULL
);

CREATE INDEX journal_runs_by_end ON journal_runs (gateway, ended_unix_s);

CREATE INDEX journal_soreness_by_time ON journal_soreness (gateway, unix_s);
