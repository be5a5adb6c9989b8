-- Version 2: the steps that the wraps answered for, from which targets, rise and vent times follow. Frozen.
CREATE TABLE steps (
    session_id TEXT NOT NULL REFERENCES sessions (session_id) ON DELETE CASCADE,
    wrap INTEGER NOT NULL,
    answer INTEGER NOT NULL,
    seq BIGINT NOT NULL,
    chamber INTEGER NOT NULL,
    cycle INTEGER NOT NULL,
    wave_at_s DOUBLE PRECISION NOT NULL,
    wave_target_mmhg DOUBLE PRECISION NOT NULL,
    ramp_s DOUBLE PRECISION NOT NULL,
    at_s DOUBLE PRECISION NOT NULL,
    due_tick BIGINT NOT NULL,
    actual_tick BIGINT,
    outcome INTEGER,
    uncertainty_s DOUBLE PRECISION NOT NULL,
    boost_mmhg DOUBLE PRECISION NOT NULL,
    added INTEGER NOT NULL,
    compression INTEGER NOT NULL,
    PRIMARY KEY (session_id, wrap, answer)
);
