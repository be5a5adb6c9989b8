"""``wavewrap sessions``: look at the history of sessions, draw, export, delete and replay it."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from wavewrap_gateway.app.config import StorePlace, load_config
from wavewrap_gateway.cli.config import ConfigOption
from wavewrap_gateway.cli.session_table import local_time, print_entries, print_session
from wavewrap_gateway.core.dose import ChamberDifference, ChamberDose, compare_doses, measure_dose
from wavewrap_gateway.core.history import RecordState
from wavewrap_gateway.core.recorded_session import RecordedSession, SessionEntry
from wavewrap_protocol.errors import UsageError
from wavewrap_protocol.payloads import Side

__all__ = ["app"]

app = typer.Typer(help="The history: every session that was recorded.", no_args_is_help=True)

StoreOption = Annotated[
    str | None, typer.Option("--store", metavar="PLACE", help="Another history: an SQLite file, or postgresql://user@host/database.")
]
SessionArgument = Annotated[str, typer.Argument(metavar="SESSION", help="Name of a session, how it begins, or 'last'.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def _place(store: str | None, config: Path | None) -> str:
    return (load_config(config).store if store is None else StorePlace(store)).get_secret_value()


def _load(session: str, store: str | None, config: Path | None) -> RecordedSession:
    from wavewrap_gateway.adapters.store_reader import load_session  # here, because SQLAlchemy takes its time and memory to load

    return load_session(_place(store, config), session)


@app.command("list")
def list_recorded(
    limit: Annotated[int, typer.Option("--limit", min=1, help="So many of the newest.")] = 20,
    store: StoreOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List recorded sessions, the newest first."""
    from wavewrap_gateway.adapters.store_reader import list_sessions  # here, as above

    entries = list_sessions(_place(store, config), limit)
    if as_json:
        _print_json({"sessions": [_describe_entry(entry) for entry in entries]})
    elif entries:
        print_entries(entries)
    else:
        typer.echo("no session was recorded yet")


