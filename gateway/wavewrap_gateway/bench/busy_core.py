"""Keeps one core busy: ``python -m wavewrap_gateway.bench.busy_core``, until standard input ends, as it does when the parent dies."""

import asyncio
import os
import select
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

__all__ = ["busy_cores"]

_ROUNDS = 200_000


def spin() -> None:
    """Compute; look at stdin some hundred times a second."""
    while not select.select([sys.stdin], [], [], 0)[0]:
        for _ in range(_ROUNDS):
            pass


@asynccontextmanager
async def busy_cores() -> AsyncIterator[None]:
    """Every core of this machine busy with a process of its own."""
    processes = [await asyncio.create_subprocess_exec(sys.executable, "-m", __name__, stdin=PIPE) for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for process in processes:
            assert process.stdin is not None  # it was asked for
            process.stdin.close()
        for process in processes:
            await process.wait()


if __name__ == "__main__":
    spin()
