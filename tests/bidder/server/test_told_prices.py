"""The minimum to win in notices over a real socket, and win curves in images: what can be believed teaches them."""

from __future__ import annotations

import math

import pytest

from bidder.build import build_book
from bidder.core.curves import CURVE_BELIEVED, hear_auction, learn_curve
from bidder.image import CURVE, picture, restore
from bidder.plan import BidPlan
from tests.bidder.server.test_app import Client, served
from tests.bidder.test_desk import CPM, DIRECTORY, desk, plan


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


def test_a_curve_goes_on_from_an_image_and_is_learned_anew_from_one_of_an_earlier_version() -> None:
    learning = plan(bid=BidPlan("shaded_lognormal", math.log(CPM), 0.5, learned=True), goal_value_nanos=4.0 * CPM)
    taught = build_book((learning,), DIRECTORY, people_count=3)
    for told in (700_000, 1_500_000, 0):
        hear_auction(taught.campaigns, 0, 1_000_000, 1_000_000, told == 700_000, told)
    assert learn_curve(taught.campaigns, 0)
    image = picture(taught, (learning,), [1], DIRECTORY)
    book = restore(build_book((learning,), DIRECTORY, people_count=3), image, (learning,), [1], DIRECTORY)
    for name in CURVE:
        assert book.campaigns[name][0] == taught.campaigns[name][0]
    image.campaigns[1].curve = image.campaigns[1].curve[:8]
    fresh = build_book((learning,), DIRECTORY, people_count=3)
    assert restore(fresh, image, (learning,), [1], DIRECTORY).campaigns["curve_heard"][0] == CURVE_BELIEVED
