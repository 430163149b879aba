"""What sellers rule out for a whole request: currencies, seats, advertisers, apps, categories; one code for each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bidder.plan import CreativePlan, TargetPlan
from bidder.policy import Ruled
from openrtb.messages import Deal, Dooh, Pmp, Publisher, Qty
from tests.bidder.test_creatives import ad
from tests.bidder.test_desk import desk, now, only_bid, plan, request

SHOES = ad("banner", domains=("shop.shoes.example",), bundle="com.shoes", categories=("IAB18-5", "IAB17"))
BARE = ad("banner", domains=("shop.shoes.example",))
CODES = ad("banner", categories=("1012",), category_taxonomy=7)


@pytest.mark.parametrize(
    ("creative", "changes", "why"),
    [
        (SHOES, {"cur": ["EUR", "GBP"]}, Ruled.CURRENCY),
        (SHOES, {"cur": ["EUR", "USD"]}, None),
        (SHOES, {"cur": []}, None),
        (SHOES, {"wseat": ["a"]}, Ruled.SEAT),
        (SHOES, {"wseat": ["a", "bidlab"]}, None),
        (SHOES, {"bseat": ["bidlab"]}, Ruled.SEAT),
        (SHOES, {"badv": ["shop.shoes.example"]}, Ruled.ADVERTISER),
        (SHOES, {"badv": ["other.example", "SHOES.example"]}, Ruled.ADVERTISER),
        (SHOES, {"badv": ["www.shoes.example"]}, Ruled.ADVERTISER),
        (SHOES, {"badv": ["my.shop.shoes.example", "oes.example", "example"]}, None),
        (SHOES, {"bapp": ["com.shoes"]}, Ruled.APP),
        (SHOES, {"bapp": ["com.shoe"]}, None),
        (BARE, {"bapp": ["com.shoes"]}, None),
        (SHOES, {"bcat": ["IAB18-5"]}, Ruled.CATEGORY),
        (SHOES, {"bcat": ["IAB18"]}, Ruled.CATEGORY),
        (SHOES, {"bcat": ["IAB17-1", "IAB1"]}, None),
        (SHOES, {"bcat": ["IAB17"], "cattax": 1}, Ruled.CATEGORY),
        (SHOES, {"bcat": ["1"], "cattax": 7}, Ruled.CATEGORY),  # cannot be told apart
        (CODES, {"bcat": ["1012"], "cattax": 7}, Ruled.CATEGORY),
        (CODES, {"bcat": ["1013"], "cattax": 7}, None),
        (CODES, {"bcat": ["IAB1"]}, Ruled.CATEGORY),
        (BARE, {"bcat": ["IAB18"]}, None),
        (BARE, {"acat": ["IAB18"]}, Ruled.CATEGORY),
        (SHOES, {"acat": ["IAB18"]}, Ruled.CATEGORY),
        (SHOES, {"acat": ["IAB18", "IAB17"]}, None),
        (SHOES, {"acat": ["IAB18-5", "IAB17"], "bcat": ["IAB18"]}, Ruled.CATEGORY),
        (CODES, {"acat": ["1012"], "cattax": 7}, None),
    ],
)
def test_a_rule_of_the_seller_s(creative: CreativePlan, changes: dict[str, Any], why: Ruled | None) -> None:
    made = desk(plan(creatives=(creative,)))
    response = now(made.bid(request(**changes)))
    assert response.nbr == (None if why is None else why.nbr)
    assert made.ruled == [int(reason == why) for reason in Ruled]
    assert made.no_bids == ({} if why is None else {why.nbr: 1})


def test_only_the_creatives_it_names_are_out() -> None:
    """A campaign with another ad shows that one; another campaign bids for itself."""
    first = plan(total_nanos=10**12, creatives=(SHOES, ad("banner")))
    made = desk(first, plan(campaign_id="second", goal_value_nanos=1e6))
    assert only_bid(now(made.bid(request()))).adomain == ["shop.shoes.example"]
    assert only_bid(now(made.bid(request(bapp=["com.shoes"])))).adomain == ["pans.example"]
    assert now(made.bid(request(badv=["shoes.example", "pans.example"]))).nbr == Ruled.ADVERTISER.nbr


def test_a_deal_for_other_advertisers_or_seats_is_none_of_ours() -> None:
    insider = plan(target=TargetPlan(deals=("deal-1",)), creatives=(SHOES,))

    def answer(**terms: Any) -> Any:
        return now(desk(insider).bid(request({"pmp": Pmp(0, [Deal("deal-1", 1.0, **terms)])})))

    assert only_bid(answer(wadomain=["SHOES.example"], wseat=["bidlab"])).dealid == "deal-1"
    assert answer(wadomain=["pans.example"]).nbr == Ruled.DEAL_ADVERTISER.nbr
    assert answer(wseat=["somebody"]).nbr is not None
    open_market = desk(plan(creatives=(SHOES,)))
    for_others = request({"pmp": Pmp(0, [Deal("deal-1", 1.0, wadomain=["pans.example"])])})
    assert only_bid(now(open_market.bid(for_others))).dealid is None


def test_every_reason_is_documented_with_its_code() -> None:
    page = (Path(__file__).parents[2] / "docs" / "commands.md").read_text("utf-8")
    assert [reason.name for reason in Ruled if f"| {reason.nbr} | `{reason.name.lower()}` |" not in page] == []


@pytest.mark.parametrize(("multiplier", "why"), [(1.0, None), (12.5, Ruled.QUANTITY)])
def test_several_impressions_in_one_are_not_bought(multiplier: float, why: Ruled | None) -> None:
    """They would be billed twelve times over, of which a notice that tells the price of one says nothing."""
    assert now(desk(plan()).bid(request({"qty": Qty(multiplier)}))).nbr == (None if why is None else why.nbr)


def test_a_screen_in_a_public_place_is_a_seller_too() -> None:
    screen = {"site": None, "dooh": Dooh(publisher=Publisher("paper"))}
    assert only_bid(now(desk(plan()).bid(request(**screen)))).cid == "pans"
