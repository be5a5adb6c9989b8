"""The STOP of ``bench dashboard``: from the mouse on the page down to the wrap, session after session.

Daemon, simulated wraps (6 chambers, connection events of 15 ms), broker, page server and Chromium are processes of their own on one
machine, so one clock times both ends: the press is stamped before the browser is told of it, and the simulator's log says when the wrap
began to vent. The later of the two wraps counts.
"""

import asyncio
import json
import time
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, TextIO

from wavewrap_gateway.adapters.mqtt_settings import MqttSettings
from wavewrap_gateway.app.simulator import simulator
from wavewrap_gateway.bench.asking_client import AskingClient
from wavewrap_gateway.bench.daemon_child import run_daemon, wait_ready
from wavewrap_gateway.bench.dashboard_feed import CHAMBERS
from wavewrap_protocol.errors import LinkError

if TYPE_CHECKING:
    from playwright.async_api import Page

__all__ = ["BASE_TOPIC", "measure_stops"]

BASE_TOPIC = "stops"
"""Apart from the stream that the latency was measured with."""

CONFIG = f'record = false\n[mqtt]\nurl = "{{url}}"\nbase_topic = "{BASE_TOPIC}"\n[commands]\nallow = ["start", "health"]\n'

WRAPS, SEED = 2, 1
BOARD = "wrap_rev_b"
PROGRAM = "calf-wave"
SCENARIO = 'name = "bench-stops"\ninterval_ms = 15\n'

PLAYING_S = (0.3, 2.0)
"""How long a session plays before it is stopped, drawn: no press keeps step with pushes, steps or connection events."""

VENTED_S = 20.0


async def measure_stops(page: "Page", url: str, broker: MqttSettings, folder: Path, presses: int) -> list[float]:
    """Milliseconds from press to vent of each. ``url`` opens a page that listens under :data:`BASE_TOPIC`. Raises :class:`LinkError`."""
    scenario = folder / "stops.toml"
    scenario.write_text(SCENARIO)
    log = folder / "stops.jsonl"
    rng = Random(SEED)
    times_ms: list[float] = []
    async with (
        simulator(WRAPS, CHAMBERS, SEED, log, scenario, board=BOARD) as child,
        run_daemon(folder, child.radio, broker, WRAPS, CHAMBERS, SEED, CONFIG),
    ):
        settings = broker.model_copy(update={"base_topic": BASE_TOPIC})
        await asyncio.to_thread(wait_ready, settings, WRAPS)
        await page.goto(url)
        await page.locator(".wrap:not(.stale)").nth(WRAPS - 1).wait_for(timeout=30_000)
        stop = await page.locator("#stop").bounding_box()
        if stop is None:
            raise LinkError("bench dashboard: the page shows no STOP")
        with log.open(encoding="utf-8") as lines, AskingClient(settings, "bench-stops") as client:
            for _ in range(presses):
                answer = await asyncio.to_thread(client.ask, "start", program=PROGRAM, duration_s=600)
                if answer is None or answer[1]["status"] != "ok":
                    raise LinkError(f"bench dashboard: no session to stop: {None if answer is None else answer[1]['error']}")
                await page.locator(".session[data-state=running]").wait_for(timeout=VENTED_S * 1000)
                await asyncio.sleep(rng.uniform(*PLAYING_S))
                _read_new(lines)
                await page.mouse.move(stop["x"] + stop["width"] / 2, stop["y"] + stop["height"] / 2)
                pressed_s = time.monotonic()
                await page.mouse.down()
                await page.mouse.up()
                times_ms.append((await _wait_vents(lines) - pressed_s) * 1000.0)
                await page.locator("#stop[data-step=vented]").wait_for(timeout=VENTED_S * 1000)
                await page.locator(".session[data-state=none]").wait_for(timeout=VENTED_S * 1000)
    return times_ms


async def _wait_vents(lines: TextIO) -> float:
    """When the last of the wraps began to vent because it was told to stop, monotonic s. Raises :class:`LinkError`."""
    vented_s: dict[str, float] = {}
    deadline_s = time.monotonic() + VENTED_S
    while len(vented_s) < WRAPS:
        for entry in _read_new(lines):
            if entry["kind"] == "state" and entry["state"] == "venting":
                if entry["cause"] != "stop":
                    raise LinkError(f"bench dashboard: {entry['wrap']} vented because of {entry['cause']}, before the STOP came")
                vented_s[entry["wrap"]] = entry["host_s"]
        if time.monotonic() > deadline_s:
            raise LinkError(f"bench dashboard: {WRAPS - len(vented_s)} wrap(s) did not vent within {VENTED_S:g} s of STOP")
        await asyncio.sleep(0.01)
    return max(vented_s.values())


def _read_new(lines: TextIO) -> list[dict[str, Any]]:
    """The whole lines since the last call."""
    found: list[dict[str, Any]] = []
    while True:
        at = lines.tell()
        line = lines.readline()
        if not line.endswith("\n"):
            lines.seek(at)
            return found
        found.append(json.loads(line))
