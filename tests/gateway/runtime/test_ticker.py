"""Deadlines on a shared grid, whatever timer is behind them."""

import asyncio
import time
from collections import Counter

import pytest

from wavewrap_gateway.core.lateness import Lateness
from wavewrap_gateway.runtime.ticker import LoopTimer, Ticker


class ScriptedTimer:
    """A clock that stands still but for those who sleep, and who then wake ``late_s`` after their deadline."""

    def __init__(self, now_s: float, late_s: float = 0.0) -> None:
        self.now_s = now_s
        self.late_s = late_s
        self.asked_s: list[float] = []

    def clock(self) -> float:
        return self.now_s

    async def sleep_until(self, deadline_s: float) -> None:
        self.asked_s.append(deadline_s)
        self.now_s = max(self.now_s, deadline_s) + self.late_s


def test_deadlines_stand_on_one_grid_whenever_a_ticker_was_made() -> None:
    timer = ScriptedTimer(now_s=10.13)

    async def run() -> None:
        await Ticker(0.25, timer.clock, Lateness(), timer).wait()
        timer.now_s = 10.26
        late_comer = Ticker(0.25, timer.clock, Lateness(), timer)
        await late_comer.wait()
        await late_comer.wait()

    asyncio.run(run())
    assert timer.asked_s == [10.25, 10.5, 10.75]


def test_a_missed_deadline_is_skipped_not_made_up_for() -> None:
    timer = ScriptedTimer(now_s=0.0)

    async def run() -> None:
        ticker = Ticker(1.0, timer.clock, Lateness(), timer)
        await ticker.wait()
        timer.now_s = 4.5  # the round took 3.5 s
        await ticker.wait()
        await ticker.wait()

    asyncio.run(run())
    assert timer.asked_s[0] == 1.0
    assert timer.asked_s[-1] == 5.0
    assert Counter(timer.asked_s)[2.0] == Counter(timer.asked_s)[3.0] == 0


def test_lateness_is_the_time_past_the_deadline() -> None:
    timer = ScriptedTimer(now_s=0.0, late_s=0.003)
    lateness = Lateness()

    async def run() -> None:
        ticker = Ticker(1.0, timer.clock, lateness, timer)
        for _ in range(3):
            await ticker.wait()

    asyncio.run(run())
    assert sum(lateness.histogram().counts) == 3
    assert lateness.quantiles().max == pytest.approx(3.0)


def test_the_loop_timer_waits_until_the_deadline_and_yields_when_it_has_passed() -> None:
    order: list[str] = []

    async def sleeper() -> None:
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + 0.02
        await LoopTimer().sleep_until(deadline_s)
        assert loop.time() >= deadline_s - loop_resolution_s()
        order.append("slept")
        other = asyncio.create_task(somebody())
        await LoopTimer().sleep_until(deadline_s)
        order.append("went on")
        await other

    async def somebody() -> None:
        order.append("somebody else")

    asyncio.run(sleeper())
    assert order == ["slept", "somebody else", "went on"]


def loop_resolution_s() -> float:
    """A loop runs what is due within one tick of its clock."""
    return time.get_clock_info("monotonic").resolution
