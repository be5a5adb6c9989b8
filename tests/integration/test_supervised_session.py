"""``wavewrap run`` as a service of systemd would be: its words on a real socket, its end under SIGTERM, and under a watchdog that bites."""

import asyncio
import os
import signal
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
from tests.support.notify_socket import Heard, listen
from tests.support.processes import Ended, Running, Simulator, WrapLog, run_simulator, start
from tests.support.session_programs import CHAMBERS, PRESSURE_MMHG, write_long_hold

from wavewrap_protocol.limits import VENTED_MMHG

pytestmark = pytest.mark.realtime

WATCHDOG_S = 2.0
HELD_MMHG = PRESSURE_MMHG - 5.0


@dataclass(frozen=True)
class Scene:
    """``held_s`` is when the hold was seen, ``acted_s`` when somebody acted, ``exit_s`` when the gateway was gone."""

    heard: Heard
    gateway: Ended
    held_s: float
    acted_s: float
    exit_s: float
    wraps: dict[str, WrapLog]


async def supervise(folder: Path, act: str) -> Scene:
    """A session in its hold; then what the service manager does."""
    program = write_long_hold(folder)
    with listen(folder / "notify") as heard:
        async with run_simulator(folder / "sim") as simulator:
            variables = {"NOTIFY_SOCKET": heard.address, "WATCHDOG_USEC": str(int(WATCHDOG_S * 1e6))}
            arguments = ("run", program, "--for", 50, "--json", "--radio", simulator.radio)
            async with start(folder, "wavewrap_gateway", *arguments, variables=variables) as gateway:
                await gateway.wait_for(lambda: simulator.holds(CHAMBERS, HELD_MMHG), "hold")
                held_s = time.monotonic()
                await asyncio.sleep(2.0 * WATCHDOG_S)
                acted_s = time.monotonic()
                await (_stop(gateway) if act == "stop" else _bite(gateway))
                ended = await gateway.ended()
                exit_s = time.monotonic()
                await simulator.running.wait_for(lambda: _all_idle(simulator), "vent")
                return Scene(heard, ended, held_s, acted_s, exit_s, simulator.read_log())


def _all_idle(simulator: Simulator) -> bool:
    return all(log.states[-1][1] == "idle" for log in simulator.read_log().values())


async def _stop(gateway: Running) -> None:
    gateway.send(signal.SIGTERM)


async def _bite(gateway: Running) -> None:
    """The process stands still for a whole period of the watchdog; as systemd does, then abort it."""
    gateway.send(signal.SIGSTOP)
    await asyncio.sleep(WATCHDOG_S)
    gateway.send(signal.SIGABRT)
    gateway.send(signal.SIGCONT)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Scene]:
    folder = tmp_path_factory.mktemp("supervised")

    async def play_both() -> dict[str, Scene]:
        acts = ("stop", "bite")
        for act in acts:
            (folder / act).mkdir()
        return dict(zip(acts, await asyncio.gather(*(supervise(folder / act, act) for act in acts)), strict=True))

    return asyncio.run(play_both())


def test_ready_comes_once_the_wraps_are_and_before_any_pressure(scenes: dict[str, Scene]) -> None:
    scene = scenes["stop"]
    (ready_s,) = scene.heard.times_s("READY=1")
    assert ready_s < scene.held_s
    first_rise_s = min(at_s for log in scene.wraps.values() for at_s, pressures in log.pressures if max(pressures) > VENTED_MMHG)
    assert ready_s < first_rise_s
    before = scene.heard.texts[: scene.heard.texts.index("READY=1")]
    assert any(text.startswith("STATUS=radio: ") for text in before)
    assert "WATCHDOG=1" not in before


def test_pings_keep_the_interval_that_the_watchdog_asks_for(scenes: dict[str, Scene]) -> None:
    for scene in scenes.values():
        pings_s = [at_s for at_s in scene.heard.times_s("WATCHDOG=1") if at_s < scene.acted_s]
        assert len(pings_s) >= 6
        assert max(after - before for before, after in pairwise(pings_s)) < WATCHDOG_S


def test_the_status_says_what_goes_on(scenes: dict[str, Scene]) -> None:
    assert "STATUS=long-hold: running, cycle 1 of 1" in scenes["stop"].heard.texts


def test_sigterm_is_told_as_stopping_and_the_wraps_have_vented_before_the_exit(scenes: dict[str, Scene]) -> None:
    scene = scenes["stop"]
    (stopping_s,) = scene.heard.times_s("STOPPING=1")
    assert scene.acted_s <= stopping_s < scene.exit_s
    assert (scene.gateway.code, scene.gateway.summary["vented"]) == (128 + signal.SIGTERM, True)
    assert scene.heard.texts[scene.heard.texts.index("STOPPING=1") + 1] == "STATUS=venting"
    assert any(at_s > stopping_s for at_s in scene.heard.times_s("WATCHDOG=1")), "no pings while it vents"
    for log in scene.wraps.values():
        vented_s = log.under_from(scene.acted_s, VENTED_MMHG)
        assert vented_s is not None
        assert vented_s < scene.exit_s
    assert scene.gateway.left_running == []


def test_a_process_that_stands_still_sends_nothing_and_its_wraps_vent_by_themselves(scenes: dict[str, Scene]) -> None:
    scene = scenes["bite"]
    assert scene.gateway.code == -signal.SIGABRT
    assert "STOPPING=1" not in scene.heard.texts
    stalled_s = max(scene.heard.times_s("WATCHDOG=1"))
    assert scene.exit_s - stalled_s >= WATCHDOG_S
    for log in scene.wraps.values():
        assert [state[1:] for state in log.states][-2:] == [("venting", "lease_end"), ("idle", "vented")]


def test_a_wrong_environment_is_refused_before_anything_starts(tmp_path: Path) -> None:
    async def run() -> Ended:
        async with start(tmp_path, "wavewrap_gateway", "run", "recovery", variables={"NOTIFY_SOCKET": "vsock:2:1"}) as gateway:
            return await gateway.ended()

    ended = asyncio.run(run())
    assert ended.code == 2
    assert ended.lines == ["wavewrap: environment NOTIFY_SOCKET: 'vsock:2:1': is neither a path nor an abstract name; let systemd set it"]


@pytest.mark.parametrize(("same", "line"), [(True, "<3>wavewrap: "), (False, "wavewrap: ")])
def test_the_journal_gets_a_priority_in_front_of_what_is_wrong(same: bool, line: str, tmp_path: Path) -> None:
    """JOURNAL_STREAM names the file that stderr is; one that was meant for another process does not count."""

    async def run() -> Ended:
        tmp_path.joinpath("0.err").touch()
        state = os.stat(tmp_path / "0.err")
        stream = f"{state.st_dev}:{state.st_ino if same else state.st_ino + 1}"
        async with start(tmp_path, "wavewrap_gateway", "run", "recvery", variables={"JOURNAL_STREAM": stream}) as gateway:
            return await gateway.ended()

    assert asyncio.run(run()).stderr.startswith(line)
