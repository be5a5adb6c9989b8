"""The safety bench in its short form: every kind of fault, sessions without one, hostile writes, and the fail-safe table."""

from functools import cache

import pytest

from wavewrap_bench.hostile_writes import play_hostile
from wavewrap_bench.safety import Campaign, play_short
from wavewrap_bench.safety_command import table_of
from wavewrap_bench.safety_link import LinkTrouble
from wavewrap_bench.safety_runs import FAULT_KINDS, find_batch, make_batches, make_short_batches
from wavewrap_bench.safety_table import HARDWARE, load_figures
from wavewrap_bench.safety_trace import Outcome, Reaction
from wavewrap_bench.safety_verdict import RIGHT, judge
from wavewrap_board.files import REFERENCE_BOARD, load_board
from wavewrap_gateway.adapters.program_files import preset_names
from wavewrap_protocol.enums import DeviceState
from wavewrap_protocol.errors import UsageError
from wavewrap_sim.faults import FAULT, Fault

BOARD = load_board(REFERENCE_BOARD)


@cache
def short_campaign() -> Campaign:
    return play_short(BOARD, load_figures().short.seed)


@pytest.mark.timeout(400)
def test_the_short_campaign_breaks_no_limit_and_raises_no_false_alarm() -> None:
    campaign = short_campaign()
    assert campaign.broken == []
    assert campaign.false_alarms == []
    assert campaign.quiet_runs == len(preset_names()), "a session of each preset without a fault"
    assert [row.kind for row in campaign.kinds] == list(FAULT_KINDS)


@pytest.mark.timeout(400)
def test_the_short_campaign_gives_the_figures_that_are_kept() -> None:
    """Figures are rounded to 10 ms and 0.1 mmHg and hang on readings of 0.02 mmHg, so that they repeat on any machine."""
    kept, played = load_figures().short, short_campaign()
    assert played.kinds == kept.kinds, "run 'wavewrap bench safety --write-table' and look at what has changed"
    assert played.pairs == kept.pairs


def test_the_fail_safe_table_is_that_of_the_figures_that_are_kept() -> None:
    figures = load_figures()
    assert (HARDWARE / "fail_safe.md").read_text(encoding="utf-8") == table_of(figures, BOARD)
    assert [row.kind for row in figures.full.kinds] == list(FAULT_KINDS)
    assert figures.full.board == BOARD.name


def test_a_campaign_plays_every_kind_on_every_preset_and_again_by_its_seed() -> None:
    batches = make_batches(BOARD, 5, 540, 20, 2.0)
    runs = [run for batch in batches for run in batch.runs]
    singles = [run for run in runs if len(run.faults) == 1]
    assert len(singles) == 540
    pairs = {(run.faults[0].kind, run.program) for run in singles}
    assert len(pairs) == len(FAULT_KINDS) * len(preset_names())
    assert len({run.run_id for run in runs}) == len(runs)
    again = make_batches(BOARD, 5, 540, 20, 2.0)
    assert [(run.run_id, run.faults, run.session_id) for batch in again for run in batch.runs] == [
        (run.run_id, run.faults, run.session_id) for run in runs
    ]
    assert sum(run.wave.duration_s for run in runs if not run.faults) >= 2.0 * 3600.0
    with pytest.raises(UsageError, match="there is no run none"):
        find_batch(batches, "none")


def test_the_short_form_has_every_kind() -> None:
    runs = make_short_batches(BOARD, 1)[0].runs
    assert {fault.kind for run in runs for fault in run.faults} == set(FAULT_KINDS) == set(RIGHT)


def fault_of(kind: str, **keys: object) -> Fault:
    return FAULT.validate_python({"kind": kind, "at_s": 10.0, **keys})


def outcome_of(fault: Fault | None, *said: str, **figures: object) -> Outcome:
    """A run in which all is well but what ``figures`` say."""
    plain: dict[str, object] = {
        "run_id": "x",
        "program": "recovery",
        "faults": () if fault is None else (fault,),
        "reactions": tuple(Reaction(at_s=12.0, what=what, chamber=0) for what in said),
        "shown_s": () if fault is None else (11.0,),
        "shown_for_s": () if fault is None else (1.0,),
        "acted_s": 12.0,
        "pump_off_s": 0.0,
        "below_15_s": 1.0,
        "below_5_s": 2.0,
        "highest_mmhg": 60.0,
        "over_15_s": 10.0,
        "played_s": 20.0,
        "limiter": False,
    }
    return Outcome.model_validate({**plain, **figures})


