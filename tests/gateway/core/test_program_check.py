"""Programs against the limits, and against the air that one pump delivers."""

import pytest
from tests.support.programs import make_program

from wavewrap_gateway.core.achievability import assess_wave, fall_s, free_air_ml
from wavewrap_gateway.core.program_check import check_program, densest_steps, longest_compression_s, shortest_vent_s
from wavewrap_gateway.core.wave import compile_wave
from wavewrap_protocol.payloads import Side


def test_the_plain_program_is_within_every_limit() -> None:
    assert check_program(make_program(), 4) == []


@pytest.mark.parametrize(
    ("keys", "key", "words"),
    [
        ({"pressure_mmhg": 95}, "pressure_mmhg", "lower it to 80 or less"),
        ({"pressure_mmhg": 75, "boost_mmhg": [0, 10]}, "boost_mmhg", "lifts chamber 2 to 85 mmHg"),
        ({"hold_s": 60}, "hold_s", "over the limit of 70 s"),
        ({"hold_s": None, "period_s": 100}, "period_s", "over the limit of 70 s"),
        ({"rest_s": 1, "release_s": 2}, "rest_s", "lengthen it by 0.4 s"),
        ({"rest_s": None, "period_s": 20}, "period_s", "under the limit of 2 s"),
        ({"duration_min": 61}, "duration_min", "over the longest session of 60 min"),
        ({"duration_min": 0.4}, "duration_min", "shorter than one cycle of 29.0 s"),
        ({"inflate_s": 61}, "inflate_s", "longest ramp of 60 s"),
        ({"gradient_mmhg": 20}, "gradient_mmhg", "set floor_mmhg"),
    ],
)
def test_a_program_over_a_limit_names_its_key(keys: dict[str, object], key: str, words: str) -> None:
    problems = check_program(make_program(**keys), 4)
    assert (problems[0].key, words in str(problems[0])) == (key, True), [str(problem) for problem in problems]


def test_the_limits_of_the_wrap_count() -> None:
    assert check_program(make_program(), 4, ceiling_mmhg=60) == []
    assert check_program(make_program(), 4, ceiling_mmhg=59)[0].key == "pressure_mmhg"
    assert check_program(make_program(), 4, queue_depth=4) == []  # four releases at once
    assert check_program(make_program(), 4, queue_depth=3)[0].key == "inflate_s"


def test_a_short_session_does_not_hide_what_a_longer_one_would_do() -> None:
    # One cycle has no next inflation, and is soft: the same program played for longer would still break both limits.
    program = make_program(duration_min=0.4, soft_cycles_pct=[20], rest_s=0.1, release_s=0.1)
    assert [problem.key for problem in check_program(program, 4)] == ["rest_s"]


def test_compression_and_vent_are_measured_from_threshold_to_threshold() -> None:
    # Chamber 1 of two: over 15 mmHg at a quarter of its 3 s ramp, released at 11 s, 1.39 s to fall; the cycle takes 23 s.
    wave = compile_wave(make_program(), Side.LEFT, 2)
    assert fall_s(60) == pytest.approx(1.386, abs=0.001)
    assert longest_compression_s(wave) == pytest.approx(11 + 1.386 - 0.75, abs=0.001)
    assert shortest_vent_s(wave) == pytest.approx(23 - 11 - 1.386, abs=0.001)
    assert densest_steps(wave) == 2


def test_a_chamber_under_the_threshold_needs_no_fall() -> None:
    assert fall_s(15) == fall_s(10) == fall_s(0) == 0


def test_free_air_of_one_fill() -> None:
    assert free_air_ml(0) == 0
    # (15 + 120 (1 - e^-12) + 1.2 x 60) ml x 820 / 760 - 15 ml, by hand
    assert free_air_ml(60) == pytest.approx(208.3, abs=0.1)


def test_one_pump_follows_chambers_that_come_one_after_another() -> None:
    reach = assess_wave(compile_wave(make_program(), Side.LEFT, 4))
    assert reach.ok
    assert (reach.lag_s, reach.asked_delay_s, reach.achieved_delay_s) == (0, 3, 3)
    assert reach.pump_s == pytest.approx(4 * 2.083, abs=0.01)


def test_a_fill_without_reserve_is_late() -> None:
    assert not assess_wave(compile_wave(make_program(inflate_s=2.1), Side.LEFT, 4)).ok
    assert assess_wave(compile_wave(make_program(inflate_s=2.4), Side.LEFT, 4)).ok


def test_a_delay_of_half_a_second_is_not_achievable() -> None:
    # Kamm's delay: four fills of 2.08 s and 15 % reserve, asked within 3 x 0.5 s + 2.5 s
    reach = assess_wave(compile_wave(make_program(inflate_s=2.5, overlap_s=2), Side.LEFT, 4))
    assert not reach.ok
    assert reach.asked_delay_s == 0.5
    assert reach.achieved_delay_s == pytest.approx(2.396, abs=0.01)
    assert reach.lag_s == pytest.approx(4 * 2.396 - 4.0, abs=0.01)
