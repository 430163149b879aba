"""The bidder over real HTTP on a free port: answers, limits, deadlines, and notices that book once or not at all."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import io
import json
import random
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from yarl import URL

from bidder.desk import REMEMBER_S, Desk
from bidder.policy import Ruled
from bidder.server.app import Service
from bidder.server.body import LARGEST_BODY
from bidder.server.lane import Lanes
from bidder.server.serve import Timers, WallClock, address_of, lanes_of, listen, runner_of
from bidder.server.signing import Signer
from openrtb.codes import NoBidReason
from tests.bidder.test_desk import CPM, Clock, desk, plan
from tests.openrtb.test_decode import SEEDS, rows_of
from tests.patience import until

IMP = {"id": "1", "banner": {"w": 300, "h": 250}, "tagid": "paper/top", "bidfloor": 0.5}
REQUEST: dict[str, Any] = {
    "id": "r",
    "imp": [IMP],
    "site": {"publisher": {"id": "paper"}},
    "device": {"devicetype": 2, "geo": {"city": "town"}},
    "user": {"id": "p0"},
}


class Client:
    """A service, its desk and somebody who calls it."""

    def __init__(self, service: Service, http: aiohttp.ClientSession, url: str, lanes: Lanes | None = None) -> None:
        self.service, self.desk, self.http, self.url = service, service.desk, http, url
        self.lanes = lanes or Lanes(service.reply, asyncio.Protocol)
        self.wall_s = 1e9
        """What the signer takes for the time."""

    async def post(self, body: Any, query: str = "", **headers: str) -> tuple[int, bytes]:
        """Status and body of the answer to a request, given as JSON or as bytes."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        kinds = {
            "Content-Type": "application/json",
            "Accept-Encoding": "identity",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        # as a stream, because aiohttp warns of large bytes
        async with self.http.post(f"{self.url}/openrtb2/bid{query}", data=io.BytesIO(data), headers=kinds) as answer:
            assert answer.headers["x-openrtb-version"] == "2.6"
            return answer.status, await answer.read()

    async def bid(self, **changes: Any) -> dict[str, Any]:
        """The one bid a request is answered with."""
        status, body = await self.post({**REQUEST, **changes})
        assert status == 200
        (seat,) = json.loads(body)["seatbid"]
        (bid,) = seat["bid"]
        return dict(bid)

    async def nbr(self, **changes: Any) -> int:
        """Why a request is not bid for."""
        assert await self.post({**REQUEST, **changes}) == (204, b"")
        status, body = await self.post({**REQUEST, **changes}, "?nbr=1")
        assert status == 200
        return int(json.loads(body)["nbr"])

    async def get(self, url: str, method: str = "GET") -> int:
        """Status of a notice."""
        async with self.http.request(method, URL(url, encoded=True)) as answer:
            assert await answer.read() == b"" or answer.status in (404, 405)
            return answer.status

    def held(self) -> tuple[int, int]:
        """Nanos spent and reserved by the first campaign."""
        row = self.desk.book.campaigns[0]
        return int(row["spent_nanos"]), int(row["reserved_nanos"])


@contextlib.asynccontextmanager
async def serving(made: Desk) -> AsyncIterator[Client]:
    """The desk behind a real socket."""
    service = Service(made, Signer(lambda: client.wall_s), currency="USD")
    runner = runner_of(service, 1.0)
    await runner.setup()
    lanes = lanes_of(service, runner)
    server = await listen(lanes, "127.0.0.1", 0)
    service.public_url = address_of("127.0.0.1", server.sockets[0].getsockname()[1])
    try:
        async with aiohttp.ClientSession(auto_decompress=False) as http:
            client = Client(service, http, service.public_url, lanes)
            yield client
    finally:
        server.close()
        lanes.close()
        await runner.cleanup()


