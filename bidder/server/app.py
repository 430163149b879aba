"""Requests and notices over HTTP, in front of a desk. Times in s, `tmax` in ms, prices in CPM on the wire.

| path | answer |
|---|---|
| POST /openrtb2/bid | 200 with bids, 204 without; 400, 408, 413, 415 with no body |
| GET /openrtb2/notice/{win,billing,loss,click} | 204 heard, 400, 403, 409 refused, 410 too old, 503 not kept |
| GET /openrtb2/notice/conversion | the same |
| GET /openrtb2/event/BID/{impression,start,...,complete} | 204, counted; 404 for other names |
| GET /healthz | 200 while the process runs |
| GET /readyz | 200 while it takes requests, 503 while it drains |

With `?nbr=1` an answer without bids is a 200 that says why: `nbr`, and what is wrong with impressions passed over.
"""

from __future__ import annotations

import gzip
import math
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from aiohttp import web

from bidder.answer import full_bid
from bidder.desk import REMEMBER_S, Desk, Heard
from bidder.errors import BodyRefused, NoticeError, NoticeUnreadable
from bidder.markup.links import SILENT, Links
from bidder.markup.vast import EVENTS
from bidder.server.accounts import Accounts, Memory
from bidder.server.body import LARGEST_BODY, read_body
from bidder.server.lane import WORTH_PACKING
from bidder.server.press import Press
from bidder.server.samples import Histogram
from bidder.server.shedding import Pulse
from bidder.server.signing import Kind, Signed, Signer, Ticket, query_of
from openrtb.codes import LossReason, NoBidReason
from openrtb.decode import VERSION, decode_request, encode_response
from openrtb.errors import InvalidMessage, MoneyError
from openrtb.messages import BidRequest, BidResponse
from openrtb.money import price_nanos
from openrtb.places import tmax_ms

if TYPE_CHECKING:
    from bidder.server.campaigns import Campaigns
    from bidder.server.people import People

LAST_MOMENT_UNIX_S = 1e18
"""Nobody expires later, whatever an advertiser writes."""
_HEADERS = {"x-openrtb-version": VERSION}
_HEARD = {Heard.BOOKED: 204, Heard.REPEATED: 204, Heard.REFUSED: 409, Heard.UNKNOWN: 410}


@dataclass(slots=True)
class Traffic:
    """What came over HTTP, beside the desk's own counts."""

    malformed: int = 0
    """Bodies answered with 400, 408, 413 or 415."""
    late: int = 0
    """Requests answered without a bid because `tmax` was over."""
    shed: int = 0
    """Requests turned away unread because the event loop was late."""
    told_wins: int = 0
    """Win notices (`nurl`), which spend nothing."""
    bad_notices: int = 0
    """Notices that were unreadable, forged, too old, or at a price the bid did not allow."""
    events: dict[str, int] = field(default_factory=lambda: dict.fromkeys(("impression", *EVENTS), 0))
    """What browsers and players say they have shown."""


