"""A session's record for a person."""

from rich.console import Console
from rich.table import Table

from wavewrap_protocol.payloads import Quantiles, SessionSummary

__all__ = ["print_summary"]


def print_summary(summary: SessionSummary) -> None:
    """Print ``summary`` to stdout."""
    console = Console()
    vented = "every chamber vented" if summary.vented else "NOT PROVEN VENTED: take the wraps off"
    console.print(f"\n{summary.program}: {summary.ended.value} after {summary.duration_s:.1f} s ({summary.reason}), {vented}")
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("")
    for wrap in summary.wraps:
        table.add_column(f"{wrap.side.value} {wrap.id}", justify="right")
    wraps = summary.wraps
    rows = {
        "samples received / replayed / missing": [f"{w.samples.received} / {w.samples.replayed} / {w.samples.missing}" for w in wraps],
        "steps executed / planned, late": [f"{w.steps.executed} / {w.steps.planned}, {w.steps.late}" for w in wraps],
        "cycles delivered / planned": [f"{w.cycles.delivered} / {w.cycles.planned}" for w in wraps],
        "timing error bound p50 / p99 / max, ms": [_spread(w.timing_ms) for w in wraps],
        "true timing error p50 / p99 / max, ms": [_spread(w.true_timing_ms) for w in wraps],
        "peak by chamber, mmHg": [_numbers(w.peak_mmhg) for w in wraps],
        "target by chamber, mmHg": [_numbers(w.target_mmhg) for w in wraps],
        "over 15 mmHg by chamber, s": [_numbers([dose.over_threshold_s for dose in w.dose]) for w in wraps],
        "pressure over time by chamber, mmHg·s": [" ".join(f"{dose.pressure_time_mmhg_s:.0f}" for dose in w.dose) for w in wraps],
        "at the end, mmHg": [_numbers(w.final_mmhg) for w in wraps],
        "tracking error rms, mmHg": [f"{w.tracking_rms_mmhg:.2f}" for w in wraps],
    }
    for heading, cells in rows.items():
        if any(cells):
            table.add_row(heading, *cells)
    console.print(table)
    console.print(f"between the wraps, bound p50 / p99 / max: {_spread(summary.skew_ms)} ms")
    if summary.true_skew_ms is not None:
        console.print(f"between the wraps, true p50 / p99 / max: {_spread(summary.true_skew_ms)} ms")
    counts = summary.mqtt
    console.print(
        f"MQTT: {counts.published} published, {counts.acknowledged} acknowledged, {counts.waiting} waiting, {counts.dropped} dropped"
    )
    for wrap in wraps:
        for shortfall in wrap.shortfalls:
            console.print(f"{wrap.side.value}: {shortfall}")
        for finding in wrap.findings:
            console.print(f"{wrap.side.value}, {finding.text}")


def _spread(values: Quantiles | None) -> str:
    return "" if values is None else f"{values.p50:.2f} / {values.p99:.2f} / {values.max:.2f}"


def _numbers(values: list[float]) -> str:
    return " ".join(f"{value:.1f}" for value in values)
