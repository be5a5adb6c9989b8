"""A pairing in two steps, in virtual time: carried through, never finished, one at a time."""

import asyncio
from pathlib import Path

import pytest
from tests.support.virtual_link_rig import open_virtual_rig

from wavewrap_gateway.runtime.pairing import PAIR_S
from wavewrap_gateway.runtime.pairing_steps import PairingSteps
from wavewrap_protocol.errors import LinkError, LocalError
from wavewrap_sim.virtual_time import run_virtual


async def nothing(_address: str) -> None:
    """Nobody is in the way."""


def test_the_second_step_finishes_what_the_first_began(tmp_path: Path) -> None:
    async def work() -> None:
        async with open_virtual_rig(tmp_path) as rig:
            made_way: list[str] = []

            async def make_way(address: str) -> None:
                made_way.append(address)

            steps = PairingSteps(rig.radio, make_way)
            with pytest.raises(LocalError, match="no pairing waits for a passkey"):
                await steps.finish("123456")
            passkey = await rig.press_pairing_button()
            assert await steps.begin(None, "calf", 5.0) == rig.address
            assert made_way == [rig.address]
            with pytest.raises(LocalError, match="a pairing is under way"):
                await steps.begin(None, None, 5.0)
            paired = await steps.finish(f"{passkey:06d}")
            assert (paired.identity.serial, paired.name, paired.sighting.address) == (rig.wraps[0].serial, "calf", rig.address)
            assert await rig.radio.is_bonded(rig.address)
            assert not steps.under_way

    run_virtual(work())


def test_a_first_step_alone_is_given_up_and_leaves_nothing(tmp_path: Path) -> None:
    async def work() -> None:
        async with open_virtual_rig(tmp_path) as rig:
            steps = PairingSteps(rig.radio, nothing)
            await rig.press_pairing_button()
            assert await steps.begin(rig.address, None, 5.0) == rig.address
            await asyncio.sleep(PAIR_S + 5.0)
            assert not steps.under_way
            assert not await rig.radio.is_bonded(rig.address)
            with pytest.raises(LocalError, match="no pairing waits for a passkey"):
                await steps.finish("123456")

    run_virtual(work())


def test_nothing_of_it_outlives_the_gateway(tmp_path: Path) -> None:
    async def work() -> None:
        async with open_virtual_rig(tmp_path) as rig:
            steps = PairingSteps(rig.radio, nothing)
            await rig.press_pairing_button()
            await steps.begin(rig.address, None, 5.0)
            await steps.close()
            assert not steps.under_way
            assert not await rig.radio.is_bonded(rig.address)
            with pytest.raises(LinkError, match="had its pairing window open within 2 s"):
                await steps.begin("F0:00:00:00:00:00", None, 2.0)

    run_virtual(work())
