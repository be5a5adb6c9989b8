"""The child process of ``bench host``: ``python -m wavewrap_gateway.bench.wake_ups METHOD [--beside-thread]``.

Reads a JSON list of deadlines, seconds after the start, and writes how late it woke for each, seconds. One method a process, so that none
is slowed by what another left behind.
"""

import argparse
import asyncio
import json
import sys
import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime

from wavewrap_gateway.adapters.pacing import open_pacer
from wavewrap_gateway.bench.heavy_thread import heavy_thread
from wavewrap_gateway.runtime.ticker import Timer

START_S = 0.1
"""From now to the start."""


class _PlainSleep:
    """What a plain script does."""

    async def sleep_until(self, deadline_s: float) -> None:
        await asyncio.sleep(deadline_s - asyncio.get_running_loop().time())


async def _wake(timer: Timer, offsets_s: list[float]) -> list[float]:
    loop = asyncio.get_running_loop()
    start_s = loop.time() + START_S
    late_s: list[float] = []
    for offset_s in offsets_s:
        await timer.sleep_until(start_s + offset_s)
        late_s.append(loop.time() - start_s - offset_s)
    return late_s


async def _pacer(offsets_s: list[float]) -> list[float]:
    with open_pacer(asyncio.get_running_loop()) as pacer:
        return await _wake(pacer.timer, offsets_s)


def _apscheduler(offsets_s: list[float]) -> list[float]:
    """One job for each deadline, as its documentation has it; its dates are wall time."""
    from apscheduler.schedulers.background import BackgroundScheduler

    late_s: list[float] = []
    done = threading.Event()

    def note(due_s: float) -> None:
        late_s.append(time.monotonic() - due_s)
        if len(late_s) == len(offsets_s):
            done.set()

    scheduler = BackgroundScheduler(timezone=UTC)
    wall_offset_s = time.clock_gettime(time.CLOCK_REALTIME) - time.monotonic()
    # Adding a job takes some 50 us: the start lies behind the last of them.
    start_s = time.monotonic() + START_S + 2e-4 * len(offsets_s)
    for offset_s in offsets_s:
        due_s = start_s + offset_s
        run_date = datetime.fromtimestamp(due_s + wall_offset_s, UTC)
        scheduler.add_job(note, "date", run_date=run_date, args=(due_s,), misfire_grace_time=None)
    scheduler.start()
    done.wait()
    scheduler.shutdown()
    return late_s


METHODS: dict[str, Callable[[list[float]], list[float]]] = {
    "pacer": lambda offsets_s: asyncio.run(_pacer(offsets_s)),
    "asyncio_sleep": lambda offsets_s: asyncio.run(_wake(_PlainSleep(), offsets_s)),
    "apscheduler": _apscheduler,
}


def main(arguments: list[str]) -> None:
    """Measure one method."""
    parser = argparse.ArgumentParser()
    parser.add_argument("method", choices=METHODS)
    parser.add_argument("--beside-thread", action="store_true")
    chosen = parser.parse_args(arguments)
    offsets_s = json.load(sys.stdin)
    with heavy_thread() if chosen.beside_thread else nullcontext():
        late_s = METHODS[chosen.method](offsets_s)
    json.dump(late_s, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1:])
