"""The way out of a gateway: publisher, queues and, for somebody else's broker, the outbox on the disk."""

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from wavewrap_gateway.adapters.mqtt import MqttPublisher
from wavewrap_gateway.adapters.mqtt_settings import MqttSettings
from wavewrap_gateway.adapters.outbox import Outbox, Trouble
from wavewrap_gateway.app.config import GatewayConfig
from wavewrap_gateway.runtime.message_queues import MessageQueues
from wavewrap_gateway.runtime.storage import MEMORY_BOUNDS, MemoryStorage, Storage

__all__ = ["Outgoing", "open_outgoing"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """``publisher`` is not started yet. ``sample_runs``: samples that an earlier run had, by name and boot of a wrap."""

    publisher: MqttPublisher
    sample_runs: Mapping[tuple[str, int], Sequence[tuple[int, int]]]
    troubles: "Troubles"


class Troubles:
    """Troubles of the outbox: a line on the log at once, an event as soon as there is a bridge to publish it."""

    def __init__(self) -> None:
        self._early: list[Trouble] = []
        self._publish: Callable[[str, str], None] | None = None

    def note(self, trouble: Trouble) -> None:
        """It happened."""
        _log.log(logging.WARNING if trouble.kind == "outbox_restored" else logging.ERROR, "%s", trouble.text)
        if self._publish is None:
            self._early.append(trouble)
        else:
            self._publish(trouble.kind, trouble.text)

    def tell(self, publish: Callable[[str, str], None]) -> None:
        """From now on, ``publish`` gets kind and text of each, and of those before."""
        self._publish = publish
        for trouble in self._early:
            publish(trouble.kind, trouble.text)
        self._early.clear()


async def open_outgoing(
    stack: AsyncExitStack, config: GatewayConfig, settings: MqttSettings, wall_s: Callable[[], float], *, embedded: bool
) -> Outgoing:
    """Closed with ``stack``. ``embedded``: the broker is our own."""
    troubles = Troubles()
    outbox: Outbox | None = None
    # What waits for somebody else's broker must not go to one that ends with this program, nor the other way round.
    if config.outbox.enabled and not embedded:
        outbox = Outbox(config.outbox_file(settings), config.outbox.bounds(), wall_s, troubles.note)
        await outbox.open()
        stack.push_async_callback(outbox.close)
    storage: Storage = MemoryStorage(MEMORY_BOUNDS, wall_s) if outbox is None else outbox
    publisher = MqttPublisher(settings, f"wavewrap-{config.gateway}", MessageQueues(storage, wall_s, config.outbox.rules()))
    stack.push_async_callback(publisher.close)
    return Outgoing(publisher, {} if outbox is None else outbox.sample_runs, troubles)
