"""Inverse distribution functions against scipy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from exchange_sim.distributions import (
    DISTRIBUTION,
    HISTOGRAM,
    LOGNORMAL,
    QUANTILES,
    UNIFORM,
    first_above,
    normal_quantile,
    quantile,
)
from tests.oracles import market as oracle

inside = st.floats(1e-15, 1 - 2**-53, exclude_min=True)


@given(u=inside | st.sampled_from([0.02425, 1 - 0.02425, 0.5, 2**-54, 1 - 2**-53]))
def test_normal_quantile(u: float) -> None:
    assert math.isclose(normal_quantile(u), stats.norm.ppf(u), rel_tol=1.2e-9, abs_tol=1e-12)


def test_normal_quantile_stays_finite_where_rounding_reaches_one() -> None:
    """u^(1/n) of thousands of rivals can round to 1; the price must stay a price."""
    assert math.isfinite(normal_quantile(1.0))
    assert normal_quantile(1.0) >= normal_quantile(1.0 - 2**-53)


def _one(kind: int, a: float, b: float, table: list[float] | None = None) -> tuple[np.ndarray, np.ndarray]:
    rows = table or [0.0]
    return np.array([(kind, 0, len(rows), a, b)], DISTRIBUTION), np.array([rows])


@given(low=st.floats(0, 1e6), width=st.floats(1, 1e6), u=inside)
def test_uniform(low: float, width: float, u: float) -> None:
    expected = oracle.quantile("uniform", (low, low + width), u)
    assert math.isclose(quantile(*_pair(_one(UNIFORM, low, low + width)), u), expected, rel_tol=1e-12)


def _pair(made: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, int, np.ndarray]:
    return made[0], 0, made[1]


@given(mu=st.floats(5, 20), sigma=st.floats(0.01, 3), u=inside)
def test_lognormal(mu: float, sigma: float, u: float) -> None:
    expected = oracle.quantile("lognormal", (mu, sigma), u)
    assert math.isclose(quantile(*_pair(_one(LOGNORMAL, mu, sigma)), u), expected, rel_tol=1e-7)


@given(counts=st.lists(st.integers(0, 5), min_size=2, max_size=12).filter(any), u=inside)
def test_histogram(counts: list[int], u: float) -> None:
    """Grid prices only, never one that was not observed; at the edge of two bins rounding may choose either."""
    cumulative = np.cumsum(counts) / sum(counts)
    got = quantile(*_pair(_one(HISTOGRAM, 2.5, 0.0, cumulative.tolist())), u)
    assert counts[round(got / 2.5)] > 0
    if np.abs(cumulative - u).min() > 1e-12:
        assert got == oracle.quantile("histogram", (2.5, counts), u)


@given(values=st.lists(st.floats(0, 1e9), min_size=2, max_size=9).map(sorted), u=inside)
def test_quantiles(values: list[float], u: float) -> None:
    got = quantile(*_pair(_one(QUANTILES, 0.0, 0.0, values)), u)
    assert math.isclose(got, oracle.quantile("quantiles", values, u), rel_tol=1e-9, abs_tol=1e-3)
    assert values[0] <= got <= values[-1] * (1 + 1e-15)


@given(rises=st.lists(st.floats(0, 1), min_size=1, max_size=40), u=st.floats(0, 20))
def test_first_above(rises: list[float], u: float) -> None:
    row = np.cumsum(rises)
    expected = next((k for k, value in enumerate(row) if value > u), len(row) - 1)
    assert first_above(row, len(row), u) == expected


@pytest.mark.parametrize("size", [1, 2, 3])
def test_first_above_reads_only_the_entries_used(size: int) -> None:
    assert first_above(np.array([0.1, 0.2, 0.3, 0.9]), size, 0.99) == size - 1
