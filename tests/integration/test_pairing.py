"""``wavewrap pair`` and what comes of it, with real processes: button, passkey, a session under the nickname, a lost bond, forget."""

import asyncio
import json
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.support.processes import Ended, Simulator, run_gateway, run_simulator, start
from tests.support.session_programs import write_short_program

pytestmark = pytest.mark.realtime

ADDRESS = "F0:57:52:01:00:01"
WRONG = "wavewrap: F0:57:52:01:00:01 did not pair: the passkey is wrong: type what the wrap shows now"
LOST = "wavewrap: F0:57:52:01:00:01 has forgotten this gateway: open its pairing window and run 'wavewrap pair'"


@dataclass
class Host:
    """One user's home on a host, and a simulator with wraps."""

    folder: Path
    simulator: Simulator

    async def wavewrap(self, *arguments: object, typed: str = "") -> Ended:
        """One command, with its own radio where it needs one."""
        stdin = self.folder / "typed"
        stdin.write_text(typed, encoding="utf-8")
        return await run_gateway(self.folder, *arguments, stdin=stdin)

    async def on_radio(self, *arguments: object, typed: str = "") -> Ended:
        """One command that uses the radio."""
        return await self.wavewrap(*arguments, "--radio", self.simulator.radio, typed=typed)

    def pairings(self, serial: str) -> list[dict[str, Any]]:
        """What the displays said so far."""
        lines = [json.loads(line) for line in self.simulator.running.stdout.splitlines()[1:]]
        return [line for line in lines if line["wrap"] == serial]

    async def press_buttons(self, serial: str = "SIM001-01") -> str:
        """Every pairing button; the passkey that one wrap then shows."""
        before = len(self.pairings(serial))
        self.simulator.running.send(signal.SIGUSR1)
        await self.simulator.running.wait_for(lambda: len(self.pairings(serial)) > before, "passkey")
        return str(self.pairings(serial)[-1]["passkey"])

    async def forget_bonds(self) -> None:
        """Every wrap forgets every gateway."""
        self.simulator.running.send(signal.SIGUSR2)
        await self.simulator.running.wait_for(lambda: self.pairings("SIM001-01")[-1]["pairing"] == "forgotten", "end of the bonds")

    @property
    def stored(self) -> list[str]:
        """Files of this user's that pairing has to do with."""
        return sorted(path.name for path in (self.folder / "wavewrap").glob("*"))


def test_from_the_button_to_a_session_and_back(tmp_path: Path) -> None:
    async def work() -> None:
        program = write_short_program(tmp_path / "short.toml")
        async with run_simulator(tmp_path / "sim", "--wraps", 2, "--security", "passkey", "--bonds", tmp_path / "bonds.json") as simulator:
            host = Host(tmp_path / "home", simulator)
            host.folder.mkdir()
            await _refuse(host)
            await _pair(host, program)
            await _lose_and_heal(host)
            await _forget(host)
            assert simulator.running.stderr == ""

    asyncio.run(work())


async def _refuse(host: Host) -> None:
    ended = await host.on_radio("acknowledge", "--address", ADDRESS)  # the other is as near, and may be heard first
    assert (ended.code, ended.lines[-1]) == (
        1,
        f"wavewrap: {ADDRESS} serves only gateways that it is paired with: open its pairing window and run 'wavewrap pair'",
    )
    ended = await host.on_radio("pair", "--for", 1, "--passkey", "123456")
    assert (ended.code, ended.lines[-1]) == (
        1,
        "wavewrap: no wrap had its pairing window open within 1 s: press the wrap's pairing button, then try again",
    )
    ended = await host.on_radio("pair")
    assert (ended.code, len(ended.stderr.splitlines())) == (2, 1)
    assert "give --passkey 123456, or --passkey -" in ended.stderr
    passkey = await host.press_buttons()
    ended = await host.on_radio("pair", "--passkey", passkey)
    assert (ended.code, ended.lines[-1]) == (2, f"wavewrap: 2 wraps have their pairing window open: give one with --wrap {ADDRESS}")
    ended = await host.on_radio("pair", "--wrap", ADDRESS, "--passkey", f"{int(passkey) % 999_999 + 1:06d}", "--json")
    assert (ended.code, ended.stdout, ended.lines[-1]) == (1, "", WRONG)
    assert host.stored == []


