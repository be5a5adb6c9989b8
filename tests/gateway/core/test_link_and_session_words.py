"""Small pure rules: back-off, session table, safety clamp, what is known of a wrap."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wavewrap_gateway.core.backoff import RECONNECT_DELAYS_S, Backoff
from wavewrap_gateway.core.link_state import BondLost, Closed, LinkState, LossCause, Lost, RadioDown, Ready, link_word
from wavewrap_gateway.core.picture import WrapPicture
from wavewrap_gateway.core.safety import FRAME_FRESH_S, SafetyLimits, emit_step, limits_for
from wavewrap_gateway.core.session import TRANSITIONS, SessionEvent, SessionState, next_state
from wavewrap_gateway.core.wave import WaveStep
from wavewrap_protocol.enums import Cause, DeviceState, Fault, ReportKind
from wavewrap_protocol.errors import TransitionError
from wavewrap_protocol.limits import RAMP_MAX_MS
from wavewrap_protocol.reports import Capabilities, StateReport, Telemetry

CAPABILITIES = Capabilities(1, 0, 4, 20, 10, 64, 7, 8_000, 11_000, 5_000, 700, 20, 3_600, 60, 128)
FRAME = Telemetry(1, DeviceState.RUNNING, False, 0, 1_000, 20, 0x0F, ((100, 200, 300, 400),))


def test_back_off_grows_stays_at_the_last_and_starts_anew() -> None:
    backoff = Backoff()
    assert [backoff.next_delay_s() for _ in range(8)] == [*RECONNECT_DELAYS_S, RECONNECT_DELAYS_S[-1], RECONNECT_DELAYS_S[-1]]
    assert backoff.attempt == 8
    backoff.reset()
    assert backoff.next_delay_s() == RECONNECT_DELAYS_S[0]


def test_every_state_of_a_session_leads_to_its_end_and_nothing_leaves_the_end() -> None:
    for state in SessionState:
        if state is not SessionState.ENDED:
            assert next_state(state, SessionEvent.FINISH) is SessionState.ENDING
    assert {before for before, _ in TRANSITIONS} == set(SessionState) - {SessionState.ENDED}
    with pytest.raises(TransitionError, match="ended does not take ARMED"):
        next_state(SessionState.ENDED, SessionEvent.ARMED)


@given(target_mmhg=st.floats(-500.0, 500.0), ramp_s=st.floats(0.0, 1e4), ceiling_mmhg=st.floats(1.0, 110.0))
def test_no_step_leaves_the_gateway_over_its_ceiling(target_mmhg: float, ramp_s: float, ceiling_mmhg: float) -> None:
    step = emit_step(WaveStep(0.0, 1, target_mmhg, ramp_s, 0), (1 << 32) + 5, SafetyLimits(ceiling_mmhg, 4))
    assert 0 <= step.target_cmmhg <= round(ceiling_mmhg * 100)
    assert 0 <= step.ramp_ms <= RAMP_MAX_MS
    assert step.due_tick == 5


def test_a_step_for_a_chamber_that_is_not_there_is_a_bug_and_says_so() -> None:
    with pytest.raises(ValueError, match="chamber 4 of a wrap with 4"):
        emit_step(WaveStep(0.0, 4, 10.0, 0.0, 0), 0, SafetyLimits(80.0, 4))


def test_the_tightest_ceiling_counts() -> None:
    assert limits_for(CAPABILITIES, 60.0).ceiling_mmhg == 60.0
    assert limits_for(CAPABILITIES, 100.0).ceiling_mmhg == 80.0
    assert limits_for(replace(CAPABILITIES, ceiling_cmmhg=20_000), 300.0).ceiling_mmhg == 110.0


def test_a_wrap_is_unknown_until_it_has_spoken_and_stale_soon_after() -> None:
    picture = WrapPicture()
    assert picture.device_state is None
    assert not picture.is_fresh(0.0)
    assert not picture.is_vented(0.0)
    picture.see_frame(FRAME, 10.0)
    assert picture.pressure_mmhg == (1.0, 2.0, 3.0, 4.0)
    assert picture.is_fresh(10.0 + FRAME_FRESH_S)
    assert not picture.is_fresh(10.0 + FRAME_FRESH_S + 0.01)


def test_vented_needs_the_devices_word_low_pressure_and_a_fresh_sample() -> None:
    picture = WrapPicture()
    picture.see_frame(FRAME, 10.0)
    assert not picture.is_vented(10.0), "running is not vented, however low the pressure"
    picture.see_frame(replace(FRAME, state=DeviceState.IDLE, tick=2_000), 11.0)
    assert picture.is_vented(11.0)
    assert not picture.is_vented(11.0 + FRAME_FRESH_S + 0.01)
    picture.see_frame(replace(FRAME, state=DeviceState.IDLE, tick=3_000, samples_cmmhg=((0, 0, 501, 0),)), 12.0)
    assert not picture.is_vented(12.0)


def test_an_older_word_about_the_state_does_not_undo_a_newer_one() -> None:
    picture = WrapPicture()
    picture.see_report(StateReport(ReportKind.STATE, 1, 5_000, DeviceState.VENTING, Cause.LEASE_END, Fault.NONE, 1))
    picture.see_frame(FRAME, 10.0)
    assert picture.device_state is DeviceState.VENTING
    assert picture.cause is Cause.LEASE_END


def test_a_replayed_frame_is_the_past_and_changes_nothing() -> None:
    picture = WrapPicture()
    picture.see_frame(replace(FRAME, replay=True), 10.0)
    assert picture.device_state is None


@pytest.mark.parametrize(
    ("state", "word"),
    [
        (Ready(), "ready"),
        (Lost(LossCause.LINK, "gone", 1.0), "lost"),
        (RadioDown("no adapter"), "radio_down"),
        (BondLost("forgotten"), "bond_lost"),
        (Closed(), "closed"),
    ],
)
def test_link_states_have_one_word(state: LinkState, word: str) -> None:
    assert link_word(state) == word
