"""The pacer on the real clock: never early, one descriptor for all, and nothing required that a machine may refuse."""

import asyncio
import gc
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from wavewrap_gateway.adapters.pacing import open_pacer
from wavewrap_gateway.adapters.timerfd import TimerfdTimer, open_timerfd
from wavewrap_gateway.runtime.ticker import LoopTimer

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="timerfd, timer slack and SCHED_FIFO are Linux's")


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_sleepers_wake_in_the_order_of_their_deadlines_and_never_early() -> None:
    woken: list[int] = []

    async def run() -> None:
        loop = asyncio.get_running_loop()

        async def sleep(timer: TimerfdTimer, deadline_s: float, number: int) -> None:
            await timer.sleep_until(deadline_s)
            assert loop.time() >= deadline_s
            woken.append(number)

        with open_timerfd(loop) as timer:
            before = open_descriptors()
            start_s = loop.time() + 0.01
            tasks = [asyncio.create_task(sleep(timer, start_s + 0.002 * number, number)) for number in (3, 0, 4, 1, 2, 2)]
            await asyncio.sleep(0)
            assert open_descriptors() == before
            await asyncio.gather(*tasks)

    asyncio.run(run())
    assert woken == [0, 1, 2, 2, 3, 4]


def test_a_cancelled_sleeper_leaves_the_others_their_deadlines() -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        with open_timerfd(loop) as timer:
            start_s = loop.time()
            first, second, third = (asyncio.create_task(timer.sleep_until(start_s + after_s)) for after_s in (0.01, 0.02, 600.0))
            await asyncio.sleep(0)
            first.cancel()
            third.cancel()
            await second
            assert 0.02 <= loop.time() - start_s < 1.0
            assert first.cancelled()
            assert third.cancelled()
            # The timer still works, with nothing left over.
            await timer.sleep_until(loop.time() + 0.001)

    asyncio.run(run())


def test_a_deadline_that_has_passed_gives_others_their_turn() -> None:
    order: list[str] = []

    async def somebody() -> None:
        order.append("somebody else")

    async def run() -> None:
        loop = asyncio.get_running_loop()
        with open_timerfd(loop) as timer:
            for deadline_s in (-1.0, 0.0, loop.time()):
                other = asyncio.create_task(somebody())
                await timer.sleep_until(deadline_s)
                order.append("went on")
                await other

    asyncio.run(run())
    assert order == ["somebody else", "went on"] * 3


def test_an_idle_timer_costs_the_loop_nothing() -> None:
    """Once all are awake the descriptor is silent: one that stayed readable would spin the loop."""

    async def run() -> float:
        loop = asyncio.get_running_loop()
        with open_timerfd(loop) as timer:
            await timer.sleep_until(loop.time() + 0.001)
            before_s = os.times().user + os.times().system
            await asyncio.sleep(0.5)
            return os.times().user + os.times().system - before_s

    assert asyncio.run(run()) < 0.2


def test_everything_is_given_back() -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        gc.collect()  # what earlier tests left to the collector holds descriptors
        before = open_descriptors(), os.sched_getscheduler(0), read_slack_ns()
        assert gc.get_freeze_count() == 0
        with open_pacer(loop) as pacer:
            assert gc.get_freeze_count() > 0
            assert read_slack_ns() == pacer.granted.slack_ns
            await pacer.timer.sleep_until(loop.time() + 0.001)
        assert (open_descriptors(), os.sched_getscheduler(0), read_slack_ns()) == before
        assert gc.get_freeze_count() == 0

    asyncio.run(run())


def read_slack_ns() -> int:
    """Of the main thread, which runs the tests."""
    return int(Path("/proc/self/timerslack_ns").read_text(encoding="ascii"))


def test_threads_and_children_do_not_inherit_the_real_time_class() -> None:
    policies: list[int] = []

    def look() -> None:
        policies.append(os.sched_getscheduler(0))

    async def run() -> None:
        with open_pacer(asyncio.get_running_loop()):
            thread = threading.Thread(target=look)
            thread.start()
            thread.join()
            ask = "import os; print(os.sched_getscheduler(0))"
            child = await asyncio.create_subprocess_exec(sys.executable, "-c", ask, stdout=asyncio.subprocess.PIPE)
            output, _ = await child.communicate()
            policies.append(int(output))

    asyncio.run(run())
    assert policies == [os.SCHED_OTHER, os.SCHED_OTHER]


PROBE = """
import asyncio, json, os, resource
from wavewrap_gateway.adapters.pacing import open_pacer

async def main():
    loop = asyncio.get_running_loop()
    with open_pacer(loop) as pacer:
        deadline_s = loop.time() + 0.01
        await pacer.timer.sleep_until(deadline_s)
        assert loop.time() >= deadline_s
        print(json.dumps({{**pacer.granted.model_dump(), "scheduler": os.sched_getscheduler(0)}}))

{before}
asyncio.run(main())
"""

WITHOUT_PRIVILEGES = """
resource.setrlimit(resource.RLIMIT_RTPRIO, (0, 0))
if os.geteuid() == 0:
    os.setuid(65534)
"""

WITHOUT_DESCRIPTORS = """
loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)
resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) - 1,) * 2)
loop.run_until_complete(main())
os._exit(0)
"""


def probe(before: str) -> dict[str, Any]:
    child = subprocess.run([sys.executable, "-W", "error", "-c", PROBE.format(before=before)], capture_output=True, text=True, timeout=60)
    assert child.returncode == 0, child.stderr
    found = json.loads(child.stdout)
    assert isinstance(found, dict)
    return found


def may_be_real_time() -> bool:
    """Asked of the system in another process, without our code."""
    ask = "import os; os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))"
    return subprocess.run([sys.executable, "-c", ask], capture_output=True, check=False).returncode == 0


def test_what_is_granted_is_what_the_system_grants() -> None:
    granted = probe("")
    real_time = may_be_real_time()
    assert granted["timer"] == "timerfd"
    assert granted["policy"] == ("fifo" if real_time else "other")
    assert granted["scheduler"] & ~os.SCHED_RESET_ON_FORK == (os.SCHED_FIFO if real_time else os.SCHED_OTHER)


def test_without_privileges_the_timer_is_as_exact_and_the_class_stays() -> None:
    assert probe(WITHOUT_PRIVILEGES) == {"timer": "timerfd", "slack_ns": 1, "policy": "other", "scheduler": os.SCHED_OTHER}


def test_without_a_descriptor_to_spare_the_loop_keeps_its_timer() -> None:
    assert probe(WITHOUT_DESCRIPTORS)["timer"] == "loop"


class SlowLoop(asyncio.SelectorEventLoop):
    """A clock of its own, as a test with virtual time has."""

    def time(self) -> float:
        return super().time() / 2.0


@pytest.mark.parametrize(
    ("make_loop", "timer"), [(asyncio.SelectorEventLoop, TimerfdTimer), (SlowLoop, LoopTimer)], ids=["monotonic", "a clock of its own"]
)
def test_a_loop_with_a_clock_of_its_own_keeps_its_timer(make_loop: Callable[[], asyncio.AbstractEventLoop], timer: type[object]) -> None:
    async def run() -> None:
        with open_pacer(asyncio.get_running_loop()) as pacer:
            assert type(pacer.timer) is timer
            assert pacer.granted.timer == ("loop" if timer is LoopTimer else "timerfd")

    with asyncio.Runner(loop_factory=make_loop) as runner:
        runner.run(run())
