"""Clearing one impression among any number of bids, in nanos per impression.

First price: the winner pays its bid. Second price: the best bid of another bidder plus the increment, at least the
floor, at most the bid. With the increment at 0 and two bidders this is what `exchange_sim.auction.clear` computes for
the simulated market. Ties go to the bid that comes first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from openrtb.codes import AuctionType, LossReason


class Offer(NamedTuple):
    """A bid that may win: it has passed every check, its own floor among them."""

    bid_nanos: int
    floor_nanos: int
    """The floor that holds for it: its deal's inside a deal."""
    bidder_ix: int
    """Bids of one bidder do not raise each other's price."""
    deal: bool = False
    at: int | None = None
    """The deal's own auction type; None: the request's."""


class Cleared(NamedTuple):
    """Who won, and what each offer would have needed, in the order of the offers."""

    winner: int
    price_nanos: int
    losses: tuple[int, ...]
    """`LossReason` of each; WON for the winner."""
    min_to_win_nanos: tuple[int, ...]
    """The bid each would have needed: for the winner the best of its rivals, or its floor; for the others the
    winning bid."""


def settle(offers: Sequence[Offer], at: int, increment_nanos: int, *, deals_first: bool) -> Cleared:
    """Clear *offers*, of which there is at least one; with *deals_first* a deal beats every open bid."""
    tier = deals_first and any(offer.deal for offer in offers)
    in_play = [i for i, offer in enumerate(offers) if offer.deal or not tier]
    winner = max(in_play, key=lambda i: (offers[i].bid_nanos, -i))
    won = offers[winner]
    rivals = [offers[i].bid_nanos for i in in_play if offers[i].bidder_ix != won.bidder_ix]
    best = max(rivals, default=0)
    price = _price(won, at if won.at is None else won.at, best, increment_nanos)
    losses = tuple(_loss(i, winner, i in in_play) for i in range(len(offers)))
    needed = tuple(
        max(best, won.floor_nanos) if i == winner else max(won.bid_nanos, offer.floor_nanos)
        for i, offer in enumerate(offers)
    )
    return Cleared(winner, price, losses, needed)


def _price(won: Offer, at: int, best_nanos: int, increment_nanos: int) -> int:
    if at == AuctionType.DEAL_PRICE:
        return won.floor_nanos
    if at != AuctionType.SECOND_PRICE_PLUS:
        return won.bid_nanos
    second = best_nanos + increment_nanos if best_nanos else 0
    return min(won.bid_nanos, max(won.floor_nanos, second))


def _loss(i: int, winner: int, in_play: bool) -> int:
    if i == winner:
        return LossReason.WON
    return LossReason.LOST_TO_HIGHER_BID if in_play else LossReason.LOST_TO_DEAL
