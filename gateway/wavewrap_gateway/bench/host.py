"""``bench host``: how late this machine wakes the pacer, beside asyncio.sleep, APScheduler and C, idle and with every core busy.

The figures belong to the machine, so no limit is absolute: each check compares two methods of the same run.
"""

import asyncio
import importlib.util
import itertools
import json
import shutil
import sys
import tempfile
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from random import Random
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from wavewrap_gateway.adapters.pacing import open_pacer
from wavewrap_gateway.bench.busy_core import busy_cores
from wavewrap_gateway.bench.report import BenchReport, Check, describe_machine
from wavewrap_protocol.errors import LocalError

__all__ = ["LOADS", "HostRow", "LatenessUs", "MeasurementError", "bench_host", "find_methods", "measure_beside_thread", "measure_host"]

WAKE_UPS = 3_000
"""Deadlines of each row: 4.5 s, and the p99.9 is the third worst."""

GAP_S = (0.5e-3, 2.5e-3)
"""Between two deadlines, uniform: irregular, so that no method falls in step with a tick."""

BESIDE_WAKE_UPS, BESIDE_GAP_S = 150, (10e-3, 30e-3)
"""Beside the heavy thread: a pause of the interpreter is longer than many short gaps, and would be counted once for each."""

SETTLE_S = 0.3
"""From the start of the busy processes to the measurement."""

FIFO_REFUSED = 3
"""Exit code of the C program."""

Method = Literal["pacer", "asyncio_sleep", "apscheduler", "c_clock_nanosleep_fifo"]
Load = Literal["idle", "loaded"]
LOADS: tuple[Load, ...] = ("idle", "loaded")
Measure = Callable[[list[float]], Awaitable[list[float] | None]]
Tell = Callable[[str], None]


IDLE_P50_RATIO, IDLE_P99_RATIO, LOADED_P50_RATIO = 0.5, 0.5, 0.5
"""Ours over asyncio.sleep. Choice: seen were 0.09, 0.03 and 0.06 with SCHED_FIFO; without it, p99 under load is the scheduler's alone."""


class MeasurementError(LocalError):
    """A process that measures broke down."""


class LatenessUs(BaseModel):
    """Quantiles of lateness, microseconds."""

    model_config = ConfigDict(frozen=True)
    p50: float
    p99: float
    p999: float
    max: float


class HostRow(BaseModel):
    """One method under one load."""

    model_config = ConfigDict(frozen=True)
    method: Method
    load: Load
    lateness_us: LatenessUs


