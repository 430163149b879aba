"""The promise: `events` with modelled latency equals the HTTP bidder fed the same calls, integer for integer.

The simulated run's calls on its desk are noted with their times. Then a second desk behind a real socket hears them as
HTTP: requests as bodies, notices by the very URLs its bids carried, while its clock is set to each call's time.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import numpy as np
import pytest
from yarl import URL

from bidder.core.book import MEMORY_USED, Book
from bidder.desk import Desk
from bidder.server.app import Service
from experiments.drivers.events import EventsRun
from experiments.setting import Setting, fresh_truth
from openrtb.decode import decode_response, encode_request
from openrtb.messages import BidRequest, BidResponse
from openrtb.notices import Billing, Click, Conversion, Loss
from tests.experiments.served import bidder_served, desk_of, setting_of

CASES = Path(__file__).parents[1] / "cases"
WIRE = (
    "wire.tmax_ms=60",
    "wire.request_delay={kind: lognormal, median_ms: 15, sigma: 0.7}",
    "wire.response_delay={kind: lognormal, median_ms: 15, sigma: 0.7}",
    "wire.notice_delay={kind: lognormal, median_ms: 20000, sigma: 1.5}",
    "wire.lost_notices=0.1",
    "wire.duplicated_notices=0.1",
    "wire.reservation_s=60",
)
"""Some answers come too late, some notices after their reservation, some never and some twice."""


class Call(NamedTuple):
    """One call on the desk and what it gave."""

    time_s: float
    asked: Any
    gave: Any


def noted(run: EventsRun) -> list[Call]:
    """Every call the run will make on its desk, as it makes them."""
    calls: list[Call] = []
    desk = run.desk
    bid, notice, tick = desk.bid, desk.notice, desk.tick

    async def noting_bid(request: BidRequest) -> BidResponse:
        calls.append(Call(run.env.now, request, response := await bid(request)))
        return response

    async def noting_notice(told: Any) -> Any:
        calls.append(Call(run.env.now, told, heard := await notice(told)))
        return heard

    def noting_tick() -> None:
        calls.append(Call(run.env.now, None, tick()))

    desk.bid, desk.notice, desk.tick = noting_bid, noting_notice, noting_tick  # type: ignore[method-assign]
    return calls


class Lockstep:
    """Somebody who calls the service over HTTP, at the times the simulation did."""

    def __init__(self, service: Service, http: aiohttp.ClientSession) -> None:
        self.service, self.http = service, http
        self.links: dict[str, Any] = {}
        self.statuses: Counter[tuple[str, int]] = Counter()

    async def repeat(self, call: Call) -> None:
        """Make one call; a bid must be answered as in the simulation."""
        if call.asked is None:
            self.service.accounts.tick()
        elif isinstance(call.asked, BidRequest):
            assert decision(await self.bid(call.asked)) == decision(call.gave)
        else:
            await self.tell(call.asked)

    async def bid(self, request: BidRequest) -> BidResponse:
        """The answer to a request; the URLs of its bids are kept."""
        url = f"{self.service.public_url}/openrtb2/bid?nbr=1"
        headers = {"Content-Type": "application/json"}
        async with self.http.post(url, data=encode_request(request), headers=headers) as answer:
            assert answer.status == 200
            response = decode_response(await answer.read())
        for seat in response.seatbid:
            for bid in seat.bid:
                assert bid.adm
                self.links[bid.id] = bid
        return response

    async def tell(self, notice: Any) -> None:
        """Call the URL that says what *notice* says."""
        if isinstance(notice, Conversion):
            query = self.service._signer.conversion_query(notice, 3600.0)
            url = f"{self.service.public_url}/openrtb2/notice/conversion?{query}"
        else:
            url = self.url(notice)
        async with self.http.get(URL(url, encoded=True)) as answer:
            self.statuses[type(notice).__name__, answer.status] += 1

    def url(self, notice: Any) -> str:
        """The URL of a bid's notice, its macro filled in."""
        bid = self.links[notice.bid_id]
        if isinstance(notice, Click):
            return str(bid.ext.bidlab_click)
        assert isinstance(notice, Billing | Loss)
        told = "" if notice.min_to_win_cpm is None else repr(notice.min_to_win_cpm)
        if isinstance(notice, Billing):
            url = str(bid.burl).replace("${AUCTION_PRICE}", repr(notice.price_cpm))
        else:
            url = str(bid.lurl).replace("${AUCTION_LOSS}", str(int(notice.reason)))
        return url.replace("${AUCTION_MIN_TO_WIN}", told)


def decision(response: BidResponse) -> Any:
    """What an answer decides, without the addresses it carries."""
    bids = [bid for seat in response.seatbid for bid in seat.bid]
    return (
        response.id,
        response.nbr,
        [(b.id, b.impid, b.price, b.cid, b.crid, b.dealid, b.mtype, b.w, b.h) for b in bids],
    )


def assert_same_books(a: Book, b: Book) -> None:
    """Every array, field by field."""
    used = int(a.index[MEMORY_USED])
    for name in a._fields:
        mine, other = getattr(a, name), getattr(b, name)
        if name == "memory":
            mine, other = mine[:used], other[:used]
        for field in mine.dtype.names or ("",):
            np.testing.assert_array_equal(
                *((mine[field], other[field]) if field else (mine, other)), err_msg=f"{name}.{field}"
            )


async def over_http(setting: Setting, calls: list[Call]) -> tuple[Desk, Counter[tuple[str, int]]]:
    """A fresh desk behind a socket after the same calls, and what its notices were answered."""
    now = [0.0]
    desk = desk_of(setting, lambda: now[0])
    async with bidder_served(setting, desk) as service, aiohttp.ClientSession() as http:
        caller = Lockstep(service, http)
        for call in calls:
            now[0] = call.time_s
            await caller.repeat(call)
    desk.expire(math.inf)
    return desk, caller.statuses


TOLD = (
    "campaigns.tyres-wide.bid={kind: shaded, curve: {kind: lognormal, median: 1.5, sigma: 0.5, learned: true}}",
    "auction.min_to_win=everybody",
)
"""A campaign learns the price to beat, which notices tell."""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("case", "changes"),
    [
        ("parity-first-price", ()),
        ("parity-first-price", TOLD),
        ("parity-second-price", ()),
        ("parity-learned", ()),
        ("parity-paced", ()),
    ],
    ids=["first-price", "told", "second-price", "learned", "paced"],
)
def test_events_with_latency_equals_the_http_bidder(case: str, changes: tuple[str, ...]) -> None:
    setting = setting_of(CASES / f"{case}.yaml", *WIRE, *changes, "traffic.hours=flat", days=0.12)
    run = EventsRun(fresh_truth(setting))
    calls = noted(run)
    run.env.run()
    _, book = run.end()
    desk, statuses = asyncio.run(over_http(setting, calls))
    counts = run.desk.counts
    assert min(counts.wins, counts.losses, counts.expired, counts.late, counts.repeated) > 3
    assert desk.counts == counts
    assert statuses["Billing", 204] >= counts.wins
    assert_same_books(desk.book, book)
    np.testing.assert_array_equal(desk.reasons, run.desk.reasons)
