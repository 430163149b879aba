"""What an exchange may charge: the auction's kind decides, a deal's own before the request's."""

from __future__ import annotations

import pytest

from bidder.charges import ROUNDING_NANOS, charges
from openrtb.messages import Deal

FLOOR, BID = 500_000, 2_000_000


@pytest.mark.parametrize(
    ("at", "deal", "least"),
    [
        (1, None, BID - ROUNDING_NANOS),
        (2, None, FLOOR),
        (500, None, FLOOR),
        (1, Deal("d"), BID - ROUNDING_NANOS),
        (1, Deal("d", at=2), FLOOR),
        (2, Deal("d", at=1), BID - ROUNDING_NANOS),
    ],
)
def test_the_least_charge(at: int, deal: Deal | None, least: int) -> None:
    assert charges(at, deal, FLOOR, BID) == (least, BID)


@pytest.mark.parametrize(("floor", "most"), [(FLOOR, FLOOR + ROUNDING_NANOS), (BID, BID), (0, ROUNDING_NANOS)])
def test_an_agreed_price_is_the_deal_s_floor(floor: int, most: int) -> None:
    assert charges(1, Deal("d", at=3), floor, BID) == (max(0, floor - ROUNDING_NANOS), most)


def test_rounding_never_goes_below_the_floor() -> None:
    assert charges(1, None, BID - 1, BID) == (BID - 1, BID)
