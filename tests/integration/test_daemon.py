"""A daemon's life with real processes: paired, discovered, played by Home Assistant's buttons, renamed, forgotten; without its broker."""

import asyncio
import json
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.support.asking import Asker, expiring
from tests.support.brokers import Collector, Mosquitto, find_free_port, needs_mosquitto
from tests.support.daemon_rig import DaemonRig, open_daemon_rig, write_known_wraps
from tests.support.home_assistant import read_device
from tests.support.leftovers import JOURNAL_CONFIG, leave_journal, leave_names_and_run
from tests.support.notify_socket import listen
from tests.support.own_air import run_empty_air
from tests.support.processes import PATIENCE_S, run_gateway, run_simulator, start
from tests.support.session_programs import CHAMBERS, PRESSURE_MMHG, write_long_hold

from wavewrap_protocol.limits import VENTED_MMHG
from wavewrap_protocol.payloads import SessionSummary, WrapState

pytestmark = [pytest.mark.realtime, needs_mosquitto]

ADDRESS = "F0:57:52:01:00:01"
GATEWAY_CONFIG = "homeassistant/device/wavewrap_attic/config"
WRAP_CONFIG = "homeassistant/device/wavewrap_wrap_sim001_01/config"


@dataclass
class Broker:
    """What lies on a broker, seen by somebody who came first."""

    collector: Collector
    seen: int = field(default=0)

    def retained(self) -> dict[str, bytes]:
        """The newest on each topic that was not cleared."""
        newest = {message.topic: message.body for message in list(self.collector.messages)}
        return {topic: body for topic, body in newest.items() if body}

    async def until(self, found: Callable[[dict[str, bytes]], bool], what: str) -> dict[str, bytes]:
        """Until the newest messages are such."""
        deadline_s = time.monotonic() + PATIENCE_S
        while not found(self.retained()):
            assert time.monotonic() < deadline_s, f"no {what}: {sorted(self.retained())}"
            await asyncio.sleep(0.05)
        return self.retained()


async def from_a_stranger_to_a_device_of_home_assistant_and_back(tmp_path: Path) -> None:
    arguments = ("--wraps", 1, "--security", "passkey")
    options = {"config": "[home_assistant]\nenabled = true", "simulator_arguments": arguments, "before": leave_journal}
    async with open_daemon_rig(tmp_path, known=False, **options) as rig, Collector(rig.broker.port, "#") as collector:  # type: ignore[arg-type]  # mypy sees no keys in **
        broker = Broker(collector)
        with Asker(rig.broker.port) as asker:
            await _pair(rig, asker)
            await _discover(broker)
            await _find_by_its_light(rig, broker, asker)
            await _press(broker, asker)
            await _rename(rig, broker, asker)
            await _come_again(broker, collector, asker)
            await _forget(rig, broker, asker)
        rig.daemon.send(signal.SIGTERM)
        ended = await rig.daemon.ended()
        assert (ended.code, ended.left_running) == (128 + signal.SIGTERM, [])
        assert ended.lines == ["ready"]


async def _pair(rig: DaemonRig, asker: Asker) -> None:
    refused = await asyncio.to_thread(asker.ask, "pair", expiring(passkey="123456"))
    assert refused.body["error"].startswith("no pairing waits for a passkey")
    refused = await asyncio.to_thread(asker.ask, "pair", expiring(for_s=1))
    assert refused.body["error"].startswith("no wrap had its pairing window open within 1 s")
    heard = (await asyncio.to_thread(asker.do, "scan", for_s=1.0))["wraps"]
    assert [(one["address"], one["known_as"], one["pairing_window"]) for one in heard] == [(ADDRESS, None, False)]
    passkey = await _press_button(rig)
    begun = await asyncio.to_thread(lambda: asker.do("pair", wrap=ADDRESS, name="left-leg"))
    assert (begun["step"], begun["address"]) == ("passkey_wanted", ADDRESS)
    assert (await asyncio.to_thread(asker.ask, "scan")).reason == "busy"
    wrong = await asyncio.to_thread(asker.ask, "pair", expiring(passkey=f"{int(passkey) % 999_999 + 1:06d}"))
    assert wrong.body["error"].endswith("the passkey is wrong: type what the wrap shows now")
    assert not rig.known_wraps.exists()
    passkey = await _press_button(rig)
    await asyncio.to_thread(lambda: asker.do("pair", wrap=ADDRESS, name="left-leg"))
    paired = await asyncio.to_thread(lambda: asker.do("pair", passkey=passkey))
    assert (paired["step"], paired["wrap"]["serial"], paired["wrap"]["id"]) == ("paired", "SIM001-01", "left-leg")
    assert passkey not in rig.daemon.stderr


