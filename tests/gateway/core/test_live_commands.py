"""Whatever commands a session gets, and whenever: no hold grows, no rest shrinks, no step runs twice, and all is released at the end."""

from collections import defaultdict
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.queue_model import CEILING_MMHG, Leg

from wavewrap_gateway.core.boost import BOOST_MAX_MMHG, Boost
from wavewrap_gateway.core.safety import SafetyLimits
from wavewrap_gateway.core.scheduler import COMMAND_AHEAD_S
from wavewrap_gateway.core.timeline import LOWER_S
from wavewrap_gateway.core.wave import WaveStep
from wavewrap_protocol.limits import OVER_THRESHOLD_MMHG

ROUND_S = 0.1
LEAD_S = 1.0
TICK_S = 1e-4


@dataclass(frozen=True, slots=True)
class Press:
    """A command ``after_s`` after the one before; ``mmhg`` is of a boost, ``shift_s`` of a slip."""

    after_s: float
    kind: str
    mmhg: float
    chamber: int | None
    shift_s: float


PRESSES = st.lists(
    st.builds(
        Press,
        st.floats(0.0, 8.0),
        st.sampled_from(["pause", "pause", "boost", "boost", "slip"]),
        st.sampled_from([-30.0, -5.0, 5.0, 12.0]),
        st.sampled_from([None, 0, 1]),
        st.floats(0.05, 3.0),
    ),
    max_size=6,
)


@st.composite
def waves(draw: st.DrawFn) -> list[WaveStep]:
    """Compressions of up to three chambers, each with its own rests and holds, some lowered on the way."""
    steps: list[WaveStep] = []
    for chamber in range(draw(st.integers(1, 3))):
        at_s = draw(st.floats(0.0, 3.0))
        for cycle in range(draw(st.integers(1, 4))):
            peak_mmhg = draw(st.sampled_from([20.0, 40.0, 75.0]))
            steps.append(WaveStep(round(at_s, 4), chamber, peak_mmhg, draw(st.sampled_from([0.0, 0.5, 2.0])), cycle))
            at_s += draw(st.floats(0.3, 6.0))
            if draw(st.booleans()):
                steps.append(WaveStep(round(at_s, 4), chamber, peak_mmhg / 2, 0.5, cycle))
                at_s += draw(st.floats(0.3, 4.0))
            steps.append(WaveStep(round(at_s, 4), chamber, 0.0, 0.0, cycle))
            at_s += draw(st.floats(0.3, 6.0))
    return sorted(steps, key=lambda step: (step.at_s, step.target_mmhg > 0.0))


def play(legs: list[Leg], presses: list[Press]) -> None:
    """The session of all ``legs``, as the runner plays it; a pause is ended by the next command of whatever kind."""
    now_s = 0.0
    for leg in legs:
        leg.scheduler.start(LEAD_S)
    waiting, next_s, paused = list(presses), presses[0].after_s if presses else 1e9, False
    while not all(leg.scheduler.done for leg in legs):
        assert now_s < 500.0, "the session does not end"
        for leg in legs:
            leg.execute(now_s)
        if now_s >= next_s or (paused and not waiting):
            press = waiting.pop(0) if waiting else Press(0.0, "resume", 0.0, None, 0.0)
            next_s = now_s + waiting[0].after_s if waiting else 1e9
            if paused:
                risings_s = [at_s for leg in legs if (at_s := leg.scheduler.next_rising_s()) is not None]
                shift_s = max(0.0, now_s + LEAD_S - min(risings_s)) if risings_s else 0.0
                for leg in legs:
                    leg.scheduler.resume(shift_s)
                paused = False
            elif press.kind == "pause":
                for leg in legs:
                    leg.pause(now_s)
                paused = True
            elif press.kind == "boost":
                for leg in legs:
                    leg.boost(now_s, press.mmhg, press.chamber)
            elif press.kind == "slip":
                for leg in legs:
                    leg.slip(now_s, press.shift_s)
        late_s = max(leg.scheduler.overdue_s(now_s) for leg in legs)
        if late_s > 0.0:
            for leg in legs:
                leg.slip(now_s, late_s + 0.25)
        for leg in legs:
            leg.fill(now_s)
        now_s += ROUND_S
    for leg in legs:
        leg.execute(1e9)


