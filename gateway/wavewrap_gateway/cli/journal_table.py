"""The recovery journal for a person."""

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from wavewrap_gateway.cli.session_table import local_time
from wavewrap_gateway.core.hydration import ML_PER_OZ
from wavewrap_gateway.core.journal import JournalEntry, drink_after_ml
from wavewrap_gateway.core.journal_book import JournalBook, JournalSession
from wavewrap_protocol.journal_notes import RunNote
from wavewrap_protocol.payloads import Moment

__all__ = ["print_book", "print_drink"]


def print_drink(drink_ml: float) -> None:
    """How much to drink, in both units."""
    if drink_ml > 0.0:
        typer.echo(f"to drink over the next hours: {drink_ml / 1000.0:.1f} l ({drink_ml / ML_PER_OZ:.0f} oz), by the weight that was lost")
    else:
        typer.echo("no weight was lost: nothing to make up for")


def print_book(book: JournalBook) -> None:
    """Entries and sessions in one list."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("when", "what", "", "name"):
        table.add_column(heading, no_wrap=heading != "")
    lines = [_entry_line(entry) for entry in book.entries] + [_session_line(session, book) for session in book.sessions]
    for unix_s, *cells in sorted(lines, reverse=True):
        # As text: a remark may hold what would be markup.
        table.add_row(local_time(unix_s)[:-3], *map(Text, cells))
    Console().print(table)


def _entry_line(entry: JournalEntry) -> tuple[float, str, str, str]:
    note = entry.note
    if not isinstance(note, RunNote):
        return note.unix_s, "soreness", f"{note.soreness}{_remark(note.note)}", entry.entry_id
    figures = [f"{note.duration_s / 60.0:.0f} min"]
    if note.distance_m is not None:
        figures.append(f"{note.distance_m / 1000.0:.1f} km")
    if note.effort is not None:
        figures.append(f"effort {note.effort}")
    if drink_ml := drink_after_ml(note):
        figures.append(f"to drink {drink_ml / 1000.0:.1f} l")
    return note.ended_unix_s, "run", f"{', '.join(figures)}{_remark(note.note)}", entry.entry_id


def _session_line(session: JournalSession, book: JournalBook) -> tuple[float, str, str, str]:
    answers = book.answers(session.occasion)
    told = ", ".join(f"{_SHORT[moment]} {answers[moment]}" for moment in Moment if moment in answers)
    return session.occasion.began_unix_s, "session", f"{session.program}{f': soreness {told}' if told else ''}", session.occasion.name


_SHORT = {Moment.BEFORE: "before", Moment.AFTER: "after", Moment.HOURS_24: "24 h", Moment.HOURS_48: "48 h"}


def _remark(note: str) -> str:
    return f" ({note})" if note else ""
