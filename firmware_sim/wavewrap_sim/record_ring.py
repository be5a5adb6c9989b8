"""The newest samples, kept to be sent again."""

from dataclasses import dataclass

__all__ = ["RecordRing", "Sample"]


@dataclass(frozen=True, slots=True)
class Sample:
    """Sample ``seq``, taken at ``tick`` (32 bit); ``row_cmmhg`` has one pressure per chamber."""

    seq: int
    tick: int
    row_cmmhg: tuple[int, ...]


class RecordRing:
    """Keeps the newest ``capacity`` sequence numbers. A number that was never sampled (a stalled loop) leaves a hole."""

    def __init__(self, capacity: int) -> None:
        self._slots: list[Sample | None] = [None] * capacity
        self._newest_seq = -1

    def append(self, sample: Sample) -> None:
        """Keep ``sample``, whose number is over every one before."""
        self._slots[sample.seq % len(self._slots)] = sample
        self._newest_seq = sample.seq

    def runs(self, first_seq: int, last_seq: int, longest: int) -> list[tuple[Sample, ...]]:
        """What is kept of ``first_seq`` to ``last_seq`` (inclusive) in runs without a hole, at most ``longest`` samples each."""
        runs: list[tuple[Sample, ...]] = []
        run: list[Sample] = []
        oldest_seq = self._newest_seq + 1 - len(self._slots)
        for seq in range(max(first_seq, oldest_seq, 0), min(last_seq, self._newest_seq) + 1):
            sample = self._slots[seq % len(self._slots)]
            hole = sample is None or sample.seq != seq
            if run and (hole or len(run) == longest):
                runs.append(tuple(run))
                run = []
            if sample is not None and not hole:
                run.append(sample)
        if run:
            runs.append(tuple(run))
        return runs
