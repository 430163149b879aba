"""Prices of notices that cannot be right, over HTTP: the notice is not taken, and the right one still is."""

from __future__ import annotations

from pathlib import Path

import pytest

from bidder.plan import TargetPlan
from tests.bidder.server.test_app import REQUEST, Client, served
from tests.bidder.server.test_durable import served as on_disk
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


def test_an_agreed_price_is_neither_more_nor_less() -> None:
    insider = plan(total_nanos=100 * CPM, target=TargetPlan(deals=("deal-1",)))
    pmp = {"deals": [{"id": "deal-1", "bidfloor": 1.25, "at": 3}]}

    async def story(client: Client) -> None:
        bid = await client.bid(imp=[{**REQUEST["imp"][0], "pmp": pmp}])
        assert (bid["price"], bid["dealid"]) == (2.0, "deal-1")
        for wrong in ("1.2", "1.3", "2.0"):
            assert await client.get(bid["burl"].replace("${AUCTION_PRICE}", wrong)) == 409
        assert await client.get(bid["burl"].replace("${AUCTION_PRICE}", "1.25")) == 204
        assert client.held() == (1_250_000, 0)

    served(story, desk(insider))


def test_a_bill_repeated_at_another_price_is_counted_and_changes_nothing(tmp_path: Path) -> None:
    async def story(client: Client) -> None:
        bid = await client.bid()
        for price in ("1.2", "1.2", "2.0", "0.6"):
            assert await client.get(bid["burl"].replace("${AUCTION_PRICE}", price)) == 204
        assert client.held() == (1_200_000, 0)
        assert client.desk.counts.repeated == 3
        assert client.service.accounts.figures()["bidlab_contradicted_prices_total"] == 2

    on_disk(tmp_path, story)
