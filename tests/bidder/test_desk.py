"""The desk: unknown names, broken requests, notices late, twice, contradictory or about nothing."""

from __future__ import annotations

import math
from collections.abc import Coroutine
from typing import Any, TypeVar

import msgspec
import numpy as np
import pytest

from bidder.build import build_book
from bidder.codec import nbr_of, reason_of
from bidder.core.codes import BELOW_FLOOR, CAPPED, NO_CONSENT, NOT_TARGETED, REASONS
from bidder.desk import REMEMBER_S, Desk, Heard
from bidder.plan import BidPlan, CampaignPlan, CapPlan, Directory, TargetPlan
from bidder.policy import Ruled
from openrtb.codes import DeviceType, NoBidReason
from openrtb.messages import (
    App,
    Banner,
    Bid,
    BidRequest,
    BidResponse,
    Deal,
    Device,
    Geo,
    Imp,
    ImpExt,
    Pmp,
    Publisher,
    Regs,
    RegsExt,
    Site,
    User,
    Video,
)
from openrtb.notices import Billing, Click, Conversion, Loss

Result = TypeVar("Result")
DIRECTORY = Directory(("paper",), ("paper/top",), ("town", "country"), ("deal-1",), ("cooks",), ("pans",))
CPM = 1_000_000
BUDGET = 10 * CPM


class People:
    """Three people: p0 is in the segment, p1 is not, p2 is not known."""

    rows = np.array([[1], [0], [0]], np.uint64)

    def row_ix(self, user_id: str | None) -> int:
        """Two are recognised."""
        return {"p0": 0, "p1": 1}.get(user_id or "", -1)


