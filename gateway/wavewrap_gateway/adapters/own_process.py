"""What this process uses: memory, tasks of the loop, threads, descriptors."""

import asyncio

import psutil

from wavewrap_protocol.payloads import ProcessFigures

__all__ = ["read_own_process"]


def read_own_process() -> ProcessFigures:
    """Now; called in the loop whose tasks are counted."""
    process = psutil.Process()
    return ProcessFigures(
        memory_mb=round(process.memory_info().rss / 1e6, 1),
        tasks=len(asyncio.all_tasks()),
        threads=process.num_threads(),
        descriptors=process.num_fds() if psutil.POSIX else None,
    )
