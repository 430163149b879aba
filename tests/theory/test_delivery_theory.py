"""Poisson traffic, reach and frequency caps, within 4 standard errors at a million auctions."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from experiments.traffic_shape import hour_weights
from tests.oracles import market as oracle

pytestmark = pytest.mark.slow

DAY_S = 86400.0
CAP, PER_DAY, DAYS = 3, 4.0, 28


def test_reach_and_frequency(run_case: Callable[..., object]) -> None:
    """People with exactly k exposures: binomial(people, Poisson(r) probability of k), so se sqrt(N p (1 - p))."""
    case = run_case("poisson-reach")
    weights = hour_weights("diurnal")
    people, rate = 500_000, 530_000 / 24 * (weights[:48] / weights.mean()).sum() / 500_000
    seen = np.bincount(case.exposures["person_ix"], minlength=people)
    reach = (seen > 0).sum()
    missed = math.exp(-rate)
    assert abs(reach - people * (1 - missed)) <= 4 * math.sqrt(people * missed * (1 - missed))
    for k in range(9):
        p = stats.poisson.pmf(k, rate)
        assert abs((seen == k).sum() - people * p) <= 4 * math.sqrt(people * p * (1 - p)), k


def test_arrivals_are_poisson_with_the_shape_of_the_week(run_case: Callable[..., object]) -> None:
    """Every request is bought here, so exposures are the arrivals.

    Chi-square of the 48 hourly counts (mean 48, deviation sqrt(96)); total count (se sqrt(mean)).
    """
    case = run_case("poisson-reach")
    assert len(case.exposures) == case.auctions
    weights = hour_weights("diurnal")
    expected = 530_000 / 24 * weights[:48] / weights.mean()
    counts = np.bincount((case.exposures["time_s"] // 3600).astype(int), minlength=48)
    assert abs(counts.sum() - expected.sum()) <= 4 * math.sqrt(expected.sum())
    chi_square = ((counts - expected) ** 2 / expected).sum()
    assert abs(chi_square - 48) <= 4 * math.sqrt(2 * 48)


def test_gaps_are_exponential_and_independent(run_case: Callable[..., object]) -> None:
    """Gaps in units of expected requests: mean and variance 1 (se 1/sqrt(n), sqrt(8/n)), no correlation (1/sqrt(n)),
    and tenths of the exponential law equally often (chi-square of 9, deviation sqrt(18))."""
    case = run_case("poisson-reach")
    time_s = case.exposures["time_s"]
    weights = hour_weights("diurnal")
    rates = 530_000 / DAY_S * weights[:48] / weights.mean()
    edges = np.concatenate([[0.0], np.cumsum(rates * 3600.0)])
    gaps = np.diff(np.interp(time_s, np.arange(49) * 3600.0, edges))
    n = len(gaps)
    assert abs(gaps.mean() - 1) <= 4 / math.sqrt(n)
    assert abs(gaps.var() - 1) <= 4 * math.sqrt(8 / n)
    for lag in (1, 2, 5):
        assert abs(np.mean((gaps[lag:] - 1) * (gaps[:-lag] - 1))) <= 4 / math.sqrt(n - lag)
    tenths = np.bincount(np.minimum(9, (10 * -np.expm1(-gaps)).astype(int)), minlength=10)
    chi_square = ((tenths - n / 10) ** 2 / (n / 10)).sum()
    assert abs(chi_square - 9) <= 4 * math.sqrt(18)


def test_fixed_window_cap(run_case: Callable[..., object]) -> None:
    """Sum over k < c of P(N > k) per person and day: N of different people and days are independent Poisson(4), so the
    variance of one of the 280,000 terms is that of min(N, c)."""
    case = run_case("capped-fixed")
    law = stats.poisson(PER_DAY)
    mean = sum(law.sf(k) for k in range(CAP))
    chances = [law.pmf(k) for k in range(CAP)] + [law.sf(CAP - 1)]
    assert math.isclose(mean, sum(k * p for k, p in enumerate(chances)))
    variance = sum(k * k * p for k, p in enumerate(chances)) - mean**2
    windows = 10_000 * DAYS
    assert abs(len(case.exposures) - windows * mean) <= 4 * math.sqrt(windows * variance)
    cells = case.exposures["person_ix"] * DAYS + (case.exposures["time_s"] // DAY_S).astype(np.int64)
    frequency = np.bincount(np.bincount(cells, minlength=windows))
    assert len(frequency) == CAP + 1
    for count, p in zip(frequency, chances, strict=True):
        assert abs(count - windows * p) <= 4 * math.sqrt(windows * p * (1 - p))


def test_sliding_window_cap(run_case: Callable[..., object]) -> None:
    """a (1 - ErlangB(a, c)) per person and day: an accepted exposure holds one of c places for exactly a day, and
    Erlang's loss formula does not ask how that time is distributed.

    Measured from day 7 on, when the empty start is forgotten; the standard error comes from the 10,000 people, whose
    lives are independent (sample deviation of their own averages / sqrt(people)).
    """
    case = run_case("capped-sliding")
    first_day, people = 7, 10_000
    later = case.exposures[case.exposures["time_s"] >= first_day * DAY_S]
    per_day = np.bincount(later["person_ix"], minlength=people) / (DAYS - first_day)
    expected = PER_DAY * (1 - oracle.erlang_b(PER_DAY, CAP))
    error = per_day.std() / math.sqrt(people)
    assert error < 0.002
    assert abs(per_day.mean() - expected) <= 4 * error
    for person_ix in range(0, people, 50):
        times = case.exposures["time_s"][case.exposures["person_ix"] == person_ix]
        assert (times[CAP:] - times[:-CAP] >= DAY_S).all()


def test_erlang_b_by_its_definition() -> None:
    """a^c / c! over the sum of a^k / k!."""
    for load in (0.5, 4.0):
        for servers in (1, 3, 10):
            terms = [load**k / math.factorial(k) for k in range(servers + 1)]
            assert math.isclose(oracle.erlang_b(load, servers), terms[-1] / sum(terms))
