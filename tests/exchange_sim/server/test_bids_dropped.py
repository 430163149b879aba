"""Bad bids: each is dropped with its loss code and a sentence, and never takes the auction with it."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from openrtb.codes import LossReason
from tests.exchange_sim.server.market import IMP, REQUEST, Page, at_market
from tests.openrtb.test_decode import rows_of

VAST = '<VAST version="3.0"><Ad id="1"></Ad></VAST>'
NATIVE = {"assets": [{"id": 1, "title": {"text": "Pans"}}], "link": {"url": "http://shop.example/"}}
VIDEO_IMP = {"id": "1", "video": {"mimes": ["video/mp4"]}}
TIMED_IMP = {"id": "1", "video": {"mimes": ["video/mp4"], "maxduration": 30, "protocols": [2, 3]}}
BOTH_IMP = {"id": "1", "banner": {"w": 300, "h": 250}, "video": {"mimes": ["video/mp4"], "battr": [3]}}
NATIVE_IMP = {"id": "1", "native": {"request": '{"assets": [{"id": 1, "title": {"len": 90}}]}'}}
DEAL = {"id": "d", "bidfloor": 1.5, "wseat": ["one"], "wadomain": ["shop.example"]}
PRIVATE = {**IMP, "pmp": {"private_auction": 1, "deals": [DEAL]}}


def with_image(url: str) -> str:
    """A native response with an image."""
    return json.dumps({**NATIVE, "assets": [{"id": 1, "img": {"url": url}}]})


@pytest.mark.parametrize(
    ("changes", "request_changes", "loss"),
    [
        ({"price": "2.0"}, {}, LossReason.INVALID_RESPONSE),
        ({"price": None}, {}, LossReason.MISSING_PRICE),
        ({"price": 0}, {}, LossReason.MISSING_PRICE),
        ({"price": -1}, {}, LossReason.INVALID_RESPONSE),
        ({"price": 1e12}, {}, LossReason.INVALID_RESPONSE),
        ({"price": 0.849999}, {}, LossReason.BELOW_FLOOR),
        ({"id": ""}, {}, LossReason.INVALID_RESPONSE),
        ({"impid": "2"}, {}, LossReason.INVALID_RESPONSE),
        ({"crid": None}, {}, LossReason.MISSING_CREATIVE_ID),
        ({"adm": None, "nurl": None}, {}, LossReason.MISSING_MARKUP),
        ({"adm": 7}, {}, LossReason.INVALID_RESPONSE),
        ({"w": 728, "h": 90}, {}, LossReason.SIZE_NOT_ALLOWED),
        ({"w": None}, {"imp": [{"id": "1", "banner": {"format": [{"w": 1, "h": 2}, {"w": 3, "h": 4}]}}]}, 203),
        ({"mtype": 2}, {}, LossReason.WRONG_FORMAT),
        ({"mtype": 9}, {}, LossReason.WRONG_FORMAT),
        ({}, {"imp": [VIDEO_IMP]}, LossReason.WRONG_FORMAT),
        ({"adm": VAST[1:]}, {"imp": [VIDEO_IMP]}, LossReason.WRONG_FORMAT),
        ({"adm": '{"assets": 1}'}, {"imp": [NATIVE_IMP]}, LossReason.WRONG_FORMAT),
        ({}, {"badv": ["Shop.Example"]}, LossReason.ADVERTISER_EXCLUDED),
        ({"adomain": ["https://www.de.shop.example/x"]}, {"badv": ["shop.example"]}, LossReason.ADVERTISER_EXCLUDED),
        ({"bundle": "com.rival"}, {"bapp": ["com.rival"]}, LossReason.APP_EXCLUDED),
        ({"cat": ["IAB26-3"]}, {"bcat": ["IAB26"]}, LossReason.CATEGORY_EXCLUDED),
        ({"cat": ["IAB1"]}, {"acat": ["IAB2"]}, LossReason.CATEGORY_EXCLUDED),
        ({"attr": [1, 3]}, {"imp": [{**IMP, "banner": {"w": 300, "h": 250, "battr": [3]}}]}, 210),
        ({"adm": VAST, "dur": 31}, {"imp": [TIMED_IMP]}, LossReason.CREATIVE_FILTERED),
        ({"adm": VAST, "protocol": 7}, {"imp": [TIMED_IMP]}, LossReason.WRONG_FORMAT),
        ({"adm": VAST, "attr": [3], "mtype": 2}, {"imp": [BOTH_IMP]}, LossReason.ATTRIBUTE_EXCLUDED),
        ({"cat": ["150"]}, {"bcat": ["150"], "cattax": 7}, LossReason.CATEGORY_EXCLUDED),
        ({"cat": ["150"], "cattax": 2}, {"acat": ["150"], "cattax": 7}, LossReason.CATEGORY_EXCLUDED),
        ({"adm": "<img src=http://a.example/x>"}, {"imp": [{**IMP, "secure": 1}]}, LossReason.NOT_SECURE),
        ({"adm": with_image("http://a.example/x")}, {"imp": [{**NATIVE_IMP, "secure": 1}]}, LossReason.NOT_SECURE),
        ({}, {"wseat": ["two"]}, LossReason.SEAT_BLOCKED),
        ({}, {"bseat": ["one"]}, LossReason.SEAT_BLOCKED),
        ({}, {"imp": [PRIVATE]}, LossReason.INVALID_DEAL),
        ({"dealid": "x"}, {}, LossReason.INVALID_DEAL),
        ({"dealid": "d", "price": 1.4}, {"imp": [PRIVATE]}, LossReason.BELOW_DEAL_FLOOR),
        ({"dealid": "d", "adomain": ["b.example"]}, {"imp": [PRIVATE]}, LossReason.NOT_ALLOWED_IN_DEAL),
        ({}, {"imp": [{**IMP, "bidfloorcur": "EUR"}]}, LossReason.INTERNAL_ERROR),
    ],
)
def test_a_bad_bid_is_dropped_told_and_alone(changes: dict[str, Any], request_changes: Any, loss: int) -> None:
    async def story(page: Page) -> None:
        page.bidder.bids(2.0, **changes)
        dropped = await page.dropped(**request_changes)
        assert dropped["loss"] == loss
        assert dropped["rule"].split(":")[0].split(".")[0] in ("bid", "seat") or "floor" in dropped["rule"]
        assert page.bidder.told == [("loss", {"l": str(int(loss)), "m": "", "b": "0"})]
        assert page.service.auctioneer.dropped == {("one", int(loss)): 1}

    at_market(story)


@pytest.mark.parametrize(
    ("changes", "request_changes"),
    [
        ({}, {"imp": [{**IMP, "secure": 1}]}),
        ({"adm": "<img src=http://127.0.0.1:99/x>"}, {"imp": [{**IMP, "secure": 1}]}),
        ({"adm": VAST}, {"imp": [VIDEO_IMP]}),
        ({"adm": "https://ads.example/vast"}, {"imp": [VIDEO_IMP]}),
        ({"adm": json.dumps(NATIVE)}, {"imp": [{**NATIVE_IMP, "secure": 1}]}),
        ({"adm": json.dumps({"native": NATIVE})}, {"imp": [NATIVE_IMP]}),
        ({"adm": VAST}, {"imp": [{**IMP, **VIDEO_IMP}]}),
        ({"w": 320, "h": 50}, {"imp": [{"id": "1", "banner": {}}]}),
        ({"w": 320, "h": 50}, {"imp": [{"id": "1", "banner": {"w": 320, "h": 480}, "instl": 1}]}),
        ({"w": 160, "h": 90}, {"imp": [{"id": "1", "banner": {"format": [{"wratio": 16, "hratio": 9, "wmin": 100}]}}]}),
        ({"w": None, "h": None}, {}),
        ({"dealid": "d"}, {"imp": [PRIVATE]}),
        ({"cat": ["IAB2-1"]}, {"bcat": ["IAB26"], "acat": ["IAB2"]}),
        ({"cat": ["150"], "cattax": 2}, {"bcat": ["150"], "cattax": 7}),
        ({"cat": ["150"], "cattax": 7}, {"bcat": ["151"], "acat": ["150"], "cattax": 7}),
        ({"attr": [3], "mtype": 1}, {"imp": [BOTH_IMP]}),
        ({"adm": VAST, "dur": 30, "protocol": 3}, {"imp": [TIMED_IMP]}),
        ({"adomain": ["workshop.example"]}, {"badv": ["shop.example"]}),
    ],
)
def test_a_good_bid_is_not(changes: dict[str, Any], request_changes: Any) -> None:
    async def story(page: Page) -> None:
        page.bidder.bids(2.0, **changes)
        response = await page.sell(**request_changes)
        assert "bidlab_dropped" not in response["ext"]
        (bid,) = response["seatbid"][0]["bid"]
        assert bid["price"] == 2.0
        assert page.bidder.kinds() == ["bill", "win"]

    at_market(story)


def test_one_bad_bid_among_good_ones() -> None:
    async def story(page: Page) -> None:
        def answer(request: dict[str, Any]) -> dict[str, Any]:
            made = page.bidder.bid
            bids = [made("0", "1", 5.0, price="x"), made("1", "1", 3.0), made("1", "1", 4.0), made("2", "1", 2.0)]
            return {"id": "r", "seatbid": [{"bid": [*bids, 7]}]}

        page.bidder.answer = answer
        response = await page.sell()
        assert response["seatbid"][0]["bid"][0]["price"] == 3.0
        assert Counter(dropped["loss"] for dropped in response["ext"]["bidlab_dropped"]) == {3: 2, 9: 1}
        assert sorted(told["l"] for kind, told in page.bidder.told if kind == "loss") == ["102", "3", "3"]

    at_market(story)


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ((200, b"{"), "body: "),
        ((200, b"[]"), "body: "),
        ({"id": "other", "seatbid": []}, "id: "),
        ({"id": "r", "cur": "EUR", "seatbid": [{"bid": [{"id": "1", "impid": "1", "price": 1}]}]}, "cur: "),
        ({"id": "r", "seatbid": [{"bid": 1}]}, "seatbid[0].bid: "),
        ((500, b"oops"), "HTTP status 500"),
        ((302, b""), "HTTP status 302"),
        ((200, b"x" * (5 << 20)), "an answer above"),
    ],
)
def test_a_useless_answer_costs_itself(answer: Any, problem: str) -> None:
    async def story(page: Page) -> None:
        page.bidder.answer = lambda request: answer
        page.bidders[1].bids(1.0)
        response = await page.sell()
        assert [seat["seat"] for seat in response["seatbid"]] == ["two"]
        assert response["ext"]["errors"]["one"][0]["message"].startswith(problem)

    at_market(story, ("one", "two"))


@pytest.mark.parametrize("answer", [None, (200, b""), {"id": "r"}, {"id": "r", "nbr": 2}, {"id": "r", "seatbid": None}])
def test_no_bid_is_no_error(answer: Any) -> None:
    async def story(page: Page) -> None:
        page.bidder.answer = lambda request: answer
        response = await page.sell()
        assert response["seatbid"] == []
        assert set(response["ext"]) == {"responsetimemillis"}

    at_market(story)


def request_for(body: Any) -> dict[str, Any]:
    """A request the response *body* could answer: every kind of room for every impression it names."""
    names = []
    if isinstance(body, dict):
        for seat in body.get("seatbid") or []:
            names += [bid.get("impid") for bid in (seat or {}).get("bid") or [] if isinstance(bid, dict)]
    rooms = {
        "banner": {},
        "video": VIDEO_IMP["video"],
        "native": NATIVE_IMP["native"],
        "audio": {"mimes": ["audio/mp4"]},
    }
    ids = dict.fromkeys(name for name in names if isinstance(name, str) and name) or {"1": None}
    request_id = body.get("id") if isinstance(body, dict) else None
    return {**REQUEST, "id": request_id or "r", "imp": [{"id": name, **rooms} for name in ids]}


@pytest.mark.parametrize(
    ("file", "counted"),
    [
        ("responses.jsonl", {"sold": 33, "dropped": 23, "error": 4}),
        ("invalid-responses.jsonl", {"sold": 13, "dropped": 14, "error": 39, "no bid": 9}),
    ],
)
def test_real_responses_are_sold_or_dropped_with_a_reason(
    shared_data: Path, file: str, counted: dict[str, int]
) -> None:
    """No bid and no answer vanishes: each is sold, lost to another, or named with a code and a rule."""

    async def story(page: Page) -> None:
        outcomes: Counter[str] = Counter()
        for row in rows_of(shared_data, file):
            body, status = json.loads(row["body"]) if row["body"].strip() else "", int(row.get("status") or 200)
            if isinstance(body, dict) and "http_status" in body:  # kept as the recorded exchange of messages
                status, body = body["http_status"], body["body"]
            request = request_for(body)
            sent = b"" if body is None else json.dumps(body).encode()
            page.bidder.answer = lambda _, sent=sent, status=status: (status, sent)
            answer = await page.post(request)
            assert answer.status == 200, row["name"]
            response = await answer.json()
            sold = sum(len(seat["bid"]) for seat in response["seatbid"])
            dropped = response["ext"].get("bidlab_dropped", [])
            errors = response["ext"].get("errors", {})
            assert all(each["rule"] and each["loss"] for each in dropped)
            bids = 0
            if isinstance(body, dict):
                bids = sum(len(seat.get("bid") or []) for seat in body.get("seatbid") or [] if isinstance(seat, dict))
            assert bids == 0 or sold or dropped or errors, row["name"]
            outcomes["sold" if sold else "dropped" if dropped else "error" if errors else "no bid"] += 1
        assert outcomes == counted

    at_market(story)
