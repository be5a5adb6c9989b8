"""``wavewrap bench safety`` as a command."""

import json
import sys
import time
from typing import Annotated

import typer

from wavewrap_bench.hostile_writes import play_hostile
from wavewrap_bench.safety import DOUBLES, QUIET_H, SINGLES, Campaign, bench_safety, describe, play_campaign, play_short, replay
from wavewrap_bench.safety_runs import make_batches, make_short_batches
from wavewrap_bench.safety_table import HARDWARE, Figures, load_figures, render_table, write_figures
from wavewrap_board.board import Board
from wavewrap_board.files import REFERENCE_BOARD, load_board
from wavewrap_gateway.bench.report import Check, print_report
from wavewrap_protocol.errors import WavewrapError

__all__ = ["safety", "table_of"]

WRITES = 1_000_000
WRITES_SHORT = 50_000


def safety(
    short: Annotated[bool, typer.Option("--short", help="Every kind once, in one process: what the check plays.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same runs.")] = 1,
    singles: Annotated[int, typer.Option("--runs", min=1, help="Single-fault runs.")] = SINGLES,
    doubles: Annotated[int, typer.Option("--pairs", min=0, help="Double-fault runs.")] = DOUBLES,
    quiet_h: Annotated[float, typer.Option("--quiet", min=0.0, help="Hours without a fault.")] = QUIET_H,
    writes: Annotated[int | None, typer.Option(min=0, help="Hostile writes. Default: a million, 50,000 in the short form.")] = None,
    only: Annotated[str | None, typer.Option(help="Play this run again, with the batch it is in, and say what it did.")] = None,
    write_table: Annotated[bool, typer.Option("--write-table", help="Keep the figures and write hardware/fail_safe.md.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Faults at random moments of every preset, sessions without any, and a million hostile writes."""
    board = load_board(REFERENCE_BOARD)
    try:
        if only is not None:
            batches = make_short_batches(board, seed) if only.startswith("short") else make_batches(board, seed, singles, doubles, quiet_h)
            verdict = replay(batches, board, only)
            typer.echo(verdict.outcome.model_dump_json() if as_json else describe(verdict))
            raise typer.Exit(1 if verdict.broken else 0)
        started_s = time.perf_counter()
        campaign = play_short(board, seed) if short else play_campaign(board, seed, singles, doubles, quiet_h)
        played_s = time.perf_counter() - started_s
        report = bench_safety(
            campaign, [*_write_hostile(board, seed, writes, short=short), *_compare(campaign, short=short), _took(played_s)]
        )
        if write_table:
            figures = Figures(full=campaign, short=play_short(board, seed))
            write_figures(figures, table_of(figures, board))
    except WavewrapError as cause:
        print(f"wavewrap: {cause}", file=sys.stderr)
        raise typer.Exit(1) from cause
    if as_json:
        typer.echo(json.dumps({**report.model_dump(exclude={"details"}), **report.details}))
    else:
        print_report(report)
        for line in [*campaign.broken, *campaign.false_alarms]:
            typer.echo(line)
    raise typer.Exit(0 if report.ok else 1)


def table_of(figures: Figures, board: Board) -> str:
    """``hardware/fail_safe.md`` for ``figures`` of ``board``."""
    return render_table(figures, board.spread_fraction, board.limits.ceiling_mmhg, board.limiter.hardware_ceiling_mmhg)


def _write_hostile(board: Board, seed: int, writes: int | None, *, short: bool) -> list[Check]:
    wanted = writes if writes is not None else WRITES_SHORT if short else WRITES
    if wanted == 0:
        return []
    started_s = time.perf_counter()
    result = play_hostile(board, wanted, seed)
    if result.breach:
        print(f"wavewrap: hostile writes: {result.breach}", file=sys.stderr)
    return [
        Check(name="hostile writes", value=result.writes, unit="writes", limit=wanted, better="higher"),
        Check(name="of them unauthenticated", value=result.unauthenticated, unit="writes", limit=None, better="higher"),
        Check(name="laws broken by them", value=float(bool(result.breach)), unit="", limit=0, better="lower"),
        Check(name="time they took", value=time.perf_counter() - started_s, unit="s", limit=None, better="lower"),
    ]


def _compare(campaign: Campaign, *, short: bool) -> list[Check]:
    """Whether the fail-safe table still says what was found; only for the campaign that it was made of, in a checkout."""
    if not (HARDWARE / "fail_safe.json").exists():
        return []
    kept = load_figures().short if short else load_figures().full
    same_size = (kept.seed, kept.quiet_runs) == (campaign.seed, campaign.quiet_runs)
    if not same_size or sum(row.runs for row in kept.kinds) != sum(row.runs for row in campaign.kinds):
        return []
    differing = sum(row != found for row, found in zip(kept.kinds, campaign.kinds, strict=True)) + (kept.pairs != campaign.pairs)
    return [Check(name="rows unlike hardware/fail_safe.md", value=differing, unit="rows", limit=0, better="lower")]


def _took(played_s: float) -> Check:
    return Check(name="time of the campaign", value=played_s / 60.0, unit="min", limit=None, better="lower")
