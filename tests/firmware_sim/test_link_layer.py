"""A link in time: events on a grid, loss as delay, order kept, budget shared, supervision, updates some events later."""

import asyncio
from collections.abc import Callable
from itertools import pairwise
from random import Random

import pytest

from wavewrap_sim.link_layer import UPDATE_EVENTS, Direction, LinkLayer, LinkTiming
from wavewrap_sim.outages import Outages
from wavewrap_sim.scenario import Fade, Scenario, Stalls
from wavewrap_sim.virtual_time import run_virtual

INTERVAL_S = 0.015
TIMING = LinkTiming(INTERVAL_S, 0, 4.0)
PAYLOAD_BYTES = 20
LONGEST_AIR_S = 1e-3
DOWN, UP = Direction.TO_PERIPHERAL, Direction.TO_CENTRAL


class Line:
    """A link and what came through it: (direction, number) and the time of arrival."""

    def __init__(self, *, loss: float = 0.0, scenario: Scenario | None = None, share: float = 1.0, seed: int = 1) -> None:
        self.loop = asyncio.get_running_loop()
        self.begin_s = self.loop.time()
        self.arrived: list[tuple[Direction, int, float]] = []
        self.lost_s: float | None = None
        outages = Outages(scenario or Scenario(name="none"), 0, Random(f"{seed}/o"), self.begin_s)
        self.layer = LinkLayer(TIMING, self.begin_s, loss, outages, Random(seed), lambda: share, self._lose)

    def _lose(self) -> None:
        self.lost_s = self.loop.time() - self.begin_s

    def send(self, direction: Direction, number: int, payload_bytes: int = PAYLOAD_BYTES) -> None:
        self.layer.send(direction, payload_bytes, self._arrival(direction, number))

    def _arrival(self, direction: Direction, number: int) -> Callable[[], None]:
        return lambda: self.arrived.append((direction, number, self.loop.time()))

    def numbers(self, direction: Direction) -> list[int]:
        return [number for way, number, _ in self.arrived if way is direction]


async def send_at_random(line: Line, count: int, gap_s: float, seed: int) -> list[float]:
    """``count`` packets each way at random moments; the delay of each."""
    rng, sent_s = Random(seed), dict[tuple[Direction, int], float]()
    for number in range(count):
        for direction in Direction:
            await asyncio.sleep(rng.uniform(0.0, gap_s))
            sent_s[direction, number] = line.loop.time()
            line.send(direction, number)
    await asyncio.sleep(2.0)
    return [at_s - sent_s[direction, number] for direction, number, at_s in line.arrived]


def test_a_packet_waits_for_the_next_event_whatever_its_phase() -> None:
    async def run() -> list[float]:
        return await send_at_random(Line(), 400, 0.1, seed=2)

    delays_s = run_virtual(run())
    assert len(delays_s) == 800
    assert 0.0 < min(delays_s) < 0.001
    assert INTERVAL_S * 0.95 < max(delays_s) <= INTERVAL_S + LONGEST_AIR_S
    assert sum(delays_s) / len(delays_s) == pytest.approx(INTERVAL_S / 2, rel=0.1)


def test_lost_events_delay_and_never_drop_or_reorder() -> None:
    async def run() -> tuple[list[float], Line]:
        line = Line(loss=0.5)
        return await send_at_random(line, 300, 0.004, seed=3), line

    delays_s, line = run_virtual(run())
    assert line.numbers(DOWN) == list(range(300))
    assert line.numbers(UP) == list(range(300))
    assert max(delays_s) > 3 * INTERVAL_S


@pytest.mark.parametrize("share", [1.0, 0.5])
def test_an_event_carries_what_fits_its_share_of_the_interval(share: float) -> None:
    async def run() -> list[float]:
        line = Line(share=share)
        for number in range(200):
            line.send(UP, number, 244)
        await asyncio.sleep(5.0)
        assert line.numbers(UP) == list(range(200))
        return [at_s - line.begin_s for _, _, at_s in line.arrived]

    arrivals_s = run_virtual(run())
    by_event: dict[int, int] = {}
    for at_s in arrivals_s:
        by_event[int(at_s / INTERVAL_S)] = by_event.get(int(at_s / INTERVAL_S), 0) + 1
    turn_s = (14 + 258) * 8e-6 + 2 * 150e-6
    assert max(by_event.values()) <= INTERVAL_S * share / turn_s
    assert max(by_event.values()) >= INTERVAL_S * share / turn_s - 1.5


