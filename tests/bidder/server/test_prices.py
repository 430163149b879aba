"""Prices of notices that cannot be right, over HTTP: the notice is not taken, and the right one still is."""

from __future__ import annotations

import pytest

from tests.bidder.server.test_app import Client, served
from tests.bidder.test_desk import CPM, desk, plan


@pytest.mark.parametrize(
    ("at", "believed", "not_believed"),
    [
        (1, ["1.995", "1.999", "2.0"], ["0.5", "1.99", "1.9949", "2.0001"]),
        (2, ["0.5", "1.2", "2.0"], ["0.49", "2.0001"]),
        (3, ["0.5", "2.0"], ["0.49", "2.0001"]),
    ],
)
def test_a_price_no_such_auction_can_have_changes_nothing(
    at: int, believed: list[str], not_believed: list[str]
) -> None:
    """In a first-price auction the winner pays its bid, so there is one price; the right notice can still come."""

    async def story(client: Client) -> None:
        for price in believed:
            bid = await client.bid(at=at)
            before = client.held()
            for wrong in not_believed:
                assert await client.get(bid["burl"].replace("${AUCTION_PRICE}", wrong)) == 409
                assert await client.get(bid["nurl"].replace("${AUCTION_PRICE}", wrong)) == 409
            assert client.held() == before
            assert await client.get(bid["burl"].replace("${AUCTION_PRICE}", price)) == 204
            assert client.held()[0] == before[0] + round(float(price) * CPM)

    served(story, desk(plan(total_nanos=100 * CPM)))
