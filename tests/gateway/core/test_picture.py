"""What is believed of a wrap when its frames and reports overtake each other."""

import pytest

from wavewrap_gateway.core.picture import WrapPicture
from wavewrap_protocol.enums import Cause, DeviceState, Fault, ReportKind
from wavewrap_protocol.reports import StateReport, Telemetry

TICK = 70_000


def frame(tick: int, state: DeviceState) -> Telemetry:
    """Of one sample of one chamber."""
    return Telemetry(epoch=1, state=state, replay=False, seq=0, tick=tick, period_ms=10, mask=1, samples_cmmhg=((0,),))


@pytest.mark.parametrize(("later_tick", "state"), [(-1, DeviceState.ARMED), (0, DeviceState.ARMED), (1, DeviceState.IDLE)])
def test_a_frame_changes_the_state_only_when_it_is_newer_than_the_report(later_tick: int, state: DeviceState) -> None:
    report = StateReport(ReportKind.STATE, 1, TICK, DeviceState.ARMED, Cause.COMMAND, Fault.NONE, 7)
    picture = WrapPicture()
    picture.see_report(report)
    picture.see_frame(frame(TICK + later_tick, DeviceState.IDLE), 0.0)
    assert picture.device_state is state


def test_a_report_of_the_same_tick_is_newer_than_a_frame() -> None:
    picture = WrapPicture()
    picture.see_frame(frame(TICK, DeviceState.IDLE), 0.0)
    picture.see_report(StateReport(ReportKind.STATE, 1, TICK, DeviceState.ARMED, Cause.COMMAND, Fault.NONE, 7))
    assert picture.device_state is DeviceState.ARMED
