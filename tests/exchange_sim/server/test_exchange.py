"""The exchange over real HTTP: what pages send, what bidders get, who wins, who is told what, and how often."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import pytest

from exchange_sim.server.app import LARGEST_BODY
from exchange_sim.server.filling import Caller, fill
from exchange_sim.server.rules import FloorRule, Rules, Seller
from openrtb.codes import LossReason
from tests.exchange_sim.server.market import IMP, REQUEST, Page, at_market, packed
from tests.patience import HANG_S, until


@pytest.mark.parametrize(("at", "price"), [(1, 1.0), (2, 0.91)])
def test_the_specification_s_worked_example(at: int, price: float) -> None:
    """Floor 0.85, bids 1.00, 0.90 and 0.80, an increment of 0.01; macros filled in, everybody told once."""

    async def story(page: Page) -> None:
        first, second, third = page.bidders
        for bidder, bid in zip(page.bidders, (1.0, 0.9, 0.8), strict=True):
            bidder.bids(bid, adm="<p>${AUCTION_PRICE} ${AUCTION_CURRENCY} ${AUCTION_SEAT_ID}</p>${OTHER}")
        response = await page.sell(at=at)
        (seat,) = response["seatbid"]
        (bid,) = seat["bid"]
        assert (seat["seat"], bid["price"], response["cur"], response["id"]) == ("one", price, "USD", "r")
        assert bid["adm"] == f"<p>{price:g} USD one</p>${{OTHER}}"
        assert not {"nurl", "burl", "lurl"} & set(bid)
        assert first.kinds() == ["bill", "win"]
        encoded = base64.b64encode(f"{price:g}".encode()).decode()
        assert all(told == {"p": f"{price:g}", "m": "0.9", "e": encoded} for _, told in first.told)
        assert second.told == [("loss", {"l": "102", "m": "1", "b": "0"})]
        assert third.told == [("loss", {"l": "100", "m": "", "b": "0"})]
        (dropped,) = response["ext"]["bidlab_dropped"]
        assert dropped == {
            **{"bidder": "three", "imp_id": "1", "bid_id": "0", "loss": LossReason.BELOW_FLOOR},
            "rule": "bid.price: 0.8 is below the floor of 0.85",
        }

    at_market(story, ("one", "two", "three"))


def test_what_a_page_leaves_out_is_filled_in() -> None:
    defaults = {"site": {"publisher": {"id": "other"}, "domain": "paper.example"}, "app": {"bundle": "x"}, "bcat": []}
    placements = {"unit": {"tagid": "paper/top", "bidfloor": 0.5}}

    async def story(page: Page) -> None:
        imp = {"id": "1", "banner": {"w": 300, "h": 250}, "vendor": [1]}
        imp["ext"] = {"prebid": {"adunitcode": "unit", "bidder": {"one": {"zone": 7}}}, "gpid": "g"}
        privacy = {
            "regs": {"ext": {"gdpr": 1, "us_privacy": "1YNN"}},
            "user": {"ext": {"consent": "C"}},
            "source": {"ext": {"schain": {"complete": 1, "nodes": [], "ver": "1.0"}}},
        }
        body = {"id": "r", "imp": [imp], "site": {"publisher": {"id": "paper"}}, "ext": {"prebid": {"debug": 1}}}
        await page.sell({**body, **privacy, "wild": {"x": 1}})
        (asked,) = page.bidder.asked
        assert (asked["at"], asked["cur"]) == (1, ["USD"])
        assert asked["device"]["ip"] == "127.0.0.1"
        assert asked["device"]["ua"].startswith("Python")
        assert asked["site"] == {"publisher": {"id": "paper"}, "domain": "paper.example"}
        assert "app" not in asked
        assert "ext" not in asked
        assert {key: asked[key] for key in privacy} == privacy
        assert asked["wild"] == {"x": 1}
        (sent,) = asked["imp"]
        assert sent["ext"] == {"gpid": "g", "bidder": {"zone": 7}}
        assert (sent["tagid"], sent["bidfloor"], sent["vendor"]) == ("paper/top", 0.5, [1])
        assert 0 < asked["tmax"] < 1000 * HANG_S
        assert page.bidder.headers[0]["x-openrtb-version"] == "2.6"

    at_market(story, defaults=defaults, placements=placements)


def test_a_null_is_left_out_and_filled_in() -> None:
    """Of the request by us and of the answer by the bidder; what is a vendor's own stays as it is."""

    async def story(page: Page) -> None:
        nulls = {"bidfloor": None, "pmp": {"deals": None}, "ext": {"theirs": {"x": None}}}

        def answer(request: dict[str, Any]) -> dict[str, Any]:
            bids = [{**page.bidder.bid("0", "1", 2.0), "cat": None, "mtype": None}, {"id": "1", "price": None}]
            return {"id": "r", "nbr": None, "cur": None, "seatbid": [{"bid": bids}, {"bid": None}]}

        page.bidder.answer = answer
        response = await page.sell(at=None, tmax=None, imp=[{**IMP, **nulls}])
        (asked,) = page.bidder.asked
        assert (asked["at"], asked["imp"][0]["ext"]) == (1, {"theirs": {"x": None}})
        assert "bidfloor" in asked["imp"][0]
        assert asked["imp"][0]["pmp"] == {}
        assert [bid["price"] for bid in response["seatbid"][0]["bid"]] == [2.0]
        assert [dropped["loss"] for dropped in response["ext"]["bidlab_dropped"]] == [LossReason.MISSING_PRICE]

    at_market(story)


