"""Gateway and simulator as real processes, each with all of its descendants in view; and what the simulator's log says of the wraps."""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import psutil

POLL_S = 0.05
PATIENCE_S = 60.0
"""Longest wait for anything here; a test that needs this long has failed."""


@dataclass(frozen=True)
class Ended:
    """A process that is over. ``took_s`` counts from its start, ``left_running`` names descendants that outlived it by ``grace_s``."""

    code: int
    stdout: str
    stderr: str
    took_s: float
    left_running: list[str]

    @property
    def lines(self) -> list[str]:
        """What it said on stderr besides its progress."""
        return [line for line in self.stderr.splitlines() if not line.startswith(_PROGRESS)]

    @property
    def summary(self) -> dict[str, Any]:
        """The JSON object on the last line of stdout."""
        found = json.loads(self.stdout.splitlines()[-1])
        assert isinstance(found, dict)
        return found


_PROGRESS = ("simulator: ", "MQTT: ", "watch it: ", "radio: ", "left: ", "right: ", "dashboard: ", "history: session ")


class Running:
    """A process started for a test, in a session of its own as a terminal's job is."""

    def __init__(self, process: asyncio.subprocess.Process, stdout: Path, stderr: Path) -> None:
        self.pid = process.pid
        self._process = process
        self._stdout = stdout
        self._stderr = stderr
        self._started_s = time.monotonic()
        self._family: set[psutil.Process] = set()

    @property
    def stderr(self) -> str:
        """So far."""
        return self._stderr.read_text(encoding="utf-8")

    @property
    def stdout(self) -> str:
        """So far."""
        return self._stdout.read_text(encoding="utf-8")

    async def wait_for(self, told: Callable[[], bool], what: str) -> None:
        """Until ``told`` holds; the process must not end before."""
        deadline_s = time.monotonic() + PATIENCE_S
        while not told():
            assert self._process.returncode is None, f"ended before {what}:\n{self.stderr}"
            assert time.monotonic() < deadline_s, f"no {what}:\n{self.stderr}"
            await asyncio.sleep(POLL_S)
        self._look_for_children()

    async def wait_for_line(self, start: str) -> str:
        """The first line on stderr that begins with ``start``."""
        await self.wait_for(lambda: any(line.startswith(start) for line in self.stderr.splitlines()), f"line {start!r}")
        return next(line for line in self.stderr.splitlines() if line.startswith(start))

    def send(self, number: signal.Signals) -> None:
        """A signal to this process alone."""
        self._process.send_signal(number)

    def send_to_all(self, number: signal.Signals) -> None:
        """A signal to its process group, as Ctrl-C on a terminal."""
        os.killpg(self.pid, number)

    def _look_for_children(self) -> None:
        if self._process.returncode is None:
            with suppress(psutil.NoSuchProcess):  # it has ended since
                self._family |= set(psutil.Process(self.pid).children(recursive=True))

    async def ended(self, grace_s: float = 0.0) -> Ended:
        """Wait for its end, then up to ``grace_s`` for that of its descendants."""
        deadline_s = time.monotonic() + PATIENCE_S
        while self._process.returncode is None:
            assert time.monotonic() < deadline_s, f"still running after {PATIENCE_S:g} s:\n{self.stderr}"
            self._look_for_children()
            await asyncio.sleep(POLL_S)
        took_s = time.monotonic() - self._started_s
        await asyncio.to_thread(psutil.wait_procs, self._family, grace_s)
        left = [str(child) for child in self._family if is_alive(child)]
        return Ended(self._process.returncode, self.stdout, self.stderr, took_s, left)

    async def kill(self) -> None:
        """End it and every descendant that is left."""
        self._look_for_children()
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()
        for child in self._family:
            with suppress(psutil.NoSuchProcess):
                child.kill()


