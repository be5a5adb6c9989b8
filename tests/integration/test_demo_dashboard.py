"""What a demo brings along for the browser: the link of its page, requests of its own session over MQTT, and nothing left behind."""

import asyncio
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from tests.support.asking import Asker, expiring
from tests.support.brokers import Collector, needs_mosquitto, run_mosquitto
from tests.support.processes import start
from tests.support.session_programs import write_long_hold

pytestmark = [pytest.mark.realtime, needs_mosquitto]


def read_page(url: str) -> tuple[int, str]:
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    with opener.open(url, timeout=10) as answer:
        return answer.status, answer.read().decode()


def test_a_demo_serves_its_page_and_stops_when_asked_over_mqtt(tmp_path: Path) -> None:
    async def work() -> None:
        with run_mosquitto(tmp_path) as broker:
            arguments = ("demo", "--program", write_long_hold(tmp_path), "--for", 50, "--broker", broker.url, "--json", "--dashboard")
            async with start(tmp_path / "demo", "wavewrap_gateway", *arguments, variables={"WAVEWRAP_DASHBOARD__PORT": "0"}) as demo:
                line = await demo.wait_for_line("dashboard: ")
                assert await asyncio.to_thread(_opens, line)
                with Collector(broker.port) as heard, Asker(broker.port) as asker:
                    assert await asyncio.to_thread(heard.wait_until, _has_begun, 60.0)
                    await asyncio.to_thread(_refuse_a_start, asker)
                    await asyncio.to_thread(_pause_once_it_runs, asker)
                    stopped = await asyncio.to_thread(asker.ask, "stop")
                    assert stopped.body["status"] == "ok"
                    assert len(stopped.body["data"]["stopping"]) == 2
                ended = await demo.ended(grace_s=10.0)
        assert (ended.summary["ended"], ended.summary["vented"]) == ("stopped", True)
        assert "MQTT request" in ended.summary["reason"]
        assert ended.left_running == []

    asyncio.run(work())


def _opens(line: str) -> bool:
    status, page = read_page(line.removeprefix("dashboard: "))
    return status == 200 and "wavewrap" in page


def _has_begun(heard: Collector) -> bool:
    return any(b"session_started" in body for body in heard.bodies("wavewrap/bridge/event"))


def _refuse_a_start(asker: Asker) -> None:
    answer = asker.ask("start", expiring(program="calf-wave"))
    assert (answer.body["status"], answer.reason) == ("error", "not_allowed")


def _pause_once_it_runs(asker: Asker) -> None:
    states: list[Any] = []
    while "paused" not in states and len(states) < 200:
        body = asker.ask("pause").body
        states.append(body["data"]["progress"]["state"] if body["status"] == "ok" else body["error"])
    assert states[-1] == "paused", states[-3:]
