"""BlueZ's agent and bonds over a real D-Bus: what is registered and for how long, what is handed over, and that all else is refused."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import cast

import pytest

if sys.platform != "linux":
    pytest.skip("BlueZ is Linux's", allow_module_level=True)

from bleak import BleakClient
from bleak.exc import BleakDBusError, BleakError
from dbus_fast import MessageType
from tests.support.fake_bluez import ADDRESS, DAEMON, DEVICE_PATH, FakeBluez, run_bluez, run_bus

from wavewrap_gateway.adapters.bluez_bonds import BluezBonds
from wavewrap_gateway.adapters.bluez_bus import call, open_system_bus
from wavewrap_gateway.runtime.ports import PairingRefusedError, Passkey

pytestmark = pytest.mark.skipif(DAEMON is None, reason="no dbus-daemon: apt-get install dbus")

Work = Callable[[FakeBluez], Awaitable[None]]


class PairingClient:
    """What bleak does to pair, on a bus of its own as bleak's; a whole link needs more of BlueZ than is here."""

    address = ADDRESS
    is_connected = True

    async def pair(self) -> None:
        async with open_system_bus() as bus:
            await call(bus, DEVICE_PATH, "org.bluez.Device1", "Pair")


def typed(passkey: int | None) -> Passkey:
    async def ask() -> int | None:
        return passkey

    return ask


async def never() -> int | None:
    await asyncio.Event().wait()
    return None


def run(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    async def on_own_bus() -> None:
        async with run_bus() as address:
            monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
            async with run_bluez(address) as bluez, asyncio.timeout(20.0):
                await work(bluez)

    asyncio.run(on_own_bus())


async def bond(passkey: Passkey) -> None:
    async with BluezBonds().pairing(ADDRESS, passkey) as bond_with:
        await bond_with(cast(BleakClient, PairingClient()))


def test_the_agent_hands_over_the_passkey_and_is_gone_after(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(bluez: FakeBluez) -> None:
        bonds = BluezBonds()
        assert await bonds.is_bonded(ADDRESS) is False
        await bond(typed(123_456))
        assert bluez.calls == ["register KeyboardOnly", "default", "unregister"]
        assert await bonds.is_bonded(ADDRESS.lower()) is True
        assert (await bluez.ask_agent("RequestPasskey", "o", DEVICE_PATH)).message_type is MessageType.ERROR
        await bonds.forget(ADDRESS)
        assert await bonds.is_bonded(ADDRESS) is False
        await bonds.forget(ADDRESS)
        assert bluez.calls.count("remove") == 1

    run(work, monkeypatch)


@pytest.mark.parametrize(
    ("shown", "passkey", "reason"),
    [(123_456, 123_457, "the passkey is wrong"), (123_456, None, "no passkey was given"), (None, 123_456, "it asked for no passkey")],
)
def test_a_pairing_that_fails_leaves_nothing(shown: int | None, passkey: int | None, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(bluez: FakeBluez) -> None:
        bluez.passkey = shown
        with pytest.raises(PairingRefusedError, match=f"^{ADDRESS} did not pair: {reason}"):
            await bond(typed(passkey))
        assert bluez.calls == ["register KeyboardOnly", "default", "remove", "unregister"]
        assert await BluezBonds().is_bonded(ADDRESS) is False

    run(work, monkeypatch)


def test_a_person_who_gives_up_ends_it_all(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(bluez: FakeBluez) -> None:
        pairing = asyncio.create_task(bond(never))
        while "default" not in bluez.calls:  # noqa: ASYNC110  # the daemon has no event for it
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.2)
        pairing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await pairing
        assert bluez.calls[2:] == ["remove", "unregister"]

    run(work, monkeypatch)


def test_the_daemon_may_stop_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(bluez: FakeBluez) -> None:
        async with agent(never):
            asking = asyncio.ensure_future(bluez.ask_agent("RequestPasskey", "o", DEVICE_PATH))
            await asyncio.sleep(0.1)
            assert not asking.done()
            assert (await bluez.ask_agent("Cancel", "")).message_type is MessageType.METHOD_RETURN
            assert (await asking).error_name == "org.bluez.Error.Canceled"

    run(work, monkeypatch)


@asynccontextmanager
async def agent(passkey: Passkey) -> AsyncIterator[None]:
    async with BluezBonds().pairing(ADDRESS, passkey):
        yield


def test_every_other_request_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    stranger = DEVICE_PATH.replace("01", "02")
    requests: list[tuple[str, str, tuple[object, ...]]] = [
        ("RequestPasskey", "o", (stranger,)),
        ("RequestPinCode", "o", (DEVICE_PATH,)),
        ("DisplayPinCode", "os", (DEVICE_PATH, "0000")),
        ("DisplayPasskey", "ouq", (DEVICE_PATH, 1, 0)),
        ("RequestConfirmation", "ou", (DEVICE_PATH, 1)),
        ("RequestAuthorization", "o", (DEVICE_PATH,)),
        ("AuthorizeService", "os", (DEVICE_PATH, "0000180f-0000-1000-8000-00805f9b34fb")),
    ]

    async def work(bluez: FakeBluez) -> None:
        async with agent(typed(123_456)):
            for member, signature, body in requests:
                assert (await bluez.ask_agent(member, signature, *body)).error_name == "org.bluez.Error.Rejected", member

    run(work, monkeypatch)


def test_no_bluez_and_no_bus_are_bleak_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        async with run_bus() as address:
            monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
            with pytest.raises(BleakDBusError, match="ServiceUnknown"):
                await BluezBonds().is_bonded(ADDRESS)
        for nowhere in ("unix:path=/nonexistent/bus", "nonsense"):
            monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", nowhere)
            with pytest.raises(BleakError, match="no system bus"):
                await bond(typed(1))

    asyncio.run(work())
