"""A line from stdin without blocking the event loop, so that links live on and Ctrl-C ends the wait."""

import asyncio
import os
import sys

__all__ = ["ask_line", "has_terminal"]

_LINE_MAX_BYTES = 4096


def has_terminal() -> bool:
    """Whether somebody can be asked."""
    return sys.stdin is not None and sys.stdin.isatty()


async def ask_line(prompt: str) -> str | None:
    """What stands on the next line, without its end; ``None`` when stdin has ended. ``prompt`` goes to stderr."""
    print(prompt, end="", file=sys.stderr, flush=True)
    stdin, line = sys.stdin.fileno(), b""
    while not line.endswith(b"\n") and len(line) < _LINE_MAX_BYTES:
        await _readable(stdin)
        got = os.read(stdin, 1)
        if not got:
            return line.decode(errors="replace") if line else None
        line += got
    return line.decode(errors="replace").rstrip("\r\n")


async def _readable(stdin: int) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    try:
        loop.add_reader(stdin, ready.set)
    except PermissionError:
        return  # a file, which never blocks
    try:
        await ready.wait()
    finally:
        loop.remove_reader(stdin)
