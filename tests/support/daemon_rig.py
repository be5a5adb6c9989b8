"""The daemon as a process, with simulated wraps that it knows and a mosquitto."""

import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.brokers import Mosquitto, run_mosquitto
from tests.support.processes import Running, Simulator, run_simulator, start
from tests.support.session_programs import write_long_hold, write_short_program
from wavewrap_protocol.requests import CommandName

__all__ = ["ALL_COMMANDS", "SERIALS", "DaemonRig", "open_daemon_rig", "write_known_wraps"]

SERIALS = ("SIM001-01", "SIM001-02")

ALL_COMMANDS = tuple(sorted(set(CommandName) - {CommandName.STOP}))


@dataclass
class DaemonRig:
    """What a test may touch. ``folder`` is the home of the daemon's user."""

    folder: Path
    broker: Mosquitto
    simulator: Simulator
    daemon: Running

    @property
    def known_wraps(self) -> Path:
        return self.folder / "wavewrap" / "wraps.json"


def write_known_wraps(folder: Path, radio: str, wraps: int = 2) -> None:
    """As if the simulated wraps, which serve everybody, had been paired and named."""
    known = [
        {
            "serial": SERIALS[index],
            "side": ("left", "right")[index % 2],
            "model": "WR-4",
            "name": ("left-leg", "right-leg")[index],
            "address": f"F0:57:52:01:00:{index + 1:02X}",
            "radio": radio,
            "paired_at": "2026-01-01T00:00:00Z",
        }
        for index in range(wraps)
    ]
    folder.joinpath("wavewrap").mkdir(parents=True, exist_ok=True)
    folder.joinpath("wavewrap", "wraps.json").write_text(json.dumps({"wraps": known}), encoding="utf-8")


@asynccontextmanager
async def open_daemon_rig(
    folder: Path,
    *,
    config: str = "",
    allow: Sequence[str] = ALL_COMMANDS,
    simulator_arguments: Sequence[object] = (),
    known: bool = True,
    broker_options: Sequence[str] = (),
    before: Callable[[Path, Mosquitto], None] = lambda _home, _broker: None,
) -> AsyncIterator[DaemonRig]:
    """All of it, the daemon having said that it is ready. ``config`` is added to its file; ``before`` is called before it starts."""
    home = folder / "home"
    programs = home / "wavewrap" / "programs"
    write_short_program(programs)
    write_long_hold(programs)
    async with AsyncExitStack() as stack:
        broker = stack.enter_context(run_mosquitto(folder, broker_options))
        simulator = await stack.enter_async_context(run_simulator(folder / "sim", *simulator_arguments))
        if known:
            write_known_wraps(home, simulator.radio)
        text = f'gateway = "attic"\nradio = "{simulator.radio}"\n{config}\n[commands]\nallow = {json.dumps(list(allow))}\n'
        home.joinpath("wavewrap", "config.toml").write_text(text, encoding="utf-8")
        before(home, broker)
        daemon = await stack.enter_async_context(start(home, "wavewrap_gateway", "gateway", "--broker", broker.url))
        await daemon.wait_for_line("ready")
        yield DaemonRig(home, broker, simulator, daemon)
