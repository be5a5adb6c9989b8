"""Reads the history back, and deletes from it. A failure is a :class:`StoreError` in one line, a wrong name a :class:`UsageError`."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Connection, RowMapping, func, select

from wavewrap_gateway.adapters.store_engine import give_room_back, reading
from wavewrap_gateway.adapters.store_schema import EVENTS, SAMPLES, SESSIONS, STEPS, WRAPS
from wavewrap_gateway.core.history import RecordedEvent, RecordedStep, RecordedWrap, RecordState, SessionHead
from wavewrap_gateway.core.recorded_curves import join_chunks, rebuild_account
from wavewrap_gateway.core.recorded_session import RecordedSession, RecordedSide, SessionEntry
from wavewrap_gateway.core.sample_chunks import SampleChunk
from wavewrap_protocol.errors import StoreError, UsageError
from wavewrap_protocol.payloads import SessionSummary, Side

__all__ = ["LAST", "delete_sessions", "list_sessions", "load_session"]

LAST = "last"
"""Names the session that began last."""


def list_sessions(place: str, limit: int) -> list[SessionEntry]:
    """The last ``limit`` sessions, newest first."""
    with reading(place) as connection:
        newest = SESSIONS.select().order_by(SESSIONS.c.started_unix_s.desc(), SESSIONS.c.session_id.desc()).limit(limit)
        rows = connection.execute(newest).mappings().all()
        chosen = [row["session_id"] for row in rows]
        names: defaultdict[str, list[str]] = defaultdict(list)
        for wrap in connection.execute(WRAPS.select().where(WRAPS.c.session_id.in_(chosen)).order_by(WRAPS.c.wrap)).mappings():
            names[wrap["session_id"]].append(wrap["name"])
        count, size = func.sum(SAMPLES.c["count"]), func.sum(func.length(SAMPLES.c.data))
        sums = select(SAMPLES.c.session_id, count, size).where(SAMPLES.c.session_id.in_(chosen)).group_by(SAMPLES.c.session_id)
        kept = {session_id: (int(samples), int(size)) for session_id, samples, size in connection.execute(sums)}
    return [
        SessionEntry(
            row["session_id"],
            row["gateway"],
            row["program_name"],
            RecordState(row["state"]),
            row["reason"],
            row["started_unix_s"],
            row["ended_unix_s"],
            row["planned_s"],
            tuple(names[row["session_id"]]),
            *kept.get(row["session_id"], (0, 0)),
            row["unrecorded"],
        )
        for row in rows
    ]


def load_session(place: str, wanted: str) -> RecordedSession:
    """The session that ``wanted`` names: :data:`LAST`, its name, or the beginning of it where that names one alone."""
    with reading(place) as connection:
        row = _find(connection, wanted)
        mine = row["session_id"]
        wraps = connection.execute(WRAPS.select().where(WRAPS.c.session_id == mine).order_by(WRAPS.c.wrap)).mappings().all()
        events = EVENTS.select().where(EVENTS.c.session_id == mine).order_by(EVENTS.c.unix_s, EVENTS.c.wrap, EVENTS.c.seq)
        told = [RecordedEvent(**event) for event in connection.execute(events).mappings()]
        steps = _by_wrap(connection.execute(STEPS.select().where(STEPS.c.session_id == mine).order_by(STEPS.c.answer)).mappings())
        chunks = _by_wrap(connection.execute(SAMPLES.select().where(SAMPLES.c.session_id == mine).order_by(SAMPLES.c.chunk)).mappings())
    head = _read_head(row, wraps)
    sides = [_read_side(head, wrap, chunks[number], steps[number]) for number, wrap in enumerate(head.wraps)]
    summary = None if row["summary"] is None else _read_summary(mine, row["summary"])
    return RecordedSession(head, RecordState(row["state"]), row["reason"], row["ended_unix_s"], row["unrecorded"], summary, told, sides)


def delete_sessions(place: str, wanted: Sequence[str], *, running: bool = False) -> list[str]:
    """Delete the sessions that ``wanted`` names, all or none; one that runs only where ``running``. Returns their full names."""
    with reading(place, writes=True) as connection:
        rows = [_find(connection, one) for one in wanted]
        for row in rows:
            if row["state"] == RecordState.RUNNING and not running:
                raise UsageError(f"session {row['session_id']} is running, or was cut off: end it, or say --running")
        names = list(dict.fromkeys(row["session_id"] for row in rows))
        for table in (SAMPLES, STEPS, EVENTS, WRAPS, SESSIONS):
            connection.execute(table.delete().where(table.c.session_id.in_(names)))
    give_room_back(place)
    return names


def _find(connection: Connection, wanted: str) -> RowMapping:
    newest = SESSIONS.select().order_by(SESSIONS.c.started_unix_s.desc(), SESSIONS.c.session_id.desc())
    if wanted == LAST:
        row = connection.execute(newest.limit(1)).mappings().first()
        if row is None:
            raise UsageError("the history is empty: play a session first")
        return row
    rows = connection.execute(newest.where(SESSIONS.c.session_id.startswith(wanted, autoescape=True)).limit(2)).mappings().all()
    exact = [row for row in rows if row["session_id"] == wanted]
    if not rows or not wanted:
        raise UsageError(f"no session is called {wanted!r}: 'wavewrap sessions list' shows those there are, {LAST!r} is the newest")
    if len(rows) > 1 and not exact:
        raise UsageError(f"more than one session begins with {wanted!r}: give more of its name")
    return (exact or rows)[0]


def _by_wrap(rows: Any) -> defaultdict[int, list[RowMapping]]:
    found: defaultdict[int, list[RowMapping]] = defaultdict(list)
    for row in rows:
        found[row["wrap"]].append(row)
    return found


def _read_head(row: RowMapping, wraps: Sequence[RowMapping]) -> SessionHead:
    try:
        program = SessionHead.read_program(row["program"])
    except ValidationError as cause:
        raise StoreError(f"session {row['session_id']}: its program is damaged: delete it from the history") from cause
    return SessionHead(
        session_id=row["session_id"],
        number=row["number"],
        gateway=row["gateway"],
        version=row["version"],
        pid=row["pid"],
        process_started_unix_s=row["process_started_unix_s"],
        program=program,
        planned_s=row["planned_s"],
        ceiling_mmhg=row["ceiling_mmhg"],
        started_unix_s=row["started_unix_s"],
        wraps=tuple(
            RecordedWrap(
                wrap["name"], wrap["serial"], Side(wrap["side"]), wrap["model"], wrap["firmware"], wrap["chambers"], wrap["boot_id"]
            )
            for wrap in wraps
        ),
    )


def _read_side(head: SessionHead, wrap: RecordedWrap, chunks: Sequence[RowMapping], steps: Sequence[RowMapping]) -> RecordedSide:
    plain = [{key: value for key, value in row.items() if key != "chunk"} for row in chunks]
    read = [SampleChunk(**{**row, "replay": bool(row["replay"]), "data": bytes(row["data"])}) for row in plain]
    curves = join_chunks(read, wrap.chambers)
    answered = [RecordedStep(**{**row, "added": bool(row["added"])}) for row in steps]
    account = rebuild_account(head.program, wrap.side, wrap.chambers, head.planned_s, curves, answered)
    return RecordedSide(wrap, curves, account)


def _read_summary(session_id: str, body: str) -> SessionSummary:
    try:
        return SessionSummary.model_validate_json(body)
    except ValidationError as cause:
        raise StoreError(f"session {session_id}: its summary is damaged: delete it from the history") from cause
