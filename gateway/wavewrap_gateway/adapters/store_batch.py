"""Writes a batch of records in one transaction, so that a batch is there as a whole or not at all.

A batch that is written twice (its commit was heard by the server, and the answer lost) is there once. Not responsible for threads, nor
for what to do when writing fails (:mod:`wavewrap_gateway.adapters.store_writer`).
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy import Connection, Table, select
from sqlalchemy.dialects import postgresql, sqlite

from wavewrap_gateway.adapters.store_engine import begin
from wavewrap_gateway.adapters.store_schema import EVENTS, SAMPLES, SESSIONS, STEPS, WRAPS
from wavewrap_gateway.core.history import RecordedEvent, RecordedFrame, RecordedStep, RecordState, SessionEnd, SessionHead
from wavewrap_gateway.core.sample_chunks import SampleChunk, gather_chunks

__all__ = ["RecordBatch", "write_batch", "write_heads"]

Row = dict[str, Any]


@dataclass(slots=True)
class RecordBatch:
    """What one transaction writes. ``chunks`` are numbered once, so that a repetition is known as one."""

    heads: list[SessionHead] = field(default_factory=list)
    events: list[RecordedEvent] = field(default_factory=list)
    steps: list[RecordedStep] = field(default_factory=list)
    ends: list[SessionEnd] = field(default_factory=list)
    chunks: list[tuple[int, SampleChunk]] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.is_durable or self.chunks)

    @property
    def is_durable(self) -> bool:
        """Whether there is more than samples in it."""
        return bool(self.heads or self.events or self.steps or self.ends)

    def add_frames(self, frames: Iterable[RecordedFrame], numbers: Counter[tuple[str, int]]) -> None:
        """Make chunks of ``frames``; ``numbers`` counts those of every session and wrap."""
        for chunk in gather_chunks(frames):
            key = chunk.session_id, chunk.wrap
            self.chunks.append((numbers[key], chunk))
            numbers[key] += 1


def write_batch(connection: Connection, batch: RecordBatch, unrecorded: Mapping[str, int], running: Collection[str]) -> None:
    """All of ``batch`` in one transaction; ``unrecorded`` counts what each session has lost so far.

    Samples of a session that is not ``running`` come late: somebody may have deleted it, and they go with it.
    """
    with begin(connection, durable=batch.is_durable):
        write_heads(connection, batch.heads)
        late = {chunk.session_id for _, chunk in batch.chunks}.difference(running)
        there = set(connection.scalars(select(SESSIONS.c.session_id).where(SESSIONS.c.session_id.in_(late)))) if late else set[str]()
        chunks = [(number, chunk) for number, chunk in batch.chunks if chunk.session_id not in late - there]
        _insert(connection, EVENTS, [asdict(event) for event in batch.events])
        _insert(connection, STEPS, [_step_row(step) for step in batch.steps])
        _insert(connection, SAMPLES, [_chunk_row(number, chunk) for number, chunk in chunks])
        for end in batch.ends:
            row = SESSIONS.update().where(SESSIONS.c.session_id == end.session_id)
            connection.execute(
                row.values(
                    state=end.state.value,
                    reason=end.reason,
                    ended_unix_s=end.ended_unix_s,
                    summary=end.summary_json,
                    unrecorded=unrecorded.get(end.session_id, 0),
                )
            )


def write_heads(connection: Connection, heads: Sequence[SessionHead]) -> None:
    """The rows of sessions that have begun, unless they are there, inside the caller's transaction."""
    _insert(connection, SESSIONS, [_head_row(head) for head in heads])
    wraps = [{"session_id": head.session_id, "wrap": number, **asdict(wrap)} for head in heads for number, wrap in enumerate(head.wraps)]
    _insert(connection, WRAPS, wraps)


def _insert(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    if not rows:
        return
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    connection.execute(dialect.insert(table).on_conflict_do_nothing(), rows)


def _head_row(head: SessionHead) -> Row:
    return {
        "session_id": head.session_id,
        "number": head.number,
        "gateway": head.gateway,
        "version": head.version,
        "pid": head.pid,
        "process_started_unix_s": head.process_started_unix_s,
        "program_name": head.program.name,
        "program": head.program_json(),
        "planned_s": head.planned_s,
        "ceiling_mmhg": head.ceiling_mmhg,
        "started_unix_s": head.started_unix_s,
        "state": RecordState.RUNNING.value,
        "reason": "",
        "unrecorded": 0,
    }


def _step_row(step: RecordedStep) -> Row:
    return {**asdict(step), "added": int(step.added)}


def _chunk_row(number: int, chunk: SampleChunk) -> Row:
    return {**asdict(chunk), "chunk": number, "replay": int(chunk.replay)}
