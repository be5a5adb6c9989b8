"""The dashboard under two wraps of 6 chambers at 50 Hz, a message a sample: what the server costs, how soon a sample is on the screen.

Real mosquitto, the real server in its process, the real page in Chromium, measured from outside: the page holds no code for this.
Not measured here: a bare page as reference, ten minutes of heap, STOP to the wrap, a phone.
"""

import asyncio
import json
import math
import shutil
import statistics
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import psutil
from paho.mqtt.enums import CallbackAPIVersion

from wavewrap_gateway.adapters.dashboard_child import DashboardChild
from wavewrap_gateway.bench.mosquitto import run_mosquitto
from wavewrap_gateway.bench.report import BenchReport, Check, describe_machine
from wavewrap_protocol.errors import LocalError
from wavewrap_protocol.payloads import LinkCounts, SessionProgress, Side, Telemetry, WrapState

__all__ = ["WINDOW_S", "bench_dashboard"]

CHAMBERS = 6
PERIOD_S = 0.02
WINDOW_S = 15.0
SETTLE_S = 5.0
PAGES = 10

_PROBE = """(() => {
  const bench = (window.__bench = { lags_ms: [], frames: 0, newest_s: 0, drawn_s: 0, since_ms: performance.now() });
  const Plain = window.WebSocket;
  window.WebSocket = class extends Plain {
    constructor(...given) {
      super(...given);
      this.addEventListener("message", (event) => {
        const message = JSON.parse(event.data);
        if (message.k !== "s") return;
        for (const one of message.b) bench.newest_s = Math.max(bench.newest_s, one.u + ((one.p[0].length - 1) * one.d) / 1000);
      });
    }
  };
  const clear = CanvasRenderingContext2D.prototype.clearRect;
  CanvasRenderingContext2D.prototype.clearRect = function (...given) {
    if (bench.newest_s > bench.drawn_s) {
      const stamp_s = (bench.drawn_s = bench.newest_s);
      // The next frame begins when the one with this drawing is done.
      requestAnimationFrame(() => bench.lags_ms.push(performance.timeOrigin + performance.now() - stamp_s * 1000));
    }
    return clear.apply(this, given);
  };
  const count = () => { bench.frames++; requestAnimationFrame(count); };
  requestAnimationFrame(count);
})()"""

_RESET = "() => Object.assign(window.__bench, { lags_ms: [], frames: 0, since_ms: performance.now() })"
_READ = "() => ({ lags_ms: window.__bench.lags_ms, fps: (1000 * window.__bench.frames) / (performance.now() - window.__bench.since_ms) })"


