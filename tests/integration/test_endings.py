"""How a session ends when somebody or something ends it: vented wherever that can be proven, one line, an exit code, nothing left running.

Each scene begins in the middle of a hold, which the simulator's log shows.
"""

import asyncio
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from tests.support.any_broker import AnyBroker, run_any_broker
from tests.support.brokers import Collector
from tests.support.processes import Ended, Running, Simulator, WrapLog, run_gateway, run_simulator, start
from tests.support.session_programs import CHAMBERS, PRESSURE_MMHG, SHORT_S, write_long_hold, write_short_program

from wavewrap_gateway.adapters.store_reader import list_sessions, load_session
from wavewrap_gateway.core.recorded_session import RecordedSession
from wavewrap_gateway.runtime.session_runner import VENT_S
from wavewrap_protocol.limits import LEASE_DEFAULT_MS, OVER_THRESHOLD_MMHG, VENTED_MMHG

pytestmark = pytest.mark.realtime

HELD_MMHG = PRESSURE_MMHG - 5.0
AT_ONCE = 3
"""Scenes that run together; more would crowd two cores and blur the times."""


@dataclass(frozen=True)
class Scene:
    """``acted_s`` is the instant of the interruption, ``exit_s`` the time from it to the exit of the gateway."""

    gateway: Ended
    acted_s: float
    exit_s: float
    wraps: dict[str, WrapLog]
    afterwards: Ended | None = None
    bridge_states: tuple[bytes, ...] = ()
    history: Sequence[RecordedSession] = ()

    def vent_s(self, serial: str, mmhg: float) -> float:
        """From the interruption until every chamber stays under ``mmhg``."""
        under_s = self.wraps[serial].under_from(self.acted_s, mmhg)
        assert under_s is not None, f"{serial} never stays under {mmhg} mmHg"
        return under_s - self.acted_s

    def ends_with(self, serial: str) -> list[tuple[str, str]]:
        """States and causes after the interruption."""
        return [(state, cause) for host_s, state, cause in self.wraps[serial].states if host_s > self.acted_s]


SERIALS = ("SIM001-01", "SIM001-02")
Act = Callable[[Running, AnyBroker, Simulator], None]


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Scene]:
    """Every scene, a few at the same time."""
    folder = tmp_path_factory.mktemp("endings")
    room = asyncio.Semaphore(AT_ONCE)

    async def play(name: str) -> Scene:
        async with room:
            if name == "ctrl-c":
                scene = await _ctrl_c_on_a_demo(folder / name)
            elif name == "early ctrl-c":
                scene = await _ctrl_c_before_the_session(folder / name)
            elif name == "gateway killed":
                scene = await _kill_the_gateway(folder / name)
            else:
                scene = await _interrupt(folder / name, _ACTS[name])
            return replace(scene, history=await asyncio.to_thread(read_history, folder / name))

    async def play_all() -> dict[str, Scene]:
        # The longest one first.
        names = ["gateway killed", "broker killed", "ctrl-c", "sigterm", "simulator killed", "early ctrl-c"]
        return dict(zip(names, await asyncio.gather(*map(play, names)), strict=True))

    return asyncio.run(play_all())


_ACTS: dict[str, Act] = {
    "sigterm": lambda gateway, _broker, _simulator: gateway.send(signal.SIGTERM),
    "broker killed": lambda _gateway, broker, _simulator: broker.kill(),
    "simulator killed": lambda _gateway, _broker, simulator: simulator.running.send(signal.SIGKILL),
}


async def _ctrl_c_on_a_demo(folder: Path) -> Scene:
    """The whole process group gets the signal, the embedded broker among it."""
    log = folder / "sim.jsonl"
    arguments = ("demo", "--program", write_long_hold(folder), "--for", 50, "--json", "--log", log)
    async with start(folder, "wavewrap_gateway", *arguments) as gateway:
        simulator = Simulator(gateway, log)
        await gateway.wait_for(lambda: simulator.holds(CHAMBERS, HELD_MMHG), "hold")
        acted_s = time.monotonic()
        gateway.send_to_all(signal.SIGINT)
        return Scene(await gateway.ended(), acted_s, time.monotonic() - acted_s, simulator.read_log())