@app.command("show")
def show(session: SessionArgument = "last", store: StoreOption = None, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show a session: its record, what each chamber got, what differed between left and right, and what happened."""
    recorded = _load(session, store, config)
    doses = [measure_dose(side.account) for side in recorded.sides]
    differences = _between_sides(recorded, doses)
    if not as_json:
        print_session(recorded, doses, differences)
        return
    wraps = [
        {
            "id": side.wrap.name,
            "side": side.wrap.side.value,
            "serial": side.wrap.serial,
            "model": side.wrap.model,
            "firmware": side.wrap.firmware,
            "samples": {
                "kept": len(side.curves),
                "replayed": int(side.curves.replayed.sum()),
                "missing": side.curves.missing,
            },
            "dose": [asdict(chamber) for chamber in dose],
        }
        for side, dose in zip(recorded.sides, doses, strict=True)
    ]
    head = recorded.head
    _print_json(
        {
            "session": head.session_id,
            "gateway": head.gateway,
            "wavewrap": head.version,
            "program": head.program.model_dump(mode="json", exclude_none=True),
            "planned_s": head.planned_s,
            "started_unix_s": head.started_unix_s,
            "ended_unix_s": recorded.ended_unix_s,
            "state": recorded.state.value,
            "reason": recorded.reason,
            "unrecorded": recorded.unrecorded,
            "summary": None if recorded.summary is None else recorded.summary.model_dump(mode="json", exclude_none=True),
            "wraps": wraps,
            "left_minus_right": [asdict(one) for one in differences],
            "events": [asdict(event) for event in recorded.events],
        }
    )


def _between_sides(recorded: RecordedSession, doses: Sequence[Sequence[ChamberDose]]) -> list[ChamberDifference]:
    """Of the first wrap of each side; none where there is one side only."""
    by_side = {side.wrap.side: dose for side, dose in reversed(list(zip(recorded.sides, doses, strict=True)))}
    return compare_doses(by_side[Side.LEFT], by_side[Side.RIGHT]) if len(by_side) == 2 else []


@app.command("plot")
def plot(
    session: SessionArgument = "last",
    png: Annotated[Path | None, typer.Option("--png", help="Write to this file; by default SESSION.png here.")] = None,
    from_s: Annotated[float | None, typer.Option("--from", help="Second of the session to begin at.")] = None,
    to_s: Annotated[float | None, typer.Option("--to", help="Second of the session to end at.")] = None,
    store: StoreOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Draw measured pressures and targets of a session as a PNG."""
    if from_s is not None and to_s is not None and from_s >= to_s:
        raise UsageError(f"--from {from_s:g} --to {to_s:g}: the end must come after the beginning")
    recorded = _load(session, store, config)
    from wavewrap_gateway.adapters.plot_session import draw_session  # here, because matplotlib takes its time and memory to load

    path = Path(f"{recorded.head.session_id}.png") if png is None else png
    title = f"{recorded.head.program.title}, {local_time(recorded.head.started_unix_s)}, {recorded.state.value}"
    draw_session(recorded, title, path, (from_s, to_s))
    _tell_file(recorded, path, {"format": "png"}, as_json=as_json)


@app.command("export")
def export(
    session: SessionArgument = "last",
    out: Annotated[Path | None, typer.Option("--out", help="Write to this file; by default SESSION.csv or .parquet here.")] = None,
    kind: Annotated[str | None, typer.Option("--format", help="csv or parquet; by default what the file's name ends in, or csv.")] = None,
    store: StoreOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write every sample of a session with its device time, target and units: CSV, or Parquet with pyarrow."""
    from wavewrap_gateway.adapters.export import FORMATS, export_session  # here, to keep the start short

    suffix = "" if out is None else out.suffix.lstrip(".").lower()
    chosen = kind or (suffix if suffix in FORMATS else FORMATS[0])
    if chosen not in FORMATS:
        raise UsageError(f"--format {chosen}: not one of ours; give {' or '.join(FORMATS)}")
    recorded = _load(session, store, config)
    path = Path(f"{recorded.head.session_id}.{chosen}") if out is None else out
    rows = export_session(recorded, path, chosen)
    _tell_file(recorded, path, {"format": chosen, "rows": rows}, as_json=as_json)


@app.command("delete")
def delete(
    sessions: Annotated[list[str], typer.Argument(metavar="SESSION...", help="Names of sessions, or how they begin.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    running: Annotated[bool, typer.Option("--running", help="Also one that runs, or that nobody has closed.")] = False,
    store: StoreOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Delete sessions from the history, for good."""
    from wavewrap_gateway.adapters.store_reader import delete_sessions  # here, as above

    place = _place(store, config)
    if not yes and not as_json:
        typer.confirm(f"Delete {', '.join(sessions)} for good?", abort=True, err=True)
    elif not yes:
        raise UsageError("delete --json: nobody is asked; say --yes")
    gone = delete_sessions(place, sessions, running=running)
    if as_json:
        _print_json({"deleted": gone})
    else:
        typer.echo(f"deleted {', '.join(gone)}")


def _describe_entry(entry: SessionEntry) -> dict[str, Any]:
    ended = entry.state is not RecordState.RUNNING
    return {**asdict(entry), "state": entry.state.value, "duration_s": entry.duration_s if ended else None}


def _tell_file(recorded: RecordedSession, path: Path, more: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        _print_json({"session": recorded.head.session_id, "file": str(path), **more})
    else:
        rows = f", {more['rows']} rows" if "rows" in more else ""
        typer.echo(f"wrote {path}{rows}")


def _print_json(content: dict[str, Any]) -> None:
    typer.echo(json.dumps(content, ensure_ascii=False))


@app.command("replay")
def replay(
    session: SessionArgument = "last",
    scenario: Annotated[Path | None, typer.Option("--scenario", help="Radio conditions, a TOML file; none: a clean radio.")] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Same seed, same wraps.")] = 1,
    store: StoreOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Play the program of a session again on simulated wraps, faster than time, and say how the recorded session differs from that."""
    # It drives gateway and simulator in one process, which this package must not import. The place goes by the environment: a URL may hold
    # a password, and arguments are for everybody to read.
    command = [sys.executable, "-m", "wavewrap_bench", "replay", session, "--seed", str(seed)]
    command += [] if scenario is None else ["--scenario", str(scenario)]
    command += ["--json"] if as_json else []
    variables = {**os.environ, "WAVEWRAP_STORE": _place(store, config)}
    raise typer.Exit(subprocess.run(command, check=False, env=variables).returncode)
