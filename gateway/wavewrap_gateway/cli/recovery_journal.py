"""``wavewrap journal``: the recovery journal, runs and how sore the calves are, in the store of the sessions."""

import json
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wavewrap_gateway.app.config import StorePlace, load_config
from wavewrap_gateway.cli.config import ConfigOption
from wavewrap_gateway.cli.journal_table import print_book, print_drink
from wavewrap_gateway.cli.session_table import local_time
from wavewrap_gateway.core.hydration import KG_PER_LB
from wavewrap_gateway.core.journal import drink_after_ml, read_note
from wavewrap_gateway.core.journal_book import write_csv
from wavewrap_gateway.core.journal_words import describe_book, describe_due, describe_entry, say_question
from wavewrap_protocol.errors import UsageError
from wavewrap_protocol.journal_notes import RunNote, SorenessNote
from wavewrap_protocol.payload_base import Payload

if TYPE_CHECKING:
    from wavewrap_gateway.adapters.recovery_journal import RecoveryJournal

__all__ = ["app"]

app = typer.Typer(help="The recovery journal: runs, and how sore the calves are. It stays in the store.", no_args_is_help=True)
add = typer.Typer(help="Note a run, or how sore the calves are.", no_args_is_help=True)
app.add_typer(add, name="add")

StoreOption = Annotated[
    str | None, typer.Option("--store", metavar="PLACE", help="Another store: an SQLite file, or postgresql://user@host/database.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
AtOption = Annotated[str | None, typer.Option("--at", metavar="TIME", help="When it was, as 2026-11-25T18:30, local; none: now.")]
NoteOption = Annotated[str, typer.Option("--note", help="A remark.")]


def _open(store: str | None, config: Path | None) -> "RecoveryJournal":
    from wavewrap_gateway.adapters.recovery_journal import RecoveryJournal  # here, because SQLAlchemy takes its time and memory to load

    chosen = load_config(config)
    place = (chosen.store if store is None else StorePlace(store)).get_secret_value()
    return RecoveryJournal(place, chosen.gateway, lambda: time.clock_gettime(time.CLOCK_REALTIME))


def _read_time(at: str | None, journal: "RecoveryJournal") -> float:
    if at is None:
        return journal.now_unix_s
    try:
        return datetime.fromisoformat(at).astimezone().timestamp()
    except (ValueError, OverflowError, OSError) as cause:
        raise UsageError(f"--at {at}: not a time: write it as 2026-11-25T18:30, with +01:00 where it is not local") from cause


@add.command("run")
def add_run(
    minutes: Annotated[float, typer.Option("--minutes", help="How long it was.")],
    km: Annotated[float | None, typer.Option("--km", help="How far.")] = None,
    effort: Annotated[int | None, typer.Option("--effort", help="How hard it felt, 1 to 10.")] = None,
    weight_before: Annotated[float | None, typer.Option("--weight-before", help="Weight before it, in kg, or as --pounds says.")] = None,
    weight_after: Annotated[float | None, typer.Option("--weight-after", help="Weight after it, likewise.")] = None,
    pounds: Annotated[bool, typer.Option("--pounds", help="Weights are in pounds.")] = False,
    warm_up_minutes: Annotated[float | None, typer.Option("--warm-up-minutes", help="Warm-up before it.")] = None,
    stretch_minutes: Annotated[float | None, typer.Option("--stretch-minutes", help="Stretching after it.")] = None,
    at: Annotated[str | None, typer.Option("--at", metavar="TIME", help="When it ended, as 2026-11-25T18:30, local; none: now.")] = None,
    note: NoteOption = "",
    store: StoreOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Note a run; with both weights, how much to drink after it."""
    journal = _open(store, config)

    def in_kg(weight: float | None) -> float | None:
        return None if weight is None else round(weight * KG_PER_LB, 4) if pounds else weight

    given: dict[str, object] = {
        "ended_unix_s": _read_time(at, journal),
        "duration_s": minutes * 60.0,
        "distance_m": None if km is None else km * 1000.0,
        "effort": effort,
        "weight_before_kg": in_kg(weight_before),
        "weight_after_kg": in_kg(weight_after),
        "warm_up_s": None if warm_up_minutes is None else warm_up_minutes * 60.0,
        "stretch_s": None if stretch_minutes is None else stretch_minutes * 60.0,
        "note": note,
    }
    entry = journal.add(read_note(RunNote, given))
    if as_json:
        _print(describe_entry(entry))
        return
    typer.echo(f"noted {entry.entry_id}")
    assert isinstance(entry.note, RunNote)
    drink_ml = drink_after_ml(entry.note)
    if drink_ml is not None:
        print_drink(drink_ml)


@add.command("soreness")
def add_soreness(
    soreness: Annotated[int, typer.Argument(metavar="0..10", help="0: not sore at all, 10: as sore as can be.")],
    at: AtOption = None,
    note: NoteOption = "",
    store: StoreOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Note how sore the calves are; it answers every question that is open at that time."""
    journal = _open(store, config)
    entry = journal.add(read_note(SorenessNote, {"unix_s": _read_time(at, journal), "soreness": soreness, "note": note}))
    if as_json:
        _print(describe_entry(entry))
    else:
        typer.echo(f"noted {entry.entry_id}")


@app.command("list")
def list_entries(
    days: Annotated[int, typer.Option("--days", min=1, max=36_500, help="So many of the last days.")] = 30,
    store: StoreOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List entries and, beside them, the sessions with how sore the calves were, the newest first."""
    journal = _open(store, config)
    book = journal.load(days)
    if as_json:
        _print(describe_book(book, journal.now_unix_s))
    elif book.entries or book.sessions:
        print_book(book)
    else:
        typer.echo(f"nothing was noted in the last {days} days")


@app.command("due")
def due(store: StoreOption = None, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Say what is asked now."""
    journal = _open(store, config)
    book, now_unix_s = journal.load_open(), journal.now_unix_s
    if as_json:
        _print(describe_due(book, now_unix_s))
        return
    questions = book.find_due(now_unix_s)
    for question in questions:
        typer.echo(f"{local_time(question.due_unix_s)[:-3]}  {say_question(question)}")
    if questions:
        typer.echo("one answer serves them all: wavewrap journal add soreness 0..10")
        return
    next_s = book.next_due_unix_s(now_unix_s)
    typer.echo("nothing is asked now" + ("" if next_s is None else f"; next at {local_time(next_s)[:-3]}"))


@app.command("export")
def export(
    out: Annotated[Path, typer.Option("--out", help="Write to this file.")] = Path("journal.csv"),
    store: StoreOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write every entry as CSV, a row each, units in the names of the columns."""
    book = _open(store, config).load()
    try:
        out.write_text(write_csv(book, local_time), encoding="utf-8", newline="")
    except OSError as cause:
        raise UsageError(f"{out}: cannot be written ({cause.strerror}); give a path in a folder that exists, with room") from cause
    if as_json:
        _print_json({"file": str(out), "format": "csv", "rows": len(book.entries)})
    else:
        typer.echo(f"wrote {out}, {len(book.entries)} rows")


@app.command("delete")
def delete(
    entries: Annotated[list[str] | None, typer.Argument(metavar="ENTRY...", help="Names of entries, or how they begin.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="The whole journal.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    store: StoreOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Delete entries, or all of them, for good."""
    if bool(entries) is everything:
        raise UsageError("journal delete: name entries, or say --all")
    journal = _open(store, config)
    if not yes and not as_json:
        what = "the whole journal" if everything else ", ".join(entries or [])
        typer.confirm(f"Delete {what} for good?", abort=True, err=True)
    elif not yes:
        raise UsageError("delete --json: nobody is asked; say --yes")
    if everything:
        count = journal.delete_all()
        _print_json({"deleted": count}) if as_json else typer.echo(f"deleted {count} entries")
    else:
        gone = journal.delete(entries or [])
        _print_json({"deleted": gone}) if as_json else typer.echo(f"deleted {', '.join(gone)}")


def _print_json(content: dict[str, Any]) -> None:
    typer.echo(json.dumps(content, ensure_ascii=False))


def _print(told: Payload) -> None:
    typer.echo(told.model_dump_json())
