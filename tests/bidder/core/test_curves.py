"""Win curves learned while they are used: from wins and losses alone, and from second prices, from a wrong start."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bidder.build import build_book
from bidder.core.book import Book
from bidder.core.curves import CURVE_BELIEVED, hear_auction, learn_curve
from bidder.core.shading import shade_lognormal
from bidder.plan import BidPlan, CampaignPlan, Directory

CPM = 1e6
EXACT = {1.0: 0.548597, 2.0: 0.919943, 5.0: 1.671444}
"""Best bids for a worth of 1, 2 and 5 against a lognormal highest rival of median 1 and sigma 1."""


def book_of(median: float, sigma: float, learned: bool = True) -> Book:
    bid = BidPlan("shaded_lognormal", math.log(median * CPM), sigma, learned=learned)
    plan = CampaignPlan("c", 10**15, 0.0, 1e6, "cpm", bid, goal_value_nanos=1e6)
    return build_book((plan,), Directory(("p",), ("p/s",), (), (), (), ()), people_count=1)


def play(book: Book, auctions: int, second_price: bool, seed: int, median: float = 1.0) -> None:
    """Worths from 0.3 to 6 CPM, shaded by the curve in force; rivals lognormal; a tick every 200 auctions."""
    rng, campaigns = np.random.default_rng(seed), book.campaigns
    worths = np.exp(rng.uniform(math.log(0.3), math.log(6.0), auctions)) * CPM
    rivals = np.exp(rng.normal(math.log(median), 1.0, auctions)) * CPM
    for i in range(auctions):
        bid = int(shade_lognormal(worths[i], campaigns["bid_a"][0], campaigns["bid_b"][0]))
        won = bid > rivals[i]
        hear_auction(campaigns, 0, bid, int(rivals[i]) if won and second_price else bid, won, 0)
        if i % 200 == 199:
            learn_curve(campaigns, 0)


def bids(book: Book) -> dict[float, float]:
    campaigns = book.campaigns
    return {worth: shade_lognormal(worth * CPM, campaigns["bid_a"][0], campaigns["bid_b"][0]) / CPM for worth in EXACT}


@pytest.mark.parametrize(("median", "sigma", "second_price"), [(3.0, 0.4, False), (0.3, 2.0, False), (3.0, 0.4, True)])
def test_the_best_bids_are_found_from_a_wrong_start(median: float, sigma: float, second_price: bool) -> None:
    """Within 3 % after 10^5 auctions that told no more than won or lost (or the price of what was won)."""
    book = book_of(median, sigma)
    assert any(abs(bid / EXACT[worth] - 1.0) > 0.2 for worth, bid in bids(book).items())
    play(book, 100_000, second_price, seed=1)
    for worth, bid in bids(book).items():
        assert bid == pytest.approx(EXACT[worth], rel=0.03)


def test_a_market_that_moves_is_followed() -> None:
    """Rivals double: within forty thousand auctions the median is known within a tenth."""
    book = book_of(1.0, 1.0)
    play(book, 30_000, False, seed=2)
    play(book, 40_000, False, seed=3, median=2.0)
    assert math.exp(book.campaigns["bid_a"][0]) / CPM == pytest.approx(2.0, rel=0.1)


def test_nothing_heard_moves_nothing_and_one_sided_news_stays_finite() -> None:
    book = book_of(1.0, 1.0)
    assert not learn_curve(book.campaigns, 0)
    for won in (True, False):
        for _ in range(50):
            hear_auction(book.campaigns, 0, 10**6, 10**6, won, 0)
            hear_auction(book.campaigns, 0, 0, 0, won, 0)
            assert learn_curve(book.campaigns, 0)
        values = np.array([book.campaigns[name][0] for name in ("bid_a", "bid_b", "curve_slopes", "curve_offsets")])
        assert np.isfinite(values).all()
        assert 0.01 <= book.campaigns["bid_b"][0] <= 20.0


def test_a_curve_that_is_not_learned_stands_still() -> None:
    book = book_of(1.0, 1.0, learned=False)
    hear_auction(book.campaigns, 0, 10**6, 10**6, True, 0)
    assert not book.campaigns["curve_heard"][0]
    assert book_of(1.0, 1.0).campaigns["curve_heard"][0] == CURVE_BELIEVED