def test_what_a_page_says_is_kept() -> None:
    async def story(page: Page) -> None:
        device = {"ip": "203.0.113.9", "ua": "mine"}
        await page.sell(at=2, device=device, tmax=50_000, badv=["a.example"], imp=[{**IMP, "bidfloor": 0.1}])
        (asked,) = page.bidder.asked
        assert (asked["at"], asked["device"]) == (2, device)
        assert asked["tmax"] <= 49_990
        assert asked["badv"] == ["a.example", "rival.example"]
        assert asked["imp"][0]["bidfloor"] == 0.25

    at_market(story, floor_nanos=250_000, blocked_advertisers=("rival.example",))


def test_a_page_names_whom_to_ask() -> None:
    async def story(page: Page) -> None:
        one, two = page.bidders
        imps = [
            {**IMP, "id": str(k), "ext": {"prebid": {"bidder": {name: {}}}}} for k, name in ((1, "one"), (2, "two"))
        ]
        await page.sell(imp=imps)
        assert [imp["id"] for imp in one.asked[0]["imp"]] == ["1"]
        assert [imp["id"] for imp in two.asked[0]["imp"]] == ["2"]
        await page.sell(imp=[imps[0]])
        assert (len(one.asked), len(two.asked)) == (2, 1)

    at_market(story, ("one", "two"))


def test_a_browser_may_read_the_answer_and_send_cookies() -> None:
    async def story(page: Page) -> None:
        origin = "https://paper.example"
        answer = await page.post(REQUEST, Origin=origin)
        assert answer.status == 200
        for name, value in (("Origin", origin), ("Credentials", "true")):
            assert answer.headers[f"Access-Control-Allow-{name}"] == value
        assert answer.headers["Vary"].startswith("Origin")
        assert page.bidder.asked[0]["site"]["page"] == origin
        refused = await page.post(b"{", Origin=origin)
        assert (refused.status, refused.headers["Access-Control-Allow-Origin"]) == (400, origin)
        url = f"{page.service.public_url}/openrtb2/auction"
        async with page.http.options(url, headers={"Origin": origin}) as preflight:
            assert preflight.status == 204
            assert "POST" in preflight.headers["Access-Control-Allow-Methods"]
        assert not [name for name in (await page.post(REQUEST)).headers if name.startswith("Access-Control")]

    at_market(story)


@pytest.mark.parametrize(
    ("body", "query", "headers", "status"),
    [
        (packed(REQUEST), "?gzip=1", {}, 200),
        (packed(REQUEST), "", {"Content_Encoding": "gzip"}, 200),
        (packed(REQUEST), "", {}, 400),
        (packed(REQUEST)[:-3], "?gzip=1", {}, 400),
        (packed(REQUEST) + b"x", "?gzip=1", {}, 400),
        (packed("x" * (LARGEST_BODY + 1)), "?gzip=1", {}, 413),
        (REQUEST, "?gzip=1", {}, 400),
        (REQUEST, "", {"Content_Type": "application/json"}, 200),
        (REQUEST, "", {"Content_Type": "text/xml"}, 415),
        (REQUEST, "", {"Content_Encoding": "br"}, 415),
        (b"x" * (LARGEST_BODY + 1), "", {}, 413),
        (b"", "", {}, 400),
        (b"[]", "", {}, 400),
        ({**REQUEST, "imp": []}, "", {}, 400),
        ({**REQUEST, "cur": ["EUR"]}, "", {}, 400),
        ({**REQUEST, "site": None, "device": None, "user": None}, "", {}, 200),
    ],
)
def test_bodies(body: Any, query: str, headers: dict[str, str], status: int) -> None:
    async def story(page: Page) -> None:
        answer = await page.post(body, query, **headers)
        assert answer.status == status
        assert (await answer.text()).startswith("Invalid request: ") == (status != 200)
        assert (page.service.auctions, page.service.refused) == ((1, 0) if status == 200 else (0, 1))
        await page.sell()

    at_market(story)


