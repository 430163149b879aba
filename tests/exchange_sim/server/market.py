"""An exchange and bidders of the test's own, all behind real sockets of this machine."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import io
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import aiohttp
from aiohttp import web

from exchange_sim.server.app import ExchangeService
from exchange_sim.server.rules import BidderAddress, Rules
from exchange_sim.server.serve import runner_of
from tests.patience import HANG_S

ADM = '<a href="http://shop.example/"><img src="https://shop.example/ad.png"></a>'
IMP: dict[str, Any] = {"id": "1", "banner": {"format": [{"w": 300, "h": 250}]}, "bidfloor": 0.85}
REQUEST: dict[str, Any] = {"id": "r", "imp": [IMP], "site": {"publisher": {"id": "paper"}}}


class TestBidder:
    """A bidder that answers what it is told to, and notes what it is asked and told."""

    __test__ = False

    def __init__(self, name: str) -> None:
        self.name = name
        self.url = ""
        self.asked: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.told: list[tuple[str, dict[str, str]]] = []
        self.answer: Callable[[dict[str, Any]], Any] = lambda request: None
        """The response as data, bytes (sent as they are), (status, bytes), or None for 204."""
        self.markup = ""
        self.delay_s = 0.0
        self.gate: asyncio.Event | None = None
        """Answers wait until it is set."""

    def bids(self, *prices: float, **changes: Any) -> None:
        """Answer every request with bids for its first impression."""

        def answer(request: dict[str, Any]) -> dict[str, Any]:
            bids = [self.bid(str(k), request["imp"][0]["id"], price, **changes) for k, price in enumerate(prices)]
            return {"id": request["id"], "cur": "USD", "seatbid": [{"seat": self.name, "bid": bids}]}

        self.answer = answer

    def bid(self, bid_id: str, imp_id: str, price: float, /, **changes: Any) -> dict[str, Any]:
        """A bid nobody objects to; a change to None leaves the field out."""
        made = {
            **{"id": bid_id, "impid": imp_id, "price": price, "crid": "c", "adm": ADM, "adomain": ["shop.example"]},
            **{"w": 300, "h": 250, "nurl": self.notice("win"), "burl": self.notice("bill")},
            "lurl": f"{self.url}/told/loss?l=${{AUCTION_LOSS}}&m=${{AUCTION_MIN_TO_WIN}}&b={bid_id}",
            **changes,
        }
        return {key: value for key, value in made.items() if value is not None}

    def notice(self, kind: str) -> str:
        """A notice URL of ours."""
        return f"{self.url}/told/{kind}?p=${{AUCTION_PRICE}}&m=${{AUCTION_MIN_TO_WIN}}&e=${{AUCTION_PRICE:B64}}"

    def kinds(self) -> list[str]:
        """Kinds of notices heard so far, sorted."""
        return sorted(kind for kind, _ in self.told)

    def app(self) -> web.Application:
        """The handlers."""
        app = web.Application()
        app.router.add_post("/bid", self._bid)
        app.router.add_get("/told/{kind}", self._told)
        return app

    async def _bid(self, http: web.Request) -> web.Response:
        request = json.loads(await http.read())
        self.asked.append(request)
        self.headers.append(dict(http.headers))
        answer = self.answer(request)
        await asyncio.sleep(self.delay_s)
        if self.gate is not None:
            await self.gate.wait()
        if answer is None:
            return web.Response(status=204)
        status, body = answer if isinstance(answer, tuple) else (200, answer)
        return web.Response(status=status, body=body if isinstance(body, bytes) else json.dumps(body).encode())

    async def _told(self, http: web.Request) -> web.Response:
        self.told.append((http.match_info["kind"], dict(http.query)))
        return web.Response(text=self.markup)


class Page:
    """Somebody who sells."""

    def __init__(self, service: ExchangeService, http: aiohttp.ClientSession, bidders: list[TestBidder]) -> None:
        self.service, self.http, self.bidders = service, http, bidders
        self.bidder = bidders[0]

    async def post(self, body: Any, query: str = "", **headers: str) -> aiohttp.ClientResponse:
        """Ask for ads as Prebid.js does: JSON that says it is text."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"Content-Type": "text/plain", **{name.replace("_", "-"): value for name, value in headers.items()}}
        url = f"{self.service.public_url}/openrtb2/auction{query}"
        answer = await self.http.post(url, data=io.BytesIO(data), headers=sent)
        await answer.read()
        return answer

    async def sell(self, request: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
        """The response to a request, once every notice is out."""
        answer = await self.post({**(request or REQUEST), **changes})
        assert answer.status == 200, await answer.text()
        await self.service.notifier.finish()
        response = await answer.json()
        assert isinstance(response, dict)
        return response

    async def dropped(self, request: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
        """The one bid that was dropped, and nothing was sold."""
        response = await self.sell(request, **changes)
        assert response["seatbid"] == []
        (dropped,) = response["ext"]["bidlab_dropped"]
        return dict(dropped)


@contextlib.asynccontextmanager
async def market(names: tuple[str, ...], **rules: Any) -> AsyncIterator[Page]:
    """The exchange and its bidders on free ports."""
    async with contextlib.AsyncExitStack() as stack:
        bidders = [TestBidder(name) for name in names]
        for bidder in bidders:
            bidder.url = await _listen(stack, web.AppRunner(bidder.app()))
        addresses = tuple(BidderAddress(bidder.name, f"{bidder.url}/bid") for bidder in bidders)
        made = Rules(**{"currency": "USD", "bidders": addresses, "increment_nanos": 10_000, "tmax_s": HANG_S, **rules})
        service = ExchangeService(made)
        service.public_url = await _listen(stack, runner_of(service))
        service.notifier.wait_s = HANG_S
        yield Page(service, await stack.enter_async_context(aiohttp.ClientSession()), bidders)


async def _listen(stack: contextlib.AsyncExitStack, runner: web.AppRunner) -> str:
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return f"http://127.0.0.1:{runner.addresses[0][1]}"


def at_market(
    story: Callable[[Page], Coroutine[Any, Any, None]], names: tuple[str, ...] = ("one",), **rules: Any
) -> None:
    """Let *story* happen."""

    async def main() -> None:
        async with market(names, **rules) as page, asyncio.timeout(2.0 * HANG_S):
            await story(page)

    asyncio.run(main())


def packed(body: Any) -> bytes:
    """A body as gzip."""
    return gzip.compress(json.dumps(body).encode())