def compressions(times: list[tuple[float, WaveStep, bool]]) -> dict[int, list[tuple[WaveStep, float, float]]]:
    """Of each chamber: the step that began each compression, when it began and when it ended. ``times`` in order, added ones marked."""
    begun: dict[int, tuple[WaveStep, float]] = {}
    found: dict[int, list[tuple[WaveStep, float, float]]] = defaultdict(list)
    for at_s, step, _ in times:
        if step.target_mmhg > 0.0:
            begun.setdefault(step.chamber, (step, at_s))
        elif step.chamber in begun:
            first, begun_s = begun.pop(step.chamber)
            found[step.chamber].append((first, begun_s, at_s))
    assert not begun, f"chambers {sorted(begun)} were never released"
    return found


def check(leg: Leg) -> None:
    """The promises of the timeline, on what the device did."""
    planned = compressions([(step.at_s, step, False) for step in leg.steps])
    done = compressions([(step.due_s, step.wave, step.added) for step in leg.done])
    ran = [id(step.wave) for step in leg.done if not step.added]
    assert len(ran) == len(set(ran)), "a step ran twice"
    for chamber, plan in planned.items():
        length_s = {id(first): end_s - begun_s for first, begun_s, end_s in plan}
        assert [id(first) for first, _, _ in plan] == [id(first) for first, _, _ in done[chamber]], "a compression was skipped or repeated"
        for first, begun_s, end_s in done[chamber]:
            assert end_s - begun_s <= length_s[id(first)] + TICK_S, "a hold grew"
        for (_, _, was_s), (_, next_s, _), (_, _, end_s), (_, begun_s, _) in zip(
            plan, plan[1:], done[chamber], done[chamber][1:], strict=False
        ):
            assert begun_s - end_s >= next_s - was_s - TICK_S, "a rest shrank"
    assert max(step.target_cmmhg for step in leg.asked) <= round(CEILING_MMHG * 100)
    assert leg.scheduler.planned == len(leg.scheduler.sent) == len(leg.done)


@settings(max_examples=250, deadline=None)
@given(steps=waves(), presses=PRESSES)
def test_commands_at_any_time_keep_the_promises_and_both_legs_alike(steps: list[WaveStep], presses: list[Press]) -> None:
    legs = [Leg(steps), Leg(steps)]
    play(legs, presses)
    for leg in legs:
        check(leg)
    left, right = ([(step.due_tick, step.chamber, step.target_cmmhg, step.ramp_ms) for step in leg.asked] for leg in legs)
    assert left == right


@settings(max_examples=100, deadline=None)
@given(left=waves(), right=waves(), presses=PRESSES)
def test_legs_with_other_steps_move_alike(left: list[WaveStep], right: list[WaveStep], presses: list[Press]) -> None:
    legs = [Leg(left), Leg(right)]
    play(legs, presses)
    for leg in legs:
        check(leg)


@settings(max_examples=60, deadline=None)
@given(steps=waves(), presses=st.lists(PRESSES.map(lambda _: Press(3.0, "boost", 5.0, None, 0.0)), max_size=4))
def test_a_boost_alone_moves_no_step_in_time(steps: list[WaveStep], presses: list[Press]) -> None:
    leg = Leg(steps)
    play([leg], presses)
    assert [step.due_s for step in leg.done] == [pytest.approx(LEAD_S + step.at_s) for step in steps]


HOLD = [WaveStep(0.0, 0, 60.0, 2.0, 0), WaveStep(10.0, 0, 0.0, 0.0, 0), WaveStep(20.0, 0, 60.0, 2.0, 1), WaveStep(30.0, 0, 0.0, 0.0, 1)]


def play_hold(*presses: Press) -> list[tuple[float, float, float]]:
    """Session time, target and ramp of what the device did with two holds of 10 s."""
    leg = Leg(HOLD)
    play([leg], list(presses))
    return [(round(step.due_s - LEAD_S, 2), step.target_mmhg, step.wave.ramp_s) for step in leg.done]


