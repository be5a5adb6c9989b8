"""Sessions whose gateway was killed: closes their records, and says what those may still get.

Not responsible for asking the wraps for it (:mod:`wavewrap_gateway.runtime.late_samples`).
"""

from collections.abc import Callable

from sqlalchemy import Connection, func, select

from wavewrap_gateway.adapters.store_engine import begin
from wavewrap_gateway.adapters.store_schema import EVENTS, SAMPLES, SESSIONS, WRAPS
from wavewrap_gateway.core.history import RecordState
from wavewrap_gateway.core.late_samples import AFTERMATH_S, Unfinished
from wavewrap_protocol.limits import RING_S

__all__ = ["close_cut_off", "find_unfinished", "next_chunk"]

CUT_OFF = "the gateway ended without a word: it was killed, or the power failed"


def close_cut_off(connection: Connection, gateway: str, is_alive: Callable[[int, float], bool]) -> int:
    """Close as interrupted what a process of ``gateway`` that is no longer alive has left running; returns how many.

    ``is_alive`` says whether the process of that id, started at that wall time, still lives.
    """
    closed = 0
    with begin(connection, durable=True):
        running = SESSIONS.select().where((SESSIONS.c.gateway == gateway) & (SESSIONS.c.state == RecordState.RUNNING.value))
        for row in connection.execute(running).mappings().all():
            if is_alive(row["pid"], row["process_started_unix_s"]):
                continue
            closed += 1
            mine = SESSIONS.c.session_id == row["session_id"]
            last_s = _last_heard_s(connection, row["session_id"])
            ended_s = row["started_unix_s"] if last_s is None else last_s
            connection.execute(
                SESSIONS.update().where(mine).values(state=RecordState.INTERRUPTED.value, reason=CUT_OFF, ended_unix_s=ended_s)
            )
    return closed


def _last_heard_s(connection: Connection, session_id: str) -> float | None:
    """Wall time of the last thing that is kept of a session."""
    sampled_s = SAMPLES.c.unix_s + (SAMPLES.c.count * SAMPLES.c.period_ms) / 1000.0
    moments = [
        connection.execute(select(func.max(EVENTS.c.unix_s)).where(EVENTS.c.session_id == session_id)).scalar(),
        connection.execute(select(func.max(sampled_s)).where(SAMPLES.c.session_id == session_id)).scalar(),
    ]
    return max((float(moment) for moment in moments if moment is not None), default=None)


def find_unfinished(connection: Connection, gateway: str, now_unix_s: float) -> list[Unfinished]:
    """What the wraps may still have at ``now_unix_s`` of sessions of ``gateway`` that nobody ended, or that a fault did."""
    since_s = now_unix_s - AFTERMATH_S - RING_S
    recent = (SESSIONS.c.gateway == gateway) & (SESSIONS.c.state != RecordState.RUNNING.value) & (SESSIONS.c.ended_unix_s > since_s)
    found: list[Unfinished] = []
    begun_s: dict[str, float] = {}  # of the next session, by serial number
    with begin(connection, durable=False):
        for row in connection.execute(SESSIONS.select().where(recent).order_by(SESSIONS.c.started_unix_s.desc())).mappings().all():
            mine = row["session_id"]
            for wrap in connection.execute(WRAPS.select().where(WRAPS.c.session_id == mine)).mappings().all():
                if row["state"] in (RecordState.INTERRUPTED.value, RecordState.FAULTED.value):
                    runs = _kept_runs(connection, mine, wrap["wrap"], wrap["boot_id"] & 0xFF)
                    until_s = min(row["ended_unix_s"] + AFTERMATH_S, begun_s.get(wrap["serial"], float("inf")))
                    found.append(Unfinished(mine, wrap["wrap"], wrap["serial"], wrap["boot_id"], row["started_unix_s"], until_s, runs))
                begun_s[wrap["serial"]] = row["started_unix_s"]
    return found


def _kept_runs(connection: Connection, session_id: str, wrap: int, epoch: int) -> tuple[tuple[int, int], ...]:
    mine = (SAMPLES.c.session_id == session_id) & (SAMPLES.c.wrap == wrap) & (SAMPLES.c.epoch == epoch)
    rows = connection.execute(select(SAMPLES.c.first_seq, SAMPLES.c["count"]).where(mine)).all()
    return tuple((first, first + count - 1) for first, count in rows)


def next_chunk(connection: Connection, session_id: str, wrap: int) -> int:
    """Number of the next chunk of that wrap."""
    mine = (SAMPLES.c.session_id == session_id) & (SAMPLES.c.wrap == wrap)
    with begin(connection, durable=False):
        last = connection.execute(select(func.max(SAMPLES.c.chunk)).where(mine)).scalar()
    return 0 if last is None else last + 1
