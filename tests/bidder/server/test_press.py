"""Bids from templates: the same JSON as from the writers, whatever is put in."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest

from bidder.answer import full_bid
from bidder.markup.links import Links
from bidder.plan import CreativePlan
from bidder.server import press
from bidder.server.press import Press
from bidder.server.signing import Kind, Signed, Signer, Ticket, query_of
from exchange_sim.requests import NATIVE_REQUEST
from openrtb.decode import encode_response
from openrtb.messages import Audio, BidRequest, Deal, Native, Pmp
from tests.bidder.test_creatives import AUDIO, ad, video
from tests.bidder.test_desk import desk, now, plan, request

SIGNER = Signer(lambda: 1e9, b"key")
WORDS = {"title": '100 % "off" & <more>', "text": "it's %s", "click_url": "https://pans.example/?a=1&b=%20"}


def signed(bid_id: str) -> Signed:
    """Different for every bid."""
    return SIGNER.signed(Ticket(bid_id, 1, 2, 3, 4, 5, 6, 7), 60.0)


def links_of(bid_id: str, parts: Signed) -> Links:
    """Addresses with everything an address may hold."""
    nurl, burl, lurl, click = (f"https://b.example/{kind.value}?k=%7B&{query_of(kind, parts)}" for kind in Kind)
    return Links(nurl, burl, lurl, f"https://b.example/{bid_id}/seen?a=1&b=2", f"https://b.example/{bid_id}/", click)


def answered(creatives: tuple[CreativePlan, ...], asked: BidRequest, writer: Press | None) -> Any:
    """The answer from templates, or without a *writer* the one every bid of which is written anew."""
    made = desk(plan(creatives=creatives, total_nanos=10**12))
    write = writer or (lambda bid_id, *rest: partial(full_bid, links=links_of(bid_id, signed(bid_id)))(bid_id, *rest))
    for _ in range(2):  # the first prepares the template
        response = now(made.bid(asked, write))
        body = writer.encode(response) if writer is not None else encode_response(response)
    return json.loads(body)


@pytest.mark.parametrize(
    "imp",
    [
        {},
        {"pmp": Pmp(0, [Deal("deal-1")])},
        video(w=1280, h=720),
        video(minduration=20, maxduration=60, protocols=[2, 3]),
        AUDIO,
        {"banner": None, "native": Native(NATIVE_REQUEST)},
        {"audio": Audio(mimes=["audio/mpeg"]), "bidfloor": 0.000_012},
    ],
)
@pytest.mark.parametrize("imp_id", ["1", '"%s" \n\u00e9'])
def test_a_template_says_what_the_writers_say(imp: dict[str, Any], imp_id: str) -> None:
    creatives = tuple(ad(kind, **WORDS) for kind in ("banner", "video", "native", "audio"))
    asked = request({**imp, "id": imp_id})
    assert answered(creatives, asked, Press(signed, links_of)) == answered(creatives, asked, None)


def test_templates_are_not_kept_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(press, "REMEMBERED", 1)
    writer = Press(signed, links_of)
    for asked in (request(), request(video()), request()):
        assert answered((ad("banner"), ad("video")), asked, writer) == answered(
            (ad("banner"), ad("video")), asked, None
        )


@pytest.mark.parametrize(
    "imp", [{}, video(), {"banner": None, "native": Native(NATIVE_REQUEST)}], ids=["banner", "video", "native"]
)
def test_a_secure_page_is_given_nothing_it_would_not_load(imp: dict[str, Any]) -> None:
    """A bidder behind plain HTTP: its own pixels must not cost it the auction. Others still call them."""

    def plain(bid_id: str, parts: Signed) -> Links:
        return Links(*(link.replace("https:", "http:") for link in links_of(bid_id, parts)))

    made, printing = desk(plan(total_nanos=10**12)), Press(signed, plain)
    for secure in (1, 0, 1):
        asked = request({**imp, "secure": secure})
        bid = json.loads(printing.encode(now(made.bid(asked, printing))))["seatbid"][0]["bid"][0]
        assert ("http://b.example" in bid["adm"]) is not bool(secure)
        assert ("ext" in bid) is not bool(secure)
        assert bid["burl"].startswith("http://b.example/billing?")