def is_alive(process: psutil.Process) -> bool:
    """Whether it still runs; a zombie does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@asynccontextmanager
async def start(
    folder: Path, module: str, *arguments: object, stdin: Path = Path(os.devnull), variables: Mapping[str, str] = MappingProxyType({})
) -> AsyncIterator[Running]:
    """``python -m module arguments`` with every warning shown, no configuration but its own, and files in ``folder`` for its output.

    ``variables`` are added to its environment.
    """
    stdout, stderr = _output_files(folder)
    environment = {key: value for key, value in os.environ.items() if not key.startswith("WAVEWRAP_")}
    environment |= {
        "PYTHONWARNINGS": "default",
        "COLUMNS": "80",
        "XDG_CONFIG_HOME": str(folder),
        "XDG_DATA_HOME": str(folder),
        # No test may touch the machine's own Bluetooth adapter.
        "DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/nonexistent/bus",
        **variables,
    }
    with stdout.open("wb") as out, stderr.open("wb") as err, stdin.open("rb") as given:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            module,
            *map(str, arguments),
            stdin=given,
            stdout=out,
            stderr=err,
            env=environment,
            start_new_session=True,
        )
    running = Running(process, stdout, stderr)
    try:
        yield running
    finally:
        await running.kill()


def _output_files(folder: Path) -> tuple[Path, Path]:
    folder.mkdir(parents=True, exist_ok=True)
    number = len(list(folder.glob("*.out")))
    return folder / f"{number}.out", folder / f"{number}.err"


async def run_gateway(folder: Path, *arguments: object, stdin: Path = Path(os.devnull)) -> Ended:
    """``wavewrap arguments`` from start to end, with what is in ``stdin`` typed."""
    async with start(folder, "wavewrap_gateway", *arguments, stdin=stdin) as gateway:
        return await gateway.ended()


@dataclass
class WrapLog:
    """What one simulated wrap truly did, from the simulator's log. Seconds are the machine's monotonic clock."""

    pressures: list[tuple[float, list[float]]] = field(default_factory=list)
    states: list[tuple[float, str, str]] = field(default_factory=list)

    def under_from(self, after_s: float, mmhg: float) -> float | None:
        """The first second after ``after_s`` from which every chamber stays under ``mmhg`` to the end of the log."""
        found: float | None = None
        for host_s, pressures in self.pressures:
            if host_s >= after_s:
                if max(pressures) >= mmhg:
                    found = None
                elif found is None:
                    found = host_s
        return found


class Simulator:
    """``wavewrap sim`` as a process."""

    def __init__(self, running: Running, log: Path) -> None:
        self.running = running
        self._log = log

    @property
    def radio(self) -> str:
        """What a gateway is given as ``--radio``."""
        return str(json.loads(self.running.stdout.splitlines()[0])["radio"])

    def read_log(self) -> dict[str, WrapLog]:
        """The log so far, by serial number."""
        wraps: dict[str, WrapLog] = {}
        if not self._log.exists():
            return wraps  # the simulator has not come so far
        for line in self._log.read_text(encoding="utf-8").splitlines(keepends=True):
            if not line.endswith("\n"):
                break  # still being written
            entry = json.loads(line)
            wrap = wraps.setdefault(entry["wrap"], WrapLog())
            if entry["kind"] == "pressure":
                wrap.pressures.append((entry["host_s"], entry["pressure_mmhg"]))
            elif entry["kind"] == "state":
                wrap.states.append((entry["host_s"], entry["state"], entry["cause"]))
        return wraps

    def holds(self, chambers: Sequence[int], mmhg: float) -> bool:
        """Whether these chambers (from 0) of every wrap are over ``mmhg`` now."""
        logs = self.read_log().values()
        return bool(logs) and all(log.pressures and all(log.pressures[-1][1][chamber] > mmhg for chamber in chambers) for log in logs)


@asynccontextmanager
async def run_simulator(folder: Path, *arguments: object) -> AsyncIterator[Simulator]:
    """A simulator that is ready, with its log."""
    log = folder / "sim.jsonl"
    async with start(folder, "wavewrap_gateway", "sim", "--port", 0, "--log", log, "--json", *arguments) as running:
        await running.wait_for(lambda: running.stdout.endswith("\n"), "announcement")
        yield Simulator(running, log)
