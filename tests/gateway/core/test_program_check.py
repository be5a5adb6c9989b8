"""Programs against the limits, and against the air that one pump delivers."""

import pytest
from tests.support.programs import board_of, make_program

from wavewrap_board.sizing import size_chamber, vent_time_s
from wavewrap_gateway.core.achievability import assess_wave
from wavewrap_gateway.core.program_check import check_program, densest_steps, longest_compression_s, shortest_vent_s
from wavewrap_gateway.core.wave import compile_wave
from wavewrap_protocol.payloads import Side


def test_the_plain_program_is_within_every_limit() -> None:
    assert check_program(make_program(), board_of(4)) == []


@pytest.mark.parametrize(
    ("keys", "key", "words"),
    [
        ({"pressure_mmhg": 95}, "pressure_mmhg", "lower it to 80 or less"),
        ({"pressure_mmhg": 75, "boost_mmhg": [0, 10]}, "boost_mmhg", "lifts chamber 2 to 85 mmHg"),
        ({"hold_s": 60}, "hold_s", "over the limit of 70 s"),
        ({"hold_s": None, "period_s": 100}, "period_s", "over the limit of 70 s"),
        ({"rest_s": 0.1, "release_s": 2}, "rest_s", "lengthen it by 0.4 s"),
        ({"rest_s": None, "period_s": 19.2}, "period_s", "under the limit of 2 s"),
        ({"duration_min": 61}, "duration_min", "over the longest session of 60 min"),
        ({"duration_min": 0.4}, "duration_min", "shorter than one cycle of 29.0 s"),
        ({"inflate_s": 61}, "inflate_s", "longest ramp of 60 s"),
        ({"gradient_mmhg": 20}, "gradient_mmhg", "set floor_mmhg"),
    ],
)
def test_a_program_over_a_limit_names_its_key(keys: dict[str, object], key: str, words: str) -> None:
    problems = check_program(make_program(**keys), board_of(4))
    assert (problems[0].key, words in str(problems[0])) == (key, True), [str(problem) for problem in problems]


def test_the_limits_of_the_wrap_count() -> None:
    assert check_program(make_program(), board_of(4), ceiling_mmhg=60) == []
    assert check_program(make_program(), board_of(4), ceiling_mmhg=59)[0].key == "pressure_mmhg"
    assert check_program(make_program(), board_of(4), queue_depth=4) == []  # four releases at once
    assert check_program(make_program(), board_of(4), queue_depth=3)[0].key == "inflate_s"


def test_a_short_session_does_not_hide_what_a_longer_one_would_do() -> None:
    # One cycle has no next inflation, and is soft: the same program played for longer would still break both limits.
    program = make_program(duration_min=0.4, soft_cycles_pct=[20], rest_s=0.1, release_s=0.1)
    assert [problem.key for problem in check_program(program, board_of(4))] == ["rest_s"]


def test_compression_and_vent_are_measured_from_threshold_to_threshold() -> None:
    # Of two chambers the ankle is over 15 mmHg at a quarter of its 3 s ramp, and released at 11 s. The cycle takes 23 s.
    board = board_of(2)
    wave = compile_wave(make_program(), Side.LEFT, 2)
    ankle_s, calf_s = (vent_time_s(board, chamber, 60, 15) for chamber in range(2))
    assert 0.4 < ankle_s < calf_s < 0.8
    assert longest_compression_s(wave, board) == pytest.approx(11 + ankle_s - 0.75, abs=0.001)
    assert shortest_vent_s(wave, board) == pytest.approx(23 - 11 - ankle_s, abs=0.001)
    assert densest_steps(wave) == 2


def test_a_slower_vent_makes_compressions_longer() -> None:
    board = board_of(2)
    small = board.valves.vent.model_copy(update={"conductance_ml_s_bar": board.valves.vent.conductance_ml_s_bar / 2})
    slow = board.model_copy(update={"valves": board.valves.model_copy(update={"vent": small})})
    wave = compile_wave(make_program(), Side.LEFT, 2)
    added_s = longest_compression_s(wave, slow) - longest_compression_s(wave, board)
    assert added_s == pytest.approx(vent_time_s(board, 0, 60, 15), rel=0.1)


def test_one_pump_follows_chambers_that_come_one_after_another() -> None:
    board = board_of(4)
    reach = assess_wave(compile_wave(make_program(), Side.LEFT, 4), board)
    cycle = reach.cycle
    assert cycle.ok
    assert (cycle.lag_s, cycle.asked_delay_s, cycle.achieved_delay_s) == (0, 3, 3)
    sizes = [size_chamber(board, chamber, 60) for chamber in range(4)]
    assert cycle.fill_s == pytest.approx([size.rise_s for size in sizes])
    assert cycle.air_ml == pytest.approx(sum(size.air_ml for size in sizes))
    assert sum(cycle.fill_s) < cycle.pump_s < 1.3 * sum(cycle.fill_s)  # creep and leak come on top
    assert reach.session_j == pytest.approx(cycle.energy_j * 20)  # 600 s of 29 s each
    assert reach.sessions == int(0.93 * board.battery.capacity_j / reach.session_j)


# 50, 45, 40, 35 mmHg half a second apart: Kamm 1986.
@pytest.mark.parametrize(("pressure_mmhg", "ok"), [(50, True), (80, False)])
def test_half_a_second_between_chambers(pressure_mmhg: float, ok: bool) -> None:
    program = make_program(inflate_s=0.5, pressure_mmhg=pressure_mmhg, gradient_mmhg=5)
    reach = assess_wave(compile_wave(program, Side.LEFT, 4), board_of(4)).cycle
    assert reach.ok is ok
    assert reach.asked_delay_s == 0.5
    assert (reach.achieved_delay_s == pytest.approx(0.5)) is ok
    assert (reach.lag_s > 0.1) is not ok
