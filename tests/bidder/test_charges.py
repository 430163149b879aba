"""What an exchange may charge: the auction's kind decides, a deal's own before the request's."""

from __future__ import annotations

import pytest

from bidder.charges import ROUNDING_NANOS, least_charge
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
        (1, Deal("d", at=3), FLOOR),
    ],
)
def test_the_least_charge(at: int, deal: Deal | None, least: int) -> None:
    assert least_charge(at, deal, FLOOR, BID) == least


def test_rounding_never_goes_below_the_floor() -> None:
    assert least_charge(1, None, BID - 1, BID) == BID - 1
