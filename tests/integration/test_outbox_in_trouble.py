"""A session whose outbox has nowhere to write: it is played and published all the same, and one line says so."""

import asyncio
import json
from pathlib import Path

import pytest
from tests.support.any_broker import run_any_broker
from tests.support.brokers import Collector
from tests.support.processes import run_simulator, start
from tests.support.session_programs import SHORT_S, write_short_program

pytestmark = pytest.mark.realtime


def test_a_session_without_a_place_for_its_outbox(tmp_path: Path) -> None:
    program = write_short_program(tmp_path)
    (tmp_path / "file").write_text("in the way", encoding="utf-8")

    async def scene(url: str, port: int) -> None:
        async with run_simulator(tmp_path / "sim", "--wraps", 1) as simulator, Collector(port) as collector:
            arguments = ("run", program, "--for", SHORT_S, "--wraps", 1, "--json", "--radio", simulator.radio, "--broker", url)
            variables = {"WAVEWRAP_OUTBOX__FOLDER": str(tmp_path / "file" / "outbox")}
            async with start(tmp_path, "wavewrap_gateway", *arguments, variables=variables) as gateway:
                ended = await gateway.ended()
        assert ended.code == 0
        (line,) = ended.lines
        assert "outbox" in line
        assert "kept in memory" in line
        assert ended.summary["mqtt"]["dropped"] == 0
        events = [json.loads(body) for body in collector.bodies("wavewrap/bridge/event")]
        assert [event["text"] in line for event in events if event["kind"] == "outbox_in_memory"] == [True]
        health = [json.loads(body) for body in collector.bodies("wavewrap/bridge/health")]
        assert {one["outbox"]["store"] for one in health} == {"memory"}

    with run_any_broker(tmp_path) as broker:
        asyncio.run(scene(broker.url, broker.port))
