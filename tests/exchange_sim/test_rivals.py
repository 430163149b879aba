"""Best and second-best rival bids: the order statistics of n independent bids."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from exchange_sim.draws import AUCTION_OF, BEST_RIVAL, key_of, uniform
from exchange_sim.rivals import best_rival_nanos, second_rival_nanos
from tests.oracles import market as oracle
from tests.oracles.worlds import world_of

UNIFORM = {"kind": "uniform", "low": 0.0, "high": 1.0}
LOGNORMAL = {"kind": "lognormal", "median": 1.0, "sigma": 0.7}
AUCTIONS = 6000


def _pairs(rivals: dict[str, object]) -> np.ndarray:
    world = world_of(rivals={"group": rivals})
    keys = [np.uint64(key_of(world.seed_key, AUCTION_OF, k)) for k in range(AUCTIONS)]
    return np.array([(best_rival_nanos(world, 0, key), second_rival_nanos(world, 0, key)) for key in keys]) / 1e6


@pytest.mark.parametrize("count", [1, 2, 5, 40])
@pytest.mark.parametrize("price", [UNIFORM, LOGNORMAL])
def test_best_and_second_best(count: int, price: dict[str, object]) -> None:
    """F(best)^n is uniform; so is the joint law's second part, (F(second) / F(best))^(n - 1). KS at level 1e-4."""
    pairs = _pairs({"kind": "independent", "count": count, "price": price})
    cdf = stats.uniform.cdf if price is UNIFORM else stats.lognorm(0.7).cdf
    u, v = cdf(pairs[:, 0]), cdf(pairs[:, 1])
    assert stats.kstest(u**count, "uniform").pvalue > 1e-4
    if count == 1:
        assert not pairs[:, 1].any()
    else:
        assert (pairs[:, 1] <= pairs[:, 0]).all()
        assert stats.kstest((v / u) ** (count - 1), "uniform").pvalue > 1e-4
        assert abs(np.corrcoef(u**count, (v / u) ** (count - 1))[0, 1]) < 4 / math.sqrt(AUCTIONS)


@pytest.mark.parametrize("count", [2, 5])
def test_moments_of_uniform_order_statistics(count: int) -> None:
    """Best n/(n+1), second (n-1)/(n+1), covariance (n-1)/((n+1)^2 (n+2)); 4 standard errors each."""
    pairs, n = _pairs({"kind": "independent", "count": count, "price": UNIFORM}), count
    deviation = math.sqrt(n / ((n + 1) ** 2 * (n + 2)) / AUCTIONS)
    assert abs(pairs[:, 0].mean() - n / (n + 1)) < 4 * deviation
    deviation = math.sqrt(2 * (n - 1) / ((n + 1) ** 2 * (n + 2)) / AUCTIONS)
    assert abs(pairs[:, 1].mean() - (n - 1) / (n + 1)) < 4 * deviation
    products = (pairs[:, 0] - n / (n + 1)) * (pairs[:, 1] - (n - 1) / (n + 1))
    covariance = (n - 1) / ((n + 1) ** 2 * (n + 2))
    assert abs(products.mean() - covariance) < 4 * products.std() / math.sqrt(AUCTIONS)


def test_a_known_highest_price_has_no_second() -> None:
    pairs = _pairs({"kind": "highest", "price": LOGNORMAL})
    assert stats.kstest(pairs[:, 0], stats.lognorm(0.7).cdf).pvalue > 1e-4
    assert not pairs[:, 1].any()


@pytest.mark.parametrize("count", [1, 4, 30])
def test_prices_read_from_a_table_are_close_to_the_exact_ones(count: int) -> None:
    """R(u) = Q(u^(1/n)) by scipy: off by less than 2e-4 standard deviations of the logarithm, or by a nano."""
    world = world_of(rivals={"group": {"kind": "independent", "count": count, "price": LOGNORMAL}})
    for k in range(3000):
        key = np.uint64(key_of(world.seed_key, AUCTION_OF, k))
        exact = oracle.quantile("lognormal", (math.log(1e6), 0.7), uniform(key, BEST_RIVAL) ** (1 / count))
        got = best_rival_nanos(world, 0, key)
        assert math.isclose(got, exact, rel_tol=2e-4 * 0.7, abs_tol=1.0)


def test_nobody() -> None:
    assert not _pairs({"kind": "none"}).any()


def test_thousands_of_rivals_still_bid_finite_prices() -> None:
    pairs = _pairs({"kind": "independent", "count": 10_000, "price": LOGNORMAL})
    assert np.isfinite(pairs).all()
    assert pairs.min() > 1.0
