"""Driver `live`: the market of `events` on the wall clock, against a bidder at a URL.

SimPy still orders everything: an answer from the network becomes an event at the moment it arrived. Simulated time is
real time in s; only purchases that come due after the end are not waited for. What only the bidder knows (why it did
not bid, what an impression was worth to it, whom it credits) stays unknown here.
"""

from __future__ import annotations

import asyncio
import secrets
import sys
import time
from collections import Counter
from collections.abc import Callable, Generator
from dataclasses import replace
from functools import partial
from typing import Any

import msgspec
import numpy as np
import simpy
from yarl import URL

from bidder.codec import nbr_of, reason_of
from bidder.core.book import Book
from bidder.core.codes import CAPPED, NOT_TARGETED, REASONS
from bidder.desk import Heard
from bidder.reservations import Made
from bidder.server.signing import Signer
from exchange_sim.cable import ConstantDelay
from exchange_sim.exchange import Exchange, Sale, start
from exchange_sim.identities import purchase_cookie
from exchange_sim.paths import process_of
from exchange_sim.pending import PENDING
from exchange_sim.requests import RequestMaker
from exchange_sim.server.answers import read_answer
from exchange_sim.server.checks import Refused, check_bid
from exchange_sim.traffic import new_cursor
from experiments.compile.wire import compile_wire, deal_cards, slot_cards
from experiments.drivers.batch import Progress
from experiments.drivers.events import BLOCK, draw_arrivals
from experiments.drivers.events_kernel import purchase_key, take_purchase
from experiments.drivers.events_market import EventsMarket
from experiments.drivers.lockstep import ExactEnvironment
from experiments.errors import RunError
from experiments.ledger import PURCHASE, Ledger
from experiments.load.client import Job, Pool, Poster, get_of
from experiments.setting import Setting
from openrtb.codes import LossReason
from openrtb.decode import encode_request
from openrtb.macros import Settled, substitute_url
from openrtb.messages import Bid, BidRequest, BidResponse, SeatBid
from openrtb.money import cpm_to_nanos
from openrtb.notices import Billing, Click, Conversion, Loss, Notice

DEFAULT_URL = "http://127.0.0.1:8080/openrtb2/bid"
CONNECTIONS = 64
SPIN_S = 0.0015
"""Closer than this to the next event the event loop is not put to sleep."""
PROGRESS_S = 0.5
NOTICE_S = 5.0
"""A notice may take this long to be acknowledged, or five times `tmax` if that is longer."""
CONVERSION_LIVES_S = 600.0
"""How long the bidder may take a purchase in."""


def run_live(
    setting: Setting, progress: Progress | None = None, url: str = DEFAULT_URL, conversion_key: bytes | None = None
) -> tuple[Ledger, Book]:
    """Run *setting* in real time against the bidder at *url*; returns the ledger and what it was billed, as a book.

    With the *conversion_key* of the bidder's state folder it is told of purchases, as an advertiser would.
    Raises `RunError` when nobody can be reached, or nobody answers.
    """
    run = LiveRun(setting, url, progress, conversion_key)
    try:
        asyncio.run(run.run())
    except OSError as error:
        reason = error.strerror or str(error)
        raise RunError(f"--bidder {url}: nobody can be reached there ({reason}); start the bidder first") from None
    for problem, count in run.port.problems.most_common():
        print(f"{count:,} answers: {problem}", file=sys.stderr)
    if run.port.problems and not run.port.answered:
        told = ", ".join(problem for problem, _ in run.port.problems.most_common(3))
        raise RunError(f"--bidder {url}: no request was answered ({told}); is it a bidder's address?")
    return run.end()


