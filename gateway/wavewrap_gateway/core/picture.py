"""What the gateway knows of one wrap: unknown until the device has spoken, stale until proven fresh."""

from dataclasses import dataclass

from wavewrap_gateway.core.safety import FRAME_FRESH_S
from wavewrap_protocol.enums import Cause, DeviceState, Fault
from wavewrap_protocol.limits import VENTED_MMHG
from wavewrap_protocol.reports import FaultReport, Report, StateReport, Telemetry
from wavewrap_protocol.units import cmmhg_to_mmhg, tick_difference

__all__ = ["WrapPicture"]


@dataclass(slots=True)
class WrapPicture:
    """The last that the device said. Times are host seconds."""

    device_state: DeviceState | None = None
    state_tick: int | None = None
    cause: Cause | None = None
    fault: Fault = Fault.NONE
    pressure_mmhg: tuple[float, ...] = ()
    frame_s: float = float("-inf")

    def see_frame(self, frame: Telemetry, arrived_s: float) -> None:
        """A frame came; a replay is the past and changes nothing."""
        if frame.replay:
            return
        if self._is_newer(frame.tick_of(len(frame.samples_cmmhg) - 1), least_tick=1):
            self.device_state = frame.state
        if frame.state is not DeviceState.FAULT:
            self.fault = Fault.NONE
        self.pressure_mmhg = tuple(cmmhg_to_mmhg(value) for value in frame.samples_cmmhg[-1])
        self.frame_s = arrived_s

    def see_report(self, report: Report) -> None:
        """A state change or fault came."""
        match report:
            case StateReport():
                self.cause, self.fault = report.cause, report.fault
                if self._is_newer(report.tick, least_tick=0):
                    self.device_state = report.state
            case FaultReport():
                self.fault = report.fault
            case _:
                pass  # what steps did is the scheduler's business

    def _is_newer(self, tick: int, least_tick: int) -> bool:
        """Notifications and indications may overtake each other on the way up: the newer word about the state counts.

        Of the same tick a report does: the frame was sealed before what the report tells happened.
        """
        if self.state_tick is not None and tick_difference(tick, self.state_tick) < least_tick:
            return False
        self.state_tick = tick
        return True

    def is_fresh(self, now_s: float) -> bool:
        """Whether the last sample may be shown as live."""
        return now_s - self.frame_s <= FRAME_FRESH_S

    def is_vented(self, now_s: float) -> bool:
        """Proof, not hope: a fresh sample, the pump off by the device's own word, every chamber under the threshold."""
        return (
            self.is_fresh(now_s)
            and self.device_state in (DeviceState.IDLE, DeviceState.FAULT)
            and all(pressure < VENTED_MMHG for pressure in self.pressure_mmhg)
        )
