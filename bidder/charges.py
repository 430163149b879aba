"""What an exchange may charge for a bid: other prices are not believed. Money in nanos per impression."""

from __future__ import annotations

from openrtb.codes import AuctionType
from openrtb.messages import Deal

ROUNDING_NANOS = 5_000
"""Half a hundredth of a CPM unit: exchanges round the prices they tell."""


def least_charge(at: int, deal: Deal | None, floor_nanos: int, bid_nanos: int) -> int:
    """The lowest price at which the exchange can have sold: the floor, and in a first-price auction the bid itself.

    *at* is the request's auction type; that of the *deal* the bid is in, if it has one, comes first.
    """
    if deal is not None and deal.at is not None:
        at = deal.at
    return max(floor_nanos, bid_nanos - ROUNDING_NANOS) if at == AuctionType.FIRST_PRICE else floor_nanos
