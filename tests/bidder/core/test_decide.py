"""`decide` against the oracle: every reason, bid and tally, over random plans and requests."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bidder.build import build_book
from bidder.core.codes import REASONS
from bidder.core.decide import decide
from bidder.plan import BidPlan, CampaignPlan, Directory, TargetPlan
from tests.oracles.pair import Pair
from tests.oracles.plans import impression_row

DIRECTORY = Directory(("p",), ("p/s",), ("here",), ("d",), (), ())
REQUEST = {
    "now_s": 1.0, "person_ix": 0, "floor_nanos": 0, "deal_floor_nanos": 0, "lat": 0.0, "lon": 0.0, "slot_ix": 0,
    "publisher_ix": 0, "deal_ix": -1, "place_ix": 0, "hour": 0, "format_ix": 0, "device_ix": 0,
}  # fmt: skip


@given(
    seed=st.integers(0, 2**32 - 1),
    campaigns=st.sampled_from([1, 3, 63, 64, 65, 130]),
    segments=st.sampled_from([0, 5, 64, 65, 140]),
    signals=st.integers(0, 3),
)
def test_fresh_books_decide_as_the_oracle_does(seed: int, campaigns: int, segments: int, signals: int) -> None:
    pair = Pair(Random(seed), campaigns, segments, people=4, signals=signals)
    for step in range(8):
        pair.now_s = step * 9000.25
        pair.decide(pair.impression())


@given(
    seed=st.integers(0, 2**32 - 1),
    campaigns=st.sampled_from([2, 6, 70]),
    exposures=st.integers(0, 40),
    gap_s=st.sampled_from([0.25, 60.0, 900.0, 10_000.0]),
)
def test_books_with_a_history_decide_as_the_oracle_does(
    seed: int, campaigns: int, exposures: int, gap_s: float
) -> None:
    """Caps, budgets and pacing after exposures of everyone to everything."""
    pair = Pair(Random(seed), campaigns, segments=6, people=3, signals=1, picky=0.4)
    for k in range(exposures):
        pair.now_s += gap_s
        pair.buy(k % campaigns, (seed + k) % 3, 0, 100_000)
        pair.decide(pair.impression())
    for _ in range(4):
        pair.now_s += 1800.0
        pair.decide(pair.impression())


def _plan(name: str, price: float, **more: object) -> CampaignPlan:
    return CampaignPlan(name, 10**9, 0.0, 86400.0, "cpm", BidPlan("constant", price), 1e6, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(("prices", "winner"), [((5, 5, 5), 0), ((4, 5, 5), 1), ((1, 2, 3), 2), ((3, 2, 1), 0)])
def test_highest_bid_wins_and_the_first_of_equals(prices: tuple[int, ...], winner: int) -> None:
    plans = [_plan(f"c{k}", float(price)) for k, price in enumerate(prices)]
    tally = np.zeros((len(plans), len(REASONS)), np.int64)
    book = build_book(plans, DIRECTORY, people_count=1)
    got = decide(book, np.zeros(1, np.uint64), impression_row(REQUEST), 0, np.zeros(1, np.int64), tally)
    assert (got[0], got[1]) == (winner, max(prices))
    assert tally[winner, REASONS.index("bid")] == 1
    assert tally[:, REASONS.index("outranked")].sum() == len(prices) - 1


def test_two_campaigns_at_the_edges_of_words() -> None:
    """Campaigns 63, 64 and 127 are found where one word of bits ends and the next begins."""
    for wanted in (0, 63, 64, 127, 128):
        target = TargetPlan(formats=("video",))
        plans = [_plan(f"c{k}", 5.0, **({} if k == wanted else {"target": target})) for k in range(129)]
        tally = np.zeros((129, len(REASONS)), np.int64)
        book = build_book(plans, DIRECTORY, people_count=1)
        got = decide(book, np.zeros(1, np.uint64), impression_row(REQUEST), 0, np.zeros(1, np.int64), tally)
        assert (got[0], tally.sum()) == (wanted, 1)


def test_deals_have_their_own_floor() -> None:
    """Inside a deal the deal's floor holds, and the open floor for everybody else on the same request."""
    plans = [_plan("open", 8.0), _plan("deal", 5.0, target=TargetPlan(deals=("d",)))]
    book = build_book(plans, DIRECTORY, people_count=1)

    def reasons(deal_ix: int, floor: int, deal_floor: int) -> list[str]:
        tally = np.zeros((2, len(REASONS)), np.int64)
        row = impression_row(REQUEST | {"deal_ix": deal_ix, "floor_nanos": floor, "deal_floor_nanos": deal_floor})
        decide(book, np.zeros(1, np.uint64), row, 0, np.zeros(1, np.int64), tally)
        return [REASONS[int(counts.argmax())] if counts.any() else "-" for counts in tally]

    assert reasons(-1, 8, 5) == ["bid", "-"]
    assert reasons(0, 9, 5) == ["below_floor", "bid"]
    assert reasons(0, 8, 6) == ["bid", "below_floor"]
    assert reasons(0, 8, 5) == ["bid", "outranked"]
