"""Real requests over real HTTP, put where our campaigns buy: what is offered is what was asked for."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from bidder.core.codes import REASONS
from bidder.policy import FIRST_CODE, Ruled
from openrtb.codes import VENDOR_CODES, MarkupType, NoBidReason
from openrtb.decode import decode_response
from openrtb.messages import Bid
from tests.bidder.server.test_app import Client, served
from tests.bidder.test_desk import desk, plan
from tests.openrtb.test_decode import rows_of

CODES = {*NoBidReason, *range(VENDOR_CODES, VENDOR_CODES + len(REASONS)), *(reason.nbr for reason in Ruled)}


def moved(body: str) -> dict[str, Any]:
    """The request from a seller, slot and town that the bidder knows, without a floor it cannot reach or a time limit
    this machine may not keep."""
    request: dict[str, Any] = json.loads(body)
    request.pop("tmax", None)
    seller = request.get("app") or request.setdefault("site", {})
    seller.setdefault("publisher", {})["id"] = "paper"
    request.pop("dooh", None)
    request.setdefault("device", {}).setdefault("geo", {})["city"] = "town"
    for imp in request["imp"]:
        imp["tagid"] = "paper/top"
        imp["bidfloor"] = min(imp.get("bidfloor", 0.0), 1.0)
    return request


def offered(imp: dict[str, Any], bid: Bid) -> None:
    """The bid is one of the things the impression asks for."""
    assert bid.adm
    assert imp.get("bidfloor", 0.0) <= bid.price
    if bid.mtype == MarkupType.BANNER:
        banner = imp["banner"]
        sizes = {(size.get("w"), size.get("h")) for size in banner.get("format") or []}
        sizes |= {(banner["w"], banner["h"])} if banner.get("w") and banner.get("h") else set()
        assert not sizes or (bid.w, bid.h) in sizes
    elif bid.mtype == MarkupType.NATIVE:
        asked = json.loads(imp["native"]["request"])
        asked = asked.get("native", asked)
        ad = json.loads(bid.adm)
        answered = {asset["id"] for asset in ad.get("native", ad)["assets"]}
        assert {asset["id"] for asset in asked["assets"] if asset.get("required") == 1} <= answered
        assert answered <= {asset.get("id", k) for k, asset in enumerate(asked["assets"])}
    else:
        media = imp["video" if bid.mtype == MarkupType.VIDEO else "audio"]
        assert bid.dur is not None
        assert media.get("minduration", 0) <= bid.dur <= (media.get("maxduration") or bid.dur)
        assert not media.get("protocols") or bid.protocol in media["protocols"]
        root = ElementTree.fromstring(bid.adm)
        file = root.find(".//MediaFile")
        assert file is not None
        assert file.get("type") in media["mimes"]


def test_what_is_offered_is_what_real_requests_ask_for(shared_data: Path) -> None:
    kinds: Counter[int] = Counter()

    async def story(client: Client) -> None:
        for row in rows_of(shared_data, "requests.jsonl"):
            request = moved(row["body"])
            status, body = await client.post(request, "?nbr=1")
            assert status == 200, row["name"]
            response = decode_response(body)
            assert response.id == request["id"]
            imps = {imp["id"]: imp for imp in request["imp"]}
            bids = [bid for seat in response.seatbid for bid in seat.bid]
            assert len({bid.impid for bid in bids}) == len(bids)
            assert (response.nbr in CODES) == (not bids)
            for bid in bids:
                assert (bid.burl is None) == (request.get("test") == 1)
                offered(imps[bid.impid], bid)
                assert bid.mtype is not None
                kinds[bid.mtype] += 1

    served(story, desk(plan(total_nanos=10**15)))
    assert min(kinds[kind] for kind in MarkupType) > 0, kinds
    assert sum(kinds.values()) > 100


def test_requests_as_they_are_say_why_there_is_no_bid(shared_data: Path) -> None:
    async def story(client: Client) -> None:
        client.service._allowance_s = -1e9  # their time limits aside: this machine may not keep them
        for row in rows_of(shared_data, "requests.jsonl"):
            status, body = await client.post(row["body"].encode(), "?nbr=1")
            assert status == 200
            assert json.loads(body)["nbr"] in CODES
        assert sum(client.desk.no_bids.values()) == 159
        assert max(client.desk.no_bids) >= FIRST_CODE

    served(story)
