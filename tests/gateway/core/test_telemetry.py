"""Sample accounting over several runs of a gateway, and for a session of its own."""

from hypothesis import given
from hypothesis import strategies as st

from wavewrap_gateway.core.telemetry import Gap, SampleLedger, SampleRuns
from wavewrap_protocol.enums import DeviceState
from wavewrap_protocol.payloads import SampleCounts
from wavewrap_protocol.reports import Telemetry

EPOCH = 7
SPANS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 8)).map(lambda pair: (pair[0], pair[0] + pair[1])), max_size=30)


def frame(first: int, count: int, *, replay: bool = False, epoch: int = EPOCH) -> Telemetry:
    rows = tuple((0,) * 4 for _ in range(count))
    return Telemetry(epoch, DeviceState.IDLE, replay, first, 0, 20, 0b1111, rows)


@given(SPANS)
def test_runs_are_the_numbers_that_came_and_lie_apart(spans: list[tuple[int, int]]) -> None:
    runs = SampleRuns()
    for first, last in spans:
        runs.add(first, last)
    came = {number for first, last in spans for number in range(first, last + 1)}
    assert {number for first, last in runs.runs() for number in range(first, last + 1)} == came
    flat = [edge for run in runs.runs() for edge in run]
    assert flat == sorted(flat)
    assert all(following[0] > run[1] + 1 for run, following in zip(runs.runs(), runs.runs()[1:], strict=False))
    assert SampleRuns(runs.runs()).runs() == runs.runs()


def test_what_an_earlier_run_had_is_taken_over_and_the_rest_is_a_gap() -> None:
    ledger = SampleLedger()
    ledger.add(frame(100, 5))
    assert ledger.recall(EPOCH, [(10, 49), (60, 79)]) == [Gap(EPOCH, 50, 59), Gap(EPOCH, 80, 99)]
    assert ledger.span == (10, 105)
    assert ledger.counts() == SampleCounts(expected=95, received=65, replayed=0, missing=30)
    ledger.add(frame(50, 10, replay=True))
    ledger.add(frame(80, 15, replay=True))
    assert ledger.gaps() == [Gap(EPOCH, 95, 99)]
    assert ledger.counts() == SampleCounts(expected=95, received=65, replayed=25, missing=5)


def test_another_boot_or_nothing_new_recalls_nothing() -> None:
    ledger = SampleLedger()
    assert ledger.recall(EPOCH, [(0, 9)]) == []  # nothing has come in this run
    ledger.add(frame(100, 5))
    assert ledger.recall(EPOCH + 1, [(0, 9)]) == []
    assert ledger.recall(EPOCH, []) == []
    assert ledger.recall(EPOCH, [(100, 120)]) == []
    assert ledger.counts() == SampleCounts(expected=5, received=5, replayed=0, missing=0)
    assert ledger.recall(EPOCH, [(90, 101)]) == []  # up to where this run began
    assert ledger.counts().expected == 15


def test_a_session_counts_from_its_beginning_whatever_a_replay_brings_of_before() -> None:
    link = SampleLedger()
    link.add(frame(0, 10))
    link.add(frame(30, 10))
    session = link.successor()
    for one in (frame(10, 20, replay=True), frame(40, 10), frame(60, 10), frame(50, 4, replay=True)):
        link.add(one)
        session.add(one)
    assert session.counts() == SampleCounts(expected=30, received=20, replayed=4, missing=6)
    assert link.counts() == SampleCounts(expected=70, received=40, replayed=24, missing=6)