def test_a_fade_holds_everything_back_until_it_ends() -> None:
    async def run() -> list[float]:
        line = Line(scenario=Scenario(name="fade", fades=(Fade(at_s=1.0, for_s=1.5),)))
        for number in range(40):
            line.send(UP, number)
            await asyncio.sleep(0.1)
        await asyncio.sleep(1.0)
        assert line.numbers(UP) == list(range(40))
        assert line.lost_s is None
        return [at_s - line.begin_s for _, _, at_s in line.arrived]

    arrivals_s = run_virtual(run())
    assert not [at_s for at_s in arrivals_s if 1.001 < at_s < 2.5]
    assert len([at_s for at_s in arrivals_s if 2.5 <= at_s < 2.53]) >= 15


@pytest.mark.parametrize(("for_s", "lost_s"), [(3.9, None), (4.0, 5.0), (60.0, 5.0)])
def test_the_supervision_timeout_ends_a_link_that_hears_nothing_for_so_long(for_s: float, lost_s: float | None) -> None:
    async def run() -> float | None:
        line = Line(scenario=Scenario(name="fade", fades=(Fade(at_s=1.0, for_s=for_s),)))
        await asyncio.sleep(80.0)
        return line.lost_s

    assert run_virtual(run()) == (None if lost_s is None else pytest.approx(lost_s))


def test_stalls_come_as_often_as_the_scenario_says() -> None:
    scenario = Scenario(name="stalls", stalls=Stalls(per_minute=30, min_ms=100, max_ms=300))
    outages = Outages(scenario, 0, Random(5), 0.0)
    dark = [outages.end_at(number * 0.01) is not None for number in range(60_000)]
    starts = sum(not before and after for before, after in pairwise(dark))
    assert starts == pytest.approx(300, rel=0.2)
    assert sum(dark) / len(dark) == pytest.approx(30 / 60 * 0.2, rel=0.25)


def test_a_fade_can_be_of_one_wrap_only() -> None:
    scenario = Scenario(name="one", fades=(Fade(at_s=1.0, for_s=2.0, wraps=(1,)),))
    assert Outages(scenario, 0, Random(1), 10.0).end_at(11.5) is None
    assert Outages(scenario, 1, Random(1), 10.0).end_at(11.5) == 13.0


def test_an_update_takes_effect_six_events_later() -> None:
    async def run() -> tuple[float, list[float]]:
        line, applied = Line(), list[float]()
        await asyncio.sleep(0.1)
        asked_s = line.loop.time()
        line.layer.update(LinkTiming(0.05, 0, 4.0), lambda: applied.append(line.loop.time()))
        await asyncio.sleep(1.0)
        assert line.layer.timing.interval_s == 0.05
        for number in range(20):
            line.send(DOWN, number)
            await asyncio.sleep(0.05)
        return applied[0] - asked_s, [at_s for _, _, at_s in line.arrived]

    took_s, arrivals_s = run_virtual(run())
    assert UPDATE_EVENTS * INTERVAL_S <= took_s <= (UPDATE_EVENTS + 1) * INTERVAL_S
    assert all(later - one == pytest.approx(0.05, abs=1e-6) for one, later in pairwise(arrivals_s))


def test_the_same_seed_gives_the_same_arrivals_and_another_does_not() -> None:
    async def run(seed: int) -> list[float]:
        line = Line(loss=0.3, scenario=Scenario(name="s", stalls=Stalls(per_minute=60)), seed=seed)
        await send_at_random(line, 100, 0.02, seed=9)
        return [at_s for _, _, at_s in line.arrived]

    assert run_virtual(run(1)) == run_virtual(run(1))
    assert run_virtual(run(1)) != run_virtual(run(2))