def test_a_slow_bidder_costs_itself() -> None:
    """It answers when the page has its response, and not before: whoever waited for it would wait for ever."""

    async def story(page: Page) -> None:
        slow, quick = page.bidders
        slow.bids(9.0)
        slow.gate = asyncio.Event()
        quick.bids(1.0)
        tries = 0
        # How much time the other one needs is the machine's affair: usually the first is enough.
        for tmax in (200, 2_000, 20_000, 60_000):
            tries += 1
            response = await page.sell(tmax=tmax)
            assert response["ext"]["errors"]["one"] == [{"message": "timeout"}]
            if response["seatbid"]:
                break
        assert [seat["seat"] for seat in response["seatbid"]] == ["two"]
        assert set(response["ext"]["errors"]) == {"one"}
        assert page.service.auctioneer.timeouts["one"] == tries
        slow.gate.set()
        assert slow.told == []

    at_market(story, ("one", "two"))


def test_bidders_are_asked_at_the_same_time() -> None:
    async def story(page: Page) -> None:
        gate = asyncio.Event()
        for bidder in page.bidders:
            bidder.gate = gate
            bidder.bids(1.0)
        selling = asyncio.create_task(page.sell())
        await until(lambda: all(bidder.asked for bidder in page.bidders))  # nobody has answered yet
        gate.set()
        response = await selling
        assert len(response["ext"]["responsetimemillis"]) == 4
        assert "errors" not in response["ext"]

    at_market(story, ("one", "two", "three", "four"))


def test_a_bidder_that_is_not_there_costs_itself() -> None:
    async def story(page: Page) -> None:
        page.bidders[1].bids(1.0)
        page.bidder.answer = lambda request: (503, b"")
        response = await page.sell()
        assert [seat["seat"] for seat in response["seatbid"]] == ["two"]
        assert response["ext"]["errors"] == {"one": [{"message": "HTTP status 503"}]}

    at_market(story, ("one", "two"))


def test_several_impressions_are_sold_one_by_one() -> None:
    async def story(page: Page) -> None:
        page.bidder.answer = lambda request: {
            "id": "r",
            "seatbid": [{"bid": [page.bidder.bid(imp["id"], imp["id"], 2.0) for imp in request["imp"]]}],
        }
        response = await page.sell(imp=[{**IMP, "id": str(k)} for k in range(3)])
        (seat,) = response["seatbid"]
        assert [bid["impid"] for bid in seat["bid"]] == ["0", "1", "2"]
        assert page.bidder.kinds() == ["bill"] * 3 + ["win"] * 3

    at_market(story)


def test_markup_may_come_with_the_win_notice() -> None:
    async def story(page: Page) -> None:
        one, two = page.bidders
        one.bids(3.0, adm=None)
        two.bids(2.0)
        one.markup = "<b>${AUCTION_PRICE}</b>"
        (seat,) = (await page.sell())["seatbid"]
        assert (seat["seat"], seat["bid"][0]["adm"]) == ("one", "<b>3</b>")
        assert one.kinds() == ["bill", "win"]
        one.markup, one.told = "", []
        response = await page.sell()
        assert [seat["seat"] for seat in response["seatbid"]] == ["two"]
        assert one.told[-1] == ("loss", {"l": str(int(LossReason.MISSING_MARKUP)), "m": "", "b": "0"})

    at_market(story, ("one", "two"))


