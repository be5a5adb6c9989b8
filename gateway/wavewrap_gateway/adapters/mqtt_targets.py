"""Which broker of a list is the one in use: the last that took us, else the next one that does.

For a cluster of brokers that share their messages; brokers that know nothing of each other would each get a part.
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from wavewrap_gateway.adapters.mqtt_settings import MqttSettings
from wavewrap_protocol.errors import BrokerError

__all__ = ["BrokerTargets"]

T = TypeVar("T")


class BrokerTargets:
    """``current`` is where the last attempt that succeeded went; the first of the list before there was one."""

    def __init__(self, settings: MqttSettings) -> None:
        self._targets = settings.targets()
        self._at = 0

    @property
    def current(self) -> MqttSettings:
        """The broker in use, or tried first next time."""
        return self._targets[self._at]

    async def connect(self, attempt: Callable[[MqttSettings], Awaitable[T]]) -> T:
        """What ``attempt`` returns for the first broker, from ``current`` on, where it raises none. Raises BrokerError when all do."""
        failures: list[BrokerError] = []
        for offset in range(len(self._targets)):
            at = (self._at + offset) % len(self._targets)
            try:
                made = await attempt(self._targets[at])
            except BrokerError as error:
                failures.append(error)
                continue
            self._at = at
            return made
        if len(failures) == 1:
            raise failures[0]
        raise BrokerError(f"none of {len(failures)} MQTT brokers can be used; {'; '.join(map(str, failures))}")
