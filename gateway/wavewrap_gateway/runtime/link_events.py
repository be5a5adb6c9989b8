"""What the link to a wrap tells: its state, frames, reports, a restart; and who the wrap is."""

from dataclasses import dataclass

from wavewrap_gateway.core.link_state import LinkState
from wavewrap_protocol.payloads import Side
from wavewrap_protocol.reports import Report, Telemetry

__all__ = ["Booted", "FrameArrived", "LinkChanged", "LinkEvent", "ReportArrived", "WrapIdentity"]


@dataclass(frozen=True, slots=True)
class WrapIdentity:
    """Who a wrap is; the serial number is the identity, the address is not."""

    serial: str
    model: str
    firmware: str
    side: Side


@dataclass(frozen=True, slots=True)
class LinkChanged:
    """The link is now in ``state``."""

    state: LinkState


@dataclass(frozen=True, slots=True)
class FrameArrived:
    """A telemetry frame; ``arrived_s`` is host time."""

    frame: Telemetry
    arrived_s: float


@dataclass(frozen=True, slots=True)
class ReportArrived:
    """A report, once, in order of its number as far as the wrap still has it."""

    report: Report


@dataclass(frozen=True, slots=True)
class Booted:
    """The wrap is on another boot than when it was last seen: whatever ran has ended and vented."""

    boot_id: int


LinkEvent = LinkChanged | FrameArrived | ReportArrived | Booted
