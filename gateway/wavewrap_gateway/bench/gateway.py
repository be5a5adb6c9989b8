"""``bench gateway``: CPU and memory of simulator and gateway, two wraps at 50 Hz x 4 chambers, beside a bare script on the same wraps.

Both take turns, and the medians count: on a shared machine the same work costs half as much again a minute later.
"""

import asyncio
import os
import sys
import tempfile
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import psutil

from wavewrap_gateway.adapters.broker import EmbeddedBroker
from wavewrap_gateway.adapters.mqtt_settings import MqttSettings
from wavewrap_gateway.app.simulator import simulator
from wavewrap_gateway.bench.report import BenchReport, Check, describe_machine
from wavewrap_protocol.errors import LinkError

__all__ = ["bench_gateway"]

WRAPS, CHAMBERS, SEED = 2, 4, 1
CPU_LIMIT_PCT = 15.0
MEMORY_LIMIT_MB = 150.0
RATIO_LIMIT = 2.0
ROUNDS = 3
START_S = 30.0


@dataclass(frozen=True, slots=True)
class _Usage:
    """Of one process over a window: share of one core, largest resident set."""

    cpu_pct: float
    memory_mb: float


async def bench_gateway(window_s: float = 12.0) -> BenchReport:
    """Bare script and gateway in turn, :data:`ROUNDS` times ``window_s`` each. Raises :class:`LinkError` when one does not start."""
    broker = EmbeddedBroker()
    try:
        url = await broker.start()
        with tempfile.TemporaryDirectory(prefix="wavewrap-") as folder:
            async with simulator(WRAPS, CHAMBERS, SEED, Path(folder) / "sim.jsonl") as child:
                transport = child.radio.removeprefix("bumble:")
                rounds: list[tuple[_Usage, _Usage, _Usage, _Usage]] = []
                for _ in range(ROUNDS):
                    bare_round = await _measure_bare(transport, MqttSettings.from_url(url), child.pid, window_s)
                    rounds.append((*bare_round, *await _measure_gateway(child.radio, url, child.pid, window_s, Path(folder))))
        bare, bare_simulator, ours, our_simulator = (_middle(usages) for usages in zip(*rounds, strict=True))
        ratios = [gateway.cpu_pct / script.cpu_pct for script, _, gateway, _ in rounds]
    finally:
        await broker.close()
    checks = [
        Check(name="gateway CPU", value=ours.cpu_pct, unit="% of a core", limit=CPU_LIMIT_PCT, better="lower"),
        Check(name="gateway memory", value=ours.memory_mb, unit="MB", limit=MEMORY_LIMIT_MB, better="lower"),
        Check(name="gateway CPU / bare script CPU", value=median(ratios), unit="", limit=RATIO_LIMIT, better="lower"),
        Check(name="bare script CPU", value=bare.cpu_pct, unit="% of a core", limit=None, better="lower"),
        Check(name="bare script memory", value=bare.memory_mb, unit="MB", limit=None, better="lower"),
        Check(name="simulator CPU, session", value=our_simulator.cpu_pct, unit="% of a core", limit=None, better="lower"),
        Check(name="simulator CPU, idle", value=bare_simulator.cpu_pct, unit="% of a core", limit=None, better="lower"),
        Check(name="simulator memory", value=our_simulator.memory_mb, unit="MB", limit=None, better="lower"),
    ]
    details = {"wraps": WRAPS, "chambers": CHAMBERS, "sample_rate_hz": 50, "window_s": window_s, "seed": SEED, "ratios": ratios}
    return BenchReport(bench="gateway", machine=describe_machine(), checks=checks, details=details)


def _middle(usages: Sequence[_Usage]) -> _Usage:
    return _Usage(median(usage.cpu_pct for usage in usages), max(usage.memory_mb for usage in usages))


async def _measure_bare(transport: str, broker: MqttSettings, simulator_pid: int, window_s: float) -> tuple[_Usage, _Usage]:
    module = "wavewrap_gateway.bench.bare_script"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, transport, broker.host, str(broker.port), stdin=PIPE, stdout=PIPE
    )
    assert process.stdin is not None  # both were asked for
    assert process.stdout is not None
    try:
        async with asyncio.timeout(START_S):
            if not await process.stdout.readline():
                raise LinkError("the bare script did not start: see its error above")
        return await _watch(process.pid, simulator_pid, window_s)
    finally:
        process.stdin.close()
        await _end(process)


async def _measure_gateway(radio: str, url: str, simulator_pid: int, window_s: float, folder: Path) -> tuple[_Usage, _Usage]:
    arguments = ["run", "recovery", "--for", str(round(window_s / 60.0 + 0.5) * 60 + 60), "--radio", radio, "--broker", url, "--json"]
    # With outbox and history, as at home, but not those at home: what waits there is for another broker.
    environment = {
        **os.environ,
        "WAVEWRAP_OUTBOX__FOLDER": str(folder / "outbox"),
        "WAVEWRAP_STORE": str(folder / "history.sqlite"),
    }
    command = [sys.executable, "-m", "wavewrap_gateway", *arguments]
    process = await asyncio.create_subprocess_exec(*command, stdout=DEVNULL, stderr=PIPE, env=environment)
    assert process.stderr is not None  # it was asked for
    try:
        async with asyncio.timeout(START_S):
            ready = 0
            while ready < WRAPS:
                line = await process.stderr.readline()
                if not line:
                    raise LinkError("the gateway did not start: run 'wavewrap demo' to see why")
                ready += b"battery" in line
        await asyncio.sleep(2.0)  # armed, and the first steps sent
        return await _watch(process.pid, simulator_pid, window_s)
    finally:
        process.terminate()
        await _end(process)


async def _watch(pid: int, simulator_pid: int, window_s: float) -> tuple[_Usage, _Usage]:
    watched = [psutil.Process(pid), psutil.Process(simulator_pid)]
    before = [sum(process.cpu_times()[:2]) for process in watched]
    peak_bytes = [0, 0]
    loop = asyncio.get_running_loop()
    begun_s = loop.time()
    while loop.time() - begun_s < window_s:
        await asyncio.sleep(0.5)
        peak_bytes = [max(peak, process.memory_info().rss) for peak, process in zip(peak_bytes, watched, strict=True)]
    took_s = loop.time() - begun_s
    used_s = [sum(process.cpu_times()[:2]) - start for process, start in zip(watched, before, strict=True)]
    first, second = (_Usage(100.0 * cpu_s / took_s, peak / 1e6) for cpu_s, peak in zip(used_s, peak_bytes, strict=True))
    return first, second


async def _end(process: Process) -> None:
    try:
        async with asyncio.timeout(25.0):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
