"""Revenue of textbook auctions, within 4 standard errors at a million auctions (CPM, values uniform on [0, 1] CPM).

The k-th smallest of n uniforms is Beta(k, n - k + 1). Prices are whole nanos, rounded down: a bias below 1e-6 CPM, a
hundredth of the standard errors here (1e-4 and more).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy import integrate, stats

pytestmark = pytest.mark.slow


def check(got: float, expected: float, variance: float, count: int) -> None:
    """|got - expected| <= 4 sqrt(variance / count), the variance being that of one of *count* independent terms."""
    error = math.sqrt(variance / count)
    assert abs(got - expected) <= 4 * error, f"{got} instead of {expected}: {(got - expected) / error:.1f} errors off"


def share_of(mean: float, second_moment: float, share: float) -> tuple[float, float]:
    """Mean and variance of a payment that is ours with probability *share*, whatever its size."""
    return share * mean, share * second_moment - (share * mean) ** 2


def test_second_price_revenue(run_case: Callable[..., object]) -> None:
    """(n - 1) / (n + 1); variance of Beta(n - 1, 2); ours pays a fifth of it and wins a fifth (binomial)."""
    n, case = 5, run_case("uniform-second-price")
    price = stats.beta(n - 1, 2)
    assert math.isclose(price.mean(), (n - 1) / (n + 1))
    check(case.revenue_cpm, (n - 1) / (n + 1), price.var(), case.auctions)
    check(case.paid_cpm, *share_of(price.mean(), price.moment(2), 1 / n), case.auctions)
    check(len(case.exposures) / case.auctions, 1 / n, 1 / n * (1 - 1 / n), case.auctions)
    value = stats.beta(n, 1)  # of the winner
    check(case.exposures["worth_nanos"].mean() / 1e6, value.mean(), value.var(), len(case.exposures))


def test_first_price_equilibrium_earns_the_same(run_case: Callable[..., object]) -> None:
    """Everybody bids (n - 1) / n of the value: revenue is that of the largest, 0.8 Beta(5, 1)."""
    n, case = 5, run_case("uniform-first-price")
    best = stats.beta(n, 1)
    shade = (n - 1) / n
    assert math.isclose(shade * best.mean(), (n - 1) / (n + 1))
    check(case.revenue_cpm, (n - 1) / (n + 1), shade**2 * best.var(), case.auctions)
    check(case.paid_cpm, *share_of(shade * best.mean(), shade**2 * best.moment(2), 1 / n), case.auctions)
    check(len(case.exposures) / case.auctions, 1 / n, 1 / n * (1 - 1 / n), case.auctions)
    assert (case.exposures["price_nanos"] == case.exposures["bid_nanos"]).all()


def reserve_moments(n: int, reserve: float) -> tuple[float, float]:
    """First and second moment of second-price revenue with a reserve, n uniform bidders."""

    def moment(k: int) -> float:
        at_reserve = reserve**k * n * (1 - reserve) * reserve ** (n - 1)
        return at_reserve + integrate.quad(lambda x: x**k * n * (n - 1) * x ** (n - 2) * (1 - x), reserve, 1)[0]

    return moment(1), moment(2)


def test_reserve_of_a_half_with_two_bidders(run_case: Callable[..., object]) -> None:
    """5/12; sold in 3/4 of the auctions; ours pays half."""
    case = run_case("reserve-half")
    mean, second_moment = reserve_moments(2, 0.5)
    assert math.isclose(mean, 5 / 12)
    check(case.revenue_cpm, 5 / 12, second_moment - mean**2, case.auctions)
    check(case.paid_cpm, *share_of(mean, second_moment, 1 / 2), case.auctions)
    sold = case.ledger.tallies.slots[:, 1].sum() / case.auctions
    check(sold, 3 / 4, 3 / 16, case.auctions)


@pytest.mark.parametrize("reserve", [0.3, 0.7])
def test_any_reserve_with_five_bidders(run_case: Callable[..., object], reserve: float) -> None:
    """(n - 1)/(n + 1) + r^n - 2n/(n + 1) r^(n+1)."""
    n, case = 5, run_case("uniform-second-price", f"publishers.site.slots.slot.floor={reserve}")
    mean, second_moment = reserve_moments(n, reserve)
    assert math.isclose(mean, (n - 1) / (n + 1) + reserve**n - 2 * n / (n + 1) * reserve ** (n + 1))
    check(case.revenue_cpm, mean, second_moment - mean**2, case.auctions)
    check(case.paid_cpm, *share_of(mean, second_moment, 1 / n), case.auctions)


def test_lognormal_values(run_case: Callable[..., object]) -> None:
    """Four equal lognormal bidders: revenue is the mean of the second largest, ours wins 1 in 4 and values it highest.

    Moments by integrating the quantile over Beta(3, 2) and Beta(4, 1). Rival bids from the table of quantiles are off
    by less than 2e-4 of a standard deviation, to either side.
    """
    n, case = 4, run_case("lognormal-values")
    value = stats.lognorm(0.8)

    def moment(k: int, rank: int) -> float:
        law = stats.beta(rank, n - rank + 1)
        return float(integrate.quad(lambda u: value.ppf(u) ** k * law.pdf(u), 0, 1, limit=500)[0])

    price = moment(1, n - 1), moment(2, n - 1)
    check(case.revenue_cpm, price[0], price[1] - price[0] ** 2, case.auctions)
    check(case.paid_cpm, *share_of(*price, 1 / n), case.auctions)
    check(len(case.exposures) / case.auctions, 1 / n, 1 / n * (1 - 1 / n), case.auctions)
    best = moment(1, n), moment(2, n)
    check(case.exposures["worth_nanos"].mean() / 1e6, best[0], best[1] - best[0] ** 2, len(case.exposures))


def test_private_values(run_case: Callable[..., object]) -> None:
    """With nobody else and no floor every value is bought, for nothing: mean 1/2, variance 1/12, uncorrelated."""
    case = run_case("uniform-second-price", "rivals.others={kind: none}")
    values = case.exposures["worth_nanos"] / 1e6
    assert case.paid_cpm == case.revenue_cpm == 0.0
    assert len(values) > 0.999_99 * case.auctions  # a value below one nano is no bid
    check(values.mean(), 1 / 2, 1 / 12, len(values))
    check(((values - 0.5) ** 2).mean(), 1 / 12, 1 / 180, len(values))
    check(float(np.mean((values[1:] - 0.5) * (values[:-1] - 0.5))), 0.0, 1 / 144, len(values) - 1)