async def bench_dashboard(window_s: float = WINDOW_S) -> BenchReport:
    """Raises :class:`LocalError` where Playwright, Chromium or mosquitto is missing."""
    chromium = shutil.which("chromium")
    try:
        from playwright.async_api import async_playwright
    except ImportError as cause:
        raise LocalError("bench dashboard needs Playwright: pip install playwright") from cause
    if chromium is None:
        raise LocalError("bench dashboard needs Chromium: install it (Debian: apt-get install chromium)")
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wavewrap-")))
        broker = stack.enter_context(run_mosquitto(folder))
        token = "the-token-of-the-bench-0"
        child = DashboardChild(json.dumps({"broker": {"host": "127.0.0.1", "port": broker.port}, "token": token}))
        stack.push_async_callback(child.close)
        url = await child.start()
        server = next(one for one in psutil.Process().children() if "wavewrap_dashboard" in " ".join(one.cmdline()))
        feeding = asyncio.create_task(_feed(broker.port))
        stack.push_async_callback(_cancel, feeding)
        playwright = await stack.enter_async_context(async_playwright())
        browser = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        stack.push_async_callback(browser.close)
        page = await browser.new_page(viewport={"width": 1280, "height": 900})
        await page.add_init_script(_PROBE)
        sizes: list[int] = []
        page.on("response", lambda answer: sizes.append(int(answer.headers.get("content-length", 0))))
        await page.goto(url)
        await page.locator(".wrap:not(.stale)").nth(1).wait_for(timeout=30_000)
        await asyncio.sleep(SETTLE_S)
        await page.evaluate(_RESET)
        one_pct = await _cpu_pct(server, window_s)
        seen: dict[str, Any] = await page.evaluate(_READ)
        others = [await browser.new_page() for _ in range(PAGES - 1)]
        for other in others:
            # Only their sockets count here; ten drawn pages would measure this machine's browser.
            await other.add_init_script("window.requestAnimationFrame = () => 0")
            await other.goto(url)
        await asyncio.sleep(SETTLE_S)
        ten_pct = await _cpu_pct(server, window_s)
        rss_mb = server.memory_info().rss / 1e6
    lags_ms = sorted(seen["lags_ms"])
    if len(lags_ms) < 10:
        raise LocalError(f"bench dashboard: the page drew {len(lags_ms)} times in {window_s:g} s: free the machine and try again")
    checks = [
        Check(name="sample to paint p50", value=_quantile(lags_ms, 0.5), unit="ms", limit=50.0, better="lower"),
        Check(name="sample to paint p95", value=_quantile(lags_ms, 0.95), unit="ms", limit=80.0, better="lower"),
        Check(name="frames", value=round(seen["fps"], 1), unit="1/s", limit=55.0, better="higher"),
        Check(name="server CPU, 1 page", value=round(one_pct, 2), unit="% of a core", limit=5.0, better="lower"),
        Check(name=f"server CPU, {PAGES} pages, more by", value=round(ten_pct - one_pct, 2), unit="% of a core", limit=2.0, better="lower"),
        Check(name="server memory", value=round(rss_mb, 1), unit="MB", limit=60.0, better="lower"),
        Check(name="first load", value=round(sum(sizes) / 1000, 1), unit="kB", limit=150.0, better="lower"),
    ]
    details = {
        "paints": len(lags_ms),
        "mean_ms": round(statistics.fmean(lags_ms), 1),
        "max_ms": round(lags_ms[-1], 1),
        "window_s": window_s,
    }
    return BenchReport(bench="dashboard", machine=describe_machine(), checks=checks, details=details)


def _quantile(rising: list[float], share: float) -> float:
    return round(rising[min(len(rising) - 1, int(share * len(rising)))], 1)


async def _cpu_pct(process: psutil.Process, window_s: float) -> float:
    before, began_s = process.cpu_times(), time.monotonic()
    await asyncio.sleep(window_s)
    after = process.cpu_times()
    return 100.0 * (after.user + after.system - before.user - before.system) / (time.monotonic() - began_s)


async def _feed(port: int) -> None:
    """Both wraps, a sample a message, each stamped with the moment of its sending; and their states once a second."""
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        client.publish("wavewrap/bridge/state", '{"state":"online"}', 1, retain=True)
        began_s = time.monotonic()
        number = 0
        while True:
            now_s = time.monotonic() - began_s
            for side in Side:
                if number % 50 == 0:
                    client.publish(f"wavewrap/{side}", _state(side, number, now_s).model_dump_json(), 1, retain=True)
                client.publish(f"wavewrap/{side}/telemetry", _sample(side, number, now_s).model_dump_json(), 0)
            number += 1
            await asyncio.sleep(max(0.0, began_s + number * PERIOD_S - time.monotonic()))
    finally:
        client.disconnect()
        client.loop_stop()


def _sample(side: Side, number: int, now_s: float) -> Telemetry:
    pressures = [[30.0 + 25.0 * math.sin(now_s - chamber)] for chamber in range(CHAMBERS)]
    return Telemetry(
        gateway="bench",
        wrap=side.value,
        boot_id=1,
        seq=number,
        tick=number * 200,
        period_ms=20,
        replay=False,
        unix_s=time.clock_gettime(time.CLOCK_REALTIME),
        pressure_mmhg=pressures,
    )


def _state(side: Side, number: int, now_s: float) -> WrapState:
    return WrapState(
        gateway="bench",
        gateway_boot=1,
        seq=number,
        id=side.value,
        side=side,
        boot_id=1,
        link="ready",
        device_state="running",
        fault=None,
        pressure_mmhg=[30.0] * CHAMBERS,
        target_mmhg=[30.0] * CHAMBERS,
        battery_pct=90,
        clock=None,
        session=SessionProgress(program="bench", state="running", elapsed_s=now_s, duration_s=3600.0, cycle=1, cycles=60),
        counts=LinkCounts(**dict.fromkeys(LinkCounts.model_fields, 0)),
    )


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
