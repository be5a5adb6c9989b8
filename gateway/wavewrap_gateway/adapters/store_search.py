"""Finds sessions in the history without reading what they hold: by program, wrap, state and time, page by page."""

from collections import defaultdict
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, func, select

from wavewrap_gateway.adapters.store_engine import reading
from wavewrap_gateway.adapters.store_place import is_server, sqlite_path
from wavewrap_gateway.adapters.store_schema import SESSIONS, WRAPS
from wavewrap_protocol.history_answers import SessionLine, SessionsAnswer, WrapLine
from wavewrap_protocol.history_asks import SessionFilter

__all__ = ["Found", "find_session", "has_begun", "list_matching", "search_sessions"]


@dataclass(frozen=True, slots=True)
class Found:
    """``total`` counts what fits; ``lines`` are the part that was asked for, newest first."""

    total: int
    lines: list[SessionLine]


def has_begun(place: str) -> bool:
    """Whether there is a history at ``place``; of a server it is assumed."""
    return is_server(place) or sqlite_path(place).exists()


def list_matching(place: str, wanted: SessionFilter, limit: int, offset: int) -> Found:
    """The sessions that fit ``wanted``. Raises :class:`wavewrap_protocol.errors.StoreError`."""
    with reading(place) as connection:
        return _list(connection, _conditions(wanted), limit, offset)


def find_session(place: str, session_id: str) -> SessionLine | None:
    """The session of exactly that name."""
    with reading(place) as connection:
        found = _list(connection, [SESSIONS.c.session_id == session_id], 1, 0)
    return found.lines[0] if found.lines else None


def search_sessions(place: str, wanted: SessionFilter, limit: int, offset: int) -> SessionsAnswer:
    """The same, with what can be chosen from. Where there is no history yet it is empty, and no error."""
    if not has_begun(place):
        return SessionsAnswer(begun=False, total=0, sessions=[], programs=[], wraps=[], oldest_unix_s=None, newest_unix_s=None)
    with reading(place) as connection:
        found = _list(connection, _conditions(wanted), limit, offset)
        programs = connection.execute(select(SESSIONS.c.program_name).distinct().order_by(SESSIONS.c.program_name)).scalars().all()
        wraps = connection.execute(select(WRAPS.c.name).distinct().order_by(WRAPS.c.name)).scalars().all()
        oldest, newest = connection.execute(select(func.min(SESSIONS.c.started_unix_s), func.max(SESSIONS.c.started_unix_s))).one()
    return SessionsAnswer(
        begun=True,
        total=found.total,
        sessions=found.lines,
        programs=list(programs),
        wraps=list(wraps),
        oldest_unix_s=oldest,
        newest_unix_s=newest,
    )


def _conditions(wanted: SessionFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.program is not None:
        conditions.append(SESSIONS.c.program_name == wanted.program)
    if wanted.state is not None:
        conditions.append(SESSIONS.c.state == wanted.state)
    if wanted.from_unix_s is not None:
        conditions.append(SESSIONS.c.started_unix_s >= wanted.from_unix_s)
    if wanted.until_unix_s is not None:
        conditions.append(SESSIONS.c.started_unix_s < wanted.until_unix_s)
    if wanted.wrap is not None:
        conditions.append(SESSIONS.c.session_id.in_(select(WRAPS.c.session_id).where(WRAPS.c.name == wanted.wrap)))
    return conditions


def _list(connection: Connection, conditions: list[ColumnElement[bool]], limit: int, offset: int) -> Found:
    total = connection.execute(select(func.count()).select_from(SESSIONS).where(*conditions)).scalar_one()
    newest = SESSIONS.select().where(*conditions).order_by(SESSIONS.c.started_unix_s.desc(), SESSIONS.c.session_id.desc())
    rows = connection.execute(newest.limit(limit).offset(offset)).mappings().all()
    wraps: defaultdict[str, list[WrapLine]] = defaultdict(list)
    own = WRAPS.select().where(WRAPS.c.session_id.in_([row["session_id"] for row in rows])).order_by(WRAPS.c.wrap)
    for wrap in connection.execute(own).mappings():
        wraps[wrap["session_id"]].append(WrapLine(id=wrap["name"], side=wrap["side"]))
    lines = [
        SessionLine(
            session=row["session_id"],
            gateway=row["gateway"],
            program=row["program_name"],
            state=row["state"],
            reason=row["reason"],
            started_unix_s=row["started_unix_s"],
            ended_unix_s=row["ended_unix_s"],
            planned_s=row["planned_s"],
            unrecorded=row["unrecorded"],
            wraps=wraps[row["session_id"]],
        )
        for row in rows
    ]
    return Found(total, lines)
