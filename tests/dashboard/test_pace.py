"""Samples go to the pages soon after they came, twenty times a second and no more often, and a quiet broker delays no beat."""

import asyncio
from collections.abc import Callable, Sequence
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from wavewrap_dashboard.pace import GATHER_S, PUSH_PERIOD_S, SLACK_S, wait_for_samples
from wavewrap_sim.virtual_time import run_virtual

SECONDS = 3
TICK_S = 1e-6
"""Sums of periods differ in the last digit."""


class Inbox:
    """What a link to a broker is, without the broker."""

    def __init__(self) -> None:
        self.came_s: list[float] = []
        self._wake: Callable[[], None] | None = None

    def wake_on_samples(self, wake: Callable[[], None]) -> bool:
        self._wake = wake
        return bool(self.came_s)

    def put(self) -> None:
        self.came_s.append(asyncio.get_running_loop().time())
        wake, self._wake = self._wake, None
        if wake is not None:
            wake()


def _push_all(arrivals_s: Sequence[Sequence[float]], beat_s: float = 100.0) -> tuple[list[float], list[list[float]]]:
    """When it was pushed, and how long each sample of each push had waited; in seconds, from the start on."""

    async def work() -> tuple[list[float], list[list[float]]]:
        loop = asyncio.get_running_loop()
        began_s = due_s = loop.time()
        inboxes = [Inbox() for _ in arrivals_s]
        for inbox, times_s in zip(inboxes, arrivals_s, strict=True):
            for at_s in times_s:
                loop.call_at(began_s + at_s, inbox.put)
        pushes_s: list[float] = []
        ages_s: list[list[float]] = []
        while loop.time() < began_s + SECONDS:
            latest_s = min(loop.time() + beat_s, began_s + SECONDS)
            due_s = await wait_for_samples(inboxes, lambda: False, due_s, latest_s)
            pushes_s.append(loop.time() - began_s)
            ages_s.append([loop.time() - came_s for inbox in inboxes for came_s in inbox.came_s])
            for inbox in inboxes:
                inbox.came_s.clear()
        return pushes_s, ages_s

    return run_virtual(work())


@given(st.floats(0.0, 0.02))
def test_at_50_hz_the_newest_sample_of_both_wraps_is_fresh_at_every_push(phase_s: float) -> None:
    times_s = [phase_s + 0.02 * number for number in range(50 * SECONDS)]
    pushes_s, ages_s = _push_all([times_s, [at_s + 0.001 for at_s in times_s]])
    assert SECONDS / PUSH_PERIOD_S - 3 <= len(pushes_s) <= SECONDS / PUSH_PERIOD_S + 2
    assert all(min(ages) <= GATHER_S + TICK_S for ages in ages_s[1:-1])
    assert all(len(ages) % 2 == 0 for ages in ages_s[1:-1])


@given(st.lists(st.floats(0.0, SECONDS - 0.2), max_size=60))
@example([0.0, 0.0078125])
def test_nothing_waits_longer_than_a_period_with_its_slack_and_pushes_keep_apart(times_s: list[float]) -> None:
    pushes_s, ages_s = _push_all([sorted(times_s)])
    assert sum(map(len, ages_s)) == len(times_s)
    assert max((age for ages in ages_s for age in ages), default=0.0) <= PUSH_PERIOD_S + 2 * SLACK_S + TICK_S
    with_samples_s = [at_s for at_s, ages in zip(pushes_s, ages_s, strict=True) if ages]
    assert all(after_s - before_s >= PUSH_PERIOD_S - 2 * SLACK_S - TICK_S for before_s, after_s in pairwise(with_samples_s))


def test_a_lone_batch_goes_at_once() -> None:
    _, ages_s = _push_all([[1.0, 1.5, 2.0]])
    assert [age for ages in ages_s for age in ages] == pytest.approx([GATHER_S] * 3)


def test_without_samples_it_still_returns_for_each_beat() -> None:
    pushes_s, _ = _push_all([[]], beat_s=0.5)
    assert pushes_s == pytest.approx([0.5, 1.0, 1.5, 2.0, 2.5, 3.0])


def test_samples_that_were_taken_already_are_not_left_lying() -> None:
    async def work() -> float:
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        await wait_for_samples([Inbox()], lambda: True, began_s + PUSH_PERIOD_S, began_s + 100.0)
        return loop.time() - began_s

    assert run_virtual(work()) == pytest.approx(PUSH_PERIOD_S + SLACK_S)