def _tell_stderr(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


async def bench_host(seed: int = 1) -> BenchReport:
    """All rows, and ours against asyncio.sleep. Raises :class:`MeasurementError` when a measurement breaks down."""
    left_out: list[str] = []
    rows = await measure_host(left_out.append, seed=seed)
    beside = await measure_beside_thread(seed=seed)
    for line in left_out:
        _tell_stderr(line)
    with open_pacer(asyncio.get_running_loop()) as pacer:
        granted = pacer.granted
    details = {
        "host": [row.model_dump() for row in rows],
        "host_beside_thread": [row.model_dump() for row in beside],
        "granted": granted.model_dump(),
        "left_out": left_out,
        "wake_ups": WAKE_UPS,
        "seed": seed,
    }
    checks = _ratios(rows, better_timer=granted.timer != "loop") + _figures(rows, "") + _figures(beside, " + thread")
    return BenchReport(bench="host", machine=describe_machine(), checks=checks, details=details)


async def measure_host(tell: Tell = _tell_stderr, *, wake_ups: int = WAKE_UPS, seed: int = 1) -> list[HostRow]:
    """Each method in a process of its own, idle and then with every core busy, on the same ``wake_ups`` deadlines; about 45 s.

    ``tell`` gets a line for each method that this machine does not have, which is left out. Raises :class:`MeasurementError` when a method
    that it has breaks down.
    """
    offsets_s = _draw_deadlines(wake_ups, GAP_S, seed)
    rows: list[HostRow] = []
    with tempfile.TemporaryDirectory(prefix="wavewrap-") as folder:
        methods = await find_methods(Path(folder), tell)
        for load in LOADS:
            async with _loaded(load):
                for method, measure in methods.items():
                    late_s = await measure(offsets_s)
                    if late_s is not None:
                        rows.append(_row(method, load, late_s))
                    elif load == LOADS[0]:
                        tell(f"{method} is left out: this machine refuses SCHED_FIFO; grant CAP_SYS_NICE or an RLIMIT_RTPRIO of 1")
    return rows


async def measure_beside_thread(*, wake_ups: int = BESIDE_WAKE_UPS, seed: int = 1) -> list[HostRow]:
    """Pacer and asyncio.sleep with every core busy and a JSON- and GC-heavy thread in their own process; about 8 s. Errors as above."""
    offsets_s = _draw_deadlines(wake_ups, BESIDE_GAP_S, seed)
    methods: tuple[Method, ...] = ("pacer", "asyncio_sleep")
    async with _loaded("loaded"):
        return [_row(method, "loaded", await _run_python(method, offsets_s, "--beside-thread")) for method in methods]


@asynccontextmanager
async def _loaded(load: Load) -> AsyncIterator[None]:
    if load == "idle":
        yield
        return
    async with busy_cores():
        await asyncio.sleep(SETTLE_S)
        yield


def _draw_deadlines(count: int, gap_s: tuple[float, float], seed: int) -> list[float]:
    """Seconds after the start, ascending."""
    rng = Random(seed)
    return list(itertools.accumulate(rng.uniform(*gap_s) for _ in range(count)))


async def find_methods(folder: Path, tell: Tell) -> dict[Method, Measure]:
    """Those that this machine has; ``tell`` gets a line for each other. The C program is compiled into ``folder``."""
    methods: dict[Method, Measure] = {"pacer": partial(_run_python, "pacer"), "asyncio_sleep": partial(_run_python, "asyncio_sleep")}
    if importlib.util.find_spec("apscheduler") is None:
        tell("apscheduler is left out: it is not installed; pip install 'wavewrap[bench]'")
    else:
        methods["apscheduler"] = partial(_run_python, "apscheduler")
    compiler = shutil.which("cc")
    if compiler is None:
        tell("c_clock_nanosleep_fifo is left out: there is no C compiler; install one that is called cc")
        return methods
    program = folder / "wake"
    source = Path(__file__).with_name("clock_nanosleep.c")
    process = await asyncio.create_subprocess_exec(compiler, "-O2", "-o", str(program), str(source), stdout=DEVNULL, stderr=PIPE)
    _, complaint = await process.communicate()
    if process.returncode == 0:
        methods["c_clock_nanosleep_fifo"] = partial(_run_c, program)
    else:
        first = (complaint.decode(errors="replace").splitlines() or ["it said nothing"])[0]
        tell(f"c_clock_nanosleep_fifo is left out: {compiler} cannot compile {source.name} ({first})")
    return methods


async def _run_python(method: Method, offsets_s: list[float], *options: str) -> list[float]:
    module = "wavewrap_gateway.bench.wake_ups"
    code, output = await _run([sys.executable, "-m", module, method, *options], json.dumps(offsets_s))
    if code != 0:
        raise MeasurementError(f"{method}: its process ended with {code}, see its error above")
    return [float(value) for value in json.loads(output)]


async def _run_c(program: Path, offsets_s: list[float]) -> list[float] | None:
    """``None`` when SCHED_FIFO is refused."""
    code, output = await _run([str(program)], "\n".join(str(round(offset_s * 1e9)) for offset_s in offsets_s))
    if code == FIFO_REFUSED:
        return None
    if code != 0:
        raise MeasurementError(f"c_clock_nanosleep_fifo: its process ended with {code}")
    return [int(line) / 1e9 for line in output.split()]


async def _run(command: list[str], text: str) -> tuple[int, bytes]:
    process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE)
    try:
        output, _ = await process.communicate(text.encode())
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None  # it was waited for
    return process.returncode, output


def _row(method: Method, load: Load, late_s: list[float]) -> HostRow:
    values_us = np.array(late_s) * 1e6
    p50, p99, p999 = (round(float(value), 1) for value in np.percentile(values_us, [50, 99, 99.9]))
    return HostRow(method=method, load=load, lateness_us=LatenessUs(p50=p50, p99=p99, p999=p999, max=round(float(values_us.max()), 1)))


def _ratios(rows: Sequence[HostRow], *, better_timer: bool) -> list[Check]:
    """Ours against asyncio.sleep. Without a better timer than the loop's there is nothing to win, and so no limit."""
    found = {(row.method, row.load): row.lateness_us for row in rows}
    limits: dict[Load, tuple[float, float | None]] = {"idle": (IDLE_P50_RATIO, IDLE_P99_RATIO), "loaded": (LOADED_P50_RATIO, None)}
    checks: list[Check] = []
    for load, (limit_p50, limit_p99) in limits.items():
        ours, theirs = found["pacer", load], found["asyncio_sleep", load]
        for name, value, limit in (("p50", ours.p50 / theirs.p50, limit_p50), ("p99", ours.p99 / theirs.p99, limit_p99)):
            title = f"pacer / asyncio.sleep, {load}: {name}"
            checks.append(Check(name=title, value=value, unit="", limit=limit if better_timer else None, better="lower"))
    return checks


def _figures(rows: Sequence[HostRow], where: str) -> list[Check]:
    return [
        Check(name=f"{row.method}, {row.load}{where}: {name}", value=value, unit="us", limit=None, better="lower")
        for row in rows
        for name, value in row.lateness_us.model_dump().items()
        if name in {"p50", "p99"}
    ]
