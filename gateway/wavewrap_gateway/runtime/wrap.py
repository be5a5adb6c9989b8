"""One wrap as the gateway holds it: its name, its link, what is known of it, and who listens."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from random import Random
from re import sub
from types import MappingProxyType

from wavewrap_gateway.core.picture import WrapPicture
from wavewrap_gateway.runtime.ports import Radio, Sighting
from wavewrap_gateway.runtime.wrap_link import Booted, FrameArrived, LinkEvent, ReportArrived, WrapLink
from wavewrap_protocol.payloads import Side

__all__ = ["Wrap", "topic_name"]

Listener = Callable[["Wrap", LinkEvent], None]


class Wrap:
    """``names`` gives wraps names by serial number; one without is called by its serial number."""

    def __init__(
        self, radio: Radio, sighting: Sighting, clock: Callable[[], float], rng: Random, names: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        self._names = names
        self._address = sighting.address
        self.side: Side = sighting.side
        self.picture = WrapPicture()
        self.link = WrapLink(radio, sighting, self._observe, clock, rng)
        self._listeners: list[Listener] = []

    @property
    def name(self) -> str:
        """Name in topics, logs and on screen."""
        if self.link.identity is None:
            return topic_name(self._address)
        serial = self.link.identity.serial
        return self._names.get(serial, topic_name(serial))

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


@lru_cache(maxsize=64)
def topic_name(text: str) -> str:
    """``text`` as a topic level of lower-case letters, digits, ``_`` and ``-``; never empty, never the gateway's own ``bridge``."""
    name = sub(r"[^a-z0-9_-]+", "-", text.lower()).strip("-")[:64] or "wrap"
    return "bridge-1" if name == "bridge" else name
