"""``wavewrap gateway`` in a process of its own, for benches: with a home of its own, and wraps that it knows already."""

import asyncio
import json
import os
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from wavewrap_gateway.adapters.mqtt_settings import MqttSettings
from wavewrap_gateway.bench.asking_client import AskingClient
from wavewrap_protocol.errors import LinkError

__all__ = ["run_daemon", "wait_ready"]

START_S = 40.0


@asynccontextmanager
async def run_daemon(
    folder: Path, radio: str, settings: MqttSettings, wraps: int, chambers: int, seed: int, config: str
) -> AsyncIterator[Process]:
    """A daemon with its home in ``folder`` that knows the simulated wraps on ``radio``, which serve everybody.

    ``config`` is TOML; ``{url}`` in it is the broker's. Raises :class:`LinkError` when it does not start.
    """
    home = folder / "wavewrap"
    home.mkdir()
    text = f'gateway = "bench"\nradio = "{radio}"\n' + config.format(url=settings.safe_url)
    home.joinpath("config.toml").write_text(text, encoding="utf-8")
    known = [
        {
            "serial": f"SIM{seed:03d}-{index + 1:02d}",
            "side": ("left", "right")[index % 2],
            "model": f"WR-{chambers}",
            "address": f"F0:57:52:{seed:02X}:00:{index + 1:02X}",
            "radio": radio,
            "paired_at": "2026-01-01T00:00:00Z",
        }
        for index in range(wraps)
    ]
    home.joinpath("wraps.json").write_text(json.dumps({"wraps": known}), encoding="utf-8")
    environment = {key: value for key, value in os.environ.items() if not key.startswith("WAVEWRAP_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "wavewrap_gateway", "gateway", "--json"),
        stdout=PIPE,
        stderr=DEVNULL,
        env={**environment, "XDG_CONFIG_HOME": str(folder), "XDG_DATA_HOME": str(folder)},
    )
    assert process.stdout is not None  # it was asked for
    try:
        async with asyncio.timeout(START_S):
            if not await process.stdout.readline():
                raise LinkError("the daemon did not start: run 'wavewrap gateway' to see why")
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def wait_ready(settings: MqttSettings, wraps: int) -> None:
    """Block until the daemon answers and every one of its ``wraps`` is linked. Raises :class:`LinkError`."""
    deadline_s = time.monotonic() + START_S
    with AskingClient(settings, f"ready-{deadline_s}") as client:
        while True:
            answer = client.ask("health")
            if answer is not None and [wrap["link"] for wrap in answer[1]["data"]["wraps"]] == ["ready"] * wraps:
                return
            if time.monotonic() > deadline_s:
                raise LinkError("the daemon's wraps were not ready in time: run 'wavewrap demo' to see why")
            time.sleep(0.1)