async def _pair(host: Host, program: Path) -> None:
    passkey = await host.press_buttons()
    ended = await host.on_radio("pair", "--wrap", ADDRESS, "--passkey", "-", "--name", "left-leg", typed=f"{passkey}\n")
    assert ended.code == 0, ended.stderr
    assert ended.stdout == "paired with SIM001-01 (left, WR-4), called left-leg\n"
    assert host.stored == ["bumble-keys.json", "wraps.json"]
    (listed,) = (await host.wavewrap("wraps", "--json")).summary["wraps"]
    assert (listed["serial"], listed["topic"], listed["address"], listed["side"]) == ("SIM001-01", "left-leg", ADDRESS, "left")
    assert (await host.wavewrap("wraps", "rename", "left-leg", "calf")).stdout == "SIM001-01 is called calf\n"
    heard = (await host.on_radio("scan", "--for", 1, "--json")).summary["wraps"]
    assert [one["known_as"] for one in heard] == ["calf", None]
    ended = await host.on_radio("run", program, "--wraps", 1, "--address", "calf", "--json")
    assert ended.code == 0, ended.stderr
    assert [(wrap["id"], wrap["samples"]["missing"]) for wrap in ended.summary["wraps"]] == [("calf", 0)]


async def _lose_and_heal(host: Host) -> None:
    await host.forget_bonds()
    ended = await host.on_radio("acknowledge", "--json")
    assert (ended.code, ended.lines) == (1, [LOST])
    passkey = await host.press_buttons()
    ended = await host.on_radio("pair", "--wrap", "calf", "--passkey", passkey, "--json")
    assert ended.code == 0, ended.stderr
    assert ended.summary["wrap"]["name"] == "calf", "a wrap keeps its name"
    assert (await host.on_radio("acknowledge")).code == 0


async def _forget(host: Host) -> None:
    assert (await host.wavewrap("forget", "calf", "--json")).summary["wrap"]["serial"] == "SIM001-01"
    assert (await host.wavewrap("wraps", "--json")).summary["wraps"] == []
    ended = await host.wavewrap("forget", "calf")
    assert (ended.code, ended.stderr) == (
        2,
        "wavewrap: no wrap called 'calf' is paired with this host; known: none. See 'wavewrap wraps'\n",
    )
    ended = await host.on_radio("acknowledge")
    assert ended.code == 1
    assert "serves only gateways that it is paired with" in ended.stderr


def test_ctrl_c_ends_a_pairing_that_waits(tmp_path: Path) -> None:
    async def work() -> None:
        async with (
            run_simulator(tmp_path / "sim", "--wraps", 1, "--security", "passkey") as simulator,
            start(tmp_path / "home", "wavewrap_gateway", "pair", "--radio", simulator.radio, "--passkey", "123456") as pairing,
        ):
            await pairing.wait_for_line("looking for a wrap")
            pairing.send(signal.SIGINT)
            ended = await pairing.ended()
            assert (ended.code, ended.lines[-1]) == (130, "wavewrap: stopped")

    asyncio.run(work())


def test_the_fault_file_presses_the_button_and_forgets(tmp_path: Path) -> None:
    faults = tmp_path / "doings.toml"
    faults.write_text(
        '[[fault]]\nkind = "pairing_button"\nat_s = 0\nwraps = [0]\n[[fault]]\nkind = "forget_bonds"\nat_s = 0.5\n', encoding="utf-8"
    )

    async def work() -> None:
        folder = tmp_path / "sim"
        async with run_simulator(folder, "--wraps", 2, "--security", "passkey", "--faults", faults) as simulator:
            await simulator.running.wait_for(lambda: simulator.running.stdout.count("forgotten") == 2, "end of the bonds")
            host = Host(tmp_path, simulator)
            assert [line["pairing"] for line in host.pairings("SIM001-01")] == ["window_open", "forgotten"]
            assert [line["pairing"] for line in host.pairings("SIM001-02")] == ["forgotten"]
        ended = await run_gateway(tmp_path / "open", "sim", "--port", 0, "--faults", faults)
        assert (ended.code, ended.stdout) == (2, "")
        assert ended.stderr.endswith("doings.toml: pairing_button: these wraps serve everybody: give --security passkey\n")

    asyncio.run(work())
