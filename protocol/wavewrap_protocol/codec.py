"""Which characteristic carries which message, each way. Law: any bytes decode to a message or raise :class:`RemoteError`."""

from collections.abc import Callable

from wavewrap_protocol import uuids
from wavewrap_protocol.commands import ControlWrite, Plan, Stop, TimePing
from wavewrap_protocol.reports import Answer, Capabilities, Report, Telemetry, TimePong, decode_report

__all__ = ["FROM_DEVICE", "TO_DEVICE", "DeviceMessage", "GatewayMessage"]

GatewayMessage = ControlWrite | Stop | Plan | TimePing
DeviceMessage = Capabilities | Answer | TimePong | Telemetry | Report

TO_DEVICE: dict[str, Callable[[bytes], GatewayMessage]] = {
    uuids.CONTROL: ControlWrite.decode,
    uuids.STOP: Stop.decode,
    uuids.PLAN: Plan.decode,
    uuids.TIME: TimePing.decode,
}
"""Decoder of what a gateway writes, by characteristic."""

FROM_DEVICE: dict[str, Callable[[bytes], DeviceMessage]] = {
    uuids.CAPABILITIES: Capabilities.decode,
    uuids.CONTROL: Answer.decode,
    uuids.TIME: TimePong.decode,
    uuids.TELEMETRY: Telemetry.decode,
    uuids.REPORT: decode_report,
}
"""Decoder of what a device sends, by characteristic."""