def served(story: Callable[[Client], Coroutine[Any, Any, None]], made: Desk | None = None) -> None:
    """Let *story* happen."""

    async def main() -> None:
        async with serving(made or desk(plan())) as client:
            await story(client)

    asyncio.run(main())


def test_a_bid_is_billed_exactly_once() -> None:
    async def story(client: Client) -> None:
        bid = await client.bid()
        assert (bid["price"], bid["impid"], bid["cid"]) == (2.0, "1", "pans")
        assert client.held() == (0, 2 * CPM)
        assert await client.get(bid["nurl"].replace("${AUCTION_PRICE}", "1.5")) == 204
        assert client.held() == (0, 2 * CPM)
        for _ in range(3):
            assert await client.get(bid["burl"].replace("${AUCTION_PRICE}", "1.5")) == 204
            assert client.held() == (1_500_000, 0)
        assert await client.get(bid["lurl"].replace("${AUCTION_LOSS}", "102")) == 204
        assert client.held() == (1_500_000, 0)
        assert (client.desk.counts.wins, client.desk.counts.repeated) == (1, 3)

    served(story)


@pytest.mark.parametrize("macro", ["102", "${AUCTION_LOSS}", "", "x"])
def test_a_loss_gives_the_money_back(macro: str) -> None:
    async def story(client: Client) -> None:
        bid = await client.bid()
        assert await client.get(bid["lurl"].replace("${AUCTION_LOSS}", macro)) == 204
        assert client.held() == (0, 0)

    served(story)


def test_what_is_forged_or_altered_changes_nothing() -> None:
    async def story(client: Client) -> None:
        first, second = await client.bid(), await client.bid()
        burl = first["burl"].replace("${AUCTION_PRICE}", "1.0")
        query = URL(burl).query
        before = client.desk.book.campaigns.tobytes()
        lies = {
            burl.replace(f"b={query['b']}&", "b=1&"): 403,
            burl.replace(f"b={query['b']}&", "b=77&"): 403,
            burl.replace(f"x={query['x']}", f"x={int(query['x']) + 1}"): 403,
            burl.replace(f"s={query['s']}", "s=" + query["s"][::-1]): 403,
            burl.replace(f"s={query['s']}", "s=" + URL(second["burl"]).query["s"]): 403,
            burl.replace(f"s={query['s']}", "s=%C3%A9%FF"): 403,
            burl.replace(f"s={query['s']}&", ""): 400,
            burl.replace("/billing?", "/loss?"): 403,
            burl.replace("/billing?", "/win?"): 403,
            burl.replace("/billing?", "/click?"): 403,
            burl.replace("/billing?", "/other?"): 404,
            burl.replace("/billing?", "/conversion?"): 400,
            burl.replace(f"d={query['d']}", f"d={query['d']}0"): 403,
            burl.replace("p=1.0", "p=2.000001"): 409,
            burl.replace("p=1.0", "p=0.499999"): 409,
            burl.replace("p=1.0", "p=-1"): 400,
            burl.replace("p=1.0", "p=nan"): 400,
            burl.replace("p=1.0", "p=1e999"): 400,
            burl.replace("&p=1.0", ""): 400,
            first["burl"]: 400,
        }
        for url, status in lies.items():
            assert await client.get(url) == status, url
        assert await client.get(burl, "HEAD") == 405
        client.wall_s += REMEMBER_S + 1
        assert await client.get(burl) == 410
        assert client.desk.book.campaigns.tobytes() == before
        assert client.desk.in_flight() == 2
        client.wall_s -= REMEMBER_S + 1
        assert await client.get(burl) == 204
        assert client.held() == (CPM, 2 * CPM)

    served(story)


