"""An exchange that remembers: it asks for bids, sends notices, and keeps sending each until it is acknowledged.

Prices in nanos per impression, times in s on this process's clock.
"""

from __future__ import annotations

import asyncio
import heapq
import json
import random
import time
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from tests.patience import HANG_S, until

CPM = 1_000_000
SETTLED = (204, 409, 410)
"""Answers after which a notice is not sent again."""


@dataclass(order=True)
class Due:
    """A notice to be sent."""

    at_s: float
    path: str = field(compare=False)
    bid_id: str = field(compare=False)
    price_nanos: int = field(compare=False)
    asked_s: float = field(compare=False)
    """When the request left: the bid was made later."""
    billing: bool = field(compare=False)


@dataclass
class Books:
    """What the exchange knows when all is said: acknowledged bills and disputed ones."""

    acknowledged: dict[str, int] = field(default_factory=dict)
    disputed: dict[str, float] = field(default_factory=dict)
    """Seconds from before the request to the dispute: the bid is younger than that."""
    sent: dict[str, int] = field(default_factory=dict)
    """Bills sent at least once."""
    lost: set[str] = field(default_factory=set)
    """Bids a loss was told of, whatever else was."""
    bids: int = 0
    notices: int = 0
    """Acknowledged notices of all kinds."""
    strange: list[str] = field(default_factory=list)
    """Answers no service should give."""


class Exchange:
    """Calls a service at `base` that may die at any moment, and begin again at another one."""

    def __init__(self, seed: int, slots: list[tuple[str, str, float]], people: int) -> None:
        self.books = Books()
        self.base = ""
        self._luck = random.Random(seed)
        self._slots, self._people = slots, people
        self._due: list[Due] = []
        self._sending = 0

    def pending(self) -> int:
        """Notices that are not acknowledged."""
        return len(self._due) + self._sending

    async def trade(self, callers: int, until: asyncio.Event) -> None:
        """Ask for bids and send notices until told to stop or the service is gone."""
        async with self._session() as http:
            await asyncio.gather(
                *(self._ask(http, until) for _ in range(callers)), *(self._tell(http, until) for _ in range(callers))
            )

    async def settle(self) -> None:
        """Send what is left, now."""
        for due in self._due:
            due.at_s = 0.0
        done = asyncio.Event()
        async with self._session() as http:
            tellers = [asyncio.create_task(self._tell(http, done)) for _ in range(8)]
            await until(lambda: not self.pending())
            done.set()
            await asyncio.gather(*tellers)

    def _session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=HANG_S))

    async def _ask(self, http: aiohttp.ClientSession, until: asyncio.Event) -> None:
        while not until.is_set():
            asked_s = time.monotonic()
            try:
                async with http.post(f"{self.base}/openrtb2/bid", data=self._request(), headers=JSON) as answer:
                    status, body = answer.status, await answer.read()
            except (aiohttp.ClientError, OSError):
                return  # it is dead; what it answered and we did not read is a bid that is never settled
            if status == 200:
                self._won(json.loads(body)["seatbid"][0]["bid"][0], asked_s)
            elif status != 204:
                self.books.strange.append(f"bid: {status}")
            await asyncio.sleep(self._luck.uniform(0.0, 0.01))

    def _request(self) -> bytes:
        publisher, slot, floor = self._luck.choice(self._slots)
        imp = {"id": "1", "banner": {"w": 728, "h": 90}, "tagid": f"{publisher}/{slot}"}
        request = {
            "id": "r",
            "imp": [{**imp, "bidfloor": floor, "bidfloorcur": "EUR"}],
            "site": {"publisher": {"id": publisher}},
            "device": {"devicetype": 2, "geo": {"city": "everywhere"}},
            "user": {"id": f"p{self._luck.randrange(self._people)}"},
        }
        return json.dumps(request).encode()

    def _won(self, bid: dict[str, object], asked_s: float) -> None:
        """Decide what becomes of a bid: billed, soon or late or twice; lost; both; or nothing at all."""
        luck, now_s = self._luck, time.monotonic()
        self.books.bids += 1
        bid_id = str(bid["id"])
        bid_nanos = round(float(str(bid["price"])) * CPM)
        price = luck.randint(bid_nanos // 2, bid_nanos)
        fate = luck.random()
        delay_s = luck.choice([0.0, 0.0, luck.uniform(0.0, 0.5), luck.uniform(0.0, 8.0)])
        billing = Due(now_s + delay_s, _path(bid["burl"], price), bid_id, price, asked_s, True)
        if fate < 0.75:
            heapq.heappush(self._due, billing)
        if fate < 0.1:
            again = Due(now_s + delay_s + luck.uniform(0.0, 0.3), billing.path, bid_id, price, asked_s, True)
            heapq.heappush(self._due, again)
        if fate < 0.03 or 0.75 < fate < 0.95:
            self.books.lost.add(bid_id)
            heapq.heappush(self._due, Due(now_s + delay_s, _path(bid["lurl"], 0), bid_id, 0, asked_s, False))

    async def _tell(self, http: aiohttp.ClientSession, until: asyncio.Event) -> None:
        while not until.is_set():
            if not self._due or self._due[0].at_s > time.monotonic():
                await asyncio.sleep(0.002)
                continue
            due = heapq.heappop(self._due)
            self._sending += 1
            if due.billing:
                self.books.sent[due.bid_id] = due.price_nanos
            try:
                async with http.get(URL(self.base + due.path, encoded=True)) as answer:
                    await answer.read()
                    self._answered(due, answer.status)
            except (aiohttp.ClientError, OSError):
                heapq.heappush(self._due, due)  # acknowledged or not, we cannot know: it is sent again
                return
            finally:
                self._sending -= 1

    def _answered(self, due: Due, status: int) -> None:
        if status not in SETTLED:
            self.books.strange.append(f"notice: {status}")
        self.books.notices += status == 204
        if due.billing and status == 204:
            self.books.acknowledged[due.bid_id] = due.price_nanos
        elif due.billing and status != 204:
            self.books.disputed[due.bid_id] = time.monotonic() - due.asked_s


JSON = {"Content-Type": "application/json"}


def _path(url: object, price_nanos: int) -> str:
    parts = urlsplit(str(url).replace("${AUCTION_PRICE}", repr(price_nanos / CPM)).replace("${AUCTION_LOSS}", "102"))
    return f"{parts.path}?{parts.query}"
