"""The fail-safe analysis as a table: prose for each kind, figures from the campaigns kept in ``hardware/fail_safe.json``."""

from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from wavewrap_bench.safety import Campaign
from wavewrap_bench.safety_verdict import KindRow
from wavewrap_protocol.errors import UsageError
from wavewrap_sim.fault_draw import KINK_MMHG_S_ML, LEAK_MMHG_S

__all__ = ["HARDWARE", "Figures", "load_figures", "render_table", "write_figures"]

HARDWARE = Path(__file__).resolve().parents[3] / "hardware"
"""Of a checkout; an installed package has none."""


class Figures(BaseModel):
    """What is kept: the whole campaign, which fills the table, and the short one, which every check plays again."""

    model_config = ConfigDict(frozen=True)
    full: Campaign
    short: Campaign


@dataclass(frozen=True, slots=True)
class _Prose:
    failure: str
    effect: str
    catch: str


_PROSE: dict[str, _Prose] = {
    "hose_off": _Prose("hose off", "the chamber empties and cannot be filled", "a fill that brings no pressure; a hold that sinks"),
    "inlet_stuck_shut": _Prose("inlet does not open", "the chamber gets no air", "the manifold rises, the chamber does not"),
    "vent_stuck_shut": _Prose(
        "vent does not open",
        "the chamber keeps its pressure",
        "a fall slower than three times the board's; relief path: the chamber's inlet and the dump open, pump off twice",
    ),
    "sensor_frozen": _Prose(
        "chamber sensor repeats itself",
        "the firmware is blind to this chamber",
        "readings without noise; behind it the manifold's sensor and the hardware limiter",
    ),
    "inlet_stuck_open": _Prose(
        "inlet does not close",
        "the chamber is fed with others, or drains through the open dump",
        "a chamber that follows the manifold though its inlet is told shut",
    ),
    "vent_stuck_open": _Prose(
        "vent does not close", "the chamber cannot be filled or held", "a fill that brings too little; a hold that sinks"
    ),
    "leak": _Prose("leak in bladder or hose", "the hold sinks, the pump works more", "air lost in holds beyond what creep explains"),
    "kink": _Prose("kinked hose", "fills take many times as long", "a manifold far over the chamber while it is filled"),
    "poor_fit": _Prose("wrap loose or not worn", "the first fill takes far too much air", "air counted in the slow first inflation"),
    "sensor_drift": _Prose(
        "chamber sensor drifts",
        "true pressure is off by as much",
        "the manifold's sensor must agree in probes; a zero that has moved; the hardware limiter",
    ),
    "sensor_dead": _Prose("chamber sensor's wire broken", "a reading at an end of the range, or nothing", "a reading that cannot be"),
    "dump_stuck_open": _Prose("dump does not close", "the manifold cannot be charged", "a charge that takes too long"),
    "dump_stuck_shut": _Prose(
        "dump does not open", "the manifold stays charged; no relief path", "pressure in a manifold that is open and unfed"
    ),
    "pump_dead": _Prose("pump does not run", "nothing is filled", "a charge that takes too long"),
    "pump_stuck_on": _Prose(
        "pump's pulse-width switch shorted",
        "the pump runs whenever its enable switch is on",
        "the manifold rises while the pump is told off with its enable on; the enable switch then cuts it",
    ),
    "manifold_sensor_frozen": _Prose("manifold sensor repeats itself", "the second opinion is gone", "readings without noise"),
    "manifold_sensor_dead": _Prose("manifold sensor reads nothing", "the second opinion is gone", "readings without noise"),
    "reboot": _Prose(
        "power off and on in an instant", "the session is lost", "no power: everything at rest; a boot never goes on with a session"
    ),
    "firmware_hang": _Prose(
        "firmware stands still", "valves and pump stay as they were", "the watchdog chip cuts supply and coils, then resets"
    ),
    "brown_out": _Prose(
        "supply gone for a while",
        "the session is lost",
        "no power: everything at rest at once; the boot tells why (seen after includes the outage)",
    ),
    "radio_cut": _Prose("radio cut", "no command gets through", "the lease ends"),
    "gateway_kill": _Prose("gateway killed", "nobody renews or stops", "the lease ends"),
    "host_stall": _Prose("gateway stands still", "renewals and steps come late", "the lease ends; steps that come late are refused"),
    "writes_corrupted": _Prose(
        "writes damaged", "commands and plans are lost", "length, checksum, range; the lease where nothing gets through"
    ),
    "writes_replayed": _Prose(
        "writes repeated", "a command arrives twice", "command numbers that are remembered, step numbers that run on"
    ),
    "writes_reordered": _Prose("writes out of order", "a plan before its predecessor", "step numbers that run on"),
    "writes_hostile": _Prose("made-up writes", "any bytes at any time", "every write is checked whole before anything is done"),
}

_HEAD = """# Fail-safe analysis of {board}

Generated by `wavewrap bench safety --write-table`; do not edit. Each row is one single failure, played {runs} times or more on the
simulated wrap: at random moments of the first two cycles of every preset, on plants scattered by {spread}, with moving limbs and
warming air, with the firmware that the simulator runs and the protection that the board file describes. The figures are those of a
simulation. They say what the logic does, not what a built wrap will; `bring_up.md` says what to measure on one.

- *answer*: what the device said first, and how often. All answers lead to the same end: pump off twice, inlets shut, vents and dump open.
- *no effect*: runs in which the failed part was never used again before the session's end, proven by the run's own record of commands and
  pressures, and troubles of the link that a session outlives. Repeated, reordered and made-up writes need no answer.
- *seen after*: from the moment at which the failure could first be noticed (a hose that is off shows when the chamber is filled) to the
  answer; median and longest.
- *under 15 mmHg after*: from the safety action until the last chamber is under 15 mmHg; median and longest.
- *highest*: true pressure of any chamber in any run. The firmware's ceiling is {ceiling:g} mmHg, the hardware's {hardware:g} mmHg.

{columns}
"""

