"""Histories on file to look back on, made with the real writer: whole sessions, one with a hole, one that runs, and many short ones."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.histories import make_end, make_event, make_frames, make_head, make_steps
from wavewrap_gateway.adapters.store_writer import StoreWriter
from wavewrap_gateway.core.history import RecordedFrame, RecordState, SessionHead

__all__ = ["DAY_S", "HOLE", "SECONDS", "keep_heads", "keep_sessions", "write_history"]

SECONDS = 60.0
DAY_S = 86_400.0
HOLE = range(100, 110)
"""Frames of the session with a hole that never came: 2 s, of both wraps."""


def write_history(path: Path) -> Path:
    """Three sessions, newest last: whole, with a hole and stopped, and one that runs and has no sample yet."""
    whole = make_head("20231114-1-whole")
    holed = make_head("20231115-2-holed", started_s=DAY_S)
    begun = make_head("20231116-3-begun", started_s=2 * DAY_S)
    writer = StoreWriter(str(path), "attic", pytest.fail, lambda: 0.0)
    writer.start()
    for number, head in enumerate((whole, holed)):
        frames = list(make_frames(head, SECONDS, seed=number + 1))
        _keep(writer, head, frames if head is whole else [frame for at, frame in enumerate(frames) if at // 2 not in HOLE])
        writer.finish(make_end(head, RecordState.COMPLETED if head is whole else RecordState.STOPPED))
    writer.begin(begun)
    writer.close()
    return path


def keep_sessions(path: Path, count: int) -> Path:
    """``count`` sessions without samples, one a day."""
    return keep_heads(path, [make_head(f"day-{number:05d}", started_s=number * DAY_S) for number in range(count)], 60.0)


def keep_heads(path: Path, heads: Sequence[SessionHead], length_s: float) -> Path:
    """Sessions without samples that were completed after ``length_s``."""
    writer = StoreWriter(str(path), "attic", pytest.fail, lambda: 0.0)
    writer.start()
    for head in heads:
        writer.begin(head)
        writer.finish(replace(make_end(head), ended_unix_s=head.started_unix_s + length_s))
    writer.close()
    return path


def _keep(writer: StoreWriter, head: SessionHead, frames: Sequence[RecordedFrame]) -> None:
    writer.begin(head)
    for wrap in range(2):
        writer.add_steps(make_steps(head, wrap))
    for frame in frames:
        writer.add_frame(frame)
    for seq in (1, 2):
        writer.add_event(make_event(head, seq))
