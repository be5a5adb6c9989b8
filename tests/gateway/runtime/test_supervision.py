"""What a service manager is told, and that only a loop which turns keeps it content."""

import asyncio
from collections.abc import Callable

import pytest

from wavewrap_gateway.runtime.supervision import LATE_MAX_S, PINGS, STATUS_S, supervised
from wavewrap_sim.virtual_time import run_virtual

WATCHDOG_S = 9.0


class Recorder:
    """A service manager that keeps what it is told, with the loop's time."""

    def __init__(self, watchdog_s: float | None) -> None:
        self.watchdog_s = watchdog_s
        self.told: list[tuple[float, str]] = []

    def _note(self, what: str) -> None:
        self.told.append((round(asyncio.get_running_loop().time(), 3), what))

    def ready(self) -> None:
        self._note("ready")

    def ping(self) -> None:
        self._note("ping")

    def say(self, status: str) -> None:
        self._note(status)

    def stopping(self) -> None:
        self._note("stopping")

    def pings_s(self) -> list[float]:
        return [at_s for at_s, what in self.told if what == "ping"]


def observe(watchdog_s: float | None, seconds: float, clock_ahead_s: Callable[[float], float] = lambda _now_s: 0.0) -> Recorder:
    """A supervision left to itself; ``clock_ahead_s`` of the loop's time is by how much its clock has leapt."""
    recorder = Recorder(watchdog_s)

    async def run() -> None:
        loop = asyncio.get_running_loop()
        started_s = loop.time()
        clock = lambda: loop.time() + clock_ahead_s(loop.time() - started_s)  # noqa: E731
        async with supervised(recorder, clock) as supervision:
            supervision.begin(lambda: "runs")
            await asyncio.sleep(seconds)
        recorder.told = [(round(at_s - started_s, 3), what) for at_s, what in recorder.told]
        silent_from = len(recorder.told)
        await asyncio.sleep(60.0)
        assert len(recorder.told) == silent_from, "it goes on after its end"

    run_virtual(run())
    return recorder


def test_pings_come_three_times_in_each_period_of_the_watchdog() -> None:
    recorder = observe(WATCHDOG_S, 30.0)
    assert recorder.pings_s() == [0.0, 3.0, 6.0, 9.0, 12.0, 15.0, 18.0, 21.0, 24.0, 27.0]
    assert PINGS == 3


def test_without_a_watchdog_there_are_no_pings() -> None:
    recorder = observe(None, 30.0)
    assert recorder.told == [(0.0, "ready"), (0.0, "runs")]


@pytest.mark.parametrize(
    ("late_s", "pings_s"),
    [
        (LATE_MAX_S * 0.9, [0.0, 3.0, 6.0, 9.0, 12.0]),
        (LATE_MAX_S * 1.1, [0.0, 3.0, 7.0, 10.0]),
        (LATE_MAX_S * 3.0, [0.0, 3.0, 7.0, 10.0]),
    ],
)
def test_a_loop_that_woke_too_late_does_not_ping_before_it_woke_in_time_again(late_s: float, pings_s: list[float]) -> None:
    """The third wake-up is late, by a clock that leaps while the loop sleeps."""
    assert observe(WATCHDOG_S, 12.5, lambda now_s: late_s if now_s > 5.0 else 0.0).pings_s() == pings_s


def test_a_loop_that_is_late_every_time_never_pings_again() -> None:
    """Its clock runs away: each of its seconds is four."""
    assert observe(WATCHDOG_S, 60.0, lambda now_s: 3.0 * max(0.0, now_s - 1.0)).pings_s() == [0.0]


def test_a_status_is_told_when_it_changes_and_never_after_the_end_has_begun() -> None:
    recorder = Recorder(None)
    status = "arming"

    async def run() -> None:
        nonlocal status
        async with supervised(recorder, asyncio.get_running_loop().time) as supervision:
            supervision.say("looking for wraps")
            supervision.say("looking for wraps")
            supervision.begin(lambda: status)
            await asyncio.sleep(STATUS_S * 2.5)
            status = "running"
            await asyncio.sleep(STATUS_S * 2.0)
            supervision.end("venting")
            supervision.end("closing")
            status = "vented"
            await asyncio.sleep(STATUS_S * 2.0)

    run_virtual(run())
    assert [what for _, what in recorder.told] == ["looking for wraps", "ready", "arming", "running", "stopping", "venting"]
