"""``bench safety``: what a wrap does about every single fault and about pairs of them, and that it raises no alarm without one.

Virtual time, the real firmware, real bytes, plants scattered by the board's own spread, moving limbs, warming air. The same seed gives the
same runs; ``--only RUN`` plays the batch of one of them again and prints what that run did.
"""

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

from pydantic import BaseModel, ConfigDict
from rich.console import Console
from rich.progress import track

from wavewrap_bench.safety_rig import play_batch
from wavewrap_bench.safety_runs import FAULT_KINDS, Batch, find_batch, make_batches, make_short_batches
from wavewrap_bench.safety_trace import Outcome
from wavewrap_bench.safety_verdict import KindRow, Verdict, judge, median, summarise
from wavewrap_board.board import Board
from wavewrap_gateway.bench.report import BenchReport, Check, describe_machine

__all__ = ["DOUBLES", "QUIET_H", "SINGLES", "Campaign", "bench_safety", "play_campaign", "play_short"]

SINGLES = 540
"""Twenty of each of the 27 kinds."""

DOUBLES = 500
QUIET_H = 40.0
WORKERS = 2


class Pairs(BaseModel):
    """All double-fault runs together."""

    model_config = ConfigDict(frozen=True)
    runs: int
    answered: int
    """The device or its protection reacted."""
    silent: int
    over_firmware_ceiling: int
    """Over the firmware's ceiling by more than 5 mmHg."""
    over_hardware_ceiling: int
    pump_late: int
    slow_to_vent: int
    highest_mmhg: float
    pump_off_max_s: float
    below_15_median_s: float
    below_15_max_s: float
    worst: list[str]
    """Runs that broke a limit, with their faults and what they broke."""


class Campaign(BaseModel):
    """The result of one campaign, as it is kept for the fail-safe table."""

    model_config = ConfigDict(frozen=True)
    board: str
    seed: int
    kinds: list[KindRow]
    pairs: Pairs | None
    quiet_runs: int
    quiet_h: float
    false_alarms: list[str]
    broken: list[str]
    """Single-fault runs that broke a limit, with their fault and what they broke."""


def play_short(board: Board, seed: int) -> Campaign:
    """The short form, in this process."""
    return evaluate(board, seed, [outcome for batch in make_short_batches(board, seed) for outcome in play_batch(batch, board)])


