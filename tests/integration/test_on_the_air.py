"""``wavewrap sim --radio``: a wrap on a controller of its own, with real processes. The controllers are virtual ones of a second simulator,
reached through TCP and through a serial line."""

import asyncio
import json
import os
import tty
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.support.processes import Simulator, run_gateway, run_simulator, start
from tests.support.session_programs import SHORT_S, write_short_program

pytestmark = pytest.mark.realtime


def port_of(simulator: Simulator) -> int:
    """Of its HCI."""
    return int(simulator.radio.rpartition(":")[2])


@asynccontextmanager
async def serial_line(port: int) -> AsyncIterator[str]:
    """A terminal whose far end is the HCI on ``port``."""
    near, far = os.openpty()
    tty.setraw(far)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    loop = asyncio.get_running_loop()
    loop.add_reader(near, lambda: writer.write(os.read(near, 65536)))

    async def receive() -> None:
        while data := await reader.read(65536):
            os.write(near, data)

    receiving = asyncio.create_task(receive())
    try:
        yield os.ttyname(far)
    finally:
        loop.remove_reader(near)
        receiving.cancel()
        writer.close()
        os.close(near)
        os.close(far)


def addresses(printed: str) -> set[str]:
    """Of the wraps that a scan found."""
    wraps: list[dict[str, Any]] = json.loads(printed)["wraps"] if printed.startswith("{") else json.loads(printed)
    return {str(one["address"]) for one in wraps}


def test_a_wrap_on_each_controller_is_found_and_plays_a_session(tmp_path: Path) -> None:
    async def work() -> None:
        program = write_short_program(tmp_path)
        async with run_simulator(tmp_path / "air", "--wraps", 1) as air, serial_line(port_of(air)) as line:
            radios = ("--radio", f"tcp-client:127.0.0.1:{port_of(air)}", "--radio", f"serial:{line}")
            async with start(tmp_path / "sim", "wavewrap_gateway", "sim", *radios, "--seed", 7, "--json") as sim:
                await sim.wait_for(lambda: sim.stdout.endswith("\n"), "announcement")
                assert json.loads(sim.stdout) == {"radio": "platform", "serials": ["SIM007-01", "SIM007-02"]}
                found = await run_gateway(tmp_path / "scan", "scan", "--radio", air.radio, "--json")
                assert addresses(found.stdout) >= {"F0:57:52:07:00:01", "F0:57:52:07:00:02"}, found.stderr
                chosen = ("--address", "F0:57:52:07:00:01", "--address", "F0:57:52:07:00:02")
                ended = await run_gateway(tmp_path / "run", "run", program, "--for", SHORT_S, "--radio", air.radio, *chosen, "--json")
                assert ended.code == 0, ended.stderr
                for wrap in ended.summary["wraps"]:
                    assert wrap["steps"]["executed"] == wrap["steps"]["planned"] > 0
                    assert wrap["samples"]["missing"] == 0

    asyncio.run(work())


def test_a_controller_that_is_gone_ends_the_simulator_with_a_word(tmp_path: Path) -> None:
    async def work() -> None:
        async with run_simulator(tmp_path / "air", "--wraps", 1) as air:
            radio = f"tcp-client:127.0.0.1:{port_of(air)}"
            async with start(tmp_path / "sim", "wavewrap_gateway", "sim", "--radio", radio, "--json") as sim:
                await sim.wait_for(lambda: sim.stdout.endswith("\n"), "announcement")
                await air.running.kill()
                ended = await sim.ended()
        assert ended.code == 1
        assert ended.lines == [f"wavewrap sim: the controller at {radio} is gone: plug it in again, then start again"]

    asyncio.run(work())


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("--radio", "tcp-client:127.0.0.1:9"), 1, "no controller at tcp-client:127.0.0.1:9: "),
        (("--radio", "nonsense"), 2, "--radio 'nonsense': "),
        (("--radio", "usb:0", "--radio", "usb:0"), 2, "1 controllers with --radio for 2 wraps: a wrap has one of its own"),
        (("--radio", "usb:0", "--wraps", 2), 2, "1 controllers with --radio for 2 wraps: a wrap has one of its own"),
        (("--radio", "usb:0", "--scenario", "x.toml"), 2, "--scenario x.toml: the air between real radios is what it is"),
        (("--radio", "usb:0", "--faults", "{cut}"), 2, "radio_cut: a real radio is cut by walking away"),
    ],
)
def test_what_cannot_be_is_told_in_one_line(arguments: tuple[object, ...], code: int, told: str, tmp_path: Path) -> None:
    cut = tmp_path / "cut.toml"
    cut.write_text('[[fault]]\nkind = "radio_cut"\nat_s = 5\n', encoding="utf-8")
    given = [str(one).format(cut=cut) for one in arguments]
    ended = asyncio.run(run_gateway(tmp_path, "sim", *given))
    assert (ended.code, len(ended.lines)) == (code, 1)
    assert ended.lines[0].startswith("wavewrap sim: ")
    assert told in ended.lines[0]
