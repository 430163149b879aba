"""Which creative answers which impression, and what the bid says about it."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from bidder.answer import full_bid
from bidder.creatives import MIMES
from bidder.markup.links import Links
from bidder.plan import CreativePlan, TargetPlan
from bidder.policy import Ruled
from exchange_sim.requests import NATIVE_REQUEST
from openrtb.codes import MarkupType
from openrtb.messages import Audio, Banner, Deal, Format, Native, Pmp, Video
from tests.bidder.test_desk import desk, now, only_bid, plan, request


def ad(kind: str, **changes: Any) -> CreativePlan:
    """A creative of the campaign's own."""
    values = {"media_url": "https://pans.example/a", "mime": MIMES.get(kind, "")}
    fixed = {"creative_id": f"my-{kind}", "kind": kind, "brand": "Pans", "click_url": "https://pans.example/"}
    return CreativePlan(**{**fixed, "domains": ("pans.example",), **values, **changes})


def video(**changes: Any) -> dict[str, Any]:
    """An impression with room for a video."""
    return {"banner": None, "video": Video(**{"mimes": ["video/mp4"], **changes})}


RATED = '{"assets":[{"required":1,"data":{"type":3}}]}'
"""A native request for a rating, which we have not."""
NATIVE = {"banner": None, "native": Native(NATIVE_REQUEST)}
AUDIO = {"banner": None, "audio": Audio(mimes=["audio/mpeg"], maxduration=10)}


@pytest.mark.parametrize(
    ("imp", "told"),
    [
        ({}, (MarkupType.BANNER, 300, 250, None, None)),
        ({"banner": Banner(format=[Format(970, 90), Format(728, 90)])}, (MarkupType.BANNER, 970, 90, None, None)),
        ({"banner": Banner()}, (MarkupType.BANNER, 300, 250, None, None)),
        (video(w=1280, h=720), (MarkupType.VIDEO, 1280, 720, 15, 13)),
        (video(minduration=20, maxduration=60, protocols=[2, 3]), (MarkupType.VIDEO, 640, 360, 20, 3)),
        (video(rqddurs=[6, 15]), (MarkupType.VIDEO, 640, 360, 6, 13)),
        (AUDIO, (MarkupType.AUDIO, None, None, 10, 13)),
        (NATIVE, (MarkupType.NATIVE, None, None, None, None)),
    ],
)
def test_a_campaign_without_creatives_answers_everything(imp: dict[str, Any], told: tuple[Any, ...]) -> None:
    bid = only_bid(now(desk(plan()).bid(request(imp), partial(full_bid, links=Links(burl="b0")))))
    assert (bid.mtype, bid.w, bid.h, bid.dur, bid.protocol) == told
    assert bid.adomain == ["pans.example"]
    assert bid.burl == "b0"
    assert bid.nurl is None
    assert bid.adm


@pytest.mark.parametrize(
    ("creative", "imp", "why"),
    [
        (ad("banner"), video(), Ruled.KIND),
        (ad("banner", size=(300, 250)), {}, None),
        (ad("banner", size=(300, 250)), {"banner": Banner(728, 90, [Format(300, 250)])}, None),
        (ad("banner", size=(300, 250)), {"banner": Banner()}, None),
        (ad("banner", size=(728, 90)), {}, Ruled.SIZE),
        (ad("banner"), {"banner": Banner(format=[Format(wratio=4, hratio=3, wmin=100)])}, Ruled.SIZE),
        (ad("banner"), {"banner": Banner(300, 250, mimes=["image/png"])}, Ruled.MIME),
        (ad("banner", secure=False), {"secure": 1}, Ruled.SECURE),
        (ad("banner", secure=False), {"secure": 0}, None),
        (ad("banner", attributes=(6, 8)), {"banner": Banner(300, 250, battr=[1, 8])}, Ruled.ATTRIBUTE),
        (ad("banner", attributes=(6,)), {"banner": Banner(300, 250, battr=[1, 8])}, None),
        (ad("video", mime="video/webm"), video(), Ruled.MIME),
        (ad("video"), video(protocols=[1, 4, 9]), Ruled.PROTOCOL),
        (ad("video", duration_s=30), video(maxduration=29), Ruled.DURATION),
        (ad("video", duration_s=30), video(minduration=31), Ruled.DURATION),
        (ad("video", duration_s=30), video(rqddurs=[15]), Ruled.DURATION),
        (ad("video", duration_s=30), video(minduration=30, maxduration=30), None),
        (ad("video"), video(maxduration=0), Ruled.DURATION),
        (ad("video", attributes=(2,)), video(battr=[2]), Ruled.ATTRIBUTE),
        (ad("audio", duration_s=30), AUDIO, Ruled.DURATION),
        (
            ad("native"),
            {"banner": None, "native": Native(RATED)},
            Ruled.ASSETS,
        ),
        (ad("native", attributes=(2,)), {"banner": None, "native": Native(NATIVE_REQUEST, battr=[2])}, Ruled.ATTRIBUTE),
        (ad("banner"), {"pmp": Pmp(1, [Deal("deal-1")])}, Ruled.PRIVATE_AUCTION),
    ],
)
def test_a_creative_that_does_not_fit_is_no_bid_and_says_why(
    creative: CreativePlan, imp: dict[str, Any], why: Ruled | None
) -> None:
    made = desk(plan(creatives=(creative,)))
    response = now(made.bid(request(imp)))
    if why is None:
        assert only_bid(response).crid == creative.creative_id
        assert not any(made.ruled)
    else:
        assert (response.nbr, response.seatbid) == (why.nbr, [])
        assert made.ruled == [int(reason == why) for reason in Ruled]
        assert made.in_flight() == 0