def play_campaign(board: Board, seed: int, singles: int = SINGLES, doubles: int = DOUBLES, quiet_h: float = QUIET_H) -> Campaign:
    """The whole campaign, on two cores; a terminal sees how far it is."""
    batches = make_batches(board, seed, singles, doubles, quiet_h)
    console = Console(stderr=True)
    with ProcessPoolExecutor(WORKERS, get_context("spawn")) as pool:
        played = track(
            pool.map(play_batch, batches, [board] * len(batches)),
            "batches",
            len(batches),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        outcomes = [outcome for batch in played for outcome in batch]
    return evaluate(board, seed, outcomes)


def evaluate(board: Board, seed: int, outcomes: Sequence[Outcome]) -> Campaign:
    """What ``outcomes`` come to."""
    verdicts = [judge(outcome, board) for outcome in outcomes]
    quiet = [verdict for verdict in verdicts if not verdict.outcome.faults]
    single = [verdict for verdict in verdicts if len(verdict.outcome.faults) == 1]
    double = [verdict for verdict in verdicts if len(verdict.outcome.faults) > 1]
    return Campaign(
        board=board.name,
        seed=seed,
        kinds=summarise(FAULT_KINDS, single),
        pairs=_pairs(double, board) if double else None,
        quiet_runs=len(quiet),
        quiet_h=round(sum(verdict.outcome.played_s for verdict in quiet) / 3600.0, 2),
        false_alarms=[describe(verdict) for verdict in quiet if verdict.broken],
        broken=[describe(verdict) for verdict in single if verdict.broken],
    )


def describe(verdict: Verdict) -> str:
    """One line: which run, with what, what it broke, what it said."""
    outcome = verdict.outcome
    faults = " + ".join(f"{fault.kind} at {fault.at_s:g} s{_where(fault)}" for fault in outcome.faults) or "no fault"
    said = ", ".join(f"{reaction.what}[{reaction.chamber}] at {reaction.at_s:g} s" for reaction in outcome.reactions) or "nothing"
    return f"{outcome.run_id} ({outcome.program}): {faults}: {'; '.join(verdict.broken) or verdict.answer}; said {said}"


def _where(fault: Any) -> str:  # Any: half of the kinds have a chamber
    return f" in chamber {fault.chamber}" if hasattr(fault, "chamber") else ""


def _pairs(double: Sequence[Verdict], board: Board) -> Pairs:
    outcomes = [verdict.outcome for verdict in double]
    acted = [outcome for outcome in outcomes if outcome.reactions]
    below_15_s = sorted(outcome.below_15_s for outcome in acted)
    return Pairs(
        runs=len(outcomes),
        answered=len(acted),
        silent=len(outcomes) - len(acted),
        over_firmware_ceiling=sum(outcome.highest_mmhg > board.limits.ceiling_mmhg + 5.0 for outcome in outcomes),
        over_hardware_ceiling=sum(outcome.highest_mmhg > board.limiter.hardware_ceiling_mmhg for outcome in outcomes),
        pump_late=sum(any(text.startswith("pump") for text in verdict.broken) for verdict in double),
        slow_to_vent=sum(outcome.below_15_s > 5.0 for outcome in acted),
        highest_mmhg=max(outcome.highest_mmhg for outcome in outcomes),
        pump_off_max_s=max((outcome.pump_off_s for outcome in acted), default=0.0),
        below_15_median_s=median(below_15_s) or 0.0,
        below_15_max_s=max(below_15_s, default=0.0),
        worst=[describe(verdict) for verdict in double if verdict.broken],
    )


def bench_safety(campaign: Campaign, more: Sequence[Check] = ()) -> BenchReport:
    """``campaign`` against its limits."""
    rows, pairs = campaign.kinds, campaign.pairs
    checks = [
        Check(name="single-fault runs", value=sum(row.runs for row in rows), unit="runs", limit=None, better="higher"),
        Check(name="limits broken by single faults", value=len(campaign.broken), unit="runs", limit=0, better="lower"),
        Check(name="faults missed", value=sum(row.missed for row in rows), unit="runs", limit=0, better="lower"),
        Check(name="faults named wrongly", value=sum(row.wrong for row in rows), unit="runs", limit=0, better="lower"),
        Check(name="faults without effect", value=sum(row.no_effect for row in rows), unit="runs", limit=None, better="lower"),
        Check(
            name="pump off after", value=max((row.pump_off_max_s or 0.0 for row in rows), default=0.0), unit="s", limit=0.2, better="lower"
        ),
        Check(name="highest pressure", value=max((row.highest_mmhg for row in rows), default=0.0), unit="mmHg", limit=None, better="lower"),
        Check(name="fault-free", value=campaign.quiet_h, unit="h", limit=None, better="higher"),
        Check(name="false alarms", value=len(campaign.false_alarms), unit="runs", limit=0, better="lower"),
    ]
    if pairs is not None:
        checks += [
            Check(name="double-fault runs", value=pairs.runs, unit="runs", limit=None, better="higher"),
            Check(name="over the hardware ceiling", value=pairs.over_hardware_ceiling, unit="runs", limit=None, better="lower"),
            Check(name="not under 15 mmHg in 5 s", value=pairs.slow_to_vent, unit="runs", limit=None, better="lower"),
        ]
    details: dict[str, Any] = campaign.model_dump(mode="json")
    return BenchReport(bench="safety", machine=describe_machine(), checks=[*checks, *more], details=details)


def replay(batches: Sequence[Batch], board: Board, run_id: str) -> Verdict:
    """Play the batch of ``run_id`` again. Raises :class:`UsageError` for a run that there is not."""
    batch = find_batch(batches, run_id)
    outcome = next(outcome for outcome in play_batch(batch, board) if outcome.run_id == run_id)
    return judge(outcome, board)
