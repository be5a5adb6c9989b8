"""Ends the programs that a gateway runs beside itself; not responsible for starting them, which each does in its own way."""

import asyncio
from asyncio.subprocess import Process
from contextlib import suppress

__all__ = ["end_child"]


async def end_child(process: Process, patience_s: float) -> None:
    """Close the child's standard input, its sign to end, wait ``patience_s`` for it, then kill it; it has ended when this returns."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        async with asyncio.timeout(patience_s):
            await process.wait()
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
