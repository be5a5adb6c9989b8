"""Curves cut down for a screen: no peak is lost, no hole is bridged."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from wavewrap_gateway.core.envelope import envelope


def seconds(samples: int) -> NDArray[np.float64]:
    """At 50 Hz."""
    return np.linspace(0.0, samples * 0.02, samples, endpoint=False, dtype=np.float64)


@given(
    st.lists(st.floats(-50.0, 120.0), min_size=50, max_size=400),
    st.integers(20, 60),
)
def test_the_highest_and_the_lowest_are_kept(values: list[float], points: int) -> None:
    at_s = seconds(len(values))
    column = np.array(values)[:, None]
    cut = envelope(at_s, column, float(at_s[0]), float(at_s[-1]) + 0.01, points)
    assert np.nanmax(cut.values) == column.max()
    assert np.nanmin(cut.values) == column.min()
    assert len(cut.at_s) <= 2 * points
    assert (np.diff(cut.at_s) > 0.0).all()


def test_a_single_sample_peak_stays_where_it_was() -> None:
    at_s = seconds(90_000)
    values = np.zeros((90_000, 2))
    values[45_000, 1] = 80.0
    cut = envelope(at_s, values, 0.0, 1800.0, 600)
    assert cut.thinned
    assert cut.values[:, 0].max() == 0.0
    seen_s = float(cut.at_s[int(cut.values[:, 1].argmax())])
    assert abs(seen_s - 900.0) <= 1800.0 / 600


def test_few_samples_are_kept_as_they_are_with_one_more_on_each_side() -> None:
    at_s = seconds(1000)
    values = at_s[:, None] * 2.0
    cut = envelope(at_s, values, 5.0, 6.0, 100)
    assert not cut.thinned
    assert np.array_equal(cut.values, values[249:301])


def test_a_hole_is_a_hole_at_every_zoom() -> None:
    at_s = np.concatenate([seconds(500), 20.0 + seconds(500)])
    values = np.full((1000, 3), 40.0, dtype=np.float64)
    for points in (50, 4000):
        cut = envelope(at_s, values, 0.0, 30.0, points)
        holes = np.isnan(cut.values).all(axis=1)
        assert holes.sum() == 1
        assert 9.9 < float(cut.at_s[holes][0]) < 20.0
    assert not np.isnan(envelope(at_s, values, 1.0, 9.0, 4000).values).any()


def test_nothing_is_nothing() -> None:
    cut = envelope(np.zeros(0), np.zeros((0, 4)), 0.0, 60.0, 100)
    assert cut.values.shape == (0, 4)