def test_the_campaign_that_fits_bids_though_a_dearer_one_does_not() -> None:
    dear = plan(
        campaign_id="dear", goal_value_nanos=9e6, total_nanos=10**12, creatives=(ad("banner", size=(1, 1)), ad("video"))
    )
    made = desk(dear, plan())
    assert only_bid(now(made.bid(request()))).cid == "pans"
    assert only_bid(now(made.bid(request({"banner": Banner(1, 1)})))).cid == "dear"
    assert only_bid(now(made.bid(request(video())))).crid == "my-video"
    assert made.reasons.sum() == 5  # who was not asked is not counted as outranked


def test_what_is_said_about_a_creative() -> None:
    told = ad("banner", size=(300, 250), categories=("IAB8",), category_taxonomy=1, attributes=(3,), bundle="com.pans")
    bid = only_bid(now(desk(plan(creatives=(told,))).bid(request())))
    assert (bid.crid, bid.cid, bid.cat, bid.cattax, bid.attr, bid.bundle) == (
        *("my-banner", "pans", ["IAB8"], 1, [3], "com.pans"),
    )
    assert bid.adm is None  # nobody asked for addresses, so nobody will show it


def test_a_private_auction_is_for_those_who_buy_by_deal() -> None:
    insider = plan(target=TargetPlan(deals=("deal-1",)))
    private = {"pmp": Pmp(1, [Deal("deal-1", 1.0)])}
    assert only_bid(now(desk(insider).bid(request(private)))).dealid == "deal-1"
    assert now(desk(insider).bid(request({"pmp": Pmp(1, [])}))).nbr == Ruled.PRIVATE_AUCTION.nbr


def test_an_impression_with_two_rooms_is_answered_by_whoever_can() -> None:
    """Video first; when nobody has one, the banner."""
    both = {"banner": Banner(300, 250), "video": Video(mimes=["video/mp4"])}
    assert only_bid(now(desk(plan()).bid(request(both)))).mtype == MarkupType.VIDEO
    assert only_bid(now(desk(plan(creatives=(ad("banner"),))).bid(request(both)))).mtype == MarkupType.BANNER
    displayed = plan(target=TargetPlan(formats=("display",)))
    assert only_bid(now(desk(displayed).bid(request(both)))).mtype == MarkupType.BANNER


def test_a_trial_is_decided_and_holds_nothing() -> None:
    made = desk(plan())
    assert only_bid(now(made.bid(request(test=1)))).price == 2.0
    assert made.in_flight() == made.book.campaigns["reserved_nanos"][0] == 0


def test_more_campaigns_than_a_word_has_bits() -> None:
    """The last of seventy is the only one with that size."""
    plans = [plan(campaign_id=f"c{c}", creatives=(ad("banner", size=(300 + c, 250)),)) for c in range(70)]
    made = desk(*plans)
    assert only_bid(now(made.bid(request({"banner": Banner(369, 250)})))).cid == "c69"
    assert only_bid(now(made.bid(request({"banner": Banner(300, 250)})))).cid == "c0"