async def _press_button(rig: DaemonRig) -> str:
    before = len(rig.simulator.running.stdout.splitlines())
    rig.simulator.running.send(signal.SIGUSR1)
    await rig.simulator.running.wait_for(lambda: len(rig.simulator.running.stdout.splitlines()) > before, "passkey")
    return str(json.loads(rig.simulator.running.stdout.splitlines()[-1])["passkey"])


async def _discover(broker: Broker) -> None:
    retained = await broker.until(lambda seen: WRAP_CONFIG in seen and "wavewrap/left-leg" in seen, "discovery of the wrap")
    assert not {"wavewrap/bridge/journal", JOURNAL_CONFIG} & set(retained), "what was published while that was switched on is cleared"
    gateway, wrap = read_device(retained[GATEWAY_CONFIG]), read_device(retained[WRAP_CONFIG])
    assert set(gateway) == {"program", "duration", "start", "pause", "resume", "stop", "lateness"}
    figures = {"pressure_1", "pressure_4", "target_4", "battery", "link", "clock_uncertainty", "fault", "progress", "last_session"}
    assert figures | {"identify"} <= set(wrap)
    assert json.loads(retained[WRAP_CONFIG])["dev"]["via_device"] in json.loads(retained[GATEWAY_CONFIG])["dev"]["identifiers"]
    for entity in (*gateway.values(), *wrap.values()):
        assert entity.is_available(retained), entity.key
        topic = entity.config.get("state_topic")
        assert topic is None or topic in retained or topic.endswith(("/session", "/health")), topic
        if topic in retained:
            entity.state_of(retained[topic])
    state = WrapState.model_validate_json(retained["wavewrap/left-leg"])
    assert state.pressure_mmhg is not None
    assert broker.collector.bodies("wavewrap/left-leg/telemetry") == [], "and none before"
    shown = wrap["pressure_2"].state_of(retained["wavewrap/left-leg"])
    assert shown is not None
    assert float(shown) == pytest.approx(state.pressure_mmhg[1])
    assert wrap["progress"].state_of(retained["wavewrap/left-leg"]) is None
    assert wrap["fault"].state_of(retained["wavewrap/left-leg"]) == "OFF"


async def _find_by_its_light(rig: DaemonRig, broker: Broker, asker: Asker) -> None:
    """By the button that the wrap has in Home Assistant."""
    button = read_device(broker.retained()[WRAP_CONFIG])["identify"]
    assert button.config["command_topic"] == "wavewrap/bridge/request/identify"
    answer = await asyncio.to_thread(asker.ask_raw, "identify", button.command())
    assert answer.body["status"] == "ok", answer.body
    await rig.simulator.running.wait_for(lambda: '{"wrap": "SIM001-01", "light_s": 10}' in rig.simulator.running.stdout, "light")


async def _press(broker: Broker, asker: Asker) -> None:
    """Choose a program, choose its length, start, pause, resume, stop: as Home Assistant does it, by topics and templates alone."""
    gateway = read_device(broker.retained()[GATEWAY_CONFIG])
    wrap = read_device(broker.retained()[WRAP_CONFIG])

    async def use(key: str, value: object = "PRESS") -> dict[str, Any]:
        entity = gateway[key]
        command = entity.config["command_topic"].removeprefix("wavewrap/bridge/request/")
        answer = await asyncio.to_thread(asker.ask_raw, command, entity.command(value))
        assert answer.body["status"] == "ok", answer.body
        assert isinstance(answer.body["data"], dict)
        return answer.body["data"]

    assert "long-hold" in gateway["program"].config["options"]
    await use("program", "long-hold")
    await use("duration", 0.9)
    retained = await broker.until(lambda seen: b"0.9" in seen["wavewrap/bridge/selection"], "selection")
    assert gateway["program"].state_of(retained["wavewrap/bridge/selection"]) == "long-hold"
    assert gateway["duration"].state_of(retained["wavewrap/bridge/selection"]) == "0.9"
    started = await use("start")
    assert (started["progress"]["program"], started["progress"]["duration_s"]) == ("long-hold", 48.0), "the whole cycles within 0.9 min"
    await broker.until(lambda seen: wrap["session"].state_of(seen["wavewrap/left-leg"]) == "running", "running session")
    await broker.until(lambda seen: float(wrap["pressure_1"].state_of(seen["wavewrap/left-leg"]) or 0.0) > 20.0, "pressure")
    assert broker.collector.bodies("wavewrap/left-leg/telemetry"), "there are samples in a session"
    share = wrap["progress"].state_of(broker.retained()["wavewrap/left-leg"])
    assert share is not None
    assert 0.0 < float(share) < 100.0
    await use("pause")
    await broker.until(lambda seen: wrap["session"].state_of(seen["wavewrap/left-leg"]) == "paused", "paused session")
    assert set((await use("stop"))["stopping"]) == {"left-leg"}
    retained = await broker.until(lambda seen: "wavewrap/left-leg/session" in seen, "record of the session")
    summary = SessionSummary.model_validate_json(retained["wavewrap/left-leg/session"])
    assert (summary.ended, summary.vented) == ("stopped", True)
    assert wrap["last_session"].state_of(retained["wavewrap/left-leg/session"]) == "stopped"
    assert wrap["last_session"].attributes_of(retained["wavewrap/left-leg/session"])["program"] == "long-hold"
    await broker.until(lambda seen: wrap["session"].state_of(seen["wavewrap/left-leg"]) == "none", "end of the session")
    (past,) = (await asyncio.to_thread(asker.do, "sessions"))["sessions"]
    assert (past["program"], past["state"], past["wraps"]) == ("long-hold", "stopped", ["left-leg"])
    assert past["started_unix_s"] < past["ended_unix_s"]


