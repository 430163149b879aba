"""The exchange over HTTP, as Prebid.js's server adapter and other pages call it.

| path | answer |
|---|---|
| POST /openrtb2/auction | 200 with a bid response, sold or not; 400, 408, 413, 415 with a sentence |
| OPTIONS /openrtb2/auction | 204: what a browser asks before it sends JSON |
| GET /openrtb2/shown?t=TOKEN | 204 the ad was shown, 410 too late or unknown |
| GET /healthz | 200 while the process runs |
| GET /stats | 200: counts as JSON |
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import aiohttp
import msgspec
from aiohttp import web

from exchange_sim.server.auction import Auctioneer
from exchange_sim.server.filling import Caller, fill
from exchange_sim.server.notifying import Notifier
from exchange_sim.server.renders import Renders
from exchange_sim.server.rules import Rules
from openrtb.decode import VERSION, decode_request, without_nulls
from openrtb.errors import InvalidMessage, NotPacked, TooLarge
from openrtb.packing import unpacked

LARGEST_BODY = 1 << 20
"""Bytes, packed and unpacked."""
SLOWEST_BODY_S = 10.0
_TYPES = ("text/plain", "application/json", "application/octet-stream")
_PLAIN = msgspec.json.Decoder()
_ENCODER = msgspec.json.Encoder()


class Refusal(Exception):
    """A request that is not answered with an auction: status and sentence."""

    def __init__(self, status: int, rule: str) -> None:
        super().__init__(rule)
        self.status = status


class ExchangeService:
    """The handlers, and what they count."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.auctions = 0
        self.refused = 0
        self.public_url = ""
        """How pages reach us."""
        self.auctioneer: Auctioneer
        self.notifier: Notifier
        self.renders: Renders

    def app(self) -> web.Application:
        """The routes as an application; it opens its client when it starts."""
        app = web.Application(client_max_size=LARGEST_BODY)
        app.cleanup_ctx.append(self._client)
        app.router.add_post("/openrtb2/auction", self.auction)
        app.router.add_route("OPTIONS", "/openrtb2/auction", self.preflight)
        app.router.add_get("/openrtb2/shown", self.shown, allow_head=False)
        app.router.add_get("/healthz", self.healthz)
        app.router.add_get("/stats", self.stats)
        return app

    async def _client(self, app: web.Application) -> Any:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
            self.notifier = Notifier(http)
            self.renders = Renders(self.notifier, self.rules.render_within_s, lambda: self.public_url)
            self.auctioneer = Auctioneer(self.rules, http, self.notifier, self.renders)
            yield
            await self.notifier.finish()

    async def healthz(self, http: web.Request) -> web.Response:
        """Whether the process runs."""
        return web.Response(text="ok\n")

    async def stats(self, http: web.Request) -> web.Response:
        """What happened so far."""
        house = self.auctioneer
        return web.json_response(
            {
                "auctions": self.auctions,
                "refused": self.refused,
                "sold": house.sold,
                "dropped": {f"{bidder} {loss}": n for (bidder, loss), n in sorted(house.dropped.items())},
                "timeouts": dict(house.timeouts),
                "notices": {f"{kind} {status}": n for (kind, status), n in sorted(self.notifier.heard.items())},
                "shown": dict(self.renders.heard),
            }
        )

    async def preflight(self, http: web.Request) -> web.Response:
        """What a browser may send."""
        headers = {
            **_cors(http),
            "Access-Control-Allow-Methods": "POST, OPTIONS",
            "Access-Control-Allow-Headers": "Content-Type, Content-Encoding, x-openrtb-version",
            "Access-Control-Max-Age": "600",
        }
        return web.Response(status=204, headers=headers)

    async def shown(self, http: web.Request) -> web.Response:
        """A page has shown an ad."""
        known = self.renders.shown(http.query.get("t", ""))
        return web.Response(status=204 if known else 410, headers={**_cors(http), "Cache-Control": "no-store"})

    async def auction(self, http: web.Request) -> web.Response:
        """Sell what the page offers."""
        came_s = time.monotonic()
        try:
            body = await _body(http)
            response = await self._sold(http, body, came_s)
        except (Refusal, InvalidMessage) as error:
            self.refused += 1
            status = error.status if isinstance(error, Refusal) else 400
            return web.Response(status=status, text=f"Invalid request: {error}\n", headers=_cors(http))
        headers = {**_cors(http), "Content-Type": "application/json", "x-openrtb-version": VERSION}
        answer = web.Response(body=_ENCODER.encode(response), headers=headers)
        answer.enable_compression()
        return answer

    async def _sold(self, http: web.Request, body: bytes, came_s: float) -> dict[str, Any]:
        request = decode_request(body)
        if request.cur and self.rules.currency not in request.cur:
            raise Refusal(400, f"cur: this exchange sells in {self.rules.currency} only")
        plain = without_nulls(_PLAIN.decode(body))
        page = http.headers.get("Referer") or http.headers.get("Origin")
        wanted = fill(plain, Caller(http.remote or "", http.headers.get("User-Agent"), page), self.rules, time.time())
        self.auctions += 1
        return await self.auctioneer.run(plain, wanted, came_s)


def _cors(http: web.Request) -> dict[str, str]:
    """A page may read the answer and send its cookies: the origin is named, since `*` would forbid them."""
    origin = http.headers.get("Origin")
    if not origin:
        return {}
    return {"Access-Control-Allow-Origin": origin, "Access-Control-Allow-Credentials": "true", "Vary": "Origin"}


async def _body(http: web.Request) -> bytes:
    """The unpacked body; Prebid.js says that it is packed by `?gzip=1` alone. Raises `Refusal`."""
    if http.content_type not in _TYPES:
        raise Refusal(415, f"{http.content_type} is not JSON")
    encoding = http.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip", ""):
        raise Refusal(415, f"{encoding} is not understood; gzip is")
    try:
        async with asyncio.timeout(SLOWEST_BODY_S):
            body = await http.read()
    except web.HTTPRequestEntityTooLarge:
        raise Refusal(413, f"more than {LARGEST_BODY} bytes") from None
    except TimeoutError:
        raise Refusal(408, f"not sent within {SLOWEST_BODY_S:g} s") from None
    except (web.RequestPayloadError, ConnectionError):
        raise Refusal(400, "cut short") from None
    if encoding != "gzip" and http.query.get("gzip") != "1":
        return body
    try:
        return unpacked(body, LARGEST_BODY)
    except TooLarge as error:
        raise Refusal(413, str(error)) from None
    except NotPacked as error:
        raise Refusal(400, str(error)) from None
