"""An asyncio loop whose clock jumps to the next timer when nothing is ready: a minute passes as fast as its work is done.

Sockets still work, but a real peer takes no virtual time: the tests on this loop have none.
"""

import asyncio
import selectors
from collections.abc import Coroutine, Mapping
from typing import Any, TypeVar

__all__ = ["DeadlockError", "VirtualTimeLoop", "run_virtual"]

START_S = 1_000.0
"""Where the clock starts. Not 0, so that code that takes 0 for "never" shows."""

LIMIT_S = 3_600.0
"""No test needs an hour: a loop that runs further spins on a timer."""

T = TypeVar("T")


class DeadlockError(AssertionError):
    """Every task waits for another: nothing is ready and no timer is set."""


class _JumpingSelector(selectors.SelectSelector):
    """Moves ``now_s`` on instead of waiting."""

    def __init__(self, limit_s: float) -> None:
        super().__init__()
        self.now_s = START_S
        self._limit_s = limit_s

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0.0)
        if ready or timeout == 0.0:
            return ready
        if timeout is None:
            raise DeadlockError(f"deadlock at {self.now_s:.3f} s: nothing is ready, no timer is set, and {_describe_tasks()}")
        self.now_s += timeout
        if self.now_s > START_S + self._limit_s:
            raise DeadlockError(f"{self._limit_s:g} s have passed: some timer is set again and again, and {_describe_tasks()}")
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """``time()`` starts at :data:`START_S`. What a callback raised is kept in ``failures``."""

    def __init__(self, limit_s: float = LIMIT_S) -> None:
        self._jumping = _JumpingSelector(limit_s)
        super().__init__(self._jumping)
        self.failures: list[str] = []
        self.set_exception_handler(self._keep_failure)

    def time(self) -> float:
        return self._jumping.now_s

    def _keep_failure(self, _loop: asyncio.AbstractEventLoop, context: Mapping[str, Any]) -> None:
        self.failures.append(f"{context['message']}: {context.get('exception')!r}")


def run_virtual(work: Coroutine[Any, Any, T], limit_s: float = LIMIT_S) -> T:
    """The result of ``work`` on a fresh virtual-time loop, which fails after ``limit_s`` of it.

    What a callback or a forgotten task raised fails the test too.
    """
    loop = VirtualTimeLoop(limit_s)
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        result = runner.run(work)
    if loop.failures:
        raise AssertionError("raised where nobody awaited it: " + "; ".join(loop.failures))
    return result


def _describe_tasks() -> str:
    # The loop is between two callbacks here, so it has to be named.
    loop = asyncio.get_running_loop()
    waits = []
    for task in asyncio.all_tasks(loop):
        stack = task.get_stack(limit=1)
        where = f"{stack[-1].f_code.co_qualname}:{stack[-1].f_lineno}" if stack else "its end"
        waits.append(f"{task.get_name()} waits at {where}")
    return f"{len(waits)} task(s) wait: {', '.join(sorted(waits))}"