def test_an_ad_is_billed_when_it_is_shown_and_only_once() -> None:
    async def story(page: Page) -> None:
        page.bidder.bids(2.0)
        response = await page.sell()
        shown = response["seatbid"][0]["bid"][0]["burl"]
        assert shown.startswith(f"{page.service.public_url}/openrtb2/shown?t=")
        assert page.bidder.kinds() == ["win"]
        for status, url in ((204, shown), (204, shown), (410, shown[:-1])):
            async with page.http.get(url) as answer:
                assert answer.status == status
        await page.service.notifier.finish()
        assert page.bidder.kinds() == ["bill", "win"]
        assert page.service.renders.heard == {"first": 1, "repeated": 1, "unknown": 1}
        async with page.http.get(f"{page.service.public_url}/stats") as answer:
            stats = await answer.json()
        assert (stats["sold"], stats["notices"]) == (1, {"billing 200": 1, "win 200": 1})

    at_market(story, billing="render")


def test_a_trial_is_sold_and_nobody_is_told() -> None:
    async def story(page: Page) -> None:
        page.bidder.bids(2.0, 0.1)
        response = await page.sell(test=1)
        assert len(response["seatbid"]) == 1
        assert page.bidder.told == []

    at_market(story)


def test_the_first_floor_rule_that_fits_stands_in_for_the_floor() -> None:
    rules = (
        FloorRule(3_000_000, formats=frozenset({"video"}), places=frozenset({"DEU"})),
        FloorRule(1_200_000, publishers=frozenset({"paper"}), hours=frozenset({3 * 24})),
        FloorRule(900_000, placements=frozenset({"top", "unit"})),
    )
    video, banner = {"id": "1", "video": {"mimes": ["video/mp4"]}}, {"id": "1", "banner": {"w": 300, "h": 250}}
    paper = {"site": {"publisher": {"id": "paper"}}}
    german = {"device": {"geo": {"country": "DEU"}}}
    hour_s = 3600.0

    def floor(imp: dict[str, Any], now_unix_s: float = 30 * hour_s, **request: Any) -> float:
        plain = json.loads(json.dumps({"id": "r", "imp": [imp], **request}))
        fill(plain, Caller("", None, None), Rules("EUR", (), floor_nanos=500_000, floor_rules=rules), now_unix_s)
        assert plain["imp"][0]["bidfloorcur"] == "EUR"
        return float(plain["imp"][0]["bidfloor"])

    assert floor(video, **german) == 3.0
    assert floor({**video, **banner}, **german) == 0.5  # could be sold as a banner
    assert floor({**video, "bidfloor": 3.5, "bidfloorcur": "EUR"}, **german) == 3.5
    assert floor(video) == floor(banner, **paper) == 0.5
    assert floor(banner, 0.9 * hour_s, **paper) == 1.2  # the epoch began on a Thursday at midnight
    assert floor(banner, hour_s, **paper) == 0.5
    assert floor(banner, (7 * 24 + 0.5) * hour_s, app={"publisher": {"id": "paper"}}) == 1.2
    assert floor({**banner, "tagid": "top"}) == 0.9
    assert floor({**banner, "ext": {"prebid": {"adunitcode": "unit"}}}) == 0.9
    assert floor({**banner, "tagid": "top", "bidfloor": 0.6, "bidfloorcur": "EUR"}) == 0.9


def test_floor_rules_and_blocked_lists_of_a_publisher_reach_bidders_and_checks() -> None:
    async def story(page: Page) -> None:
        page.bidder.bids(1.4)
        dropped = await page.dropped()
        assert (dropped["loss"], page.bidder.asked[-1]["imp"][0]["bidfloor"]) == (LossReason.BELOW_FLOOR, 1.5)
        page.bidder.bids(1.6)
        dropped = await page.dropped()
        assert dropped["loss"] == LossReason.ADVERTISER_EXCLUDED
        assert page.bidder.asked[-1]["badv"] == ["else.example", "shop.example"]
        assert page.bidder.asked[-1]["bcat"] == ["IAB7"]
        other = {"site": {"publisher": {"id": "journal"}}}
        (seat,) = (await page.sell(**other))["seatbid"]
        assert seat["bid"][0]["price"] == 1.6
        assert "bcat" not in page.bidder.asked[-1]

    at_market(
        story,
        floor_rules=(FloorRule(1_500_000, publishers=frozenset({"paper"})),),
        sellers={"paper": Seller(("shop.example",), ("IAB7",))},
        blocked_advertisers=("else.example",),
    )
