"""Bids as JSON many times over: what of a bid never changes is written once, and the rest is put in.

The writers of `bidder.answer` and `bidder.markup` write each template, with marks in place of what changes from bid to
bid: what comes out is what they would write. Prices in CPM on the wire.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from operator import itemgetter
from typing import Any, NamedTuple

import msgspec
from msgspec import Raw, Struct

from bidder.answer import TYPES, full_bid, shape_of
from bidder.markup.links import Links, for_secure_page
from bidder.plan import CreativePlan
from bidder.policy import Ask
from bidder.server.signing import LETTERS, Kind, Signed
from openrtb.decode import encode_response
from openrtb.messages import Bid, BidResponse, Imp, ResponseExt
from openrtb.money import cpm_to_nanos, nanos_to_cpm

REMEMBERED, LONGEST = 2048, 16384
"""Templates that are kept, and characters of the longest one (with what a native request says)."""
_TOKEN = secrets.token_hex(8)
"""Nobody's text holds it by chance or on purpose."""
_ID, _IMP, _QUERY = f"id{_TOKEN}", f"imp{_TOKEN}", f"query{_TOKEN}"
_SIGNATURES = [f"sig{k}{_TOKEN}" for k in range(len(Kind))]
_PRICE = 7919191.919191
# An ampersand begins the query's mark, which shows where markup writes it `&amp;`: there the query's own must be too.
_HOLES = {
    **{_ID: 0, f'"{_IMP}"': 1, f'"price":{_PRICE}': 2, f"&{_QUERY}": 3, f"&amp;{_QUERY}": 4},
    **{mark: 5 + k for k, mark in enumerate(_SIGNATURES)},
}
_MARK = re.compile("(" + "|".join(map(re.escape, _HOLES)) + ")")
_ENCODE = msgspec.json.Encoder().encode
assert all(len(mark) == LETTERS for mark in _SIGNATURES)


class Page(NamedTuple):
    """A bid's JSON with holes."""

    text: bytes
    """For `%`, which takes a third of the time it takes with str."""
    pick: Callable[[tuple[Any, ...]], Any]
    """What goes into the holes, from all there is."""
    creative: CreativePlan
    """Kept alive, as templates are known by its identity."""


class _Seat(Struct, frozen=True, omit_defaults=True):
    bid: list[Raw]
    seat: str | None = None


class _Response(Struct, frozen=True, omit_defaults=True):
    id: str
    seatbid: list[_Seat]
    cur: str = "USD"
    nbr: int | None = None
    ext: ResponseExt | None = None


class Press:
    """Writes bids (`bidder.answer.Writer`): on paper all there is to say; for who asks, what was decided.

    *sign* makes a bid's signatures, *links_of* addresses of its id and them.
    """

    def __init__(self, sign: Callable[[str], Signed], links_of: Callable[[str, Signed], Links]) -> None:
        self._sign, self._links_of = sign, links_of
        self._pages: dict[object, Page] = {}
        self._paper: list[Raw] = []

    def clear(self) -> None:
        """Throw away what has been written."""
        self._paper = []

    def encode(self, response: BidResponse) -> bytes:
        """The response as JSON, its bids as they were written since the last one; with none, as they are."""
        paper, self._paper = self._paper, []
        if not paper:
            return encode_response(response)
        seat = _Seat(paper, response.seatbid[0].seat)
        return _ENCODE(_Response(response.id, [seat], response.cur, response.nbr, response.ext))

    def __call__(
        self,
        bid_id: str,
        imp: Imp,
        ask: Ask,
        creative: CreativePlan,
        campaign_id: str,
        bid_nanos: int,
        deal_id: str | None,
    ) -> Bid:
        """The bid; its id and what the signatures cover need no escaping."""
        shape = shape_of(imp, ask, creative)
        key = (id(creative), campaign_id, ask.kind, shape, ask.text, deal_id, imp.secure == 1)
        page = self._pages.get(key) or self._page(key, imp, ask, creative, campaign_id, deal_id)
        price, impid = nanos_to_cpm(bid_nanos), imp.id
        query, signatures = self._sign(bid_id)
        values = (
            *(bid_id.encode(), _ENCODE(impid), f'"price":{price}'.encode(), query, query.replace(b"&", b"&amp;")),
            *(signatures[:20], signatures[20:40], signatures[40:60], signatures[60:]),
        )
        self._paper.append(Raw(page.text % page.pick(values)))
        mtype = TYPES[ask.kind]
        return Bid(
            *(bid_id, impid, price, campaign_id, creative.creative_id, deal_id), mtype=mtype, w=shape[0], h=shape[1]
        )

    def _page(
        self, key: object, imp: Imp, ask: Ask, creative: CreativePlan, campaign_id: str, deal_id: str | None
    ) -> Page:
        links = self._links_of(_ID, Signed(f"&{_QUERY}".encode(), "".join(_SIGNATURES).encode()))
        if imp.secure == 1:
            links = for_secure_page(links)
        marked = msgspec.structs.replace(imp, id=_IMP)
        bid = full_bid(_ID, marked, ask, creative, campaign_id, cpm_to_nanos(_PRICE), deal_id, links)
        text = _ENCODE(bid).decode()
        # The mark of each is there, so nothing of one bid can ever be part of another's.
        holes = [_HOLES[mark] for mark in _MARK.findall(text)]
        page = Page(_MARK.sub("%b", text.replace("%", "%%")).encode(), itemgetter(*holes), creative)
        if len(text) + len(ask.text) <= LONGEST:
            if len(self._pages) >= REMEMBERED:
                self._pages.clear()
            self._pages[key] = page
        return page
