"""The air under the real hosts: parameters both sides hear, back-pressure, range, cancelled connects; scenario files."""

import asyncio
from pathlib import Path

import pytest
from bleak import BleakClient
from bumble.device import Connection

from wavewrap_bench.virtual_bench import Bench, open_bench
from wavewrap_gateway.adapters.bumble_client import BumbleClient
from wavewrap_gateway.runtime.roster import find_wraps
from wavewrap_protocol import uuids
from wavewrap_protocol.errors import LinkError, UsageError
from wavewrap_protocol.limits import QUEUE_DEPTH_DEFAULT
from wavewrap_sim.pong_queue import DITHER_TICKS
from wavewrap_sim.scenario import Fade, IntervalChange, Scenario, load_scenario
from wavewrap_sim.virtual_time import run_virtual

SCENARIOS = sorted((Path(__file__).parents[1] / "scenarios").glob("*.toml"))


def bench(scenario: Scenario, wraps: int = 1, seed: int = 1):  # type: ignore[no-untyped-def]  # the context manager's own type is private
    return open_bench(scenario, seed, wraps, queue_depth=QUEUE_DEPTH_DEFAULT, pong_dither_tick=DITHER_TICKS)


async def connect(opened: Bench, number: int = 0) -> BleakClient:
    client = BleakClient(opened.devices[number].address, backend=BumbleClient, radio=opened.host, timeout=5.0)
    await client.connect()
    return client


def central_connection(opened: Bench) -> Connection:
    return next(iter(opened.host.device.connections.values()))


@pytest.mark.parametrize(("granted_ms", "interval_ms"), [(15.0, 15.0), (30.0, 30.0)])
def test_the_wrap_asks_for_15_ms_and_4_s_and_gets_what_the_central_grants(granted_ms: float, interval_ms: float) -> None:
    async def run() -> None:
        async with bench(Scenario(name="x", interval_ms=granted_ms)) as opened:
            client = await connect(opened)
            await asyncio.sleep(2.0)
            parameters = central_connection(opened).parameters
            assert (parameters.connection_interval, parameters.peripheral_latency) == (interval_ms, 0)
            assert parameters.supervision_timeout == 4000
            await client.disconnect()

    run_virtual(run())


def test_a_central_that_moves_the_interval_tells_both_sides_and_nothing_is_lost() -> None:
    async def run() -> None:
        async with bench(Scenario(name="x", interval_changes=(IntervalChange(at_s=5.0, interval_ms=50.0),))) as opened:
            client = await connect(opened)
            await asyncio.sleep(7.0)
            assert central_connection(opened).parameters.connection_interval == 50.0
            assert await client.read_gatt_char(uuids.CAPABILITIES)
            await client.disconnect()

    run_virtual(run())


def test_a_read_costs_one_to_two_intervals_and_air() -> None:
    async def run() -> list[float]:
        took_s: list[float] = []
        async with bench(Scenario(name="x")) as opened:
            client = await connect(opened)
            await asyncio.sleep(2.0)
            clock = asyncio.get_running_loop().time
            for number in range(60):
                await asyncio.sleep(0.1 + number * 0.0007)
                begun_s = clock()
                await client.read_gatt_char(uuids.BATTERY_LEVEL)
                took_s.append(clock() - begun_s)
            await client.disconnect()
        return took_s

    took_s = run_virtual(run())
    assert 0.015 < min(took_s) < 0.018
    assert 0.027 < max(took_s) < 0.033


def test_a_flood_of_commands_is_held_back_by_the_air_and_arrives_whole() -> None:
    async def run() -> None:
        async with bench(Scenario(name="x", event_loss_pct=20.0)) as opened:
            client = await connect(opened)
            answers: list[bytes] = []
            await client.start_notify(uuids.CONTROL, lambda _characteristic, data: answers.append(bytes(data)))
            for number in range(300):
                await client.write_gatt_char(uuids.TIME, number.to_bytes(2, "little"), response=False)
            begun_s = asyncio.get_running_loop().time()
            await client.write_gatt_char(uuids.CONTROL, bytes((0x05, 1, 0, 1, 0)), response=True)
            assert asyncio.get_running_loop().time() - begun_s > 0.05, "it had to wait behind the flood"
            await asyncio.sleep(0.5)
            assert len(answers) == 1
            await client.disconnect()

    run_virtual(run())


def test_out_of_range_a_connect_times_out_and_the_next_one_works() -> None:
    async def run() -> None:
        async with bench(Scenario(name="x", fades=(Fade(at_s=2.0, for_s=8.0),))) as opened:
            assert len(await find_wraps(opened.radio, 1)) == 1
            await asyncio.sleep(2.5)
            with pytest.raises(TimeoutError):
                await connect(opened)
            await asyncio.sleep(5.0)
            client = await connect(opened)
            await client.disconnect()

    run_virtual(run())


def test_a_wrap_that_is_never_heard_is_not_found() -> None:
    async def run() -> None:
        async with bench(Scenario(name="x", fades=(Fade(at_s=0.0, for_s=60.0),))) as opened:
            with pytest.raises(LinkError, match="found 0 of 1"):
                await find_wraps(opened.radio, 1)

    run_virtual(run())


def test_most_advertisements_lost_only_make_the_scan_longer() -> None:
    async def run(loss_pct: float) -> float:
        async with bench(Scenario(name="x", advertising_loss_pct=loss_pct), wraps=4) as opened:
            begun_s = asyncio.get_running_loop().time()
            await find_wraps(opened.radio, 4)
            return asyncio.get_running_loop().time() - begun_s

    assert run_virtual(run(90.0)) > 2 * run_virtual(run(0.0))


def test_a_long_fade_loses_the_link_on_both_sides_and_the_wrap_advertises_again() -> None:
    async def run() -> None:
        async with bench(Scenario(name="x", fades=(Fade(at_s=5.0, for_s=6.0),))) as opened:
            client = await connect(opened)
            await asyncio.sleep(9.2)
            assert not client.is_connected
            assert not opened.devices[0].controller.le_connections
            await asyncio.sleep(2.5)
            again = await connect(opened)
            await again.disconnect()

    run_virtual(run())


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_every_scenario_file_is_valid_and_named_as_its_file(path: Path) -> None:
    assert load_scenario(path).name == path.stem


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('name = "x"\nevent_los_pct = 1', "event_los_pct"),
        ('name = "x"\nevent_loss_pct = 95', "event_loss_pct"),
        ('name = "X y"', "name"),
        ("name = ", "as TOML"),
    ],
)
def test_a_wrong_scenario_is_refused_in_one_line_with_its_path(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=message) as caught:
        load_scenario(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