class Clock:
    """A clock set by hand."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def plan(**changes: Any) -> CampaignPlan:
    """A campaign that bids 2 CPM for anybody."""
    values: dict[str, Any] = {
        "campaign_id": "pans",
        "total_nanos": BUDGET,
        "start_s": 0.0,
        "end_s": 1e6,
        "goal": "cpm",
        "goal_value_nanos": 2.0 * CPM,
        "bid": BidPlan("truthful", 1.0),
        "product": "pans",
        "lookback_s": 1e5,
    }
    return CampaignPlan(**{**values, **changes})


def desk(*plans: CampaignPlan, clock: Clock | None = None, reservation_s: float = 10.0) -> Desk:
    """A desk over a fresh book."""
    book = build_book(plans, DIRECTORY, people_count=3)
    return Desk(book, plans, DIRECTORY, People(), clock=clock or Clock(), reservation_s=reservation_s)


def request(changed: dict[str, Any] | None = None, **changes: Any) -> BidRequest:
    """A request the desk understands."""
    values: dict[str, Any] = {
        "id": "r",
        "imp": [
            Imp(**{"id": "1", "banner": Banner(300, 250), "tagid": "paper/top", "bidfloor": 0.5, **(changed or {})})
        ],
        "site": Site(publisher=Publisher("paper")),
        "device": Device(int(DeviceType.PERSONAL_COMPUTER), Geo(city="town")),
        "user": User("p0"),
    }
    return BidRequest(**{**values, **changes})


def now(work: Coroutine[Any, Any, Result]) -> Result:
    """What a coroutine that never waits returns."""
    with pytest.raises(StopIteration) as done:
        work.send(None)
    result: Result = done.value.value
    return result


def only_bid(response: BidResponse) -> Bid:
    """The one bid of a response."""
    assert response.nbr is None
    assert len(response.seatbid) == 1
    assert len(response.seatbid[0].bid) == 1
    return response.seatbid[0].bid[0]


def test_a_bid_holds_its_money_and_a_win_spends_the_price() -> None:
    """Reserve, then bill less than the bid."""
    d = desk(plan())
    bid = only_bid(now(d.bid(request())))
    assert (bid.price, bid.cid, bid.impid, bid.dealid) == (2.0, "pans", "1", None)
    assert d.book.campaigns["reserved_nanos"][0] == 2 * CPM
    assert now(d.notice(Billing(bid.id, 1.25))) is Heard.BOOKED
    assert d.book.campaigns["reserved_nanos"][0] == 0
    assert d.book.campaigns["spent_nanos"][0] == 1.25 * CPM


def test_hearing_it_again_changes_nothing() -> None:
    """Billing, click, loss and conversion, each twice; a loss after the win comes too late."""
    d = desk(plan())
    bid = only_bid(now(d.bid(request())))
    bought = Conversion("c1", "pans", "p0", 40.0)
    for notice in (Billing(bid.id, 1.0), Click(bid.id), bought):
        assert now(d.notice(notice)) is Heard.BOOKED
    before = d.book.campaigns.copy()
    for notice in (Billing(bid.id, 1.0), Click(bid.id), bought, Loss(bid.id)):
        assert now(d.notice(notice)) is Heard.REPEATED
    np.testing.assert_array_equal(before, d.book.campaigns)
    assert d.counts.repeated == 4
    assert d.credited("c1") == 0
    assert (before["wins"][0], before["clicks"][0], before["conversions"][0]) == (1, 1, 1)


def test_a_loss_gives_back_money_and_cap() -> None:
    """With a cap of one, the person can be bid for again after a loss, not while the bid is in flight."""
    d = desk(plan(caps=(CapPlan(1, 3600.0, True),)))
    bid = only_bid(now(d.bid(request())))
    assert now(d.bid(request())).nbr == nbr_of(CAPPED)
    assert now(d.notice(Loss(bid.id))) is Heard.BOOKED
    assert only_bid(now(d.bid(request()))).id != bid.id


LEARNING = BidPlan("shaded_lognormal", math.log(CPM), 0.5, learned=True)


def test_prices_told_reach_the_learned_curve() -> None:
    """A loss that needed 3 CPM, a win that needed 0.7: two prices seen; what is no price counts as not told."""
    d = desk(plan(bid=LEARNING, goal_value_nanos=4.0 * CPM))
    rows = d.book.campaigns
    before = (rows["curve_seen"][0], rows["curve_heard"][0])
    lost, won = (only_bid(now(d.bid(request()))) for _ in range(2))
    assert now(d.notice(Loss(lost.id, min_to_win_cpm=3.0))) is Heard.BOOKED
    assert now(d.notice(Billing(won.id, won.price, 0.7))) is Heard.BOOKED
    assert (rows["curve_seen"][0], rows["curve_heard"][0]) == (before[0] + 2.0, before[1] + 2.0)
    assert rows["curve_sum"][0] == pytest.approx(math.log(3.0) + math.log(0.7))
    for told in (None, math.nan, -1.0, 0.0, 1e300, 0.01):
        bid = only_bid(now(d.bid(request())))
        assert now(d.notice(Loss(bid.id, min_to_win_cpm=told))) is Heard.BOOKED
    assert (rows["curve_seen"][0], rows["curve_heard"][0]) == (before[0] + 2.0, before[1] + 8.0)


def test_an_expired_bid_is_booked_late_only_while_there_is_money() -> None:
    """Five bids of 2 CPM fill a budget of 10; after they expire five more are made, and only five can be paid."""
    clock = Clock()
    d = desk(plan(), clock=clock)
    bids = [only_bid(now(d.bid(request()))) for _ in range(5)]
    assert now(d.bid(request())).nbr is not None
    clock.now_s = 10.0
    bids += [only_bid(now(d.bid(request()))) for _ in range(5)]
    assert d.counts.expired == 5
    heard = [now(d.notice(Billing(bid.id, 2.0))) for bid in reversed(bids)]
    assert heard == [Heard.BOOKED] * 5 + [Heard.REFUSED] * 5
    assert d.book.campaigns["spent_nanos"][0] == BUDGET
    assert (d.counts.late, d.counts.refused, d.in_flight()) == (5, 5, 0)


@pytest.mark.parametrize("price", [2.000001, 2000.0, -1.0, math.nan, math.inf])
def test_a_price_nobody_agreed_to_is_refused(price: float) -> None:
    """Above the bid, or no price at all; the money comes free."""
    d = desk(plan())
    bid = only_bid(now(d.bid(request())))
    assert now(d.notice(Billing(bid.id, price))) is Heard.REFUSED
    assert d.book.campaigns["spent_nanos"][0] == d.book.campaigns["reserved_nanos"][0] == 0


def test_notices_about_nothing() -> None:
    """Bids never made or long forgotten, products nobody sells."""
    clock = Clock()
    d = desk(plan(), clock=clock)
    bid = only_bid(now(d.bid(request())))
    clock.now_s = REMEMBER_S
    for notice in (Billing(bid.id, 1.0), Billing("x", 1.0), Loss("x"), Click("x"), Conversion("c", "x", "p0", 1.0)):
        assert now(d.notice(notice)) is Heard.UNKNOWN
    assert d.counts.unknown == 5
    assert d.book.campaigns["spent_nanos"][0] == 0


@pytest.mark.parametrize(
    ("changes", "imp", "bids"),
    [
        ({"user": User("nobody")}, {}, True),
        ({"user": None, "device": Device(99, Geo(city="town"))}, {}, True),
        ({}, {"pmp": Pmp(0, [Deal("unheard-of", 9.0)])}, True),
        ({}, {"tagid": "paper/unheard-of"}, False),
        ({}, {"bidfloorcur": "XAU"}, False),
        ({"device": Device(2, Geo(city="atlantis"))}, {}, False),
        ({"device": None}, {}, False),
        ({"site": Site(publisher=Publisher("unheard-of"))}, {}, False),
        ({"site": None}, {}, False),
        ({}, {"bidfloorcur": "XAU", "bidfloor": 0.0}, True),
        ({}, {"banner": None}, False),
    ],
)
def test_unknown_names(changes: dict[str, Any], imp: dict[str, Any], bids: bool) -> None:
    """A stranger, an unknown device or deal can be bid for; a place the plan cannot name cannot."""
    response = now(desk(plan()).bid(request(imp, **changes)))
    assert (response.nbr is None) == bids
    if not bids:
        assert response.nbr == (Ruled.UNKNOWN_PLACE.nbr if imp != {"banner": None} else nbr_of(NOT_TARGETED))


@pytest.mark.parametrize("floor", [math.nan, math.inf, -0.01])
def test_a_request_that_breaks_the_specification(floor: float) -> None:
    """A floor that is no price, or nothing on offer at all."""
    d = desk(plan())
    assert now(d.bid(request({"bidfloor": floor}))).nbr == NoBidReason.INVALID_REQUEST
    assert now(d.bid(request(imp=[]))).nbr == NoBidReason.INVALID_REQUEST
    assert d.counts.invalid == 2


def test_reasons_travel_as_no_bid_codes() -> None:
    """One vendor code per reason, and the right one in the response."""
    assert [reason_of(nbr_of(reason)) for reason in range(len(REASONS))] == list(range(len(REASONS)))
    assert now(desk(plan()).bid(request({"bidfloor": 2.5}))).nbr == nbr_of(BELOW_FLOOR)
    needs_person = plan(target=TargetPlan(any_segments=("cooks",)))
    assert now(desk(needs_person).bid(request(user=None))).nbr == nbr_of(NO_CONSENT)
    assert now(desk(needs_person).bid(request(user=User("p1")))).nbr == nbr_of(NOT_TARGETED)
    assert only_bid(now(desk(needs_person).bid(request()))).price == 2.0


@pytest.mark.parametrize("regs", [Regs(coppa=1), Regs(ext=RegsExt(coppa=1))])
def test_a_child_is_a_stranger(regs: Regs) -> None:
    """Whatever is sent along: no segments, no position."""
    needs_person = plan(target=TargetPlan(any_segments=("cooks",)))
    assert now(desk(needs_person).bid(request(regs=regs))).nbr == nbr_of(NO_CONSENT)
    assert now(desk(needs_person).bid(request(regs=Regs(coppa=0)))).nbr is None


def test_a_campaign_that_buys_by_deal_says_so() -> None:
    """At the deal's floor, below the open one."""
    deal = {"bidfloor": 5.0, "pmp": Pmp(0, [Deal("deal-1", 1.0)])}
    assert only_bid(now(desk(plan(target=TargetPlan(deals=("deal-1",)))).bid(request(deal)))).dealid == "deal-1"
    assert now(desk(plan()).bid(request(deal))).nbr == nbr_of(BELOW_FLOOR)


