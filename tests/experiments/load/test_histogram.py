"""The histogram against exact percentiles: never too good, never more than a thousandth too bad."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.load.histogram import Histogram

PERCENTS = (0, 1, 50, 90, 99, 99.9, 99.99, 100)


@pytest.mark.parametrize("seed", [1, 2])
def test_percentiles_are_exact_to_a_thousandth(seed: int) -> None:
    durations = np.random.default_rng(seed).lognormal(15, 2, 20_000).astype(np.int64)
    histogram = Histogram()
    for duration in durations.tolist():
        histogram.add(duration)
    ordered = np.sort(durations)
    for percent in PERCENTS:
        exact = ordered[max(0, int(np.ceil(len(ordered) * percent / 100 - 1e-9)) - 1)]
        assert exact <= histogram.percentile_ns(percent) <= exact * (1 + 1 / 1024)
    assert histogram.highest_ns == ordered[-1]
    assert histogram.mean_ns() == pytest.approx(durations.mean(), rel=1e-12)


@given(st.lists(st.integers(-5, 2**46), min_size=1, max_size=50), st.integers(0, 50))
def test_merged_is_the_same_as_counted_together(durations: list[int], cut: int) -> None:
    whole, first, second = Histogram(), Histogram(), Histogram()
    for k, duration in enumerate(durations):
        whole.add(duration)
        (first if k < cut else second).add(duration)
    first.merge(second)
    np.testing.assert_array_equal(first.counts, whole.counts)
    assert first.total == len(durations)
    assert [first.percentile_ns(p) for p in PERCENTS] == [whole.percentile_ns(p) for p in PERCENTS]


def test_nothing_counted_is_nothing() -> None:
    assert (Histogram().percentile_ns(99), Histogram().total, Histogram().mean_ns()) == (0, 0, 0.0)
