"""The wave that a program becomes."""

from time import perf_counter

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.support.programs import board_of, make_program, random_programs

from wavewrap_gateway.core.fit import Fit, fit_program
from wavewrap_gateway.core.program import Program
from wavewrap_gateway.core.program_check import check_program
from wavewrap_gateway.core.wave import Wave, compile_wave
from wavewrap_protocol.errors import UsageError
from wavewrap_protocol.limits import CEILING_DEFAULT_MMHG
from wavewrap_protocol.payloads import Side

CHAMBERS = st.integers(1, 8)


def _steps(wave: Wave) -> list[tuple[float, int, float, float]]:
    return [(step.at_s, step.chamber, step.target_mmhg, step.ramp_s) for step in wave.steps]


def _one_cycle(side: Side = Side.LEFT, chambers: int = 3, **keys: object) -> Wave:
    program = make_program(**keys)
    fit = fit_program(program, chambers)
    assert isinstance(fit, Fit)
    return compile_wave(program, side, chambers, fit.cycle_s)


def test_sequential_hold_inflates_in_turn_and_releases_together() -> None:
    wave = _one_cycle(gradient_mmhg=5)
    assert _steps(wave) == [(0, 0, 60, 3), (3, 1, 55, 3), (6, 2, 50, 3), (14, 0, 0, 0), (14, 1, 0, 0), (14, 2, 0, 0)]
    assert (wave.cycle_s, wave.cycles, wave.duration_s) == (26, 1, 26)


def test_direction_and_overlap() -> None:
    wave = _one_cycle(gradient_mmhg=5, overlap_s=1, direction="proximal_to_distal")
    assert _steps(wave)[:3] == [(0, 2, 50, 3), (2, 1, 55, 3), (4, 0, 60, 3)]


def test_a_travelling_wave_hands_over() -> None:
    wave = _one_cycle(pattern="travelling_wave", overlap_s=3)
    assert _steps(wave) == [(0, 0, 60, 3), (5, 1, 60, 3), (8, 0, 0, 0), (10, 2, 60, 3), (13, 1, 0, 0), (18, 2, 0, 0)]


def test_a_sequential_pulse_keeps_a_graded_hold_behind_it_and_releases_distally() -> None:
    wave = _one_cycle(pattern="sequential_pulse", hold_behind_pct=[50], chambers=3)
    assert _steps(wave) == [
        (0, 0, 60, 3),
        (8, 0, 30, 2),
        (8, 1, 60, 3),
        (16, 0, 0, 0),
        (16, 1, 30, 2),
        (16, 2, 60, 3),
        (24, 1, 0, 0),
        (24, 2, 0, 0),
    ]


def test_isolation_leaves_the_others_at_rest() -> None:
    program = make_program(pattern="isolation", chambers=[3, 1])
    wave = compile_wave(program, Side.LEFT, 4, 30)
    assert _steps(wave) == [(0, 2, 60, 3), (3, 0, 60, 3), (11, 0, 0, 0), (11, 2, 0, 0)]
    assert wave.peaks_mmhg == (60, 0, 60, 0)


def test_alternating_limbs_are_never_up_together() -> None:
    left, right = (_one_cycle(side, pattern="alternating", rest_s=None, period_s=40) for side in Side)
    assert [(round(step.at_s + 20, 4), step.chamber, step.target_mmhg) for step in left.steps] == [
        (step.at_s, step.chamber, step.target_mmhg) for step in right.steps
    ]
    assert all(max(left.target_at(t_s)) == 0 or max(right.target_at(t_s)) == 0 for t_s in range(41))


def test_soft_cycles_rise_to_full_pressure() -> None:
    wave = compile_wave(make_program(soft_cycles_pct=[50, 75], gradient_mmhg=10), Side.LEFT, 2, 100)
    assert wave.cycles == 4
    assert [wave.cycle_peaks_mmhg(cycle) for cycle in range(4)] == [(30, 25), (45, 37.5), (60, 50), (60, 50)]
    assert wave.peaks_mmhg == (60, 50)


def test_the_session_is_cut_to_whole_cycles() -> None:
    program = make_program()  # 29 s a cycle on four chambers
    assert compile_wave(program, Side.LEFT, 4, 29).cycles == 1
    assert compile_wave(program, Side.LEFT, 4, 57.9).cycles == 1
    assert compile_wave(program, Side.LEFT, 4, 58).duration_s == 58