@pytest.mark.parametrize(
    ("formats", "imp", "app", "bids"),
    [
        (("video",), {"banner": None, "video": Video()}, False, True),
        (("mobile",), {"ext": ImpExt(format="mobile")}, False, True),
        (("mobile",), {}, True, True),
        (("mobile",), {}, False, False),
        (("display",), {"ext": ImpExt(format="hologram")}, False, True),
    ],
)
def test_formats(formats: tuple[str, ...], imp: dict[str, Any], app: bool, bids: bool) -> None:
    """By what is on offer, by the seller's word, or by where the banner stands."""
    seller = {"site": None, "app": App(publisher=Publisher("paper"))} if app else {}
    response = now(desk(plan(target=TargetPlan(formats=formats))).bid(request(imp, **seller)))
    assert (response.nbr is None) == bids


def test_private_values_decide_the_bid() -> None:
    """They come with the impression; without them there is nothing to bid."""
    d = desk(plan(goal="private", signal_ix=0, product=None))
    assert only_bid(now(d.bid(request({"ext": ImpExt(values_nanos=[1_234_567])})))).price == 1.234567
    assert now(d.bid(request())).nbr is not None


def test_two_impressions_at_once() -> None:
    """Each holds its own money, in one response."""
    d = desk(plan())
    first = request().imp[0]
    response = now(d.bid(request(imp=[first, msgspec.structs.replace(first, id="2")])))
    assert [bid.impid for bid in response.seatbid[0].bid] == ["1", "2"]
    assert d.in_flight() == 2


def test_the_wire_format_loses_nothing() -> None:
    """A request that went through JSON gets the same answer, and its answer survives the way back."""
    plans = (plan(target=TargetPlan(deals=("deal-1",))),)
    sent = request({"pmp": Pmp(0, [Deal("deal-1", 1.0)]), "ext": ImpExt("display", [1])})
    received = msgspec.json.decode(msgspec.json.encode(sent), type=BidRequest)
    assert received == sent
    answer = now(desk(*plans).bid(received))
    assert answer == now(desk(*plans).bid(sent))
    assert msgspec.json.decode(msgspec.json.encode(answer), type=BidResponse) == answer
