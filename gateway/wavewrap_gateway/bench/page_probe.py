"""Looks at a page in Chromium from outside: when a sample that came over its WebSocket is on the screen, how many frames it draws, how
much memory its scripts hold. The page holds no code for this, ours no more than the bare one."""

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

if TYPE_CHECKING:
    from playwright.async_api import Page

__all__ = ["Painted", "read_heap_bytes", "read_painted", "reset_painted", "watch_paints"]

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
  const frame = window.requestAnimationFrame.bind(window);
  let inFrame = false;
  window.requestAnimationFrame = (act) => frame((at) => {
    inFrame = true;
    try { act(at); } finally { inFrame = false; }
  });
  const clear = CanvasRenderingContext2D.prototype.clearRect;
  CanvasRenderingContext2D.prototype.clearRect = function (...given) {
    if (bench.newest_s > bench.drawn_s) {
      const stamp_s = (bench.drawn_s = bench.newest_s);
      const note = () => bench.lags_ms.push(performance.timeOrigin + performance.now() - stamp_s * 1000);
      // The next frame begins when the one with this drawing is done; what was drawn between two frames is in the next one first.
      frame(inFrame ? note : () => frame(note));
    }
    return clear.apply(this, given);
  };
  const count = () => { bench.frames++; frame(count); };
  frame(count);
})()"""

_RESET = "() => Object.assign(window.__bench, { lags_ms: [], frames: 0, since_ms: performance.now() })"
_READ = "() => ({ lags_ms: window.__bench.lags_ms, fps: (1000 * window.__bench.frames) / (performance.now() - window.__bench.since_ms) })"


class Painted(BaseModel):
    """Sample to paint of each drawing, and frames a second."""

    lags_ms: list[float]
    fps: float


async def watch_paints(page: "Page") -> None:
    """Before the page is opened."""
    await page.add_init_script(_PROBE)


async def reset_painted(page: "Page") -> None:
    """Begin to count."""
    await page.evaluate(_RESET)


async def read_painted(page: "Page") -> Painted:
    """Since then."""
    return Painted.model_validate(await page.evaluate(_READ))


async def read_heap_bytes(page: "Page") -> int:
    """What its scripts hold once everything was collected that can be."""
    session = await page.context.new_cdp_session(page)
    try:
        # Twice: what the first one finalises, the second one frees.
        for _ in range(2):
            await session.send("HeapProfiler.collectGarbage")
        told: dict[str, Any] = await session.send("Runtime.getHeapUsage")
        return int(told["usedSize"])
    finally:
        await session.detach()