class Unseen:
    """What our report may know of a bidder elsewhere: next to nothing."""

    def __init__(self, campaigns: int) -> None:
        self.reasons = np.zeros((campaigns, len(REASONS)), np.int64)
        self._offered: dict[str, int] = {}

    def note(self, bid: Bid) -> None:
        """A bid came; its price stands for what the impression is worth."""
        self._offered[bid.id] = cpm_to_nanos(bid.price)

    def made(self, bid_id: str) -> Made | None:
        """The bid, as far as it is known."""
        nanos = self._offered.pop(bid_id)
        return Made(-1, -1, -1, nanos, nanos, 0, 0.0)

    def credited(self, conversion_id: str) -> int:
        """Nobody says."""
        return -1


class LivePort:
    """Carries messages over HTTP; what comes back is handed over through *at_once*, at its moment."""

    def __init__(
        self,
        setting: Setting,
        url: str,
        insight: Unseen,
        at_once: Callable[[Callable[[], None]], None],
        conversion_key: bytes | None = None,
    ) -> None:
        self.answered = 0
        self.told_purchases = 0
        """Purchases the bidder has acknowledged."""
        self._origin = str(URL(url, encoded=True).origin())
        self._advertiser = None if conversion_key is None else Signer(time.time, conversion_key=conversion_key)
        self._run_id = secrets.token_hex(4)
        self._closed = False
        self.problems: Counter[str] = Counter()
        self._insight, self._at_once, self._currency = insight, at_once, setting.scenario.currency
        self._campaigns = {plan.campaign_id for plan in setting.plans}
        give_up_s = max(1.0, 5.0 * setting.scenario.wire.tmax_ms / 1000.0)
        self._notice_give_up_s = max(NOTICE_S, give_up_s)
        asks = f"{url}{'&' if '?' in url else '?'}nbr=1"  # bidders who know it say why they do not bid
        self._pool, self._poster = Pool(url, CONNECTIONS, give_up_s), Poster(asks)
        self._notices: dict[str, Pool] = {}
        self._links: dict[str, Bid] = {}
        self._open: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Connect; raises `OSError`."""
        await self._pool.open()

    @property
    def waiting(self) -> int:
        """Messages under way."""
        return self._pool.waiting + sum(pool.waiting for pool in self._notices.values())

    def close(self) -> None:
        """Hang up."""
        self._closed = True
        for pool in (self._pool, *self._notices.values()):
            pool.close()

    def bid(self, request: BidRequest, then: Callable[[BidResponse], None]) -> None:
        """Ask for bids; without an answer in time *then* is never called."""
        moment_s = asyncio.get_running_loop().time()
        message = self._poster.message(encode_request(request))
        self._pool.send(Job(message, moment_s, self._bid_done, (request, then)))

    def _bid_done(self, job: Job, status: int, body: bytes, why: str) -> None:
        request, then = job.about
        if why or status not in (200, 204):
            self.problems[why or f"HTTP {status}"] += 1
            return
        self.answered += 1
        response = self._read(request, status, body)
        if response.seatbid:
            bid = response.seatbid[0].bid[0]
            self._insight.note(bid)
            self._links[bid.id] = bid
        self._at_once(partial(then, response))

    def _read(self, request: BidRequest, status: int, body: bytes) -> BidResponse:
        """The answer with at most one bid, one that an exchange would take."""
        answer = read_answer("bidder", status, body, request.id, [self._currency])
        problems = [_reason(dropped.loss) for dropped, _ in answer.dropped]
        if answer.problem is not None and not problems:
            problems.append("cannot be read")
        for taken in answer.bids:
            checked = check_bid(taken, request, {imp.id: imp for imp in request.imp}, self._currency)
            if isinstance(checked, Refused):
                problems.append(_reason(checked.loss))
            elif taken.bid.cid not in self._campaigns:
                problems.append(f"a bid for {taken.bid.cid!r}, which is no campaign of the scenario")
            else:
                return BidResponse(request.id, [SeatBid([taken.bid])], self._currency)
        self.problems.update(problems)
        return BidResponse(request.id, [], self._currency, _known(answer.nbr))

    def notice(self, notice: Notice, then: Callable[[Any], None]) -> None:
        """Call the URL that says so, if the bid has one; of purchases, the one an advertiser who has a key signs."""
        if isinstance(notice, Conversion):
            url = self._purchase_url(notice)
        else:
            bid = self._links.get(notice.bid_id)
            url = None if bid is None else _url(bid, notice)
        if not url:
            return
        origin = "/".join(url.split("/")[:3])
        about = (then, isinstance(notice, Conversion))
        job = Job(get_of(url), asyncio.get_running_loop().time(), self._notice_done, about)
        if origin not in self._notices:
            pool = self._notices[origin] = Pool(origin, 8, self._notice_give_up_s)
            task = asyncio.get_running_loop().create_task(self._connect(pool, origin))
            self._open.add(task)
            task.add_done_callback(self._open.discard)
        self._notices[origin].send(job)

    def _purchase_url(self, purchase: Conversion) -> str | None:
        if self._advertiser is None or self._closed:  # what comes due after the end is told to nobody
            return None
        # A bidder counts an id once, and knows those of earlier runs.
        told = msgspec.structs.replace(purchase, id=f"{self._run_id}-{purchase.id}")
        query = self._advertiser.conversion_query(told, CONVERSION_LIVES_S)
        return f"{self._origin}/openrtb2/notice/conversion?{query}"

    async def _connect(self, pool: Pool, origin: str) -> None:
        try:
            await pool.open()
        except OSError:
            self.problems[f"notices to {origin} reach nobody"] += 1
            pool.close()

    def _notice_done(self, job: Job, status: int, body: bytes, why: str) -> None:
        heard = Heard.BOOKED if 200 <= status < 300 else Heard.REFUSED
        then, purchase = job.about
        if purchase and heard is Heard.BOOKED:
            self.told_purchases += 1
        elif purchase:
            self.problems[f"a purchase was not believed: {why or f'HTTP {status}'}"] += 1
        self._at_once(partial(then, heard))


class LiveMarket(EventsMarket):
    """The records, and an account of what the bidder has acknowledged."""

    def __init__(self, env: ExactEnvironment, setting: Setting, wire: Any, port: LivePort, insight: Unseen) -> None:
        super().__init__(env, setting, wire, port, insight)
        self.book = setting.new_book()

    def billed(self, sale: Sale, heard: Any) -> None:
        """A bill was acknowledged; repeated ones are too, and count once."""
        if heard is Heard.BOOKED and not self._exposures["billed"][sale.exposure]:
            campaign_ix = self._exposures["campaign_ix"][sale.exposure]
            self.book.campaigns["spent_nanos"][campaign_ix] += sale.price_nanos
            super().billed(sale, heard)


class LiveRun:
    """One run: SimPy's clock kept at the wall's."""

    def __init__(
        self, setting: Setting, url: str, progress: Progress | None = None, conversion_key: bytes | None = None
    ) -> None:
        self.env = ExactEnvironment(0.0)
        self._setting, self._progress = setting, progress
        insight = Unseen(len(setting.plans))
        self.port = LivePort(setting, url, insight, self._at_once, conversion_key)
        # The real wire has its own delays.
        wire = compile_wire(setting.scenario.wire)
        wire = replace(wire, request=ConstantDelay(), response=ConstantDelay(), notice=ConstantDelay())
        self.market = LiveMarket(self.env, setting, wire, self.port, insight)
        requests = RequestMaker(
            setting.world,
            slot_cards(setting),
            setting.directory.places,
            setting.user_id,
            currency=setting.scenario.currency,
            tmax_ms=wire.tmax_ms,
            deals=deal_cards(setting),
        )
        self._exchange = Exchange(self.env, wire, requests, self.port, self.market)
        self._start_s = 0.0
        self._came: asyncio.Event
        _compile(setting)
        self.env.process(self._ticks())
        self.env.process(self._traffic())

    async def run(self) -> None:
        """Do it, in real time; raises `OSError` when nobody can be reached."""
        self._came = asyncio.Event()
        self.market.draw_organic(0.0)
        await self.port.open()
        self._start_s = asyncio.get_running_loop().time()
        try:
            await self._drive()
        finally:
            self.port.close()

    def end(self) -> tuple[Ledger, Book]:
        """Once nothing is on its way: purchases still to come due, the ledger, what was billed."""
        self.env.run()
        return self.market.ledger(), self.market.book

    async def _drive(self) -> None:
        env, reported_s = self.env, 0.0
        while True:
            now_s = self._now_s()
            while env.peek() <= now_s:
                env.step()
            if self._progress is not None and now_s - reported_s >= PROGRESS_S:
                reported_s = now_s
                self._progress(min(now_s, self._setting.end_s), self.market.auctions, self.market.spent_nanos)
            # Every request has been answered or given up by now, and whoever won or lost has been told.
            if now_s > self._setting.end_s and not self.port.waiting:
                return
            wait_s = min(env.peek() - self._now_s(), 0.1) - SPIN_S
            if wait_s <= 0.0:
                await asyncio.sleep(0)
                continue
            self._came.clear()
            try:
                async with asyncio.timeout(wait_s):
                    await self._came.wait()
            except TimeoutError:
                pass

    def _now_s(self) -> float:
        return asyncio.get_running_loop().time() - self._start_s

    def _at_once(self, callback: Callable[[], None]) -> None:
        """Let something that came over the network happen in simulated time: now."""
        alarm = self.env.at(self._now_s())
        assert alarm.callbacks is not None
        alarm.callbacks.append(lambda _: callback())
        self._came.set()

    def _ticks(self) -> Generator[simpy.Event, Any, None]:
        for _, end_s in self._setting.ticks():
            self.market.tick()
            self.market.draw_organic(end_s)
            yield self.env.at(end_s)

    def _traffic(self) -> Generator[simpy.Event, Any, None]:
        cursor, sell = new_cursor(), process_of(self._setting.world)
        while True:
            arrivals = draw_arrivals(self._setting.world, cursor, self._setting.end_s)
            for i, time_s in enumerate(arrivals.time_s):
                if time_s > self.env.now:
                    yield self.env.at(time_s)
                start(self.env, sell(self._exchange, arrivals, i))
            if len(arrivals.time_s) < BLOCK:
                return


def _compile(setting: Setting) -> None:
    """Compile now what would otherwise be compiled while the clock runs: a bidder's campaigns do not wait for it."""
    draw_arrivals(setting.world, new_cursor(), 0.0)
    if not len(setting.world.products):
        return
    purchases, size = np.zeros(1, PURCHASE), np.ones(1, np.int64)
    take_purchase(np.zeros(2, PENDING), size, purchases, 0)
    purchase_key(setting.world, purchases, 0)
    purchase_cookie(setting.world, 0, 0, 0.0)


def _known(nbr: int | None) -> int:
    """A no-bid code of the kernels' own; whatever else a bidder says means that nobody was targeted."""
    own = nbr is not None and 0 <= reason_of(nbr) <= CAPPED
    return nbr if own and nbr is not None else nbr_of(NOT_TARGETED)


def _reason(loss: int) -> str:
    return f"a bid with {LossReason(loss).name.lower().replace('_', ' ')}"


def _url(bid: Bid, notice: Billing | Loss | Click) -> str | None:
    """The notice's URL with its macros filled in."""
    if isinstance(notice, Click):
        return None if bid.ext is None else bid.ext.bidlab_click
    told = None if notice.min_to_win_cpm is None else cpm_to_nanos(notice.min_to_win_cpm)
    settled = Settled("", bid.impid, bid_nanos=cpm_to_nanos(bid.price), min_to_win_nanos=told)
    if isinstance(notice, Loss):
        return bid.lurl and substitute_url(bid.lurl, settled._replace(loss=int(notice.reason)).values())
    price = cpm_to_nanos(notice.price_cpm)
    return bid.burl and substitute_url(bid.burl, settled._replace(price_nanos=price, loss=0).values())