async def _rename(rig: DaemonRig, broker: Broker, asker: Asker) -> None:
    """By request, and by the command line beside the running daemon."""
    renamed = await asyncio.to_thread(lambda: asker.do("rename", wrap="left-leg", name="calf"))
    assert (renamed["id"], renamed["serial"]) == ("calf", "SIM001-01")
    await _await_name(broker, "left-leg", "calf")
    assert (await run_gateway(rig.folder, "wraps", "rename", "calf", "shin")).code == 0
    await _await_name(broker, "calf", "shin")


async def _await_name(broker: Broker, old: str, new: str) -> None:
    def has_moved(seen: dict[str, bytes]) -> bool:
        under_new = {f"wavewrap/{new}", f"wavewrap/{new}/availability"} <= set(seen)
        return under_new and not any(
            topic.split("/")[1] == old for topic in seen if topic.split("/")[2:] != ["event"] and "telem" not in topic
        )

    retained = await broker.until(has_moved, f"{new} instead of {old}")
    await broker.until(lambda seen: f"wavewrap/{new}".encode() in seen[WRAP_CONFIG], "discovery under the new name")
    entities = read_device(broker.retained()[WRAP_CONFIG])
    assert entities["pressure_1"].config["unique_id"] == "wavewrap_wrap_sim001_01_pressure_1", "its history stays"
    assert all(entity.is_available(retained) for entity in entities.values())
    assert [one["id"] for one in json.loads(retained["wavewrap/bridge/devices"])["wraps"]] == [new]


async def _come_again(broker: Broker, collector: Collector, asker: Asker) -> None:
    """Home Assistant starts, and is told all of it again after a while."""

    def said() -> int:
        return sum(message.topic in (WRAP_CONFIG, GATEWAY_CONFIG) for message in list(collector.messages))

    before = said()
    sender = asker._client
    sender.publish("homeassistant/status", b"offline", 1)
    sender.publish("homeassistant/status", b"online", 1).wait_for_publish(5.0)
    await asyncio.sleep(0.3)
    assert said() == before, "not at the same instant as every other device"
    await broker.until(lambda _: said() == before + 2, "announcement to the Home Assistant that came back")


async def _forget(rig: DaemonRig, broker: Broker, asker: Asker) -> None:
    await asyncio.to_thread(lambda: asker.do("forget", wrap="shin"))
    retained = await broker.until(
        lambda seen: WRAP_CONFIG not in seen and not {"wavewrap/shin", "wavewrap/shin/availability", "wavewrap/shin/session"} & set(seen),
        "clean broker",
    )
    assert json.loads(retained["wavewrap/bridge/devices"])["wraps"] == []
    assert GATEWAY_CONFIG in retained
    assert json.loads(rig.known_wraps.read_text(encoding="utf-8")) == {"wraps": []}
    assert "F0:57:52:01:00:01" not in rig.folder.joinpath("wavewrap", "bumble-keys.json").read_text(encoding="utf-8")


