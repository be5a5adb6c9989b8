"""When samples are pushed to the pages: twenty times a second on average, each time just after some have come.

A fixed beat would leave each sample waiting for it, half a period on average. Not responsible for what is pushed (``feed``) nor to
whom (``hub``).
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol

__all__ = ["PUSH_PERIOD_S", "SampleSource", "wait_for_samples"]

PUSH_PERIOD_S = 0.05
"""20 Hz: half the browser's work of 50 Hz."""

SLACK_S = 0.01
"""A push may be this much early or late for fresh samples. At 50 Hz the next ones are no further away than that."""

GATHER_S = 0.002
"""Choice: what two wraps sampled together comes within a millisecond, and goes together."""


class SampleSource(Protocol):
    """Where samples come from."""

    def wake_on_samples(self, wake: Callable[[], None]) -> bool:
        """Have ``wake`` called once, in the loop, when the next samples come. Returns whether some wait already."""


async def wait_for_samples(sources: Sequence[SampleSource], are_held: Callable[[], bool], due_s: float, latest_s: float) -> float:
    """Until it is time to push, and no longer than ``latest_s`` when nothing comes. Returns when the next push is due.

    ``are_held`` tells whether samples that were taken already are still to be pushed. Times are those of the loop's clock. Nobody is
    woken while a push is not due yet: what comes meanwhile waits with its source.
    """
    loop = asyncio.get_running_loop()
    await asyncio.sleep(min(due_s - SLACK_S, latest_s) - loop.time())
    came = asyncio.Event()
    waiting = [source.wake_on_samples(came.set) for source in sources]
    some_wait = any(waiting) or are_held()
    with suppress(TimeoutError):
        async with asyncio.timeout_at(min(due_s + SLACK_S, latest_s) if some_wait else latest_s):
            await came.wait()
            await asyncio.sleep(GATHER_S)
    if not came.is_set() and not some_wait:
        return due_s
    return max(due_s, loop.time() - SLACK_S) + PUSH_PERIOD_S
