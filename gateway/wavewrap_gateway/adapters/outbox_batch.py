"""What the outbox's loop and thread hand each other, and what they tell a person."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from wavewrap_gateway.adapters.outbox_file import Runs
from wavewrap_gateway.runtime.publishing import DataClass, SampleRun
from wavewrap_gateway.runtime.storage import Kept, Lost, StorageSize

__all__ = ["Batch", "Opened", "Trouble"]


@dataclass(frozen=True, slots=True)
class Trouble:
    """The file failed, or works again: one line for a person."""

    kind: Literal["outbox_in_memory", "outbox_restored", "outbox_set_aside"]
    text: str


@dataclass(slots=True)
class Batch:
    """What the loop wants of the thread. ``noted``: samples that were acknowledged before they were handed over."""

    appended: list[Kept] = field(default_factory=list)
    removed: dict[int, DataClass] = field(default_factory=dict)
    noted: list[SampleRun] = field(default_factory=list)
    asked: list[Callable[[], object]] = field(default_factory=list)

    def lose(self, count: int) -> list[Lost]:
        """Give up the oldest, telemetry first."""
        order = sorted(range(len(self.appended)), key=lambda at: self.appended[at].message.data_class is not DataClass.TELEMETRY)
        gone = set(order[:count])
        lost = [Lost(self.appended[at].number, self.appended[at].message.samples) for at in sorted(gone)]
        self.appended = [kept for at, kept in enumerate(self.appended) if at not in gone]
        return lost


@dataclass(frozen=True, slots=True)
class Opened:
    """What the file held when it was opened."""

    size: StorageSize
    last_number: int
    runs: Runs