HOSE_OFF = fault_of("hose_off", chamber=1)


@pytest.mark.parametrize(
    ("outcome", "answer", "broken"),
    [
        (outcome_of(HOSE_OFF, "NO_RISE"), "right", 0),
        (outcome_of(HOSE_OFF, "PUMP_WEAK"), "wrong", 1),
        (outcome_of(HOSE_OFF), "missed", 1),
        (outcome_of(HOSE_OFF, shown_s=(None,)), "no effect", 0),
        (outcome_of(HOSE_OFF, "NO_RISE", highest_mmhg=85.1), "right", 1),
        (outcome_of(HOSE_OFF, "NO_RISE", pump_off_s=0.21), "right", 1),
        (outcome_of(HOSE_OFF, "NO_RISE", below_15_s=5.1), "right", 1),
        (outcome_of(fault_of("vent_stuck_shut", chamber=1), "VENT_FAILED", below_15_s=5.1), "right", 0),
        (outcome_of(fault_of("sensor_frozen", chamber=1), "SENSOR", highest_mmhg=109.0), "right", 0),
        (outcome_of(fault_of("sensor_frozen", chamber=1), "SENSOR", highest_mmhg=110.1), "right", 1),
        (outcome_of(fault_of("radio_cut", for_s=2.0)), "harmless", 0),
        (outcome_of(fault_of("radio_cut", for_s=9.0)), "missed", 1),
        (outcome_of(fault_of("radio_cut", for_s=9.0), "LEASE_END"), "right", 0),
        (outcome_of(None), "right", 0),
        (outcome_of(None, "LEAK"), "false alarm", 1),
    ],
)
def test_the_verdict_breaks_where_it_should(outcome: Outcome, answer: str, broken: int) -> None:
    verdict = judge(outcome, BOARD)
    assert (verdict.answer, len(verdict.broken)) == (answer, broken)


def test_an_answer_before_the_fault_is_a_wrong_one() -> None:
    early = outcome_of(HOSE_OFF, "NO_RISE", reactions=(Reaction(at_s=9.0, what="NO_RISE", chamber=0),))
    assert judge(early, BOARD).answer == "wrong"


def test_what_troubles_a_link() -> None:
    killed = LinkTrouble([fault_of("gateway_kill")])
    assert [killed.is_gateway_silent(t) for t in (9.9, 10.0, 1e6)] == [False, True, True]
    assert [killed.is_lost(t) for t in (13.9, 14.0)] == [False, True]
    cut = LinkTrouble([fault_of("radio_cut", for_s=5.0)])
    assert [cut.is_cut(t) for t in (9.9, 10.0, 14.9, 15.0)] == [False, True, True, False]
    assert not cut.is_gateway_silent(12.0)
    writes = [("a", b"\x01"), ("b", b"\x02")]
    for kind in ("writes_corrupted", "writes_replayed", "writes_reordered", "writes_hostile"):
        trouble = LinkTrouble([fault_of(kind, per_s=20.0, seed=3)])
        assert trouble.carry(9.9, list(writes)) == writes
        assert any(trouble.carry(10.0 + at / 10.0, list(writes)) != writes for at in range(20)), kind


def test_hostile_writes_meet_every_state_and_break_no_law() -> None:
    result = play_hostile(BOARD, 50_000, seed=4)
    assert result.breach == ""
    assert min(result.in_state[state.name] for state in DeviceState) > 0
    assert result.delivered > 5_000
    assert result.unauthenticated > 5_000
    assert result.accepted > 100


def test_a_law_that_is_broken_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same writes against a firmware that takes any command as authenticated: the wall between links must be what holds."""
    monkeypatch.setattr("wavewrap_bench.hostile_writes.may_write", lambda _level, _uuid: True)
    assert "an unauthenticated write was carried out" in play_hostile(BOARD, 20_000, seed=4).breach
