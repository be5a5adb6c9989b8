"""The steps a device still has to carry out, in the order of their numbers. Counts are device time that never wraps."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from wavewrap_protocol.commands import Step

__all__ = ["QueuedStep", "StepQueue"]


@dataclass(frozen=True, slots=True)
class QueuedStep:
    """Step ``seq``, due at ``due_count``."""

    seq: int
    step: Step
    due_count: int


class StepQueue:
    """At most ``depth`` steps. It trusts its caller that due counts never run backwards (:meth:`last_due_count` helps to check)."""

    def __init__(self, depth: int) -> None:
        self._depth = depth
        self._steps: deque[QueuedStep] = deque()
        self._expected_seq = 0

    @property
    def expected_seq(self) -> int:
        """Number that the next step must have."""
        return self._expected_seq

    @property
    def free(self) -> int:
        """Places left."""
        return self._depth - len(self._steps)

    @property
    def next_due_count(self) -> int | None:
        """When the first step is due."""
        return self._steps[0].due_count if self._steps else None

    @property
    def last_due_count(self) -> int | None:
        """When the last step is due."""
        return self._steps[-1].due_count if self._steps else None

    def clear(self) -> list[QueuedStep]:
        """Empty the queue for another session; what was in it."""
        dropped = list(self._steps)
        self._steps.clear()
        self._expected_seq = 0
        return dropped

    def extend(self, steps: Sequence[QueuedStep]) -> None:
        """Take ``steps``, whose numbers go on from :attr:`expected_seq`."""
        self._steps.extend(steps)
        self._expected_seq += len(steps)

    def pass_by(self, steps: int) -> None:
        """``steps`` were carried out without waiting here; their numbers are used up."""
        self._expected_seq += steps

    def flush(self, from_count: int) -> int:
        """Forget the steps due at ``from_count`` or later; the expected number goes back to the first of them. How many they were."""
        flushed = 0
        while self._steps and self._steps[-1].due_count >= from_count:
            self._expected_seq = self._steps.pop().seq
            flushed += 1
        return flushed

    def take_due(self, count: int) -> QueuedStep | None:
        """The first step when it is due by ``count``, taken out."""
        if self._steps and self._steps[0].due_count <= count:
            return self._steps.popleft()
        return None
