"""The minimum to win in notices over a real socket: what can be believed teaches the win curve, nothing else harms."""

from __future__ import annotations

import math

import pytest

from bidder.plan import BidPlan
from tests.bidder.server.test_app import Client, served
from tests.bidder.test_desk import CPM, desk, plan


def told(url: str, min_to_win: str) -> str:
    """A billing or loss notice that says what would have won."""
    filled = url.replace("${AUCTION_PRICE}", "1.5").replace("${AUCTION_LOSS}", "102")
    return filled.replace("${AUCTION_MIN_TO_WIN}", min_to_win)


@pytest.mark.parametrize(
    ("loss", "bill", "seen"),
    [("2.5", "0.8", 2), ("2.5", "9", 1), ("0.1", "", 0), ("nan", "x", 0), ("1e999", "${AUCTION_MIN_TO_WIN}", 0)],
)
def test_the_minimum_to_win_is_a_hint_that_no_notice_fails_for(loss: str, bill: str, seen: int) -> None:
    made = desk(plan(bid=BidPlan("shaded_lognormal", math.log(CPM), 0.5, learned=True), goal_value_nanos=4.0 * CPM))
    rows = made.book.campaigns

    async def story(client: Client) -> None:
        before = rows["curve_seen"][0]
        lost, won = await client.bid(), await client.bid()
        assert await client.get(told(lost["lurl"], loss)) == 204
        assert await client.get(told(won["burl"].replace("${AUCTION_PRICE}", repr(won["price"])), bill)) == 204
        assert (made.counts.wins, made.counts.losses) == (1, 1)
        assert rows["curve_seen"][0] == before + seen

    served(story, made)
