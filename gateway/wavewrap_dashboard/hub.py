"""The open pages: what each still has to be sent, bounded, so that a slow one costs samples and never memory.

Every message is encoded once for all pages. Samples that a page cannot take in time are dropped, oldest first, and counted; states, alarms
and answers are never dropped: a page that is so far behind that they pile up is closed, and starts anew with everything.
"""

import asyncio
import json
from collections import deque
from typing import Any

__all__ = ["Hub", "Page", "encode"]

SAMPLES_MAX = 40
"""Choice: two seconds of pushes; what is older is not live any more."""

STATES_MAX = 2000
"""Choice: far more than a session has; reached only by a page that reads nothing."""


def encode(message: dict[str, Any]) -> str:
    """As it goes over the socket."""
    return json.dumps(message, separators=(",", ":"), allow_nan=False)


class Page:
    """One open page."""

    def __init__(self) -> None:
        self._states: deque[str] = deque()
        self._samples: deque[str] = deque()
        self._ready = asyncio.Event()
        self.dropped = 0
        self.overrun = False

    def put_state(self, text: str) -> None:
        """To be sent, before any samples."""
        if len(self._states) >= STATES_MAX:
            self.overrun = True
        else:
            self._states.append(text)
        self._ready.set()

    def put_samples(self, text: str) -> None:
        """To be sent, unless newer ones come first."""
        if len(self._samples) >= SAMPLES_MAX:
            self._samples.popleft()
            self.dropped += 1
        self._samples.append(text)
        self._ready.set()

    async def take(self) -> str | None:
        """The next message; ``None`` when this page is too far behind."""
        while not (self._states or self._samples or self.overrun):
            self._ready.clear()
            await self._ready.wait()
        if self.overrun:
            return None
        return self._states.popleft() if self._states else self._samples.popleft()


class Hub:
    """All of them."""

    def __init__(self) -> None:
        self._pages: set[Page] = set()

    def __len__(self) -> int:
        return len(self._pages)

    def add(self) -> Page:
        """A page that was opened."""
        page = Page()
        self._pages.add(page)
        return page

    def remove(self, page: Page) -> None:
        """It was closed."""
        self._pages.discard(page)

    def send_state(self, message: dict[str, Any]) -> None:
        """To every page."""
        if self._pages:
            text = encode(message)
            for page in self._pages:
                page.put_state(text)

    def send_samples(self, message: dict[str, Any]) -> None:
        """To every page that keeps up."""
        if self._pages:
            text = encode(message)
            for page in self._pages:
                page.put_samples(text)
