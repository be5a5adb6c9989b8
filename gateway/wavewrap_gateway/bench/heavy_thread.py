"""The worst neighbour that a timer has inside its own process: a thread that holds the interpreter's lock for many ms at a time."""

import gc
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["heavy_thread"]

_BALLAST = 200_000
"""Containers that every collection has to visit: tens of ms."""

_ENTRIES = 20_000
"""Of the JSON object: its text takes the lock for some ms, without a chance to switch."""


@contextmanager
def heavy_thread() -> Iterator[None]:
    """A thread that writes and reads JSON and collects garbage without a pause."""
    stop = threading.Event()
    thread = threading.Thread(target=_labour, args=(stop,), name="heavy")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _labour(stop: threading.Event) -> None:
    ballast = [[number] for number in range(_BALLAST)]
    entries = {f"sample {number}": [number, number / 7.0, None] for number in range(_ENTRIES)}
    while not stop.is_set():
        json.loads(json.dumps(entries))
        gc.collect()
    del ballast
