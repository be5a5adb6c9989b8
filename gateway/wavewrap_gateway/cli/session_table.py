"""Recorded sessions for a person."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Table

from wavewrap_gateway.cli.summary_table import print_summary
from wavewrap_gateway.core.dose import ChamberDifference, ChamberDose
from wavewrap_gateway.core.recorded_session import RecordedSession, RecordedSide, SessionEntry

__all__ = ["local_time", "print_differences", "print_entries", "print_session"]


def local_time(unix_s: float) -> str:
    """Wall time where this machine is."""
    return datetime.fromtimestamp(unix_s, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def print_entries(entries: Sequence[SessionEntry]) -> None:
    """Print the list; which gateway it was is said where there are several."""
    several = len({entry.gateway for entry in entries}) > 1
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("session", "began", "program", "ended", "length", "samples"):
        table.add_column(heading, justify="right" if heading in ("length", "samples") else "left", no_wrap=heading != "program")
    for entry in entries:
        length = "" if entry.duration_s is None else f"{entry.duration_s:.0f} s"
        samples = f"{entry.samples}" + (f", {entry.unrecorded} lost" if entry.unrecorded else "")
        began = local_time(entry.started_unix_s)[:-3]
        program = f"{entry.program} on {entry.gateway}" if several else entry.program
        table.add_row(entry.session_id, began, program, entry.state.value, length, samples)
    Console().print(table)


def print_session(session: RecordedSession, doses: Sequence[Sequence[ChamberDose]], differences: Sequence[ChamberDifference]) -> None:
    """Print all of a session but its curves."""
    console = Console()
    head = session.head
    end = session.state.value + (f" ({session.reason})" if session.reason else "")
    began = local_time(head.started_unix_s)
    console.print(f"{head.session_id}: {head.program.name} on {head.gateway}, began {began}, {end}", soft_wrap=True, highlight=False)
    for side in session.sides:
        wrap = side.wrap
        who = f"{wrap.name} ({wrap.model}, serial {wrap.serial}, firmware {wrap.firmware})"
        console.print(f"{wrap.side.value}: {who}, {_count_samples(side)}", soft_wrap=True, highlight=False)
    if session.unrecorded:
        console.print(f"NOT KEPT: {session.unrecorded} samples, while the history could not be written")
    if session.summary is not None:
        print_summary(session.summary)
    for side, dose in zip(session.sides, doses, strict=True):
        console.print(f"\n{side.wrap.side.value} {side.wrap.name}, by chamber:")
        console.print(_dose_table(dose))
    if differences:
        console.print("\nleft minus right, by chamber:")
        print_differences(differences)
    if session.events:
        console.print("\nevents:")
        for event in session.events:
            at = f"{event.unix_s - head.started_unix_s:8.2f} s"
            console.print(f"{at}  {event.wrap or 'gateway'}: {event.kind}: {event.text}", soft_wrap=True, highlight=False, markup=False)


def _count_samples(side: RecordedSide) -> str:
    """How many samples there are, in words."""
    replayed = int(side.curves.replayed.sum())
    return f"{len(side.curves)} samples kept, {replayed} of them replayed, {side.curves.missing} missing between them"


def _dose_table(doses: Sequence[ChamberDose]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("")
    for dose in doses:
        table.add_column(str(dose.chamber), justify="right")
    rows: dict[str, Callable[[ChamberDose], str]] = {
        "over 15 mmHg, s": lambda dose: f"{dose.over_threshold_s:.1f}",
        "pressure over time, mmHg·s": lambda dose: f"{dose.pressure_time_mmhg_s:.0f}",
        "peak, mmHg": lambda dose: f"{dose.peak_mmhg:.1f}",
        "compressions reached / released": lambda dose: f"{dose.reached} / {dose.compressions}",
        "rise to 90 %, s": lambda dose: _figure(dose.rise_s),
        "vent to 15 mmHg, s": lambda dose: _figure(dose.vent_s),
        "after the chamber before, s": lambda dose: _figure(dose.delay_s),
        "asked for, s": lambda dose: _figure(dose.asked_delay_s),
        "tracking error rms, mmHg": lambda dose: f"{dose.tracking_rms_mmhg:.2f}",
        "leak, mmHg/s": lambda dose: _figure(dose.leak_mmhg_s),
    }
    for heading, cell in rows.items():
        table.add_row(heading, *map(cell, doses))
    return table


def print_differences(differences: Sequence[ChamberDifference]) -> None:
    """Print a table of them."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("")
    for difference in differences:
        table.add_column(str(difference.chamber), justify="right")
    rows: dict[str, Callable[[ChamberDifference], str]] = {
        "over 15 mmHg, s": lambda one: f"{one.over_threshold_s:+.1f}",
        "pressure over time, mmHg·s": lambda one: f"{one.pressure_time_mmhg_s:+.0f}",
        "peak, mmHg": lambda one: f"{one.peak_mmhg:+.1f}",
        "compressions reached": lambda one: f"{one.reached:+d}",
        "rise to 90 %, s": lambda one: _figure(one.rise_s, "+"),
        "vent to 15 mmHg, s": lambda one: _figure(one.vent_s, "+"),
        "after the chamber before, s": lambda one: _figure(one.delay_s, "+"),
    }
    for heading, cell in rows.items():
        table.add_row(heading, *map(cell, differences))
    Console().print(table)


def _figure(value: float | None, sign: str = "") -> str:
    return "-" if value is None else f"{value:{sign}.2f}"
