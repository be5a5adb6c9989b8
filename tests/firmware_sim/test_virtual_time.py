"""The loop that the other tests stand on: time jumps, order holds, and a deadlock or a lost error is told."""

import asyncio
from time import perf_counter

import pytest

from wavewrap_sim.virtual_time import DeadlockError, run_virtual


def test_time_jumps_to_the_next_timer() -> None:
    async def work() -> list[tuple[str, float]]:
        loop = asyncio.get_running_loop()
        begun_s = loop.time()
        woken: list[tuple[str, float]] = []

        async def nap(name: str, seconds: float) -> None:
            await asyncio.sleep(seconds)
            woken.append((name, round(loop.time() - begun_s, 6)))

        await asyncio.gather(nap("hour", 3000.0), nap("tick", 0.01), nap("minute", 60.0))
        return woken

    begun_s = perf_counter()
    assert run_virtual(work()) == [("tick", 0.01), ("minute", 60.0), ("hour", 3000.0)]
    assert perf_counter() - begun_s < 5.0


def test_a_timeout_is_virtual_too() -> None:
    async def work() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(100.0):
                await asyncio.Event().wait()

    run_virtual(work())


def test_a_deadlock_names_who_waits_where() -> None:
    async def wait_for_nobody() -> None:
        await asyncio.Event().wait()

    with pytest.raises(
        DeadlockError, match=r"nothing is ready, no timer is set, and 1 task\(s\) wait: Task-\d+ waits at .*wait_for_nobody"
    ):
        run_virtual(wait_for_nobody())


def test_a_timer_that_never_ends_is_a_deadlock() -> None:
    async def spin() -> None:
        while True:  # noqa: ASYNC110  # this is what is tested
            await asyncio.sleep(100.0)

    with pytest.raises(DeadlockError, match="3600 s have passed"):
        run_virtual(spin())


def test_what_a_callback_raises_fails_the_test() -> None:
    async def work() -> None:
        asyncio.get_running_loop().call_soon(int, "no number")
        await asyncio.sleep(1.0)

    with pytest.raises(AssertionError, match="invalid literal"):
        run_virtual(work())
