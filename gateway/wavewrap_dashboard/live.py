"""What joins brokers, past, pages and requests: the loop that pushes what is new."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from wavewrap_dashboard.asking import UNASKED_ANSWERS, Asking
from wavewrap_dashboard.broker_link import BrokerLink
from wavewrap_dashboard.feed import Feed
from wavewrap_dashboard.hub import Hub, Page, encode
from wavewrap_dashboard.pace import wait_for_samples
from wavewrap_dashboard.requests_in import Asked
from wavewrap_dashboard.settings import BrokerAddress

__all__ = ["BEAT_PERIOD_S", "Live"]

BEAT_PERIOD_S = 0.5
"""So often a page hears from its server, whatever else happens; one that hears nothing for thrice as long says that it is alone."""


class Live:
    """``clock`` is the loop's, ``now_unix_s`` the wall clock of requests."""

    def __init__(
        self, brokers: Sequence[BrokerAddress], client_id: str, clock: Callable[[], float], now_unix_s: Callable[[], float]
    ) -> None:
        self._clock = clock
        self._gateways = _name(brokers)
        self._feeds = [Feed() for _ in self._gateways]
        self._hub = Hub()
        self._down: list[str | None] = ["not connected yet" for _ in self._gateways]
        self._links: list[BrokerLink] = []
        self._link_of: list[BrokerLink] = []
        for place, address in enumerate(brokers):
            # An id of its own each: two addresses may be ways to the same broker, which ends the older one of two with the same.
            link = BrokerLink(address, len(self._link_of), f"{client_id}-{place}", self._take, partial(self._on_broker, place))
            self._links.append(link)
            self._link_of += [link] * len(address.base_topics)
        self._asking = Asking(self._publish, now_unix_s)

    async def run(self) -> None:
        """Until cancelled. Raises :class:`wavewrap_protocol.errors.UsageError` for TLS files that cannot be used."""
        for link in self._links:
            link.load_tls()
        for link in self._links:
            link.start()
        try:
            next_push_s = next_beat_s = self._clock()
            while True:
                for link in self._links:
                    link.take()
                for gateway, feed in enumerate(self._feeds):
                    samples = feed.take_samples()
                    if samples is not None:
                        self._hub.send_samples({"g": gateway, **samples})
                now_s = self._clock()
                if now_s >= next_beat_s:
                    next_beat_s = now_s + BEAT_PERIOD_S
                    unreadable = sum(feed.unreadable for feed in self._feeds)
                    self._hub.send_state({"k": "beat", "lost": sum(link.dropped for link in self._links), "unreadable": unreadable})
                next_push_s = await wait_for_samples(self._links, self._hold_samples, next_push_s, next_beat_s)
        finally:
            self._asking.close()
            await asyncio.gather(*(link.close() for link in self._links))

    def open_page(self, hello: dict[str, Any]) -> Page:
        """A page was opened: it gets everything, then what is new."""
        page = self._hub.add()
        page.put_state(encode({"k": "hello", "gateways": self._gateways, **hello}))
        for gateway, feed in enumerate(self._feeds):
            page.put_state(encode({"g": gateway, "k": "broker", "down": self._down[gateway]}))
            page.put_state(encode({"g": gateway, **feed.snapshot(self._clock())}))
        return page

    def close_page(self, page: Page) -> None:
        """It was closed."""
        self._hub.remove(page)

    def ask(self, page: Page, asked: Asked) -> None:
        """Hand a request on; one for a gateway that is none of these is told so."""
        if asked.gateway >= len(self._feeds):
            page.put_state(encode({"k": "answer", "id": asked.id, "fail": "malformed"}))
            return
        self._asking.ask(page, asked.id, asked.gateway, asked.command, asked.body)

    def _take(self, gateway: int, topic: str, body: bytes, retained: bool) -> None:
        if topic.startswith(UNASKED_ANSWERS):
            if not retained:
                self._asking.take_answer(body)
            return
        told = self._feeds[gateway].take(topic, body, self._clock(), retained=retained)
        if told is not None:
            self._hub.send_state({"g": gateway, **told})

    def _hold_samples(self) -> bool:
        return any(feed.holds_samples for feed in self._feeds)

    def _publish(self, gateway: int, topic: str, body: bytes) -> bool:
        return self._link_of[gateway].publish(gateway, topic, body)

    def _on_broker(self, place: int, reason: str | None) -> None:
        for gateway in self._links[place].bases:
            self._down[gateway] = reason
            self._hub.send_state({"g": gateway, "k": "broker", "down": reason})


def _name(brokers: Sequence[BrokerAddress]) -> list[dict[str, str]]:
    """Of each gateway its topic and its broker, by the host alone where that is enough."""
    hosts = [address.host for address in brokers]
    return [
        {"topic": topic, "broker": address.host if hosts.count(address.host) == 1 else f"{address.host}:{address.port}"}
        for address in brokers
        for topic in address.base_topics
    ]