async def waits_for_its_broker_outlives_it_and_vents_when_it_is_ended(tmp_path: Path) -> None:
    home = tmp_path / "home"
    write_long_hold(home / "wavewrap" / "programs")
    port = find_free_port()
    with listen(tmp_path / "notify") as heard:
        async with run_simulator(tmp_path / "sim") as simulator:
            write_known_wraps(home, simulator.radio)
            home.joinpath("wavewrap", "config.toml").write_text(
                f'gateway = "attic"\nradio = "{simulator.radio}"\n[mqtt]\nurl = "mqtt://127.0.0.1:{port}"\npatience_s = 1\n'
                '[commands]\nallow = ["start", "health"]\n',
                encoding="utf-8",
            )
            variables = {"NOTIFY_SOCKET": heard.address, "WATCHDOG_USEC": "2000000"}
            async with start(home, "wavewrap_gateway", "gateway", variables=variables) as daemon:
                await daemon.wait_for_line("ready")
                await daemon.wait_for(lambda: "STATUS=the MQTT broker is not there" in heard.texts, "status")
                broker = Mosquitto(tmp_path, port=port)
                broker.start()
                try:
                    await _start_when_ready(port)
                    broker.kill()
                    await daemon.wait_for(
                        lambda: all(log.states[-1][1:] == ("idle", "vented") for log in simulator.read_log().values()), "vent"
                    )
                    assert not any(cause == "lease_end" for log in simulator.read_log().values() for _, _, cause in log.states)
                    broker.start()
                    await _start_when_ready(port)
                    await daemon.wait_for(lambda: simulator.holds(CHAMBERS, PRESSURE_MMHG - 5.0), "hold")
                    ended_s = time.monotonic()
                    daemon.send(signal.SIGTERM)
                    ended = await daemon.ended()
                finally:
                    broker.kill()
                assert ended.code == 128 + signal.SIGTERM
                assert ended.left_running == []
                for log in simulator.read_log().values():
                    vented_s = log.under_from(ended_s, VENTED_MMHG)
                    assert vented_s is not None
                    assert [cause for _, state, cause in log.states if state == "venting"] == ["stop", "stop"]
            assert any(text == "STATUS=long-hold: running, cycle 1 of 1" for text in heard.texts)
            assert heard.texts.count("READY=1") == heard.texts.count("STOPPING=1") == 1
            assert heard.texts[heard.texts.index("STOPPING=1") + 1] == "STATUS=venting"


async def _start_when_ready(port: int) -> None:
    """As soon as somebody answers; a wrap that is not ready yet is no reason to give up."""

    def ask() -> None:
        deadline_s = time.monotonic() + PATIENCE_S
        with Collector(port, "wavewrap/bridge/state") as state:
            assert state.wait_until(lambda c: bool(c.messages) and c.messages[-1].body == b'{"state":"online"}', PATIENCE_S)
        with Asker(port, name=f"after-{time.monotonic()}") as asker:
            while not asker.is_answered():
                assert time.monotonic() < deadline_s
            while any(wrap["link"] != "ready" for wrap in asker.do("health")["wraps"]):
                assert time.monotonic() < deadline_s
                time.sleep(0.1)
            asker.do("start", program="long-hold")

    await asyncio.to_thread(ask)


async def without_a_broker_it_has_one_of_its_own_where_clients_look_for_it(tmp_path: Path) -> None:
    port = find_free_port()
    async with (
        run_empty_air() as radio,
        start(tmp_path, "wavewrap_gateway", "gateway", "--port", port, "--radio", radio, "--json") as daemon,
    ):
        await daemon.wait_for(lambda: daemon.stdout.endswith("\n"), "announcement")
        assert json.loads(daemon.stdout)["mqtt"] == f"mqtt://127.0.0.1:{port}"
        with Collector(port, "#") as everything:
            assert await asyncio.to_thread(everything.wait_until, lambda c: bool(c.bodies("wavewrap/bridge/health")))
            assert json.loads(everything.bodies("wavewrap/bridge/info")[0])["commands"] == ["health", "pause", "programs", "stop"]
            assert not any(message.topic.startswith("homeassistant/") for message in everything.messages), "off unless asked for"
        daemon.send(signal.SIGINT)
        ended = await daemon.ended()
        assert (ended.code, ended.left_running) == (128 + signal.SIGINT, [])
        # When it dies, nobody could stop anything any more.
        async with start(tmp_path, "wavewrap_gateway", "gateway", "--port", port, "--radio", radio) as again:
            await again.wait_for_line("ready")
            (child,) = psutil.Process(again.pid).children()
            child.kill()
            ended = await again.ended()
        assert ended.code == 1
        assert ended.lines[-1] == "wavewrap: the embedded MQTT broker ended (exit code -9): start again, or give a broker's URL"