class Service:
    """The handlers. *allowance_s* is the part of `tmax` the network needs."""

    def __init__(
        self,
        desk: Desk,
        signer: Signer,
        *,
        currency: str,
        allowance_s: float = 0.01,
        public_url: str = "",
        accounts: Accounts | None = None,
    ) -> None:
        self.desk = desk
        self.accounts: Accounts = Memory(desk) if accounts is None else accounts
        self.traffic = Traffic()
        self.draining = False
        self.campaigns: Campaigns | None = None
        self.people: People | None = None
        self.pulse = Pulse(math.inf)
        self.answer_s = Histogram()
        self.more_routes: Callable[[web.Application], None] = lambda app: None
        self.public_url = public_url
        self._signer = signer
        self._press = Press(self._signed, self._links)
        self._currency = currency
        self._allowance_s = allowance_s

    def app(self) -> web.Application:
        """The routes as an application."""
        app = web.Application(client_max_size=LARGEST_BODY)
        app.router.add_post("/openrtb2/bid", self.bid)
        # A HEAD must not bill: links are followed with it to see whether they work.
        app.router.add_get("/openrtb2/notice/{kind:win|billing|loss|click}", self.notice, allow_head=False)
        app.router.add_post("/openrtb2/notice/{kind:click}", self.notice)  # what a browser's ping is
        app.router.add_get("/openrtb2/event/{bid_id}/{name}", self.event, allow_head=False)
        app.router.add_get("/openrtb2/notice/conversion", self.conversion, allow_head=False)
        app.router.add_get("/healthz", self.healthz)
        app.router.add_get("/readyz", self.readyz)
        self.more_routes(app)
        return app

    async def healthz(self, http: web.Request) -> web.Response:
        """Whether the process runs."""
        return web.Response(text="ok\n")

    async def readyz(self, http: web.Request) -> web.Response:
        """Whether it takes requests."""
        return web.Response(text="draining\n", status=503) if self.draining else web.Response(text="ready\n")

    async def bid(self, http: web.Request) -> web.Response:
        """Answer a bid request."""
        came_s = time.monotonic()
        if self.pulse.sheds(came_s):
            self.traffic.shed += 1
            return web.Response(status=204, headers=_HEADERS)
        try:
            body = await read_body(http)
        except BodyRefused as refused:
            self.traffic.malformed += 1
            return web.Response(status=refused.status, headers=_HEADERS)
        status, answer = self.reply(body, came_s, bool(http.query_string) and http.query.get("nbr") == "1")
        return _http(http, status, answer)

    def reply(self, body: bytes, came_s: float, say_why: bool) -> tuple[int, bytes]:
        """Status and body of the answer to a request's body.

        200 with the bids, or with the reason for none when *say_why*; else 204 or 400 and nothing. *came_s* is when the
        request came, on the monotonic clock.
        """
        pulse = self.pulse
        if pulse.sheds(came_s):
            self.traffic.shed += 1
            return 204, b""
        try:
            request = decode_request(body)
        except InvalidMessage:
            self.traffic.malformed += 1
            return 400, b""
        body = self._answer(request, min(came_s, pulse.due_s), say_why)
        self.answer_s.add(time.monotonic() - came_s)
        return (200, body) if body else (204, body)

    def _answer(self, request: BidRequest, came_s: float, say_why: bool) -> bytes:
        """Ask the desk and keep to `tmax`, counted from *came_s* on the monotonic clock; empty: no bid, or too late."""
        limit_ms = tmax_ms(request)
        deadline_s = math.inf if limit_ms is None else came_s + limit_ms / 1000.0 - self._allowance_s
        nbr = self._refusal(deadline_s)
        if nbr is not None:
            return encode_response(BidResponse(request.id, cur=self._currency, nbr=nbr)) if say_why else b""
        response = self.desk.answer(request, self._press if request.test != 1 else _trial)
        if response.seatbid and time.monotonic() >= deadline_s:
            response = self._too_late(response)
        return self._press.encode(response) if response.seatbid or say_why else b""

    def _refusal(self, deadline_s: float) -> NoBidReason | None:
        """Why the desk need not be asked."""
        if self.draining:
            return NoBidReason.TECHNICAL_ERROR
        if time.monotonic() >= deadline_s:
            self.traffic.late += 1
            return NoBidReason.INSUFFICIENT_TIME
        return None

    def _too_late(self, response: BidResponse) -> BidResponse:
        """No bids, and what they held given back."""
        self.traffic.late += 1
        self._press.clear()
        for bid in response.seatbid[0].bid:
            self.desk.give_up(bid.id)
        return BidResponse(response.id, cur=response.cur, nbr=NoBidReason.INSUFFICIENT_TIME)

    def rehearsal(self) -> Press:
        """Writes bids that were never made: what they cost and how long they are."""
        return Press(lambda bid_id: self._signer.signed(Ticket(bid_id, 0, 0, 0, 0, 0, 0, 0), REMEMBER_S), self._links)

    def _signed(self, bid_id: str) -> Signed:
        """The signatures of a bid just made."""
        return self._signer.signed(self.accounts.ticket(bid_id), REMEMBER_S)

    def _links(self, bid_id: str, signed: Signed) -> Links:
        """The addresses of a bid."""
        base = f"{self.public_url}/openrtb2"
        nurl, burl, lurl, click = (f"{base}/notice/{kind.value}?{query_of(kind, signed)}" for kind in Kind)
        event = f"{base}/event/{bid_id}/"
        return Links(nurl=nurl, burl=burl, lurl=lurl, seen=f"{event}impression", event=event, click=click)

    async def notice(self, http: web.Request) -> web.Response:
        """Take in a notice; one that is forged, altered, too old or a repetition changes nothing."""
        kind = Kind(http.match_info["kind"])
        return await self._answered(lambda: self._heard(kind, http.query))

    async def conversion(self, http: web.Request) -> web.Response:
        """Take in a conversion an advertiser has signed."""

        async def heard() -> Heard:
            told = self._signer.conversion(http.query)
            return await self.accounts.hear_conversion(told, min(float(http.query["x"]), LAST_MOMENT_UNIX_S))

        return await self._answered(heard)

    async def _answered(self, hearing: Callable[[], Awaitable[Heard]]) -> web.Response:
        try:
            heard = await hearing()
        except NoticeError as refused:
            self.traffic.bad_notices += 1
            return web.Response(status=refused.status)
        except MoneyError:
            self.traffic.bad_notices += 1
            return web.Response(status=400)
        return web.Response(status=_HEARD[heard])

    async def _heard(self, kind: Kind, query: Mapping[str, str]) -> Heard:
        ticket = self._signer.ticket(kind, query)
        price_cpm = _price_cpm(query) if kind in (Kind.WIN, Kind.BILLING) else 0.0
        if kind in (Kind.WIN, Kind.BILLING) and not _believable(price_cpm, ticket):
            # The desk would dispute the win for good; but the price is the one part anybody can alter.
            self.traffic.bad_notices += 1
            return Heard.REFUSED
        heard = await self.accounts.hear(kind, ticket, price_cpm, _loss_reason(query), _min_to_win_cpm(query))
        self.traffic.told_wins += kind is Kind.WIN and heard is Heard.BOOKED
        return heard

    async def event(self, http: web.Request) -> web.Response:
        """Count what a player or a browser says it has shown: neither signed nor believed, so nothing is spent."""
        name = http.match_info["name"]
        if name not in self.traffic.events:
            return web.Response(status=404)
        self.traffic.events[name] += 1
        return web.Response(status=204, headers={"Access-Control-Allow-Origin": "*"})


