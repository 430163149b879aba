"""Impressions with several deals, as exchanges offer them: the dearest bid decides which one is named."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bidder.build import build_book
from bidder.desk import Desk
from bidder.explain import Explainer
from bidder.plan import BidPlan, CampaignPlan, PacePlan, TargetPlan
from bidder.policy import Ruled
from openrtb.decode import encode_request, encode_response
from openrtb.messages import Bid, Deal, Pmp
from tests.bidder.test_desk import CPM, DIRECTORY, Clock, People, now, only_bid, plan, request
from tests.bidder.test_explain import WRITE

DEALS = replace(DIRECTORY, deals=("one", "two", "three"))
"""Nobody buys in the first."""


def buys_in(deal_id: str, price: float, **changes: Any) -> CampaignPlan:
    """A campaign that bids *price* (CPM) inside one deal."""
    bid = BidPlan("constant", price * CPM)
    return plan(campaign_id=deal_id, bid=bid, target=TargetPlan(deals=(deal_id,)), **changes)


OPEN, TWO, THREE = plan(), buys_in("two", 3.0), buys_in("three", 4.0)


def desk(*plans: CampaignPlan) -> Desk:
    """A desk in a market with three deals."""
    return Desk(build_book(plans, DEALS, people_count=3), plans, DEALS, People(), clock=Clock(), reservation_s=10.0)


def offered(*deals: Deal, private: int = 0) -> dict[str, Any]:
    """An impression with these deals."""
    return {"pmp": Pmp(private, list(deals))}


def chosen(bid: Bid) -> tuple[str | None, str | None, float]:
    """Campaign, deal and price."""
    return bid.cid, bid.dealid, bid.price


@pytest.mark.parametrize(
    ("deals", "wins"),
    [
        ([Deal("one"), Deal("two")], ("two", "two", 3.0)),
        ([Deal("two"), Deal("three")], ("three", "three", 4.0)),
        ([Deal("three"), Deal("two")], ("three", "three", 4.0)),
        ([Deal("two"), Deal("three", 9.0)], ("two", "two", 3.0)),
        ([Deal("two"), Deal("three", wseat=["others"])], ("two", "two", 3.0)),
        ([Deal("two"), Deal("three", bidfloorcur="EUR")], ("two", "two", 3.0)),
        ([Deal("two"), Deal("three", wadomain=["others.example"])], ("two", "two", 3.0)),
        ([Deal("two", at=3), Deal("three")], ("two", "two", 3.0)),
        ([Deal("two", 9.0), Deal("three", 9.0)], ("pans", None, 2.0)),
        ([Deal("nobody's"), Deal("one")], ("pans", None, 2.0)),
    ],
    ids=str,
)
def test_the_dearest_bid_names_its_deal(deals: list[Deal], wins: tuple[str, str | None, float]) -> None:
    made = desk(OPEN, TWO, THREE)
    assert chosen(only_bid(now(made.bid(request(offered(*deals)))))) == wins
    assert int(made.book.campaigns["reserved_nanos"].sum()) == wins[2] * CPM


def test_a_private_auction_looks_at_every_deal() -> None:
    made, wanted = desk(OPEN, THREE), offered(Deal("one"), Deal("two"), Deal("three"), private=1)
    assert chosen(only_bid(now(made.bid(request(wanted))))) == ("three", "three", 4.0)
    assert now(desk(OPEN).bid(request(wanted))).nbr == Ruled.PRIVATE_AUCTION.nbr


def test_asking_about_the_others_holds_and_counts_nothing() -> None:
    """Those that were looked at in vain stand as if nobody had asked: also what they have learned of auctions."""
    asked, alone = desk(TWO, THREE), desk(TWO, THREE)
    now(asked.bid(request(offered(Deal("two"), Deal("three")))))
    now(alone.bid(request(offered(Deal("three")))))
    for name in asked.book.campaigns.dtype.names or ():
        if name not in ("strategy", "day_ix"):  # an address; days begin whenever somebody looks
            assert asked.book.campaigns[name].tolist() == alone.book.campaigns[name].tolist(), name
    assert asked.book.persons["count"].tolist() == alone.book.persons["count"].tolist()
    assert asked.reasons.tolist() == alone.reasons.tolist()
    assert asked.ruled == alone.ruled


def test_the_explanation_goes_through_the_deals_one_by_one() -> None:
    made = desk(OPEN, TWO, THREE)
    body = encode_request(request(offered(Deal("one"), Deal("two"), Deal("three", 9.0))))
    found = Explainer(made, (OPEN, TWO, THREE), DEALS, WRITE, encode_response).explain(body, 0.0)
    bidding = {o.facts["deal"]: [v.campaign_id for v in o.verdicts if v.reason == "bid"] for o in found.opportunities}
    assert bidding == {"two": ["two"], "three": ["pans"]}


def test_a_trial_teaches_nothing() -> None:
    """Nobody sells it: pacing and shading must not hear of an auction that was lost."""
    paced = plan(pacing=PacePlan("adaptive", 0.0, 50.0, 1e-7, auctions=10.0))
    tried, idle = desk(paced), desk(paced)
    assert only_bid(now(tried.bid(request(test=1)))).price == 2.0
    for name in tried.book.campaigns.dtype.names or ():
        if name not in ("strategy", "day_ix"):
            assert tried.book.campaigns[name].tolist() == idle.book.campaigns[name].tolist(), name