def test_another_process_s_notices_are_not_ours() -> None:
    """Bid ids begin anew with every process; its random key keeps them apart."""
    heard = []

    async def earlier(client: Client) -> None:
        bid = await client.bid()
        heard.append(bid["burl"].replace("${AUCTION_PRICE}", "1.0").removeprefix(client.url))
        assert await client.get(client.url + heard[0]) == 204
        assert client.held() == (CPM, 0)

    async def later(client: Client) -> None:
        assert URL((await client.bid())["burl"]).query["b"] == URL(heard[0]).query["b"]
        assert await client.get(client.url + heard[0]) == 403
        assert client.held() == (0, 2 * CPM)

    served(earlier)
    served(later)


def test_bids_nobody_answers_are_released_by_the_clock_alone() -> None:
    clock = WallClock()
    made = desk(plan(), clock=clock, reservation_s=1.0)  # type: ignore[arg-type]

    async def story(client: Client) -> None:
        clock.start()
        timers = Timers(made, clock, 0.1)
        timers.start()
        await client.bid()
        assert client.held() == (0, 2 * CPM) or clock() >= 1.0
        await until(lambda: client.held() == (0, 0))
        timers.stop()
        assert clock() >= 1.0
        assert made.counts.expired == 1

    served(story, made)


def test_a_disputed_bill_is_disputed_however_often_it_comes() -> None:
    clock = Clock()
    made = desk(plan(), clock=clock)

    async def story(client: Client) -> None:
        first = [await client.bid() for _ in range(5)]
        clock.now_s += 11.0
        for _ in range(5):
            await client.bid()
        for _ in range(3):
            assert await client.get(first[0]["burl"].replace("${AUCTION_PRICE}", "1.5")) == 409
        assert client.held() == (0, 10 * CPM)

    served(story, made)


def test_nothing_is_answered_late() -> None:
    async def story(client: Client) -> None:
        assert await client.nbr(tmax=10) == NoBidReason.INSUFFICIENT_TIME  # the network needs all of it
        assert (await client.bid(tmax=240_000))["price"] == 2.0

        async def slowly() -> AsyncIterator[bytes]:
            body = json.dumps({**REQUEST, "tmax": 100}).encode()
            yield body[:40]
            await asyncio.sleep(0.2)
            yield body[40:]

        json_type = {"Content-Type": "application/json"}
        async with client.http.post(f"{client.url}/openrtb2/bid", data=slowly(), headers=json_type) as answer:
            assert answer.status == 204
        assert client.held() == (0, 2 * CPM)
        assert client.service.traffic.late == 3

    served(story)


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"", {}, 400),
        (b"{", {}, 400),
        (b"x" * (LARGEST_BODY + 1), {}, 413),
        (gzip.compress(b" " * (LARGEST_BODY + 1)), {"Content_Encoding": "gzip"}, 413),
        (gzip.compress(json.dumps(REQUEST).encode()), {"Content_Encoding": "gzip"}, 200),
        (gzip.compress(json.dumps(REQUEST).encode())[:-3], {"Content_Encoding": "gzip"}, 400),
        (gzip.compress(json.dumps(REQUEST).encode()) + b"more", {"Content_Encoding": "gzip"}, 400),
        (json.dumps(REQUEST).encode(), {"Content_Encoding": "gzip"}, 400),
        (json.dumps(REQUEST).encode(), {"Content_Encoding": "br"}, 415),
        (json.dumps(REQUEST).encode(), {"Content_Type": "text/xml"}, 415),
        (json.dumps(REQUEST).encode(), {"Content_Type": "text/plain"}, 200),
    ],
)
def test_bodies(body: bytes, headers: dict[str, str], status: int) -> None:
    async def story(client: Client) -> None:
        answered, text = await client.post(body, **headers)
        assert answered == status
        assert bool(text) == (status == 200)
        assert client.service.traffic.malformed == (status >= 400)
        assert (await client.bid())["price"] == 2.0

    served(story)


