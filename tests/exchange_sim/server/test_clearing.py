"""Clearing: the specification's worked example, deal tiers, and the simulated market's own kernel as the measure."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange_sim.auction import clear
from exchange_sim.server.clearing import Offer, settle
from exchange_sim.world import FIRST_PRICE, SECOND_PRICE, TIE_BIDDER
from openrtb.codes import AuctionType, LossReason

CENT = 10_000
"""0.01 CPM in nanos per impression."""


def offers(*bids_cpm: float, floor_cpm: float = 0.85) -> list[Offer]:
    """Open bids of different bidders."""
    return [Offer(round(bid * 1e6), round(floor_cpm * 1e6), k) for k, bid in enumerate(bids_cpm)]


@pytest.mark.parametrize(("at", "price_cents"), [(AuctionType.FIRST_PRICE, 100), (AuctionType.SECOND_PRICE_PLUS, 91)])
def test_the_specification_s_worked_example(at: int, price_cents: int) -> None:
    """Floor 0.85, bids 1.00, 0.90 and 0.80; the last is dropped before it comes here."""
    cleared = settle(offers(0.90, 1.00), at, CENT, deals_first=True)
    assert cleared.winner == 1
    assert cleared.price_nanos == price_cents * CENT
    assert cleared.min_to_win_nanos == (100 * CENT, 90 * CENT)
    assert cleared.losses == (LossReason.LOST_TO_HIGHER_BID, LossReason.WON)


def test_alone_the_winner_needs_the_floor() -> None:
    cleared = settle(offers(1.00), AuctionType.SECOND_PRICE_PLUS, CENT, deals_first=True)
    assert (cleared.price_nanos, cleared.min_to_win_nanos) == (85 * CENT, (85 * CENT,))


def test_the_increment_never_goes_above_the_bid() -> None:
    assert settle(offers(0.9, 0.9), AuctionType.SECOND_PRICE_PLUS, CENT, deals_first=True).price_nanos == 90 * CENT


def test_a_bidder_does_not_raise_its_own_price() -> None:
    both = [Offer(200 * CENT, 0, 0), Offer(190 * CENT, 0, 0), Offer(50 * CENT, 0, 1)]
    assert settle(both, AuctionType.SECOND_PRICE_PLUS, CENT, deals_first=True).price_nanos == 51 * CENT


def test_deals_come_first_or_do_not() -> None:
    deal = Offer(100 * CENT, 60 * CENT, 1, deal=True)
    both = [Offer(300 * CENT, 0, 0), deal]
    first = settle(both, AuctionType.SECOND_PRICE_PLUS, CENT, deals_first=True)
    assert (first.winner, first.price_nanos, first.losses[0]) == (1, 60 * CENT, LossReason.LOST_TO_DEAL)
    together = settle(both, AuctionType.SECOND_PRICE_PLUS, CENT, deals_first=False)
    assert (together.winner, together.price_nanos) == (0, 101 * CENT)


def test_a_deal_s_own_auction_type_counts() -> None:
    agreed = Offer(100 * CENT, 60 * CENT, 0, deal=True, at=AuctionType.DEAL_PRICE)
    assert settle([agreed], AuctionType.FIRST_PRICE, CENT, deals_first=True).price_nanos == 60 * CENT
    first = agreed._replace(at=AuctionType.FIRST_PRICE)
    assert settle([first], AuctionType.SECOND_PRICE_PLUS, CENT, deals_first=True).price_nanos == 100 * CENT


PRICES = st.integers(1, 1000)


@given(PRICES, PRICES, PRICES, st.sampled_from([FIRST_PRICE, SECOND_PRICE]))
def test_two_bidders_fare_as_in_the_simulated_market(ours: int, rival: int, floor: int, kind: int) -> None:
    """Without an increment and with ties to the first: the kernel of `exchange_sim.auction`, price by price."""
    key = np.uint64(1)
    won, pays, earns = clear(kind, TIE_BIDDER, key, ours, floor, floor, rival, 0, 0)
    sound = [Offer(bid, floor, k) for k, bid in enumerate((ours, rival)) if bid >= floor]
    if not sound:
        assert (won, earns) == (False, 0)
        return
    at = AuctionType.SECOND_PRICE_PLUS if kind == SECOND_PRICE else AuctionType.FIRST_PRICE
    cleared = settle(sound, at, 0, deals_first=True)
    assert (sound[cleared.winner].bidder_ix == 0) == won
    assert cleared.price_nanos == earns
    assert not won or cleared.price_nanos == pays


@given(st.lists(st.tuples(PRICES, st.integers(0, 3), st.booleans()), min_size=1, max_size=8), st.integers(0, 5))
def test_nobody_pays_more_than_the_bid_or_less_than_the_floor(bids: list[tuple[int, int, bool]], step: int) -> None:
    made = [Offer(bid, min(bid, 400), bidder, deal) for bid, bidder, deal in bids]
    for at in AuctionType:
        cleared = settle(made, at, step, deals_first=True)
        won = made[cleared.winner]
        assert won.floor_nanos <= cleared.price_nanos <= won.bid_nanos
        assert cleared.min_to_win_nanos[cleared.winner] <= won.bid_nanos
        assert won.deal or not any(offer.deal for offer in made)
        assert list(cleared.losses).count(LossReason.WON) == 1
