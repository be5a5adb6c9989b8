"""Links held for good, in virtual time: taken up, lost, taken up again, let go; and nobody is searched for while a session plays."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random

import pytest
from tests.support.virtual_wraps import Station, on_the_air, open_gateway_radio, until

from wavewrap_gateway.core.link_state import Closed, Ready
from wavewrap_gateway.runtime.wrap import Wrap
from wavewrap_gateway.runtime.wrap_keeper import LOOK_S, REST_S, Held, WrapKeeper
from wavewrap_protocol.errors import LinkError
from wavewrap_sim.virtual_time import run_virtual

SERIALS = ("VIRTUAL-1", "VIRTUAL-2")


@dataclass
class Scene:
    """A keeper at work on two wraps; ``taken`` is in the order of being seen."""

    keeper: WrapKeeper
    stations: list[Station]
    taken: list[Wrap]
    names: dict[str, str]
    may_search: bool = True

    def held(self, *indices: int) -> list[Held]:
        return [Held(SERIALS[index], self.stations[index].address) for index in indices]

    def is_ready(self, serial: str) -> bool:
        wrap = self.keeper.wrap(serial)
        return wrap is not None and isinstance(wrap.link.state, Ready)


@asynccontextmanager
async def keeping() -> AsyncIterator[Scene]:
    async with on_the_air(2) as (air, stations), open_gateway_radio(air) as gateway:
        taken: list[Wrap] = []
        names = {SERIALS[0]: "left-leg"}
        clock = asyncio.get_running_loop().time
        keeper = WrapKeeper(gateway.radio, clock, Random(1), names, lambda: scene.may_search, taken.append)
        scene = Scene(keeper, stations, taken, names)
        running = asyncio.create_task(keeper.run())
        try:
            yield scene
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await keeper.close()
            assert all(isinstance(wrap.link.state, Closed) for wrap in taken)


def test_only_known_wraps_are_taken_and_their_names_follow() -> None:
    async def work() -> None:
        async with keeping() as scene:
            await asyncio.sleep(LOOK_S + REST_S)
            assert scene.taken == [], "strangers are nobody's business"
            scene.keeper.hold(scene.held(0))
            await until(lambda: scene.is_ready(SERIALS[0]))
            wrap = scene.keeper.ready(SERIALS[0])
            assert (wrap.name, len(scene.taken)) == ("left-leg", 1)
            scene.names[SERIALS[0]] = "calf"
            assert wrap.name == "calf"
            with pytest.raises(LinkError, match=r"VIRTUAL-2 is not ready \(not seen\): switch it on"):
                scene.keeper.ready(SERIALS[1])

    run_virtual(work())


def test_a_wrap_that_comes_late_and_one_that_was_away_are_taken_up() -> None:
    async def work() -> None:
        async with keeping() as scene:
            scene.stations[1].cut()
            scene.keeper.hold(scene.held(0, 1))
            await until(lambda: scene.is_ready(SERIALS[0]))
            await asyncio.sleep(LOOK_S + REST_S)
            assert scene.keeper.wrap(SERIALS[1]) is None
            scene.stations[1].restore()
            await until(lambda: scene.is_ready(SERIALS[1]))
            scene.stations[0].cut()
            await until(lambda: not scene.is_ready(SERIALS[0]))
            with pytest.raises(LinkError, match="left-leg is not ready"):
                scene.keeper.ready(SERIALS[0])
            await asyncio.sleep(6.0)
            scene.stations[0].restore()
            await until(lambda: scene.is_ready(SERIALS[0]))
            assert len(scene.taken) == 2, "the same wraps all along, with what is known of them"

    run_virtual(work())


def test_nobody_is_searched_for_while_a_session_plays() -> None:
    async def work() -> None:
        async with keeping() as scene:
            scene.may_search = False
            scene.keeper.hold(scene.held(0))
            await asyncio.sleep(4 * (LOOK_S + REST_S))
            assert scene.taken == []
            scene.may_search = True
            await until(lambda: scene.is_ready(SERIALS[0]))

    run_virtual(work())


def test_a_wrap_that_is_let_go_is_taken_up_again_only_when_it_is_still_held() -> None:
    async def work() -> None:
        async with keeping() as scene:
            scene.keeper.hold(scene.held(0, 1))
            await until(lambda: scene.is_ready(SERIALS[0]) and scene.is_ready(SERIALS[1]))
            first = await scene.keeper.release(SERIALS[0])
            assert first is not None
            assert isinstance(first.link.state, Closed)
            await until(lambda: scene.is_ready(SERIALS[0]))
            assert scene.keeper.wrap(SERIALS[0]) is not first
            scene.keeper.hold(scene.held(1))
            await scene.keeper.release(SERIALS[0])
            await asyncio.sleep(LOOK_S + REST_S)
            assert scene.keeper.wrap(SERIALS[0]) is None
            assert await scene.keeper.release("nobody") is None

    run_virtual(work())


def test_another_wrap_at_a_known_address_is_not_played_on() -> None:
    async def work() -> None:
        async with keeping() as scene:
            scene.keeper.hold([Held("SOMEBODY", scene.stations[0].address)])
            await until(lambda: scene.is_ready("SOMEBODY"))
            with pytest.raises(LinkError, match="SOMEBODY is not what answers at its address"):
                scene.keeper.ready("SOMEBODY")

    run_virtual(work())
