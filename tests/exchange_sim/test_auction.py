"""Clearing against sorting everybody's bids."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange_sim.auction import beats, clear
from exchange_sim.world import FIRST_PRICE, SECOND_PRICE, TIE_BIDDER, TIE_COIN, TIE_RIVAL
from tests.oracles import market as oracle

prices = st.integers(0, 6)


@settings(max_examples=400)
@given(
    second_price=st.booleans(),
    we_win_ties=st.booleans(),
    bid=prices,
    our_floor=prices,
    open_floor=prices,
    rivals=st.lists(prices, max_size=5),
    soft=st.sampled_from([0, 0, 2, 4]),
)
def test_clearing_is_sorting(
    second_price: bool, we_win_ties: bool, bid: int, our_floor: int, open_floor: int, rivals: list[int], soft: int
) -> None:
    """Prices on a tiny grid, so that ties and bids exactly at a floor happen all the time."""
    best, second = sorted([0, 0, *rivals])[-1:-3:-1]
    kind, tie = (SECOND_PRICE if second_price else FIRST_PRICE), (TIE_BIDDER if we_win_ties else TIE_RIVAL)
    got = clear(kind, tie, np.uint64(1), bid, our_floor, open_floor, best, second, soft)
    won, price, revenue = oracle.clear(second_price, we_win_ties, bid, our_floor, open_floor, rivals, soft)
    assert (bool(got[0]), got[1], got[2]) == (won, price, revenue)
    if won:
        assert our_floor <= got[1] <= bid


def test_a_bid_at_the_floor_is_accepted() -> None:
    assert clear(FIRST_PRICE, TIE_RIVAL, np.uint64(1), 5, 5, 5, 0, 0, 0) == (True, 5, 5)
    assert clear(FIRST_PRICE, TIE_RIVAL, np.uint64(1), 4, 5, 5, 0, 0, 0) == (False, 0, 0)
    assert clear(SECOND_PRICE, TIE_RIVAL, np.uint64(1), 0, 5, 5, 5, 2, 0) == (False, 0, 5)


def test_our_lost_bid_is_what_the_rival_pays() -> None:
    assert clear(SECOND_PRICE, TIE_RIVAL, np.uint64(1), 7, 1, 1, 9, 3, 0) == (False, 0, 7)
    assert clear(SECOND_PRICE, TIE_RIVAL, np.uint64(1), 2, 1, 1, 9, 3, 0) == (False, 0, 3)
    assert clear(SECOND_PRICE, TIE_RIVAL, np.uint64(1), 7, 8, 1, 9, 3, 0) == (False, 0, 3), "below our deal's floor"


@pytest.mark.parametrize(("tie", "expected"), [(TIE_RIVAL, 0.0), (TIE_BIDDER, 1.0)])
def test_ties_by_rule(tie: int, expected: float) -> None:
    assert np.mean([beats(3, 3, tie, np.uint64(k)) for k in range(50)]) == expected
    assert beats(4, 3, tie, np.uint64(1))
    assert not beats(3, 4, tie, np.uint64(1))


def test_the_coin_is_fair() -> None:
    """Within 4 standard errors (0.5 / sqrt(n)), and the same auction always falls on the same side."""
    keys = [np.uint64(k * 2654435761) for k in range(4000)]
    thrown = [beats(3, 3, TIE_COIN, key) for key in keys]
    assert abs(np.mean(thrown) - 0.5) < 4 * 0.5 / np.sqrt(len(keys))
    assert thrown == [beats(3, 3, TIE_COIN, key) for key in keys]


def test_a_soft_floor_makes_low_bids_pay_themselves() -> None:
    """Floor 1, soft floor 5, best rival 2: a bid of 4 pays 4, of 9 the soft floor; a rival above our 7 pays that."""
    assert clear(SECOND_PRICE, TIE_RIVAL, np.uint64(1), 4, 1, 1, 2, 0, 5) == (True, 4, 4)
    assert clear(SECOND_PRICE, TIE_RIVAL, np.uint64(1), 9, 1, 1, 2, 0, 5) == (True, 5, 5)
    assert clear(SECOND_PRICE, TIE_RIVAL, np.uint64(1), 7, 1, 1, 9, 3, 5) == (False, 0, 7)
    assert clear(FIRST_PRICE, TIE_RIVAL, np.uint64(1), 9, 1, 1, 2, 0, 5) == (True, 9, 9)
