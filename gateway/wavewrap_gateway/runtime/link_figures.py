"""Figures of a link and of what is played over it as they are published: how well a wrap's clock is known, what has befallen the link,
what the chambers are told to be, how exactly the steps came."""

from collections.abc import Callable

from wavewrap_gateway.core.account import quantiles
from wavewrap_gateway.core.clock_sync import ClockSync
from wavewrap_gateway.runtime.wrap_link import WrapLink
from wavewrap_gateway.runtime.wrap_run import WrapRun
from wavewrap_protocol.payloads import ClockQuality, LinkCounts, Quantiles, TargetPath

__all__ = ["clock_quality", "count_troubles", "target_path", "timing_so_far"]

PATH_BACK_S, PATH_AHEAD_S = 1.0, 1.5
"""Of the set-points: from the last state, for a step may have been taken back since, to after the next one."""


def count_troubles(link: WrapLink) -> LinkCounts:
    """The troubles of ``link`` since it was made."""
    counts = link.counts
    return LinkCounts(
        losses=counts.losses,
        reconnects=counts.reconnects,
        failed_connects=counts.failed_connects,
        out_of_reach=counts.out_of_reach,
        radio_downs=counts.radio_downs,
        lost_bonds=counts.lost_bonds,
        reboots=counts.reboots,
        lost_reports=link.lost_reports,
        garbled=link.garbled,
    )


def clock_quality(sync: ClockSync, now_s: float) -> ClockQuality | None:
    """How well a wrap's clock is known at ``now_s``; ``None`` before the first ping."""
    estimate = sync.estimate
    if estimate is None:
        return None
    return ClockQuality(
        offset_s=round(estimate.host_at(0), 6),
        uncertainty_ms=round(estimate.uncertainty_at(now_s) * 1000.0, 3),
        skew_ppm=round(estimate.skew_ppm, 1),
        age_s=round(sync.age_s(now_s), 1),
    )


def target_path(run: WrapRun, now_s: float, unix_s: Callable[[float], float]) -> TargetPath | None:
    """The set-points around ``now_s``; ``None`` before the wrap is armed. ``unix_s`` turns a host second into wall time."""
    begin_s = now_s - PATH_BACK_S
    points = [
        [round(at_s - begin_s, 4), *(round(value, 1) for value in targets)]
        for at_s, targets in run.path_mmhg(begin_s, now_s + PATH_AHEAD_S)
    ]
    return TargetPath(unix_s=round(unix_s(begin_s), 4), points=points) if points else None


def timing_so_far(run: WrapRun) -> Quantiles | None:
    """Planned against real time of the steps of a session so far; ``None`` before the first."""
    errors_ms = run.account.timing_errors_ms()
    return quantiles(errors_ms, 2) if errors_ms else None