async def _ctrl_c_before_the_session(folder: Path) -> Scene:
    """While the wraps are being looked for."""
    arguments = ("demo", "--program", write_long_hold(folder), "--for", 50, "--json")
    async with start(folder, "wavewrap_gateway", *arguments) as gateway:
        await gateway.wait_for_line("radio: ")
        acted_s = time.monotonic()
        gateway.send_to_all(signal.SIGINT)
        return Scene(await gateway.ended(), acted_s, time.monotonic() - acted_s, {})


async def _interrupt(folder: Path, act: Act) -> Scene:
    """A session with a broker and a simulator of its own, and ``act`` in its hold."""
    program, config = write_long_hold(folder), folder / "patience.toml"
    config.write_text("[mqtt]\npatience_s = 1.0\n", encoding="utf-8")
    with run_any_broker(folder) as broker:
        async with run_simulator(folder / "sim") as simulator:
            arguments = ("run", program, "--for", 50, "--json", "--radio", simulator.radio, "--broker", broker.url, "--config", config)
            async with start(folder, "wavewrap_gateway", *arguments) as gateway:
                await gateway.wait_for(lambda: simulator.holds(CHAMBERS, HELD_MMHG), "hold")
                acted_s = time.monotonic()
                act(gateway, broker, simulator)
                return Scene(await gateway.ended(), acted_s, time.monotonic() - acted_s, simulator.read_log())


async def _kill_the_gateway(folder: Path) -> Scene:
    """SIGKILL in the hold; once the wraps have vented, another gateway plays a session on them."""
    hold, short = write_long_hold(folder), write_short_program(folder)
    with run_any_broker(folder) as broker:
        async with run_simulator(folder / "sim") as simulator, Collector(broker.port, "wavewrap/bridge/state") as collector:
            common = ("--json", "--radio", simulator.radio, "--broker", broker.url)
            async with start(folder, "wavewrap_gateway", "run", hold, "--for", 50, *common) as gateway:
                await gateway.wait_for(lambda: simulator.holds(CHAMBERS, HELD_MMHG), "hold")
                acted_s = time.monotonic()
                gateway.send(signal.SIGKILL)
                ended = await gateway.ended()
            exit_s = time.monotonic() - acted_s
            await asyncio.to_thread(collector.wait_until, lambda heard: len(heard.messages) >= 2)
            states = tuple(message.body for message in collector.messages)
            await simulator.running.wait_for(
                lambda: all(log.states[-1][1:] == ("idle", "vented") for log in simulator.read_log().values()), "vent"
            )
            wraps = simulator.read_log()
            afterwards = await run_gateway(folder, "run", short, "--for", SHORT_S, *common)
            assert simulator.running.stderr == ""
    return Scene(ended, acted_s, exit_s, wraps, afterwards, states)


def read_history(folder: Path) -> list[RecordedSession]:
    """What the gateways of a scene have recorded, the oldest first."""
    place = folder / "wavewrap" / "history.sqlite"
    entries = list_sessions(str(place), 10) if place.exists() else []
    return [load_session(str(place), entry.session_id) for entry in reversed(entries)]


@pytest.mark.parametrize(
    ("name", "code", "ended", "reason"),
    [
        ("ctrl-c", 130, "stopped", "Ctrl-C"),
        ("sigterm", 143, "stopped", "SIGTERM"),
        ("broker killed", 1, "stopped", "the MQTT broker was gone for 1 s (the connection broke): bring it back, then start again"),
    ],
)
def test_stopped_vented_and_proven(scenes: dict[str, Scene], name: str, code: int, ended: str, reason: str) -> None:
    scene = scenes[name]
    summary = scene.gateway.summary
    assert (scene.gateway.code, summary["ended"], summary["reason"], summary["vented"]) == (code, ended, reason, True)
    assert scene.gateway.lines == [f"wavewrap: the session was stopped, every chamber vented: {reason}"]
    assert scene.gateway.left_running == []
    for serial, wrap in zip(SERIALS, summary["wraps"], strict=True):
        assert scene.ends_with(serial) == [("venting", "stop"), ("idle", "vented")]
        assert max(wrap["final_mmhg"]) < VENTED_MMHG
        assert scene.vent_s(serial, OVER_THRESHOLD_MMHG) < 4.0
        assert wrap["cycles"] == {"planned": 1, "delivered": 0}
        assert wrap["samples"]["missing"] == 0
    # A vent takes about 3 s here; with the broker gone its patience and one wait for it are added. This is for an end that hangs.
    assert scene.exit_s < 25.0


