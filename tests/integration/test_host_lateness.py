"""A session in a process that can hardly breathe: the host wakes late, the steps are on time."""

import asyncio
from dataclasses import dataclass
from random import Random

import pytest
from tests.support.brokers import Collector, Received
from tests.support.processes import run_simulator
from tests.support.session_programs import SHORT_S, write_short_program

from wavewrap_gateway.app.config import GatewayConfig
from wavewrap_gateway.app.gateway import open_gateway
from wavewrap_gateway.bench.busy_core import busy_cores
from wavewrap_gateway.bench.heavy_thread import heavy_thread
from wavewrap_protocol.payloads import BridgeHealth, BridgeInfo, EndedHow, SessionSummary

pytestmark = pytest.mark.realtime

CYCLES = 2
HEAVY_MS = 5.0
"""Some wake-ups were at least this late, or the burden was none. Choice: far under one garbage collection of the thread."""


@dataclass(frozen=True)
class Burdened:
    """What a session under load left."""

    summary: SessionSummary
    heard: list[Received]


@pytest.fixture(scope="module")
def burdened(tmp_path_factory: pytest.TempPathFactory) -> Burdened:
    """Two wraps in another process; beside the gateway in this one a thread of JSON and garbage collection; and every core busy."""

    async def play() -> Burdened:
        folder = tmp_path_factory.mktemp("burdened")
        program = write_short_program(folder)
        told: list[str] = []
        async with run_simulator(folder / "sim", "--wraps", 2) as simulator:
            config = GatewayConfig(gateway="burdened", radio=simulator.radio)
            async with open_gateway(config, 2, (), Random(1), told.append) as gateway:
                port = int(next(line for line in told if line.startswith("MQTT: ")).rsplit(":", 1)[1].strip("/"))
                async with Collector(port) as collector:
                    runner = gateway.prepare_session(str(program), CYCLES * SHORT_S)
                    async with busy_cores():
                        with heavy_thread():
                            summary = await gateway.play(runner)
        return Burdened(summary, collector.messages)

    return asyncio.run(play())


def test_the_host_was_late(burdened: Burdened) -> None:
    assert burdened.summary.host_lateness_ms.max > HEAVY_MS


def test_no_step_was(burdened: Burdened) -> None:
    summary = burdened.summary
    assert (summary.ended, summary.vented, summary.slips) == (EndedHow.COMPLETED, True, 0), summary.reason
    assert len(summary.wraps) == 2
    for wrap in summary.wraps:
        assert (wrap.steps.late, wrap.steps.executed) == (0, wrap.steps.planned)
        assert wrap.cycles.delivered == wrap.cycles.planned == CYCLES
        assert wrap.samples.missing == 0
        assert wrap.samples.expected > 50 * CYCLES * SHORT_S


def test_health_says_how_late_and_info_what_is_granted(burdened: Burdened) -> None:
    healths = [BridgeHealth.model_validate_json(m.body) for m in burdened.heard if m.topic == "wavewrap/bridge/health"]
    infos = [BridgeInfo.model_validate_json(m.body) for m in burdened.heard if m.topic == "wavewrap/bridge/info"]
    assert len(infos) == 1
    assert infos[0].pacing.timer in {"timerfd", "loop"}
    totals = [sum(health.host_lateness.counts) for health in healths]
    assert totals == sorted(totals)
    # Three tickers (two wraps and the timeline) five times a second, those missed altogether left out.
    assert totals[-1] > 20
    last = healths[-1].host_lateness
    late = sum(count for bound_ms, count in zip([0.0, *last.bounds_ms], last.counts, strict=True) if bound_ms >= HEAVY_MS / 2.0)
    assert late > 0
    assert healths[-1].host_lateness_ms.max >= HEAVY_MS
