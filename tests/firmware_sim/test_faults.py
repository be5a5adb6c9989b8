"""Faults as data: files, draws, and what a player makes of them on plant, sensors and electronics."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wavewrap_board.files import REFERENCE_BOARD, load_board
from wavewrap_protocol.enums import Cause
from wavewrap_protocol.errors import UsageError
from wavewrap_sim.electronics import Electronics
from wavewrap_sim.fault_draw import draw_fault
from wavewrap_sim.fault_player import FaultPlayer
from wavewrap_sim.faults import FAULT, KINDS, PERSON_KINDS, Fault, load_faults, require_chambers
from wavewrap_sim.firmware import Inputs
from wavewrap_sim.firmware_from_board import firmware_config
from wavewrap_sim.plant_conditions import PlantConditions
from wavewrap_sim.protection import protection_of

BOARD = load_board(REFERENCE_BOARD)
CHAMBERS = len(BOARD.chambers)
FILES = sorted((Path(__file__).parents[1] / "faults").glob("*.toml"))
COMPLIANCE = [chamber.compliance_ml_mmhg for chamber in BOARD.chambers]


def make_electronics() -> Electronics:
    electronics = Electronics(firmware_config(BOARD), protection_of(BOARD), np.random.default_rng(1), np.random.default_rng(2))
    electronics.boot(0, Cause.BOOT)
    return electronics


def make_player(*tables: dict[str, object]) -> tuple[FaultPlayer, PlantConditions]:
    conditions = PlantConditions(2, CHAMBERS)
    return FaultPlayer([FAULT.validate_python(table) for table in tables], conditions, 1, COMPLIANCE), conditions


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_example_can_be_played_on_the_reference_board(path: Path) -> None:
    require_chambers(load_faults(path), CHAMBERS, path.name)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "x.toml: fault: Field required"),
        ("[[fault]]\nkind = 'leak'\nat_s = 1", "x.toml: fault.0.leak.chamber: Field required"),
        ("[[fault]]\nkind = 'lek'\nat_s = 1", "x.toml: fault.0: Input tag 'lek'"),
        ("[[fault]]\nkind = 'reboot'\nat_s = 1\nchamber = 2", "x.toml: fault.0.reboot.chamber: Extra inputs"),
        ("[[fault]]\nkind = 'reboot'\nat_s = -1", "x.toml: fault.0.reboot.at_s: Input should be greater"),
        ("[[fault]]\nkind = 'brown_out'\nat_s = 1", "x.toml: fault.0.brown_out.for_s: Field required"),
        ("[[fault]", "write it as TOML"),
    ],
)
def test_a_wrong_file_is_refused_in_one_line(text: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        load_faults(path)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_chamber_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        load_faults(tmp_path / "none.toml")
    with pytest.raises(UsageError, match="hose_off in chamber 4: the wrap has 3"):
        require_chambers([FAULT.validate_python({"kind": "hose_off", "at_s": 0, "chamber": 4})], 3, "x.toml")


@given(kind=st.sampled_from(list(KINDS)), seed=st.integers(0, 1 << 32))
def test_a_draw_repeats_by_its_seed_and_stays_within_board_and_window(kind: str, seed: int) -> None:
    fault = draw_fault(kind, np.random.default_rng(seed), BOARD, 90.0)
    assert fault == draw_fault(kind, np.random.default_rng(seed), BOARD, 90.0)
    assert fault.kind == kind
    assert 0.0 <= fault.at_s <= 90.0
    require_chambers([fault], CHAMBERS, "drawn")


def test_draws_differ() -> None:
    rng = np.random.default_rng(3)
    drawn = {draw_fault(kind, rng, BOARD, 90.0) for kind in KINDS for _ in range(5)}
    assert len(drawn) > 4 * len(KINDS)


def arrays_of(conditions: PlantConditions) -> dict[str, np.ndarray]:
    """Its public arrays."""
    return {name: array for name, array in vars(conditions).items() if not name.startswith("_")}


PLANT_FAULTS: list[tuple[dict[str, object], str, float]] = [
    ({"kind": "leak", "chamber": 2, "flow_at_60_ml_s": 7.0}, "leak_at_60_ml_s", 7.0),
    ({"kind": "kink", "chamber": 2, "resistance_mmhg_s_ml": 9.0}, "kink_mmhg_s_ml", 9.0),
    ({"kind": "hose_off", "chamber": 2}, "hose_on", 0.0),
    ({"kind": "poor_fit", "chamber": 2, "slack_ml": 80.0}, "slack_ml", 80.0),
    ({"kind": "inlet_stuck_open", "chamber": 2, "opening": 0.4}, "inlet_held", 0.4),
    ({"kind": "inlet_stuck_shut", "chamber": 2}, "inlet_held", 0.0),
    ({"kind": "vent_stuck_open", "chamber": 2}, "vent_held", 1.0),
    ({"kind": "vent_stuck_shut", "chamber": 2}, "vent_held", 0.0),
    ({"kind": "dump_stuck_open"}, "dump_held", 1.0),
    ({"kind": "dump_stuck_shut"}, "dump_held", 0.0),
    ({"kind": "pump_dead"}, "pump_efficiency", 0.0),
]


@pytest.mark.parametrize(("table", "name", "value"), PLANT_FAULTS, ids=lambda part: part["kind"] if isinstance(part, dict) else "")
def test_a_plant_fault_lasts_its_time_and_touches_nothing_else(table: dict[str, object], name: str, value: float) -> None:
    player, conditions = make_player({**table, "at_s": 1.0, "for_s": 2.0})
    healthy, electronics = PlantConditions(2, CHAMBERS), make_electronics()
    for time_s, holds in ((0.5, False), (1.0, True), (2.5, True), (3.0, False), (4.0, False)):
        player.advance(time_s, electronics)
        for field, array in arrays_of(conditions).items():
            expected = arrays_of(healthy)[field].copy()
            if holds and field == name:
                expected[(1, 1) if expected.ndim == 2 else 1] = value
            np.testing.assert_array_equal(array, expected, err_msg=f"{field} at {time_s} s")


def test_faults_of_one_chamber_add_up() -> None:
    leak: dict[str, object] = {"kind": "leak", "chamber": 1, "flow_at_60_ml_s": 3.0}
    player, conditions = make_player({**leak, "at_s": 1.0}, {**leak, "at_s": 2.0, "for_s": 1.0})
    seen = []
    for time_s in (1.0, 2.0, 3.0):
        player.advance(time_s, make_electronics())
        seen.append(conditions.leak_at_60_ml_s[1, 0])
    assert seen == [3.0, 6.0, 3.0]


def test_a_pump_stuck_on_runs_only_through_its_second_switch() -> None:
    player, conditions = make_player({"kind": "pump_stuck_on", "at_s": 0.0})
    player.advance(0.01, make_electronics())
    player.hold_pump(enabled=True)
    assert conditions.pump_held_duty[1] == 1.0
    player.hold_pump(enabled=False)
    assert np.isnan(conditions.pump_held_duty[1])


def test_sensors_that_lie() -> None:
    player, _ = make_player(
        {"kind": "sensor_frozen", "at_s": 1.0, "for_s": 2.0, "chamber": 1},
        {"kind": "sensor_dead", "at_s": 1.0, "for_s": 2.0, "chamber": 2, "reads_mmhg": -258.0},
        {"kind": "sensor_drift", "at_s": 1.0, "for_s": 2.0, "chamber": 3, "rate_mmhg_s": 0.5},
        {"kind": "manifold_sensor_frozen", "at_s": 1.0, "for_s": 2.0},
    )
    told = []
    for time_s in (1.0, 2.0, 4.0):
        player.advance(time_s, make_electronics())
        assert player.tampers
        told.append(player.tamper(time_s, (int(100 * time_s), 0, 1_000, 7), int(time_s)))
    assert told[0] == ((100, -25_800, 1_000, 7), 1)
    assert told[1] == ((100, -25_800, 1_050, 7), 1), "frozen at the first reading, drifted by 0.5 mmHg"
    assert told[2] == ((400, 0, 1_100, 7), 4), "over, but a drift stays where it was"


def test_limbs_and_warmth_are_in_the_plant_and_repeat_by_their_seed() -> None:
    def play(seed: int) -> tuple[list[float], list[float]]:
        player, conditions = make_player(
            {"kind": "limb_movement", "at_s": 0.0, "seed": seed}, {"kind": "warming_air", "at_s": 0.0, "seed": seed}
        )
        electronics, swell, warmth = make_electronics(), [], []
        for at in range(1, 3_001):
            player.advance(at * 0.01, electronics)
            swell.append(float(conditions.swell_ml[1, 0]))
            warmth.append(float(conditions.warmth_k[1, 0]))
        assert not conditions.swell_ml[0].any()
        return swell, warmth

    swell, warmth = play(5)
    assert (swell, warmth) == play(5)
    assert swell != play(6)[0]
    assert 0.05 < max(map(abs, swell)) <= 4.0 * COMPLIANCE[0]
    assert warmth == sorted(warmth)
    assert warmth[-1] > 0.0


@pytest.mark.parametrize(
    ("table", "cause"),
    [
        ({"kind": "reboot"}, Cause.BOOT),
        ({"kind": "brown_out", "for_s": 0.3}, Cause.BOOT_BROWN_OUT),
        ({"kind": "firmware_hang"}, Cause.BOOT_WATCHDOG),
    ],
)
def test_a_processor_that_goes_down_is_booted_with_its_cause(table: dict[str, object], cause: Cause) -> None:
    player, _ = make_player({**table, "at_s": 0.5})
    electronics = make_electronics()
    causes: list[tuple[float, Cause]] = []
    for at in range(1, 200):
        player.advance(at * 0.01, electronics)
        asked = electronics.tick(at * 100, 0.01, (0.0,) * CHAMBERS, Inputs((0,) * CHAMBERS, 90.0, 0))
        if asked is not None:
            causes.append((at * 0.01, asked))
            electronics.boot(at * 100, asked)
    assert [found for _, found in causes] == [cause]
    assert 0.5 <= causes[0][0] <= 0.5 + max(0.3, BOARD.watchdog.timeout_s) + 0.01


def test_every_kind_has_a_player_or_is_of_radio_gateway_or_person() -> None:
    """A kind that nobody carries out would be a feature that does not exist."""
    elsewhere = {"radio_cut", "gateway_kill", "host_stall", "writes_corrupted", "writes_replayed", "writes_reordered", "writes_hostile"}
    elsewhere |= PERSON_KINDS
    rng = np.random.default_rng(1)
    for kind in KINDS.keys() - elsewhere:
        drawn: Fault = draw_fault(kind, rng, BOARD, 0.0)
        player, conditions = make_player(drawn.model_dump())
        electronics = make_electronics()
        moved = False
        for at in range(1, 3_000):
            player.advance(at * 0.01, electronics)
            moved = moved or bool(conditions.swell_ml.any())
        player.hold_pump(enabled=True)
        healthy = arrays_of(PlantConditions(2, CHAMBERS))
        changed = any(not np.array_equal(array, healthy[name], equal_nan=True) for name, array in arrays_of(conditions).items())
        assert changed or moved or player.tampers or not electronics.is_alive, kind
