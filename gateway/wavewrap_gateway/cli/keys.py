"""Keys that steer a running session from the terminal. Without a terminal on stdin there are none."""

import asyncio
import os
import sys
import termios
import tty
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from wavewrap_gateway.core.session import SessionState
from wavewrap_gateway.runtime.session_runner import SessionRunner
from wavewrap_protocol.errors import LocalError

__all__ = ["BOOST_STEP_MMHG", "HELP", "Keys", "listening"]

BOOST_STEP_MMHG = 5.0
"""Choice: the step that the published calf wave puts between two compartments (Kamm 1986)."""

HELP = "p pause/resume, + - boost, q stop"


class Keys:
    """What each key does to ``runner``; ``complain`` gets the line when a command is refused."""

    def __init__(self, runner: SessionRunner, complain: Callable[[str], None]) -> None:
        self._runner = runner
        self._complain = complain
        self._tasks: set[asyncio.Task[None]] = set()

    def press(self, key: str) -> None:
        """A key was pressed; one without a meaning is ignored."""
        match key:
            case "q":
                self._runner.request_stop("the key q")
            case "p" if self._runner.state is SessionState.PAUSED:
                self._start(self._runner.resume())
            case "p":
                self._start(self._runner.pause())
            case "+" | "=":
                self._start(self._runner.boost(BOOST_STEP_MMHG))
            case "-":
                self._start(self._runner.boost(-BOOST_STEP_MMHG))
            case _:
                pass

    def _start(self, command: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(self._carry_out(command))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _carry_out(self, command: Coroutine[Any, Any, None]) -> None:
        try:
            await command
        except LocalError as cause:
            self._complain(str(cause))


@contextmanager
def listening(keys: Keys) -> Iterator[bool]:
    """Feed ``keys`` from the terminal on stdin while the context is open, and say whether there is one. Its mode is restored."""
    stdin = sys.stdin.fileno() if sys.stdin is not None and sys.stdin.isatty() else None
    if stdin is None or os.tcgetpgrp(stdin) != os.getpgrp():
        yield False
        return
    mode = termios.tcgetattr(stdin)
    loop = asyncio.get_running_loop()

    def read() -> None:
        for key in os.read(stdin, 64).decode(errors="ignore"):
            keys.press(key)

    try:
        tty.setcbreak(stdin)
        loop.add_reader(stdin, read)
        yield True
    finally:
        loop.remove_reader(stdin)
        termios.tcsetattr(stdin, termios.TCSADRAIN, mode)
