"""Why a campaign bids or not: the same verdicts as the desk's own, and nothing is held by asking."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest

from bidder.answer import full_bid
from bidder.core.codes import REASONS
from bidder.explain import Explainer, Explanation
from bidder.markup.links import Links
from bidder.plan import BidPlan, CampaignPlan, TargetPlan
from openrtb.decode import encode_request, encode_response
from openrtb.errors import InvalidMessage
from openrtb.messages import Banner, BidRequest, Native, Regs, User, Video
from tests.bidder.test_creatives import ad
from tests.bidder.test_desk import CPM, DIRECTORY, desk, now, plan, request

LINKS = Links(seen="https://b.example/s", event="https://b.example/e/", click="https://b.example/c")
WRITE = partial(full_bid, links=LINKS)


def explained(asked: BidRequest, *plans: CampaignPlan) -> Explanation:
    """The explanation, after which the book is what it was."""
    made = desk(*plans)
    found = Explainer(made, plans, DIRECTORY, WRITE, encode_response).explain(encode_request(asked), 0.0)
    for name in ("spent_nanos", "reserved_nanos", "wins"):
        assert not made.book.campaigns[name].any()
    assert not made.book.persons["count"].any()
    return found


SEGMENT = plan(campaign_id="cooks", target=TargetPlan(any_segments=("cooks",)))
OTHERS = plan(campaign_id="others", target=TargetPlan(none_segments=("cooks",)))
CHEAP = plan(campaign_id="cheap", bid=BidPlan("constant", 0.1 * CPM))
FILM = plan(campaign_id="film", target=TargetPlan(formats=("video",), deals=("deal-1",)))
SMALL = plan(campaign_id="small", creatives=(ad("banner", size=(1, 1)),))
OVER = plan(campaign_id="over", start_s=5.0)
ALL = (SEGMENT, OTHERS, CHEAP, FILM, SMALL, OVER)


def verdicts(found: Explanation, k: int = 0) -> dict[str, tuple[str, str]]:
    """Reason and detail by campaign, for the k-th way to answer."""
    return {v.campaign_id: (v.reason, v.detail) for v in found.opportunities[k].verdicts}


def test_each_campaign_has_its_reason() -> None:
    found = explained(request(), *ALL)
    assert found.recognised
    assert verdicts(found) == {
        "cooks": ("bid", ""),
        "others": ("not_targeted", "not its segments"),
        "cheap": ("below_floor", ""),
        "film": ("not_targeted", "not its format, deal"),
        "small": ("size", "ruled out by the seller"),
        "over": ("not_targeted", "not its dates"),
    }
    (winner,) = (v for v in found.opportunities[0].verdicts if v.reason == "bid")
    assert (winner.price_cpm, winner.creative_id) == (2.0, "cooks/banner")
    assert found.stages_us["all"] == pytest.approx(sum(value for k, value in found.stages_us.items() if k != "all"))
    assert min(found.stages_us.values()) > 0.0
    assert json.loads(json.dumps(found.as_json()))["opportunities"][0]["facts"]["slot"] == "paper/top"


def test_a_stranger_and_a_blocked_advertiser() -> None:
    found = explained(request(user=User("p0"), regs=Regs(gdpr=1), badv=["pans.example"]), SEGMENT, SMALL)
    assert not found.recognised
    blocked = ("advertiser", "ruled out by the seller")
    assert verdicts(found) == {"cooks": blocked, "small": blocked}
    assert verdicts(explained(request(regs=Regs(gdpr=1)), SEGMENT))["cooks"][0] == "no_consent"


@pytest.mark.parametrize(
    ("imp", "changes", "kinds", "problems"),
    [
        ({"tagid": "nowhere"}, {}, ["banner"], 0),
        ({"video": Video(mimes=["video/mp4"])}, {}, ["video", "banner"], 0),
        ({"native": Native("{}")}, {}, ["banner"], 1),
        ({"banner": Banner(1, 1)}, {"test": 1, "cur": ["EUR"]}, ["banner"], 0),
    ],
)
def test_every_room_is_explained_and_agrees_with_the_desk(
    imp: dict[str, Any], changes: dict[str, Any], kinds: list[str], problems: int
) -> None:
    asked = request(imp, **changes)
    found = explained(asked, *ALL)
    assert [opportunity.kind for opportunity in found.opportunities] == kinds
    assert len(found.problems) == problems
    response = now(desk(*ALL).bid(asked))
    said = {v.campaign_id for o in found.opportunities for v in o.verdicts if v.reason == "bid"}
    assert {bid.cid for seat in response.seatbid for bid in seat.bid} <= said
    assert bool(said) == bool(response.seatbid)
    told = {v.reason for o in found.opportunities for v in o.verdicts if o.facts.get("slot") and not v.detail}
    assert told <= set(REASONS)


def test_a_broken_request_is_no_request() -> None:
    with pytest.raises(InvalidMessage):
        Explainer(desk(SEGMENT), (SEGMENT,), DIRECTORY, WRITE, encode_response).explain(b"{}", 0.0)
