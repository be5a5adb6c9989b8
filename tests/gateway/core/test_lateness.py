"""The histogram of wake-ups: what it counts, what it claims, how little it keeps."""

import math
import pickle
import statistics
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wavewrap_gateway.core.lateness import LOWEST_MS, OCTAVES, PER_OCTAVE, Lateness
from wavewrap_protocol.payloads import Quantiles

STEP = 2.0 ** (1 / PER_OCTAVE)


def score(values_ms: list[float]) -> Lateness:
    lateness = Lateness()
    for value_ms in values_ms:
        lateness.add(value_ms / 1000.0)
    return lateness


def test_nothing_is_zero() -> None:
    assert Lateness().quantiles() == Quantiles(p50=0.0, p99=0.0, max=0.0)
    assert set(Lateness().histogram().counts) == {0}


def test_bounds_are_octaves_and_one_bin_lies_over_them() -> None:
    histogram = Lateness().histogram()
    assert histogram.bounds_ms == [round(LOWEST_MS * 2**octave, 4) for octave in range(OCTAVES + 1)]
    assert len(histogram.counts) == len(histogram.bounds_ms) + 1


@pytest.mark.parametrize(
    ("value_ms", "at"),
    [(-5.0, 0), (0.0, 0), (0.0124, 0), (0.0126, 1), (0.0249, 1), (0.0251, 2), (0.79, 6), (0.81, 7), (1638.3, 17), (1638.5, 18), (1e9, 18)],
)
def test_a_value_is_counted_in_the_bin_whose_bound_it_kept(value_ms: float, at: int) -> None:
    counts = score([value_ms]).histogram().counts
    assert [index for index, count in enumerate(counts) if count] == [at]
    assert sum(counts) == 1


@given(st.lists(st.floats(0.0, 5_000.0), min_size=1, max_size=200))
def test_quantiles_are_never_too_small_and_at_most_a_bin_too_large(values_ms: list[float]) -> None:
    told = score(values_ms).quantiles()
    rising = sorted(values_ms)
    for share, value_ms in ((0.5, told.p50), (0.99, told.p99)):
        true_ms = rising[math.ceil(share * len(rising)) - 1]
        assert true_ms - 0.0006 <= value_ms <= max(true_ms * STEP, LOWEST_MS) + 0.0006 or value_ms == told.max  # rounded to 1 us
    assert told.max == pytest.approx(rising[-1], abs=0.0006)
    assert told.p50 <= told.p99 <= told.max


@given(st.lists(st.floats(0.0, 5_000.0), max_size=200))
def test_the_published_bins_are_the_values_counted(values_ms: list[float]) -> None:
    histogram = score(values_ms).histogram()
    kept = [sum(value_ms <= bound_ms * (1.0 + 1e-12) for value_ms in values_ms) for bound_ms in histogram.bounds_ms]
    running = [sum(histogram.counts[: index + 1]) for index in range(len(kept))]
    assert running == kept
    assert sum(histogram.counts) == len(values_ms)


def test_a_long_session_takes_no_more_memory_than_a_short_one() -> None:
    rng = Random(1)
    draws = [rng.expovariate(1.0) for _ in range(50_000)]
    short, long = score(draws[:1000]), score(draws)
    # Counters grow by digits only.
    assert len(pickle.dumps(long)) < 1.5 * len(pickle.dumps(short))
    assert long.quantiles().p50 == pytest.approx(statistics.median(draws), rel=0.1)
