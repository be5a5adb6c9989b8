"""A wave as a picture (matplotlib, drawn off screen; no pyplot, so no state is shared)."""

from pathlib import Path

from matplotlib.figure import Figure

from wavewrap_gateway.core.wave import Wave
from wavewrap_protocol.errors import UsageError

__all__ = ["draw_wave"]

_INK = "#1f4e79"
_PALE = "#9db8d2"
_GREY = "#555555"


def draw_wave(wave: Wave, title: str, until_s: float, path: Path) -> None:
    """Write target pressure per chamber from 0 to ``until_s`` as a PNG: one row a chamber, the most proximal on top, one scale for all.

    Raises :class:`UsageError` when ``path`` cannot be written.
    """
    figure = Figure(figsize=(9.0, 1.3 + 0.95 * wave.chambers), dpi=120, layout="constrained")
    rows = figure.subplots(wave.chambers, 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    top_mmhg = max(wave.peaks_mmhg)
    for row, axes in enumerate(rows):
        chamber = wave.chambers - 1 - row
        times_s, targets_mmhg = zip(*wave.corners(chamber, until_s), strict=True)
        axes.fill_between(times_s, targets_mmhg, color=_PALE, linewidth=0)
        axes.plot(times_s, targets_mmhg, color=_INK, linewidth=1.4)
        axes.set_xlim(0, until_s)
        axes.set_ylim(0, top_mmhg * 1.15)
        axes.set_yticks([0, top_mmhg])
        axes.set_ylabel("mmHg", color=_GREY, fontsize=8)
        axes.tick_params(colors=_GREY, labelsize=8)
        axes.spines[["top", "right"]].set_visible(False)
        for cycle in range(1, wave.cycles):
            if cycle * wave.cycle_s >= until_s:
                break
            axes.axvline(cycle * wave.cycle_s, color=_GREY, linewidth=0.6, linestyle=":")
        place = " (distal)" if chamber == 0 else " (proximal)" if chamber == wave.chambers - 1 else ""
        peak_mmhg = wave.peaks_mmhg[chamber]
        label = f"chamber {chamber + 1}{place}: " + (f"{peak_mmhg:g} mmHg at full pressure" if peak_mmhg else "at rest")
        # Outside, above the strip: a wave fills its strip, so a label within it would stand on the curve.
        axes.set_title(label, loc="left", fontsize=9, color=_INK, pad=2)
    rows[-1].set_xlabel("time from the start of the session, s (dotted: start of a cycle)", color=_GREY, fontsize=9)
    figure.suptitle(title, fontsize=11, x=0.01, ha="left")
    try:
        figure.savefig(path, format="png")
    except OSError as cause:
        raise UsageError(f"{path}: the picture cannot be written ({cause.strerror}); give a path in a folder that exists") from cause
