"""Figures of a link as they are published: how well a wrap's clock is known, and what has befallen the link."""

from wavewrap_gateway.core.clock_sync import ClockSync
from wavewrap_gateway.runtime.wrap_link import WrapLink
from wavewrap_protocol.payloads import ClockQuality, LinkCounts

__all__ = ["clock_quality", "count_troubles"]


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