def press(at_s: float, kind: str, mmhg: float = 0.0) -> Press:
    return Press(at_s, kind, mmhg, None, 0.0)


def test_a_pause_in_a_hold_releases_at_once_and_the_rest_of_the_hold_is_gone() -> None:
    cut_s = 5.0 + COMMAND_AHEAD_S - LEAD_S
    assert play_hold(press(5.0, "pause"), press(60.0, "resume")) == [
        (0.0, 60.0, 2.0),
        (pytest.approx(cut_s, abs=ROUND_S), 0.0, 0.0),
        (pytest.approx(65.0, abs=2 * ROUND_S), 60.0, 2.0),
        (pytest.approx(75.0, abs=2 * ROUND_S), 0.0, 0.0),
    ]


def test_a_pause_counts_as_rest_a_short_one_moves_nothing() -> None:
    assert [at_s for at_s, _, _ in play_hold(press(5.0, "pause"), press(2.0, "resume"))][2:] == [20.0, 30.0]


def test_a_reduction_reaches_a_hold_at_once_and_all_that_follows() -> None:
    cut_s = pytest.approx(7.0 + COMMAND_AHEAD_S - LEAD_S, abs=ROUND_S)
    assert play_hold(press(7.0, "boost", -5.0)) == [
        (0.0, 60.0, 2.0),
        (cut_s, 55.0, LOWER_S),
        (10.0, 0.0, 0.0),
        (20.0, 55.0, 2.0),
        (30.0, 0.0, 0.0),
    ]


def test_a_chamber_that_is_still_filling_is_lowered_no_faster_than_it_would_have_filled() -> None:
    at_s, target_mmhg, ramp_s = play_hold(press(1.0, "boost", -5.0))[1]
    assert at_s == pytest.approx(0.5, abs=ROUND_S)
    assert target_mmhg == 55.0
    assert at_s + ramp_s == pytest.approx(2.0)


def test_a_raise_waits_for_the_next_inflation() -> None:
    assert play_hold(press(5.0, "boost", 5.0)) == [(0.0, 60.0, 2.0), (10.0, 0.0, 0.0), (20.0, 65.0, 2.0), (30.0, 0.0, 0.0)]


def test_a_reduction_that_is_taken_back_leaves_no_trace_in_what_comes() -> None:
    assert play_hold(press(7.0, "boost", -5.0), press(1.0, "boost", 5.0))[-2:] == [(20.0, 60.0, 2.0), (30.0, 0.0, 0.0)]


@given(st.lists(st.tuples(st.floats(-200.0, 200.0), st.sampled_from([None, 0, 1, 7]))))
def test_a_boost_stays_within_ceiling_threshold_and_its_own_limit(changes: list[tuple[float, int | None]]) -> None:
    steps = [WaveStep(0.0, 0, 70.0, 1.0, 0), WaveStep(0.0, 1, 20.0, 1.0, 0)]
    boost = Boost(steps, SafetyLimits(80.0, 3))
    for mmhg, chamber in changes:
        boost.change(mmhg, chamber)
        high, low, unused = boost.added_mmhg
        assert -BOOST_MAX_MMHG <= high <= 10.0
        assert OVER_THRESHOLD_MMHG - 20.0 <= low <= BOOST_MAX_MMHG
        assert unused == 0.0
    assert boost.on(WaveStep(5.0, 0, 0.0, 0.0, 0)) == 0.0


def test_the_set_point_follows_ramps_boosts_and_a_pause() -> None:
    leg = Leg(HOLD)
    leg.scheduler.start(LEAD_S)
    leg.fill(0.0)
    assert leg.scheduler.set_points_mmhg(0.5) == (0.0,) * 8
    assert leg.scheduler.set_points_mmhg(2.0)[:2] == (30.0, 0.0)
    leg.execute(4.0)
    leg.boost(4.0, -6.0, None)
    assert leg.scheduler.set_points_mmhg(4.5)[0] == 60.0
    assert leg.scheduler.set_points_mmhg(5.5)[0] == 54.0
    leg.execute(6.0)
    leg.pause(6.0)
    assert leg.scheduler.set_points_mmhg(6.6)[0] == 0.0