def test_large_answers_are_packed_for_those_who_ask() -> None:
    async def story(client: Client) -> None:
        imps = [{**IMP, "id": str(k)} for k in range(4)]
        status, body = await client.post({**REQUEST, "imp": imps}, Accept_Encoding="gzip")
        assert status == 200
        (seat,) = json.loads(gzip.decompress(body))["seatbid"]
        assert [bid["impid"] for bid in seat["bid"]] == ["0", "1", "2", "3"]
        assert client.held() == (0, 8 * CPM)

    served(story)


def test_rules_of_the_wire() -> None:
    """Currencies, seats, private auctions, broken native requests."""

    async def story(client: Client) -> None:
        assert await client.nbr(cur=["EUR"]) == Ruled.CURRENCY.nbr
        assert await client.nbr(wseat=["somebody"]) == Ruled.SEAT.nbr
        assert await client.nbr(bseat=["bidlab"]) == Ruled.SEAT.nbr
        private = {**IMP, "pmp": {"private_auction": 1, "deals": [{"id": "elsewhere"}]}}
        assert await client.nbr(imp=[private]) == Ruled.PRIVATE_AUCTION.nbr
        assert client.held() == (0, 0)
        assert (await client.bid(cur=["EUR", "USD"], wseat=["bidlab"]))["price"] == 2.0
        native = {"id": "n", "native": {"request": "{}"}}
        _, body = await client.post({**REQUEST, "imp": [native]}, "?nbr=1")
        assert json.loads(body)["ext"] == {
            "bidlab_problems": ["imp[0].native.request: object missing required field `assets`"]
        }
        assert (await client.bid(imp=[native, IMP]))["impid"] == "1"

    served(story)


def test_a_trial_is_never_billable() -> None:
    async def story(client: Client) -> None:
        bid = await client.bid(test=1)
        assert bid["price"] == 2.0
        assert not {"nurl", "burl", "lurl"} & set(bid)
        assert client.held() == (0, 0)

    served(story)


def test_health_and_readiness() -> None:
    async def story(client: Client) -> None:
        async def status(path: str) -> int:
            async with client.http.get(f"{client.url}{path}") as answer:
                return answer.status

        assert (await status("/healthz"), await status("/readyz")) == (200, 200)
        client.service.draining = True
        assert (await status("/healthz"), await status("/readyz")) == (200, 503)
        assert await client.nbr() == NoBidReason.TECHNICAL_ERROR

    served(story)


def test_every_real_request_is_answered(shared_data: Path) -> None:
    async def story(client: Client) -> None:
        statuses = [
            (await client.post(row["body"].encode(), query))[0]
            for row in rows_of(shared_data, "requests.jsonl")
            for query in ("", "?nbr=1")
        ]
        assert len(statuses) == 318
        assert set(statuses) <= {200, 204}

    served(story)


def test_every_broken_request_is_400_or_says_which_native_impression_is_broken(shared_data: Path) -> None:
    async def story(client: Client) -> None:
        for row in rows_of(shared_data, "invalid-requests.jsonl"):
            status, body = await client.post(row["body"].encode(), "?nbr=1")
            assert status in (200, 204, 400)
            if row["scope"] == "generic-openrtb" and status != 400:
                assert "native" in row["name"]
                assert len(json.loads(body)["ext"]["bidlab_problems"]) == 1

    served(story)


def test_mangled_requests_never_break_it() -> None:
    """Bytes changed, cut and doubled at random, always the same way; the desk's own request among them."""
    luck = random.Random(1)

    async def story(client: Client) -> None:
        statuses = set()
        for _ in range(500):
            body = bytearray(luck.choice([luck.choice(SEEDS), json.dumps(REQUEST).encode()]))
            for _ in range(luck.randint(1, 2)):
                at = luck.randrange(len(body) + 1)
                body[at : at + luck.randint(0, 3)] = bytes(
                    luck.choices(b'{}[]",:0129-eE.tn\x00\xff\\', k=luck.randint(0, 3))
                )
            statuses.add((await client.post(bytes(body)))[0])
        assert statuses == {200, 204, 400}

    served(story, desk(plan(total_nanos=10**12)))
