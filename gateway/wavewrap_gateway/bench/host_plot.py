"""The picture of ``bench host``. A module of its own, because matplotlib takes its time and memory to load."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from wavewrap_gateway.bench.host import LOADS, HostRow

__all__ = ["plot_host"]

_COLOURS: dict[str, str] = {"idle": "#9db8d2", "loaded": "#1f4e79"}


def plot_host(rows: Sequence[HostRow], axes: Axes) -> None:
    """Each row as a line from p50 to p99.9 on a logarithmic scale of microseconds, with the p99 marked; loads apart by colour."""
    methods = list(dict.fromkeys(row.method for row in rows))
    for row in rows:
        late_us = row.lateness_us
        y = methods.index(row.method) + (0.15 if row.load == "loaded" else -0.15)
        colour = _COLOURS[row.load]
        axes.plot([late_us.p50, late_us.p999], [y, y], color=colour, linewidth=2.5, solid_capstyle="butt")
        axes.plot([late_us.p50, late_us.p99, late_us.p999], [y] * 3, color=colour, linestyle="", marker="|", markersize=10)
    axes.set_xscale("log")
    axes.set_yticks(range(len(methods)), methods)
    axes.invert_yaxis()
    axes.set_xlabel("lateness of a wake-up, microseconds: p50, p99, p99.9")
    loads = [load for load in LOADS if any(row.load == load for row in rows)]
    axes.legend([Line2D([], [], color=_COLOURS[load], linewidth=2.5) for load in loads], loads, frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
