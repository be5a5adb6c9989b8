"""What has to hold between a gateway's radio and a wrap that asks for pairing, whatever the radio: run by one test module per rig.

Each case takes a fresh :class:`tests.support.link_rig.LinkRig` and asserts.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from random import Random

import pytest
from tests.support.link_rig import LinkRig
from tests.support.rig_sessions import sight, typed

from wavewrap_gateway.core.link_state import BondLost, Connecting, Failed, Ready
from wavewrap_gateway.runtime.link_events import LinkChanged, LinkEvent
from wavewrap_gateway.runtime.pairing import find_pairing, pair_wrap
from wavewrap_gateway.runtime.ports import PairingRefusedError
from wavewrap_gateway.runtime.wrap import Wrap
from wavewrap_protocol.commands import Arm, End
from wavewrap_protocol.enums import Result
from wavewrap_protocol.errors import LinkError

__all__ = ["CASES"]

SETTLED_S = 60.0
TOLD_S = 30.0
"""So soon it is told that a bond is lost."""


async def pair(rig: LinkRig) -> None:
    """As ``wavewrap pair`` does it."""
    passkey = await rig.press_pairing_button()
    (sighting,) = await find_pairing(rig.radio, 10.0, rig.wraps[0].address)
    identity = await pair_wrap(rig.radio, sighting, typed(passkey))
    assert identity.serial == rig.wraps[0].serial


@asynccontextmanager
async def link_of(rig: LinkRig) -> AsyncIterator[tuple[Wrap, list[LinkEvent]]]:
    """A link as the gateway holds it, under way, and all that it tells."""
    wrap = Wrap(rig.radio, await sight(rig), asyncio.get_running_loop().time, Random(1))
    told: list[LinkEvent] = []
    wrap.listen(lambda _wrap, event: told.append(event))
    running = asyncio.create_task(wrap.link.run())
    try:
        yield wrap, told
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def connects(told: list[LinkEvent]) -> int:
    """How often a connect was tried."""
    return sum(isinstance(event, LinkChanged) and isinstance(event.state, Connecting) for event in told)


async def arm_and_end(rig: LinkRig) -> None:
    """Control takes an authenticated link."""
    async with link_of(rig) as (wrap, _):
        async with asyncio.timeout(SETTLED_S):
            await wrap.link.wait_ready()
        assert (await wrap.link.command(Arm(7, 2_000, 6_000))).result is Result.OK
        assert (await wrap.link.command(End(7))).result is Result.OK


async def assert_bond_lost_quietly(rig: LinkRig) -> None:
    """The link says so after at most two connects, and leaves the wrap alone then."""
    begun_s = asyncio.get_running_loop().time()
    async with link_of(rig) as (wrap, told):
        with pytest.raises(LinkError, match=r"has forgotten this gateway: open its pairing window and run 'wavewrap pair'$"):
            await wrap.link.wait_ready()
        assert isinstance(wrap.link.state, BondLost)
        took_s = asyncio.get_running_loop().time() - begun_s
        assert took_s < TOLD_S
        rig.notes.append(f"forgotten bond: told after {took_s:.1f} s")
        assert wrap.link.counts.lost_bonds == 1
        tried = connects(told)
        assert tried in (1, 2)
        await asyncio.sleep(rig.quiet_s)
        assert connects(told) == tried
        assert not any(isinstance(event, LinkChanged) and isinstance(event.state, Ready) for event in told)


async def a_pairing_with_the_passkey_opens_control(rig: LinkRig) -> None:
    """And the window closes with it."""
    assert not await rig.radio.is_bonded(rig.wraps[0].address)
    await pair(rig)
    assert await rig.radio.is_bonded(rig.wraps[0].address)
    await arm_and_end(rig)
    assert not (await sight(rig)).pairing_window


async def a_wrong_passkey_is_refused_and_nothing_is_stored(rig: LinkRig) -> None:
    """And the right one works after it, in the same window."""
    passkey = await rig.press_pairing_button()
    with pytest.raises(PairingRefusedError, match="did not pair: "):
        await pair_wrap(rig.radio, await sight(rig), typed(passkey % 999_999 + 1))
    assert not await rig.radio.is_bonded(rig.wraps[0].address)
    identity = await pair_wrap(rig.radio, await sight(rig), typed(passkey))
    assert identity.serial == rig.wraps[0].serial
    await arm_and_end(rig)


async def nobody_types_a_passkey(rig: LinkRig) -> None:
    """Ends the pairing at once, and nothing is stored."""
    await rig.press_pairing_button()
    with pytest.raises(PairingRefusedError, match="no passkey was given"):
        await pair_wrap(rig.radio, await sight(rig), typed(None))
    assert not await rig.radio.is_bonded(rig.wraps[0].address)


async def outside_the_window_the_wrap_does_not_pair(rig: LinkRig) -> None:
    """However right the passkey is that it showed before."""
    with pytest.raises(PairingRefusedError):
        await pair_wrap(rig.radio, await sight(rig), typed(123_456))
    assert not await rig.radio.is_bonded(rig.wraps[0].address)
    with pytest.raises(LinkError, match="press the wrap's pairing button"):
        await find_pairing(rig.radio, 2.0, rig.wraps[0].address)


async def a_bond_outlives_both_sides(rig: LinkRig) -> None:
    """New gateway, new wrap, same bond: nobody is asked again."""
    await pair(rig)
    await rig.restart_gateway()
    await arm_and_end(rig)
    await rig.restart_wrap()
    await arm_and_end(rig)


async def a_bond_that_the_wrap_forgot_is_told_and_healed_by_a_person(rig: LinkRig) -> None:
    """It is lost for every later link, too, until somebody pairs."""
    await pair(rig)
    await arm_and_end(rig)
    await rig.forget_bonds()
    await assert_bond_lost_quietly(rig)
    assert await rig.radio.is_bonded(rig.wraps[0].address)
    await assert_bond_lost_quietly(rig)
    await pair(rig)
    await arm_and_end(rig)


async def a_bond_forgotten_while_linked_is_told(rig: LinkRig) -> None:
    """The link ends, the next one finds out."""
    await pair(rig)
    async with link_of(rig) as (wrap, told):
        async with asyncio.timeout(SETTLED_S):
            await wrap.link.wait_ready()
        before = connects(told)
        await rig.forget_bonds()
        async with asyncio.timeout(2 * SETTLED_S):
            while not isinstance(wrap.link.state, BondLost):  # noqa: ASYNC110  # the link tells, but not as an event to wait for
                await asyncio.sleep(0.1)
        await asyncio.sleep(rig.quiet_s)
        assert connects(told) - before in (1, 2)


async def a_bond_forgotten_here_is_gone_and_the_wrap_wants_a_pairing(rig: LinkRig) -> None:
    """One clear word, and no third try."""
    await pair(rig)
    await rig.radio.forget(rig.wraps[0].address)
    assert not await rig.radio.is_bonded(rig.wraps[0].address)
    await rig.radio.forget(rig.wraps[0].address)
    async with link_of(rig) as (wrap, told):
        with pytest.raises(LinkError, match="run 'wavewrap pair'"):
            await wrap.link.wait_ready()
        assert isinstance(wrap.link.state, Failed)
        assert connects(told) in (1, 2)
    await pair(rig)
    await arm_and_end(rig)


async def pairing_anew_replaces_the_bond(rig: LinkRig) -> None:
    """A person who pairs a wrap that is paired gets a new bond, and it works."""
    await pair(rig)
    await pair(rig)
    await arm_and_end(rig)


CASES: dict[str, Callable[[LinkRig], Awaitable[None]]] = {
    case.__name__: case
    for case in (
        a_pairing_with_the_passkey_opens_control,
        a_wrong_passkey_is_refused_and_nothing_is_stored,
        nobody_types_a_passkey,
        outside_the_window_the_wrap_does_not_pair,
        a_bond_outlives_both_sides,
        a_bond_that_the_wrap_forgot_is_told_and_healed_by_a_person,
        a_bond_forgotten_while_linked_is_told,
        a_bond_forgotten_here_is_gone_and_the_wrap_wants_a_pairing,
        pairing_anew_replaces_the_bond,
    )
}
"""Every case by its name."""
