"""A real writer on a real place, for tests of the history."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.support.histories import BEGUN_UNIX_S, make_end, make_event, make_steps
from wavewrap_gateway.adapters.store_writer import StoreWriter
from wavewrap_gateway.core.history import RecordedFrame, RecordState, SessionHead

__all__ = ["keep", "wait_until", "writing"]

PATIENCE_S = 30.0


@contextmanager
def writing(name: str, gateway: str = "attic") -> Iterator[tuple[StoreWriter, list[str]]]:
    """A writer, closed afterwards, and what it has told."""
    told: list[str] = []
    writer = StoreWriter(name, gateway, told.append, lambda: BEGUN_UNIX_S)
    writer.start()
    try:
        yield writer, told
    finally:
        writer.close()


def wait_until(condition: Callable[[], bool]) -> None:
    """Block, for :data:`PATIENCE_S` at most."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


def keep(name: str, head: SessionHead, frames: list[RecordedFrame], *, state: RecordState | None = RecordState.COMPLETED) -> list[str]:
    """Record ``frames``, a step and an event; ``state`` None leaves the session running. What the writer has told."""
    with writing(name, head.gateway) as (writer, told):
        writer.begin(head)
        for frame in frames:
            writer.add_frame(frame)
        writer.add_steps(make_steps(head))
        writer.add_event(make_event(head, 1))
        if state is not None:
            writer.finish(make_end(head, state))
    return told
