"""Announces to Home Assistant: when the broker is there, when something changed, and when Home Assistant has started again.

Not responsible for what is said (:mod:`wavewrap_gateway.core.home_assistant`).
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from random import Random

__all__ = ["Discovery"]

DELAY_S = (0.5, 3.0)
"""Before all is said again to a Home Assistant that has started. Choice: not with every other device on the broker at the same instant."""


class Discovery:
    """``describe`` gives each message by its object id; ``retain`` publishes body on topic, retained, an empty one to clear it."""

    def __init__(
        self, prefix: str, describe: Callable[[], Mapping[str, object]], retain: Callable[[str, bytes], None], rng: Random
    ) -> None:
        self._prefix = prefix
        self._describe = describe
        self._retain = retain
        self._rng = rng
        self._said: dict[str, bytes] = {}
        self._later: asyncio.TimerHandle | None = None

    @property
    def status_topic(self) -> str:
        """Where Home Assistant says that it has come and gone."""
        return f"{self._prefix}/status"

    def on_status(self, body: bytes) -> None:
        """Home Assistant said something there."""
        if body == b"online":
            self.close()
            self._later = asyncio.get_running_loop().call_later(self._rng.uniform(*DELAY_S), self.announce_all)

    def announce_all(self) -> None:
        """Say everything again."""
        self._said.clear()
        self.announce()

    def announce(self) -> None:
        """Say what has changed."""
        for name, config in self._describe().items():
            body = json.dumps(config, separators=(",", ":")).encode()
            if self._said.get(name) != body:
                self._said[name] = body
                self._retain(self._topic(name), body)

    def remove(self, name: str) -> None:
        """There is no such device any more."""
        self._said.pop(name, None)
        self._retain(self._topic(name), b"")

    def close(self) -> None:
        """Say nothing more by itself."""
        if self._later is not None:
            self._later.cancel()
            self._later = None

    def _topic(self, name: str) -> str:
        return f"{self._prefix}/device/{name}/config"
