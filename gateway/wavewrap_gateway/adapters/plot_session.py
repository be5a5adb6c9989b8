"""A recorded session as a picture (matplotlib, drawn off screen; no pyplot, so no state is shared)."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from wavewrap_gateway.core.recorded_session import RecordedSession
from wavewrap_protocol.errors import UsageError

__all__ = ["draw_session"]

_INKS = ("#1f4e79", "#b5541c", "#3f7d3f", "#7a4f9a", "#8a6d1d", "#2f8f8f", "#a03a5a", "#555555")
_TARGET = "#9a9a9a"
_GREY = "#555555"
_MARKED = ("fault", "finding", "session_paused", "session_resumed", "session_boosted", "session_slipped", "link_lost", "booted")
"""Kinds of events that explain a curve."""


def draw_session(session: RecordedSession, title: str, path: Path, span_s: tuple[float | None, float | None] = (None, None)) -> None:
    """Write measured pressure and target of every chamber as a PNG: one row a chamber, the most proximal on top, the wraps in colours.

    ``span_s``: from and to in seconds of the session. Raises :class:`UsageError` when ``path`` cannot be written, or nothing was kept.
    """
    sides = [side for side in session.sides if len(side.curves)]
    if not sides:
        raise UsageError(f"session {session.head.session_id} has no samples: there is nothing to draw")
    chambers = max(side.wrap.chambers for side in sides)
    figure = Figure(figsize=(11.0, 1.3 + 1.05 * chambers), dpi=120, layout="constrained")
    rows = figure.subplots(chambers, 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    for row, axes in enumerate(rows):
        chamber = chambers - 1 - row
        for number, side in enumerate(sides):
            if chamber >= side.wrap.chambers:
                continue
            time_s = side.curves.session_s(side.account)
            targets_mmhg = side.account.set_points_mmhg(side.curves.line_tick, chamber)
            axes.plot(time_s, targets_mmhg, color=_TARGET, linewidth=0.9, linestyle="--")
            ink = _INKS[number % len(_INKS)]
            axes.plot(
                time_s, side.curves.pressure_mmhg[:, chamber], color=ink, linewidth=0.9, label=f"{side.wrap.side.value} {side.wrap.name}"
            )
        axes.tick_params(colors=_GREY, labelsize=8)
        axes.set_ylabel("mmHg", color=_GREY, fontsize=8)
        axes.spines[["top", "right"]].set_visible(False)
        place = " (distal)" if chamber == 0 else " (proximal)" if chamber == chambers - 1 else ""
        axes.set_title(f"chamber {chamber + 1}{place}", loc="left", fontsize=9, color=_GREY, pad=2)
        for at_s, _ in _marks(session):
            axes.axvline(at_s, color=_GREY, linewidth=0.6, linestyle=":")
    for at_s, kind in _marks(session):
        rows[0].annotate(kind.replace("_", " "), (at_s, 1.0), xycoords=("data", "axes fraction"), fontsize=7, color=_GREY, rotation=20)
    if span_s != (None, None):
        rows[0].set_xlim(*span_s)
    rows[0].legend(loc="upper right", fontsize=8, frameon=False)
    rows[-1].set_xlabel("time from the start of the session, s (dashed: target; dotted: what happened)", color=_GREY, fontsize=9)
    figure.suptitle(title, fontsize=11, x=0.01, ha="left")
    try:
        figure.savefig(path, format="png")
    except OSError as cause:
        raise UsageError(f"{path}: the picture cannot be written ({cause.strerror}); give a path in a folder that exists") from cause


def _marks(session: RecordedSession) -> Sequence[tuple[float, str]]:
    """Second of the session and kind of what explains a curve."""
    zero_unix_s = session.zero_unix_s
    if zero_unix_s is None:
        return []
    return [(event.unix_s - zero_unix_s, event.kind) for event in session.events if event.kind in _MARKED]
