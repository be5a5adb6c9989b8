"""The picture of ``bench timing``: errors by method and radio, and how late the host wakes up."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wavewrap_bench.timing import TimingRow
from wavewrap_bench.timing_methods import METHODS
from wavewrap_gateway.bench.host import HostRow
from wavewrap_gateway.bench.host_plot import plot_host

__all__ = ["draw_timing"]

_LABELS = {"write_at_t": "write at T", "write_with_lead": "write with lead", "ntp_queue": "NTP + queue", "ours": "wavewrap"}
_MARKS = {"p50": "o", "p99": "s", "p999": "^", "max": "x"}
_NAMES = {"p50": "p50", "p99": "p99", "p999": "p99.9", "max": "max"}
_DOTS_PER_INCH = 110


def draw_timing(rows: Sequence[TimingRow], host: Sequence[HostRow], path: Path) -> None:
    """Write the picture to ``path``, PNG."""
    mpl.use("Agg")
    names = list(dict.fromkeys(row.name for row in rows))
    figure = Figure(figsize=(4.0 * len(names), 8.5 if host else 4.5), layout="constrained")
    grid = figure.add_gridspec(2 if host else 1, len(names))
    first: Axes | None = None
    for column, name in enumerate(names):
        axes = figure.add_subplot(grid[0, column], sharey=first)
        first = first or axes
        for place, method in enumerate(METHODS):
            row = next(row for row in rows if (row.name, row.method) == (name, method))
            values = row.error_ms.model_dump()
            axes.plot([place] * len(values), list(values.values()), color="0.7", zorder=1)
            for key, mark in _MARKS.items():
                axes.plot(place, values[key], mark, color="C0" if method == "ours" else "C1", label=_NAMES[key] if place == 0 else None)
        axes.set_yscale("log")
        axes.set_xticks(range(len(METHODS)), [_LABELS[method] for method in METHODS], rotation=25, ha="right")
        axes.set_title(name)
        axes.set_ylabel("error of a step on the device, ms" if column == 0 else "")
        axes.grid(axis="y", which="both", alpha=0.3)
        axes.legend(fontsize="small")
    if host:
        plot_host(list(host), figure.add_subplot(grid[1, :]))
    figure.savefig(path, dpi=_DOTS_PER_INCH)