async def a_radio_that_is_gone_ends_the_session_and_is_taken_up_again(tmp_path: Path) -> None:
    """Without a new process: the daemon waits, idle."""
    async with open_daemon_rig(tmp_path) as rig, Collector(rig.broker.port, "#") as collector:
        broker = Broker(collector)
        await _start_when_ready(rig.broker.port)
        rig.simulator.running.send(signal.SIGKILL)

        def is_over(seen: dict[str, bytes]) -> bool:
            return _state(seen)["link"] == "radio_down" and _state(seen)["session"] is None

        await broker.until(is_over, "end of the session")
        again = tmp_path / "again"
        again.mkdir()
        async with run_simulator(again, "--port", rig.simulator.radio.rpartition(":")[2]):
            await _start_when_ready(rig.broker.port)
        assert [entry for entry in rig.daemon.stderr.splitlines() if "Traceback" in entry] == []


async def a_fault_is_shown_and_only_that_fault_is_acknowledged(tmp_path: Path) -> None:
    tmp_path.joinpath("faults.toml").write_text('[[fault]]\nkind = "hose_off"\nat_s = 0.0\nchamber = 1\n', encoding="utf-8")
    arguments = ("--wraps", 1, "--faults", tmp_path / "faults.toml")
    home_assistant = "[home_assistant]\nenabled = true\n[journal]\npublish = true"
    async with (
        open_daemon_rig(tmp_path, config=home_assistant, simulator_arguments=arguments, before=leave_names_and_run) as rig,
        Collector(rig.broker.port, "#") as collector,
    ):
        write_known_wraps(rig.folder, rig.simulator.radio, wraps=1)
        broker = Broker(collector)
        with Asker(rig.broker.port) as asker:
            await broker.until(lambda seen: _state(seen)["link"] == "ready", "link")
            refused = await asyncio.to_thread(asker.ask, "acknowledge", expiring(wrap="left-leg", fault="no_rise"))
            assert refused.body["error"] == "left-leg has no fault to acknowledge"
            await asyncio.to_thread(lambda: asker.do("start", program="short"))
            await broker.until(lambda seen: _state(seen)["fault"] == "no_rise", "fault")
            await broker.until(lambda seen: _state(seen)["session"] is None, "end of the session")
            refused = await asyncio.to_thread(asker.ask, "start", expiring(program="short"))
            assert (refused.reason, "the fault NO_RISE" in refused.body["error"]) == ("failed", True)
            await broker.until(lambda seen: _state(seen)["session"] is None, "end of the second session")
            refused = await asyncio.to_thread(asker.ask, "acknowledge", expiring(wrap="left-leg", fault="leak"))
            assert "the fault NO_RISE" in refused.body["error"]
            assert (await asyncio.to_thread(asker.do, "health"))["wraps"][0]["fault"] == "no_rise"
            await asyncio.to_thread(lambda: asker.do("acknowledge", wrap="left-leg", fault="no_rise"))
            await broker.until(lambda seen: _state(seen)["fault"] is None, "end of the fault")
            left = {topic for topic, body in broker.retained().items() if body == b'"old"'}
            assert left == set(), "what was renamed or forgotten meanwhile is cleared"
        journal = read_device(broker.retained()[JOURNAL_CONFIG])
        assert all(entity.is_available(broker.retained()) for entity in journal.values())
        assert journal["question"].state_of(broker.retained()["wavewrap/bridge/journal"]) == "24_h"
        assert sum(b"journal_due" in body for body in collector.bodies("wavewrap/bridge/event")) == 1


def _state(seen: dict[str, bytes]) -> dict[str, Any]:
    """The newest state of the left wrap; one of nothing that is waited for while there is none."""
    body = seen.get("wavewrap/left-leg", b'{"link":"","fault":"","session":""}')
    return dict(json.loads(body))


STORIES = (
    a_fault_is_shown_and_only_that_fault_is_acknowledged,
    a_radio_that_is_gone_ends_the_session_and_is_taken_up_again,
    from_a_stranger_to_a_device_of_home_assistant_and_back,
    waits_for_its_broker_outlives_it_and_vents_when_it_is_ended,
    without_a_broker_it_has_one_of_its_own_where_clients_look_for_it,
)


@pytest.fixture(scope="module")
def endings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, BaseException | None]:
    """All of them at the same time, for most of each is waiting; what went wrong in each."""

    async def play() -> list[BaseException | None]:
        return await asyncio.gather(*(story(tmp_path_factory.mktemp("daemon")) for story in STORIES), return_exceptions=True)

    return dict(zip((story.__name__ for story in STORIES), asyncio.run(play()), strict=True))


@pytest.mark.parametrize("story", [story.__name__ for story in STORIES])
def test_the_story_ends_well(story: str, endings: dict[str, BaseException | None]) -> None:
    failure = endings[story]
    if failure is not None:
        raise failure
