"""Topics that the broker has nobody for, or denies us: held back, and tried with one message at a time."""

from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Holds"]

UNHEARD_RETRY_S = 5.0
"""Choice: a subscriber that comes back after a restart of the broker gets what it missed within seconds."""

DENIED_RETRY_S = 60.0
"""Choice: rights are put right by a person."""


@dataclass(slots=True)
class _Hold:
    due_unix_s: float
    unheard: bool
    may_probe: bool = False


class Holds:
    """By full topic. Time is passed in."""

    def __init__(self) -> None:
        self._holds: dict[str, _Hold] = {}

    def hold(self, path: str, now_unix_s: float, *, unheard: bool) -> bool:
        """The broker did not deliver a message of ``path``; says whether the path was free until now."""
        new = path not in self._holds
        self._holds[path] = _Hold(now_unix_s + (UNHEARD_RETRY_S if unheard else DENIED_RETRY_S), unheard)
        return new

    def release(self, path: str) -> bool:
        """A message of ``path`` was delivered; says whether the path was held."""
        return self._holds.pop(path, None) is not None

    def clear(self) -> None:
        """Another broker, or the same one anew: nothing is known."""
        self._holds.clear()

    def admits(self, path: str) -> bool:
        """Whether a message out of the storage may go out on ``path`` now; on a held path that is one, when it is due."""
        hold = self._holds.get(path)
        if hold is None:
            return True
        admitted, hold.may_probe = hold.may_probe, False
        return admitted

    def let_probe(self, now_unix_s: float) -> bool:
        """Let one message out on each path whose time has come; says whether there is one."""
        due = [hold for hold in self._holds.values() if hold.due_unix_s <= now_unix_s]
        for hold in due:
            hold.may_probe = True
            hold.due_unix_s = now_unix_s + (UNHEARD_RETRY_S if hold.unheard else DENIED_RETRY_S)
        return bool(due)

    def closed(self) -> frozenset[str]:
        """Paths on which nothing out of the storage may go out now."""
        return frozenset(path for path, hold in self._holds.items() if not hold.may_probe)

    def unheard(self) -> Iterator[str]:
        """Paths that the broker had nobody for."""
        return (path for path, hold in self._holds.items() if hold.unheard)

    def next_due_unix_s(self) -> float | None:
        """When a path is due next."""
        return min((hold.due_unix_s for hold in self._holds.values()), default=None)