_COLUMNS = (
    "failure",
    "effect",
    "what catches it",
    "answer",
    "no effect",
    "seen after, s",
    "pump off after, s",
    "under 15 mmHg after, s",
    "under 5, longest, s",
    "highest, mmHg",
)

_TAIL = """
## Runs that broke a limit

Named wrongly, missed, or longer than 5 s on the way under 15 mmHg (the relief path aside): {broken}.

{broken_runs}
## Without a failure

{quiet_runs} sessions, {quiet_h:g} hours, on scattered plants with moving limbs and warming air: {false_alarms} false alarms.

## Two failures at once

{pairs}

## What is left

- A vent that fails to open together with a dump that does, or with a hose that is closed, leaves no way out but the leak of the bladder
  and the hand that opens the wrap. The kinks played here add {kink[0]:g} to {kink[1]:g} mmHg s/ml to a hose that has 0.02.
- A limiter that has tripped holds every coil cut, the relief path too, until a person acknowledges.
- Pressure switches that do not trip and a watchdog that does not run are not noticed in use: test both at bring-up and from time to time.
- Leaks that cost a chamber less than those of this campaign ({leak:g} mmHg/s at 60 mmHg) may stay unnamed within a short hold: the pump
  makes up for them, and no pressure is wrong.
- The limb is modelled as volume; nothing here says what a pressure does to a person.
"""

_PAIRS = """{p.runs} runs with two failures within some seconds: {p.answered} answered, {p.silent} in which the session went on. Highest
pressure {p.highest_mmhg:.1f} mmHg; over the firmware's ceiling by more than 5 mmHg in {p.over_firmware_ceiling}, over the hardware's in
{p.over_hardware_ceiling}; under 15 mmHg after {p.below_15_median_s:.2f} to {p.below_15_max_s:.2f} s (median, longest), longer than 5 s in
{p.slow_to_vent}. Runs that one of the limits for single failures would refuse: {count}.
"""

_LISTED = 20
"""Choice: who wants all of them reads the JSON beside this page."""


def render_table(figures: Figures, spread_fraction: float, ceiling_mmhg: float, hardware_mmhg: float) -> str:
    """The Markdown of ``hardware/fail_safe.md``."""
    full = figures.full
    head = _HEAD.format(
        board=full.board,
        runs=min(row.runs for row in full.kinds),
        spread=f"{100.0 * spread_fraction:g} %",
        ceiling=ceiling_mmhg,
        hardware=hardware_mmhg,
        columns=f"| {' | '.join(_COLUMNS)} |\n{'|---' * len(_COLUMNS)}|",
    )
    tail = _TAIL.format(
        broken=len(full.broken),
        broken_runs="".join(f"- {line}\n" for line in full.broken),
        quiet_runs=full.quiet_runs,
        quiet_h=full.quiet_h,
        false_alarms=len(full.false_alarms),
        pairs=_pairs(full),
        kink=KINK_MMHG_S_ML,
        leak=LEAK_MMHG_S[0],
    )
    return head + "".join(_row(row) for row in full.kinds) + tail


def _row(row: KindRow) -> str:
    prose = _PROSE[row.kind]
    said = ", ".join(f"{what} {count}" for what, count in row.said.items()) or "none needed"
    if row.missed:
        said += f", **missed {row.missed}**"
    cells = (
        prose.failure,
        prose.effect,
        prose.catch,
        said,
        f"{row.no_effect + row.harmless} of {row.runs}",
        _span(row.detected_median_s, row.detected_max_s),
        _one(row.pump_off_max_s),
        _span(row.below_15_median_s, row.below_15_max_s),
        _one(row.below_5_max_s),
        f"{row.highest_mmhg:.1f}",
    )
    return f"| {' | '.join(cells)} |\n"


def _span(median_s: float | None, most_s: float | None) -> str:
    return "-" if median_s is None or most_s is None else f"{median_s:.2f} to {most_s:.2f}"


def _one(value_s: float | None) -> str:
    return "-" if value_s is None else f"{value_s:.2f}"


def _pairs(full: Campaign) -> str:
    pairs = full.pairs
    if pairs is None:
        return "Not played."
    listed = "".join(f"- {line}\n" for line in pairs.worst[:_LISTED])
    more = f"- and {len(pairs.worst) - _LISTED} more\n" if len(pairs.worst) > _LISTED else ""
    text = _PAIRS.format(p=pairs, count=len(pairs.worst))
    return f"{text}\n{listed}{more}".rstrip()


def load_figures(folder: Path = HARDWARE) -> Figures:
    """What ``fail_safe.json`` in ``folder`` keeps. Raises :class:`UsageError` where there is none."""
    path = folder / "fail_safe.json"
    try:
        return Figures.model_validate_json(path.read_text(encoding="utf-8"))
    except OSError as cause:
        raise UsageError(f"{path}: cannot be read ({cause.strerror}): run 'wavewrap bench safety --write-table' in a checkout") from cause


def write_figures(figures: Figures, table: str, folder: Path = HARDWARE) -> None:
    """Keep ``figures`` and ``table`` in ``folder``. Raises :class:`UsageError` where that cannot be."""
    try:
        (folder / "fail_safe.json").write_text(figures.model_dump_json(indent=1) + "\n", encoding="utf-8")
        (folder / "fail_safe.md").write_text(table, encoding="utf-8")
    except OSError as cause:
        raise UsageError(f"{folder}: cannot be written ({cause.strerror}): run this in a checkout") from cause
