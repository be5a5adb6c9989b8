"""Which samples still belong to the record of a session that is over, and which it lacks."""

from hypothesis import given
from hypothesis import strategies as st

from wavewrap_gateway.core.late_samples import OpenRecord, Unfinished
from wavewrap_gateway.core.telemetry import Gap, SampleRuns
from wavewrap_protocol.limits import RING_S

BEGUN_S = 1_700_000_000.0
UNTIL_S = BEGUN_S + 20.0
PERIOD_S = 0.02
BOOT_ID = 0x107
EPOCH = 0x07


def open_record(*runs: tuple[int, int]) -> OpenRecord:
    return OpenRecord(Unfinished("one", 0, "S-1", BOOT_ID, BEGUN_S, UNTIL_S, runs))


def test_the_hole_before_the_kill_and_all_until_the_end_are_lacking() -> None:
    record = open_record((100, 149), (160, 199))
    # Sample 100 was taken when the session began; a second after the record's end another one is the newest.
    newest = 100 + round((UNTIL_S + 1.0 - BEGUN_S) / PERIOD_S)
    last = 100 + round((UNTIL_S - BEGUN_S) / PERIOD_S) - 1
    assert record.gaps(newest, UNTIL_S + 1.0, PERIOD_S) == [Gap(EPOCH, 150, 159), Gap(EPOCH, 200, last)]
    assert record.gaps(250, BEGUN_S + 3.0, PERIOD_S)[-1] == Gap(EPOCH, 200, 250)


def test_a_record_without_a_sample_lacks_what_was_taken_since_it_began() -> None:
    assert open_record().gaps(500, BEGUN_S + 2.0, PERIOD_S) == [Gap(EPOCH, 400, 500)]
    assert open_record().gaps(50, BEGUN_S + 2.0, PERIOD_S) == [Gap(EPOCH, 0, 50)]  # the wrap has started since


def test_what_is_of_before_or_after_or_there_is_not_taken() -> None:
    record = open_record((100, 149))
    assert not record.takes(90, 10, BEGUN_S - 0.2)
    assert not record.takes(100, 10, BEGUN_S)
    assert not record.takes(1_100, 10, UNTIL_S)
    assert record.takes(145, 10, BEGUN_S + 0.9)
    assert record.takes(1_099, 10, UNTIL_S - 0.02)
    assert not open_record().takes(7, 10, BEGUN_S - 0.01)
    assert open_record().takes(7, 10, BEGUN_S)


def test_another_session_on_the_wrap_ends_it() -> None:
    record = open_record((100, 149))
    record.end_before(BEGUN_S + 5.0)
    assert not record.takes(350, 10, BEGUN_S + 5.0)
    record.end_before(BEGUN_S + 9.0)
    assert record.unfinished.until_unix_s == BEGUN_S + 5.0
    assert not record.is_over(BEGUN_S + 5.0 + RING_S)
    assert record.is_over(BEGUN_S + 5.1 + RING_S)


SPANS = st.lists(st.tuples(st.integers(0, 900), st.integers(0, 60)).map(lambda pair: (pair[0], pair[0] + pair[1])), max_size=20)


@given(SPANS, st.integers(0, 1_200))
def test_when_all_that_it_lacks_has_come_it_lacks_nothing(runs: list[tuple[int, int]], newest: int) -> None:
    record = open_record(*runs)
    had = {number for first, last in runs for number in range(first, last + 1)}
    for gap in record.gaps(newest, BEGUN_S + newest * PERIOD_S, PERIOD_S):
        count = gap.last - gap.first + 1
        assert had.isdisjoint(range(gap.first, gap.last + 1))
        assert record.takes(gap.first, count, BEGUN_S + gap.first * PERIOD_S)
        record.add(gap.first, count)
    assert record.gaps(newest, BEGUN_S + newest * PERIOD_S, PERIOD_S) == []


@given(SPANS, st.integers(0, 1_000), st.integers(0, 1_000))
def test_present_and_absent_numbers_make_all(spans: list[tuple[int, int]], first: int, last: int) -> None:
    came = {number for begin, end in spans for number in range(begin, end + 1)}
    absent = [number for begin, end in SampleRuns(spans).absent(first, last) for number in range(begin, end + 1)]
    assert absent == [number for number in range(first, last + 1) if number not in came]