def _believable(price_cpm: float, ticket: Ticket) -> bool:
    """Nobody pays more than the bid, and nothing is sold below what the auction allows (`bidder.charges`)."""
    return ticket.least_nanos <= price_nanos(price_cpm) <= ticket.most_nanos


_trial = partial(full_bid, links=SILENT)
"""A trial calls nobody."""


def _http(http: web.Request, status: int, body: bytes) -> web.Response:
    """The answer as HTTP, packed where that is worth it and wanted."""
    if not body:
        return web.Response(status=status, headers=_HEADERS)
    headers = {**_HEADERS, "Content-Type": "application/json"}
    if len(body) >= WORTH_PACKING and "gzip" in http.headers.get("Accept-Encoding", "").lower():
        body = gzip.compress(body, 1)
        headers["Content-Encoding"] = "gzip"
    return web.Response(status=status, body=body, headers=headers)


def _price_cpm(query: Mapping[str, str]) -> float:
    """The price the exchange filled in; raises `NoticeUnreadable`."""
    try:
        price_cpm = float(query["p"])
        price_nanos(price_cpm)
    except (KeyError, ValueError, MoneyError):
        raise NoticeUnreadable("the notice has no price") from None
    return price_cpm


def _min_to_win_cpm(query: Mapping[str, str]) -> float | None:
    """The least bid that would have won, where the exchange filled it in: a hint, so what cannot be read is none."""
    try:
        return float(query["m"])
    except (KeyError, ValueError):
        return None


def _loss_reason(query: Mapping[str, str]) -> int:
    """The reason the exchange filled in; when it left the macro as it was, the one that says least."""
    reason = query.get("l", "")
    return int(reason) if reason.isascii() and reason.isdigit() and len(reason) < 10 else LossReason.INTERNAL_ERROR
