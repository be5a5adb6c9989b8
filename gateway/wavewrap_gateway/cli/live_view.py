"""The session on the terminal: every chamber as a bar, target beside measured, progress, link and clock. Plain lines without one."""

import asyncio
import sys

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from wavewrap_gateway.app.gateway import Gateway
from wavewrap_gateway.core.link_state import link_word
from wavewrap_gateway.runtime.bridge import SessionView
from wavewrap_gateway.runtime.link_figures import clock_quality
from wavewrap_gateway.runtime.wrap import Wrap

__all__ = ["render", "watch"]

FRAME_S = 0.1
LINE_S = 5.0
BAR_CELLS = 30
_EIGHTHS = " ▏▎▍▌▋▊▉"


async def watch(gateway: Gateway, *, live: bool, hint: str) -> None:
    """Until cancelled: redraw in place on a terminal, a line every few seconds elsewhere, nothing when not ``live``.

    ``hint`` says what a person can press.
    """
    if not live:
        return
    loop = asyncio.get_running_loop()
    console = Console(stderr=True)
    if not console.is_terminal:
        while True:
            print(plain_line(gateway, loop.time()), file=sys.stderr, flush=True)
            await asyncio.sleep(LINE_S)
    with Live(console=console, auto_refresh=False, transient=True) as screen:
        while True:
            screen.update(render(gateway, loop.time(), hint), refresh=True)
            await asyncio.sleep(FRAME_S)


def plain_line(gateway: Gateway, now_s: float) -> str:
    """The session in one line: time, state, pressures of every wrap."""
    view = gateway.view()
    head = "" if view is None else f"{view.progress.elapsed_s:6.1f} s {view.progress.state:<8}"
    parts = [head]
    for wrap in gateway.wraps:
        fresh = wrap.picture.is_fresh(now_s)
        numbers = " ".join(f"{value:5.1f}" for value in wrap.picture.pressure_mmhg) if fresh else "no fresh data"
        parts.append(f"{wrap.side.value} {numbers} mmHg" if fresh else f"{wrap.side.value} {numbers}")
    return "  ".join(parts)


def render(gateway: Gateway, now_s: float, hint: str = "Ctrl-C stops and vents") -> RenderableType:
    """The whole view at host time ``now_s``, with ``hint`` under its first line."""
    view = gateway.view()
    parts: list[RenderableType] = []
    if view is not None:
        progress = view.progress
        head = f"{progress.program}: {progress.state}, cycle {progress.cycle} of {progress.cycles}, "
        boost_mmhg = 0.0 if gateway.runner is None else gateway.runner.boost_mmhg()
        boost = f", boost {boost_mmhg:+g} mmHg" if boost_mmhg else ""
        parts.append(Text(f"{head}{progress.elapsed_s:.0f} of {progress.duration_s:.0f} s{boost}"))
        parts.append(Text(hint, style="dim"))
        parts.append(ProgressBar(total=progress.duration_s, completed=progress.elapsed_s, width=BAR_CELLS * 2))
    top_mmhg = max((max(run.wave.peaks_mmhg) for run in gateway.runner.runs), default=1.0) if gateway.runner is not None else 1.0
    parts.extend(_wrap_view(wrap, view, now_s, max(top_mmhg, 1.0)) for wrap in gateway.wraps)
    return Group(*parts)


def _wrap_view(wrap: Wrap, view: SessionView | None, now_s: float, top_mmhg: float) -> RenderableType:
    fresh = wrap.picture.is_fresh(now_s)
    targets = () if view is None else view.targets_mmhg.get(wrap.name, ())
    state = wrap.picture.device_state.name.lower() if fresh and wrap.picture.device_state is not None else "unknown"
    quality = clock_quality(wrap.link.clock_sync, now_s)
    clock = "clock not known" if quality is None else f"clock ±{quality.uncertainty_ms:.1f} ms"
    gaps = wrap.link.samples.counts().missing
    title = f"\n{wrap.side.value} ({wrap.name}): {state}, link {link_word(wrap.link.state)}, {clock}, {gaps} samples missing"
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column("chamber", justify="right")
    table.add_column("bar", width=BAR_CELLS + 1, no_wrap=True)
    table.add_column("measured", justify="right", width=7)
    table.add_column("target", justify="right")
    for chamber, pressure_mmhg in enumerate(wrap.picture.pressure_mmhg):
        target_mmhg = targets[chamber] if chamber < len(targets) else 0.0
        measured = f"{pressure_mmhg:.1f}" if fresh else "stale"
        bar = Text(_bar(pressure_mmhg if fresh else 0.0, top_mmhg), style="cyan" if fresh else "dim")
        table.add_row(f"{chamber + 1}", bar, measured, f"of {target_mmhg:.0f} mmHg")
    return Group(Text(title, style="bold"), table)


def _bar(value: float, top: float) -> str:
    """``value`` of ``top`` as a bar of eighths of a cell; never longer than its column."""
    eighths = round(min(max(value / top, 0.0), 1.0) * BAR_CELLS * 8)
    full, rest = divmod(eighths, 8)
    return "█" * full + (_EIGHTHS[rest] if rest else "")
