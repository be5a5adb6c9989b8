"""The simulator as a child process of the demo, and the truth that its log tells."""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from wavewrap_board.files import REFERENCE_BOARD
from wavewrap_gateway.core.account import quantiles
from wavewrap_gateway.runtime.wrap_run import WrapRun
from wavewrap_protocol.errors import LinkError
from wavewrap_protocol.payloads import SessionSummary
from wavewrap_protocol.units import TICK_MODULUS

__all__ = ["SimulatorChild", "add_truth", "simulator"]

START_S = 20.0
STOP_S = 5.0


class _Announcement(BaseModel):
    """The simulator's first line: how to reach its wraps, or why there are none."""

    model_config = ConfigDict(extra="forbid")
    radio: str = ""
    serials: list[str] = []
    error: str = ""


class _LoggedStep(BaseModel):
    """What the simulator logs of a step; ``host_s`` is the true host time of its execution."""

    model_config = ConfigDict(extra="ignore")
    wrap: str
    seq: int
    planned_tick: int
    host_s: float


class SimulatorChild(BaseModel):
    """A running simulator: ``radio`` reaches it, ``log`` is what its wraps truly did."""

    model_config = ConfigDict(frozen=True)
    radio: str
    log: Path
    pid: int


@asynccontextmanager
async def simulator(
    wraps: int,
    chambers: int,
    seed: int,
    log: Path,
    scenario: Path | None = None,
    faults: Path | None = None,
    board: str = REFERENCE_BOARD,
) -> AsyncIterator[SimulatorChild]:
    """Start ``wavewrap sim`` and end it with the context; it ends with this process in any case. Raises :class:`LinkError`."""
    arguments: list[object] = [
        "--wraps",
        wraps,
        "--board",
        board,
        "--chambers",
        chambers,
        "--seed",
        seed,
        "--port",
        0,
        "--log",
        log,
        "--with-parent",
        "--json",
    ]
    arguments += [] if scenario is None else ["--scenario", scenario]
    arguments += [] if faults is None else ["--faults", faults]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "wavewrap_sim", *map(str, arguments), stdin=PIPE, stdout=PIPE, start_new_session=True
    )
    assert process.stdin is not None  # both were asked for
    assert process.stdout is not None
    try:
        async with asyncio.timeout(START_S):
            line = await process.stdout.readline()
        if not line:
            raise LinkError("the simulator did not start: run 'wavewrap sim' to see why")
        announced = _Announcement.model_validate_json(line)
        if announced.error:
            raise LinkError(announced.error)
        yield SimulatorChild(radio=announced.radio, log=log, pid=process.pid)
    except TimeoutError as cause:
        raise LinkError(f"the simulator was not ready within {START_S:g} s: run 'wavewrap sim' to see why") from cause
    finally:
        process.stdin.close()
        try:
            async with asyncio.timeout(STOP_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


def add_truth(summary: SessionSummary, runs: Sequence[WrapRun], log: Path) -> SessionSummary:
    """``summary`` with the real errors in host time: when each step ran, from the simulator's log, against when it was meant to."""
    logged: dict[str, list[_LoggedStep]] = defaultdict(list)
    with log.open(encoding="utf-8") as lines:
        for line in lines:
            entry = json.loads(line)
            if entry["kind"] == "step":
                told = _LoggedStep.model_validate(entry)
                logged[told.wrap].append(told)
    by_time: dict[float, list[float]] = defaultdict(list)
    truths: dict[str, list[float]] = {}
    for run in runs:
        identity = run.wrap.link.identity
        serial = "" if identity is None else identity.serial
        ran_s = {(told.seq, told.planned_tick): told.host_s for told in logged[serial]}
        errors_ms: list[float] = []
        for step in run.account.carried_out:
            true_s = ran_s.get((step.seq, step.due_tick % TICK_MODULUS))
            if true_s is not None:
                errors_ms.append((true_s - step.due_s) * 1000.0)
                by_time[step.at_s].append(errors_ms[-1])
        truths[run.wrap.name] = [abs(error) for error in errors_ms]
    wraps = [wrap.model_copy(update={"true_timing_ms": quantiles(truths[wrap.id])}) for wrap in summary.wraps]
    spreads = [max(errors) - min(errors) for errors in by_time.values() if len(errors) > 1]
    return summary.model_copy(update={"wraps": wraps, "true_skew_ms": quantiles(spreads)})