@pytest.mark.parametrize(
    ("duration_s", "words"),
    [(28.9, "28.9 s is shorter than one cycle of 29 s"), (0, "0 s is shorter"), (3601, "over the limit of 3600 s"), (float("nan"), "nan")],
)
def test_a_session_of_no_length_is_refused(duration_s: float, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        compile_wave(make_program(), Side.LEFT, 4, duration_s)


def test_the_cycle_of_a_moment() -> None:
    wave = compile_wave(make_program(), Side.LEFT, 4, 100)
    assert [wave.cycle_at(t_s) for t_s in (-1, 0, 28.9, 29, 58, 86, 87, 500)] == [0, 0, 0, 1, 2, 2, 2, 2]


def test_the_target_of_a_moment() -> None:
    wave = _one_cycle(pattern="sequential_pulse", hold_behind_pct=[50], chambers=2)
    at = {t_s: wave.target_at(t_s)[0] for t_s in (-1.0, 0.0, 1.5, 3.0, 8.0, 9.0, 10.0, 15.99, 16.0, 100.0)}
    assert at == {-1.0: 0, 0.0: 0, 1.5: 30, 3.0: 60, 8.0: 60, 9.0: 45, 10.0: 30, 15.99: 30, 16.0: 0, 100.0: 0}


def test_corners_are_the_exact_polyline() -> None:
    wave = _one_cycle(chambers=2)
    assert wave.corners(1, 23) == [(0, 0), (3, 0), (6, 60), (11, 60), (11, 0), (23, 0)]
    assert wave.corners(1, 4.5) == [(0, 0), (3, 0), (4.5, 30)]


def test_an_hour_compiles_at_once() -> None:
    program = make_program(pattern="travelling_wave", duration_min=60, inflate_s=1, hold_s=0, rest_s=2)
    before_s = perf_counter()
    wave = compile_wave(program, Side.LEFT, 8)
    spent_s = perf_counter() - before_s
    assert len(wave.steps) == 300 * 16
    assert spent_s < 0.5


@settings(max_examples=150, deadline=None)
@given(program=random_programs(), chambers=CHAMBERS)
def test_laws_of_every_wave(program: Program, chambers: int) -> None:
    assume(isinstance(fit_program(program, chambers), Fit) and not check_program(program, board_of(chambers)))
    left, right = (compile_wave(program, side, chambers) for side in Side)
    assert (left.duration_s, left.cycle_s, left.cycles, left.full_mmhg) == (right.duration_s, right.cycle_s, right.cycles, right.full_mmhg)
    assert left.duration_s <= program.duration_s + 1e-6 < left.duration_s + left.cycle_s + 1e-6
    if program.pattern != "alternating":
        assert left.steps == right.steps
    for wave in (left, right):
        _assert_laws(wave)


def _assert_laws(wave: Wave) -> None:
    times_s = [step.at_s for step in wave.steps]
    assert times_s == sorted(times_s)
    assert times_s[0] >= 0
    assert times_s[-1] < wave.duration_s
    assert all(0 <= step.target_mmhg <= CEILING_DEFAULT_MMHG for step in wave.steps)
    assert all(wave.cycle_at(step.at_s) == step.cycle for step in wave.steps)
    assert wave.target_at(wave.duration_s) == (0.0,) * wave.chambers
    assert {step.cycle for step in wave.steps} == set(range(wave.cycles))
    peaks_mmhg = [[0.0] * wave.chambers for _ in range(wave.cycles)]
    last = {step.chamber: step for step in wave.steps}
    assert all(step.target_mmhg == 0 for step in last.values())
    for step in wave.steps:
        peaks_mmhg[step.cycle][step.chamber] = max(peaks_mmhg[step.cycle][step.chamber], step.target_mmhg)
    assert peaks_mmhg == [pytest.approx(list(wave.cycle_peaks_mmhg(cycle))) for cycle in range(wave.cycles)]
    assert wave.peaks_mmhg == pytest.approx(tuple(map(max, zip(*peaks_mmhg, strict=True))))


@settings(max_examples=60, deadline=None)
@given(program=random_programs(), chambers=CHAMBERS, share=st.floats(0, 1))
def test_the_target_agrees_with_the_steps_played_one_by_one(program: Program, chambers: int, share: float) -> None:
    fit = fit_program(program, chambers)
    assume(isinstance(fit, Fit) and 3 * fit.cycle_s <= 3600)
    assert isinstance(fit, Fit)
    wave = compile_wave(program, Side.RIGHT, chambers, 3 * fit.cycle_s)
    t_s = share * wave.duration_s
    # The device's own rule, played naively: each step starts its ramp from the set-point of that moment.
    start_s, start_mmhg, target_mmhg, ramp_s = ([0.0] * chambers for _ in range(4))

    def set_point(chamber: int, now_s: float) -> float:
        done = 1.0 if ramp_s[chamber] == 0 else min(1.0, (now_s - start_s[chamber]) / ramp_s[chamber])
        return start_mmhg[chamber] + done * (target_mmhg[chamber] - start_mmhg[chamber])

    for step in wave.steps:
        if step.at_s <= t_s:
            start_mmhg[step.chamber] = set_point(step.chamber, step.at_s)
            start_s[step.chamber], target_mmhg[step.chamber], ramp_s[step.chamber] = step.at_s, step.target_mmhg, step.ramp_s
    assert wave.target_at(t_s) == pytest.approx([set_point(chamber, t_s) for chamber in range(chambers)], abs=1e-6)
