"""Win curves learned from prices that are told: against closed forms, a slow oracle, and what bounds alone teach."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bidder.core.book import Book
from bidder.core.curves import CURVE_BELIEVED, hear_auction, learn_curve
from bidder.core.shading import shade_lognormal
from exchange_sim.auction import min_to_win
from exchange_sim.selling.rules import LOSS_COUNT, LOST_BELOW_FLOOR, LOST_ELSEWHERE, LOST_TO_HIGHER
from exchange_sim.world import TELLS_LOSERS, TELLS_WINNERS
from tests.bidder.core.test_curves import CPM, EXACT, bids, book_of
from tests.oracles.curves import OracleCurve

PRICES = st.integers(100_000, 20_000_000)


def curve_of(book: Book) -> tuple[float, float]:
    """(median in CPM, sigma)."""
    return math.exp(book.campaigns["bid_a"][0]) / CPM, float(book.campaigns["bid_b"][0])


def rows_of(book: Book) -> bytes:
    """All that is known of the campaign."""
    return book.campaigns.tobytes()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(PRICES, PRICES, st.booleans()), min_size=1, max_size=60))
def test_prices_told_always_are_the_plain_mean_and_deviation(auctions: list[tuple[int, int, bool]]) -> None:
    """In one tick, whatever was bid, in any order: 20 prices of the plan (median 2, sigma 0.5) and those told."""
    book = book_of(2.0, 0.5)
    for bid, price, _ in auctions:
        hear_auction(book.campaigns, 0, bid, bid, bid >= price, price)
    assert learn_curve(book.campaigns, 0)
    x = np.log([price / (2.0 * CPM) for _, price, _ in auctions])
    count = CURVE_BELIEVED + len(x)
    mean = x.sum() / count
    deviation = math.sqrt((CURVE_BELIEVED * 0.25 + (x**2).sum()) / count - mean**2)
    assert curve_of(book) == pytest.approx((2.0 * math.exp(mean), deviation), rel=1e-9)
    assert not learn_curve(book.campaigns, 0)


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("told", ["losers", "winners", "at random"])
def test_prices_and_bounds_together_against_the_oracle(told: str, seed: int) -> None:
    """Six ticks of thirty auctions from a wrong start: the same curve after each."""
    rng = np.random.default_rng(seed)
    book, oracle = book_of(2.5, 0.6), OracleCurve(2.5 * CPM, 0.6)
    for _ in range(6):
        for worth, price in zip(rng.uniform(0.5, 5.0, 30) * CPM, np.exp(rng.normal(0.0, 1.0, 30)) * CPM, strict=True):
            bid = int(shade_lognormal(worth, book.campaigns["bid_a"][0], book.campaigns["bid_b"][0]))
            won = bid > price
            tells = {"losers": not won, "winners": won, "at random": bool(rng.random() < 0.5)}[told]
            hear_auction(book.campaigns, 0, bid, bid, won, int(price) if tells else 0)
            if tells:
                oracle.see(int(price))
            else:
                oracle.bound(bid, won)
        learn_curve(book.campaigns, 0)
        oracle.tick()
        assert curve_of(book) == pytest.approx((oracle.median / CPM, oracle.sigma), rel=1e-4)


@settings(max_examples=60, deadline=None)
@given(PRICES, PRICES, st.booleans())
def test_a_price_on_the_wrong_side_of_the_bid_is_not_believed(bid: int, told: int, won: bool) -> None:
    """A win that needed more than the bid, a loss that needed less: as if nothing had been told."""
    said, silent, seen = book_of(1.0, 1.0), book_of(1.0, 1.0), book_of(1.0, 1.0)
    hear_auction(said.campaigns, 0, bid, bid, won, told)
    hear_auction(silent.campaigns, 0, bid, bid, won, 0)
    hear_auction(seen.campaigns, 0, told, told - 1, True, 0)
    believed = told <= bid if won else told >= bid
    assert (rows_of(said) == rows_of(silent)) != believed
    if believed:
        assert said.campaigns["curve_seen"][0] == CURVE_BELIEVED + 1.0
        assert said.campaigns["curve_sum"][0] == pytest.approx(math.log(told / CPM))


@pytest.mark.parametrize(("median", "sigma"), [(3.0, 0.4), (1.0 / 3.0, 0.4), (0.3, 2.0)])
def test_told_learners_bid_better_sooner(median: float, sigma: float) -> None:
    """After 1,000 auctions, ten seeds: the three bids are within 5 %, nearer than from bounds alone."""
    off = {told: np.mean([_distance(median, sigma, told, seed) for seed in range(10)]) for told in (False, True)}
    assert off[True] < 0.05
    assert off[True] < 0.8 * off[False]


def _distance(median: float, sigma: float, told: bool, seed: int) -> float:
    """Mean relative error of the three bids after 1,000 auctions."""
    rng, book = np.random.default_rng(seed), book_of(median, sigma)
    worths = np.exp(rng.uniform(math.log(0.3), math.log(6.0), 1_000)) * CPM
    rivals = np.exp(rng.normal(0.0, 1.0, 1_000)) * CPM
    for i in range(1_000):
        bid = int(shade_lognormal(worths[i], book.campaigns["bid_a"][0], book.campaigns["bid_b"][0]))
        hear_auction(book.campaigns, 0, bid, bid, bid > rivals[i], int(rivals[i]) if told else 0)
        if i % 100 == 99:
            learn_curve(book.campaigns, 0)
    return float(np.mean([abs(bid / EXACT[worth] - 1.0) for worth, bid in bids(book).items()]))


def test_a_told_market_that_moves_is_followed() -> None:
    """Old prices fade: after forty thousand auctions of rivals twice as dear the median is known within a tenth."""
    book, rng = book_of(1.0, 1.0), np.random.default_rng(4)
    for scale, auctions in ((1.0, 25_000), (2.0, 40_000)):
        for i, price in enumerate(np.exp(rng.normal(0.0, 1.0, auctions)) * scale * CPM):
            hear_auction(book.campaigns, 0, 10**6, 10**6, price <= 10**6, int(price))
            if i % 200 == 199:
                learn_curve(book.campaigns, 0)
    assert curve_of(book) == pytest.approx((2.0, 1.0), rel=0.1)


@pytest.mark.parametrize("tells", [0, TELLS_LOSERS, TELLS_WINNERS, TELLS_LOSERS | TELLS_WINNERS])
def test_who_is_told_what(tells: int) -> None:
    assert min_to_win(tells, True, LOST_TO_HIGHER, 7) == (7 if tells & TELLS_WINNERS else 0)
    by_price = (LOST_TO_HIGHER, LOST_BELOW_FLOOR, LOST_ELSEWHERE)
    for lost in range(LOSS_COUNT):
        assert min_to_win(tells, False, lost, 7) == (7 if tells & TELLS_LOSERS and lost in by_price else 0)
