"""What a bidder is told after the auction. Each notice may come late, twice or never.

Money: `price_cpm` and `min_to_win_cpm` as on the wire, `value` in currency units.
"""

from __future__ import annotations

from msgspec import Struct

from openrtb.codes import LossReason


class Billing(Struct, frozen=True, tag="billing", gc=False):
    """The ad was shown and is paid for at this price: what spends."""

    bid_id: str
    price_cpm: float
    min_to_win_cpm: float | None = None
    """The least bid that would have won (`${AUCTION_MIN_TO_WIN}`); None: the exchange does not say."""


class Loss(Struct, frozen=True, tag="loss", gc=False):
    """The bid did not win."""

    bid_id: str
    reason: int = LossReason.LOST_TO_HIGHER_BID
    min_to_win_cpm: float | None = None
    """As of `Billing`."""


class Click(Struct, frozen=True, tag="click", gc=False):
    """The ad was clicked."""

    bid_id: str


class Conversion(Struct, frozen=True, tag="conversion", gc=False):
    """Somebody bought the advertiser's product, for whatever reason."""

    id: str
    product_id: str
    user_id: str | None
    value: float


Notice = Billing | Loss | Click | Conversion