def test_ctrl_c_before_the_session(scenes: dict[str, Scene]) -> None:
    scene = scenes["early ctrl-c"]
    assert (scene.gateway.code, scene.gateway.stdout) == (130, "")
    assert scene.gateway.lines == ["wavewrap: stopped by Ctrl-C before the session began"]
    assert scene.gateway.left_running == []
    assert scene.exit_s < 5.0


def test_a_vanished_simulator_is_never_called_vented(scenes: dict[str, Scene]) -> None:
    scene = scenes["simulator killed"]
    summary = scene.gateway.summary
    assert (scene.gateway.code, summary["ended"], summary["vented"]) == (1, "faulted", False)
    (line,) = scene.gateway.lines
    assert line.startswith("wavewrap: the session failed, not proven vented, so take the wraps off: sim001-0")
    assert line.endswith("plug the adapter in again, or start the simulator again")
    assert scene.gateway.left_running == []
    assert scene.exit_s < LEASE_DEFAULT_MS / 1000.0 + VENT_S + 3.0, "the radio may come back as long as STOP could still arrive"


def test_a_killed_gateway_leaves_wraps_that_vent_by_themselves(scenes: dict[str, Scene]) -> None:
    scene = scenes["gateway killed"]
    lease_s = LEASE_DEFAULT_MS / 1000.0
    assert scene.gateway.code == -signal.SIGKILL
    assert scene.gateway.left_running == []
    for serial in SERIALS:
        assert scene.ends_with(serial) == [("venting", "lease_end"), ("idle", "vented")]
        assert 1.0 < scene.vent_s(serial, OVER_THRESHOLD_MMHG) < lease_s + 5.0
    assert scene.bridge_states == (b'{"state":"online"}', b'{"state":"offline"}')


@pytest.mark.parametrize(
    ("name", "states"),
    [
        ("ctrl-c", ["stopped"]),
        ("sigterm", ["stopped"]),
        ("broker killed", ["stopped"]),
        ("simulator killed", ["faulted"]),
        ("early ctrl-c", []),
        ("gateway killed", ["interrupted", "completed"]),
    ],
)
def test_the_history_has_every_session_however_it_ended(scenes: dict[str, Scene], name: str, states: list[str]) -> None:
    scene = scenes[name]
    assert [session.state.value for session in scene.history] == states
    for session in scene.history:
        assert [side.wrap.serial for side in session.sides] == list(SERIALS)
        assert [side.curves.missing for side in session.sides] == [0, 0]
        assert session.unrecorded == 0
        assert session.events[0].kind == "session_started"
        if session.summary is not None:
            assert session.events[-1].kind == "session_ended"
            assert session.reason == session.summary.reason
            for side, told in zip(session.sides, session.summary.wraps, strict=True):
                assert len(side.curves) >= told.samples.received + told.samples.replayed
                assert side.account.carried_out[0].wave.target_mmhg > 0.0
    if name == "gateway killed":
        cut_off = scene.history[0]
        assert cut_off.summary is None
        assert cut_off.reason == "the gateway ended without a word: it was killed, or the power failed"
        # It was killed in the hold, and what the chambers did until then is there.
        assert all(max(side.account.peaks_mmhg()) > HELD_MMHG for side in cut_off.sides)


def test_the_wraps_of_a_killed_gateway_take_another(scenes: dict[str, Scene]) -> None:
    afterwards = scenes["gateway killed"].afterwards
    assert afterwards is not None
    assert (afterwards.code, afterwards.lines, afterwards.left_running) == (0, [], [])
    assert [wrap["cycles"] for wrap in afterwards.summary["wraps"]] == [{"planned": 1, "delivered": 1}] * 2
