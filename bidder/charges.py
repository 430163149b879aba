"""What an exchange may charge for a bid: other prices are not believed. Money in nanos per impression."""

from __future__ import annotations

from openrtb.codes import AuctionType
from openrtb.messages import Deal

ROUNDING_NANOS = 5_000
"""Half a hundredth of a CPM unit: exchanges round the prices they tell."""


def charges(at: int, deal: Deal | None, floor_nanos: int, bid_nanos: int) -> tuple[int, int]:
    """The lowest and the highest price at which the exchange can have sold.

    First price: the bid. At a deal's agreed price (`at` 3): its floor. Otherwise anything from the floor to the bid.
    *at* is the request's auction type; that of the *deal* the bid is in, if it has one, comes first. *floor_nanos* is
    at most the bid.
    """
    if deal is not None and deal.at is not None:
        at = deal.at
        if at == AuctionType.DEAL_PRICE:
            return max(0, floor_nanos - ROUNDING_NANOS), min(bid_nanos, floor_nanos + ROUNDING_NANOS)
    least = max(floor_nanos, bid_nanos - ROUNDING_NANOS) if at == AuctionType.FIRST_PRICE else floor_nanos
    return least, bid_nanos
