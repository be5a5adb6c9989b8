"""One wrap as the gateway holds it: its name, its link, what is known of it, and who listens."""

from collections.abc import Callable
from random import Random
from re import sub

from wavewrap_gateway.core.picture import WrapPicture
from wavewrap_gateway.runtime.ports import Radio, Sighting
from wavewrap_gateway.runtime.wrap_link import Booted, FrameArrived, LinkEvent, ReportArrived, WrapLink
from wavewrap_protocol.payloads import Side

__all__ = ["Wrap", "topic_name"]

Listener = Callable[["Wrap", LinkEvent], None]


class Wrap:
    """``name`` is given, or made of the serial number once the wrap has told it."""

    def __init__(self, radio: Radio, sighting: Sighting, clock: Callable[[], float], rng: Random, name: str | None = None) -> None:
        self._given_name = name
        self._address = sighting.address
        self.side: Side = sighting.side
        self.picture = WrapPicture()
        self.link = WrapLink(radio, sighting, self._observe, clock, rng)
        self._listeners: list[Listener] = []

    @property
    def name(self) -> str:
        """Name in topics, logs and on screen."""
        if self._given_name is not None:
            return self._given_name
        return topic_name(self.link.identity.serial if self.link.identity is not None else self._address)

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call ``listener`` with every event of the link; returns what removes it again."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def _observe(self, event: LinkEvent) -> None:
        match event:
            case FrameArrived(frame, arrived_s):
                self.picture.see_frame(frame, arrived_s)
            case ReportArrived(report):
                self.picture.see_report(report)
            case Booted():
                self.picture = WrapPicture()
            case _:
                pass
        for listener in list(self._listeners):
            listener(self, event)


def topic_name(text: str) -> str:
    """``text`` as a topic level of lower-case letters, digits, ``_`` and ``-``; never empty."""
    return sub(r"[^a-z0-9_-]+", "-", text.lower()).strip("-")[:64] or "wrap"
