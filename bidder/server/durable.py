"""Accounts on disk: a notice is answered when it is, and the book of every worker follows the same notices in the same
order. Money in nanos, times in s.

The book may commit what the worker's lease allows and no more: `total_nanos` in the book is what the campaign has spent
plus the lease, never the campaign's budget (except while pacing looks at it). A lease grows after the grant is on disk
and shrinks before the return is.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from bidder.core.book import Book
from bidder.desk import REMEMBER_S, Desk, Heard, Spend
from bidder.errors import NotKept, ServeError
from bidder.image import Image, restore, since
from bidder.plan import CampaignPlan
from bidder.reservations import told_nanos
from bidder.room import ensure_people
from bidder.server.accounts import ticket_of
from bidder.server.compaction import COMPACT_AFTER, Compaction
from bidder.server.entries import Entry, How, Sort
from bidder.server.images import ALL_CONVERSIONS, read_image
from bidder.server.leasing import committed, wanted
from bidder.server.paced import paced_totals, recover, written
from bidder.server.samples import Sample
from bidder.server.signing import Kind, Ticket
from bidder.server.store import NUMBERED_S, STRANGERS_UNTIL_S, Session, Store, budgets_of
from bidder.server.writer import Committed, Writer
from openrtb.errors import MoneyError
from openrtb.money import price_nanos, units_to_nanos
from openrtb.notices import Conversion

SYNC_EVERY_S = 0.1
"""How often a worker without notices hears what others heard, and asks for more to spend or gives back."""
TELL_EVERY_S = 1.0
"""How often a worker tells the others its metrics."""
TRIES = 5
"""A worker that starts while another makes images may find the one it wants replaced."""
HIGHEST_VALUE = 1e9
"""Currency units: a conversion worth more is a mistake."""

_SORTS = {Kind.WIN: Sort.WIN, Kind.BILLING: Sort.BILLING, Kind.LOSS: Sort.LOSS, Kind.CLICK: Sort.CLICK}
_HEARD = {
    How.REPEATED: Heard.REPEATED,
    How.CONTRADICTED: Heard.REPEATED,
    How.REFUSED: Heard.REFUSED,
    How.DISPUTED: Heard.REFUSED,
    How.FORGOTTEN: Heard.UNKNOWN,
}
_KNOWN = (How.REPEATED, How.DISPUTED, How.FORGOTTEN, How.CONTRADICTED)
"""Notices that change nothing."""
Result = TypeVar("Result")
_log = logging.getLogger("bidlab.accounts")


class Durable:
    """One worker's view of the accounts; *worker* is its number there, *workers* how many there are."""

    def __init__(
        self,
        desk: Desk,
        plans: Sequence[CampaignPlan],
        store: Store,
        worker: int,
        workers: int = 1,
        *,
        compact_after: int = COMPACT_AFTER,
        keep_s: float = REMEMBER_S,
    ) -> None:
        self._desk, self._store, self.worker, self._workers = desk, store, worker, workers
        self.failures = 0
        """Transactions that could not be written."""
        self._contradicted = 0
        known = store.campaigns()
        self._work_for(plans, {id_: no for id_, (no, _, _) in known.items()})
        self._paused = frozenset(id_ for id_, (_, _, paused) in known.items() if paused)
        self.on_paused: Callable[[frozenset[str]], None] = lambda paused: None
        """Called with the campaigns that are paused, when that changes."""
        self.on_reload: Callable[[], None] = lambda: None
        """Called when another worker wants all to read their campaigns anew."""
        self.samples: Callable[[], list[Sample]] = list
        """What this worker has to tell the others for `/metrics`."""
        self._told_s = -math.inf
        self._reloads = int(store.meta().get("reloads", 0))
        self._strangers_s = float(store.meta().get(STRANGERS_UNTIL_S, -math.inf))
        self._numbered_s = max(self._strangers_s, float(store.meta().get(NUMBERED_S, -math.inf)))
        self._writer = Writer(store, worker, self._recover())
        self._compaction = Compaction(desk, store, worker, self._do, compact_after, keep_s)
        self._held_back: list[Committed] = []
        self._handle: asyncio.TimerHandle | None = None
        self._syncing = False
        self._used_nanos = committed(self._desk.book)

    def _work_for(self, plans: Sequence[CampaignPlan], numbers: Mapping[str, int]) -> None:
        """Work for *plans*, which the desk's book holds at the same positions."""
        self._plans = tuple(plans)
        self._numbers = [numbers[plan.campaign_id] for plan in plans]
        self._ix = {no: ix for ix, no in enumerate(self._numbers)}
        self._pacings = [repr(plan.pacing) for plan in plans]
        self._totals = np.array([plan.total_nanos for plan in plans], np.int64)

    def _recover(self) -> int:
        """Bring the book up to the last notice on disk, by the image and the notices after it; returns the number of
        the last. Nothing may be spent yet. Raises `ServeError`."""
        for _ in range(TRIES):
            with self._store.view(), contextlib.suppress(FileNotFoundError):
                image = read_image(self._store)
                return self._replay(image)
        raise ServeError(f"{self._store.folder}: the image its accounts name is missing; restore the whole folder")

    def _replay(self, image: Image | None) -> int:
        if image is not None:
            image.exposures = since(image.exposures, self._strangers_s)
            book = restore(self._desk.book, image, self._plans, self._numbers, self._desk.directory)
            self._desk.adopt(book, self._plans)
        campaigns, covered = self._desk.book.campaigns, self._store.covered()
        campaigns["total_nanos"] = campaigns["spent_nanos"]
        last = max(covered.values(), default=0)
        first = min(covered.get(no, 0) for no in (ALL_CONVERSIONS, *self._numbers))
        for seq, entry in self._store.notices(first):
            if seq > covered.get(max(entry.campaign_no, ALL_CONVERSIONS), 0):
                self._apply(entry)
            last = max(last, seq)
        recover(campaigns, self._store.pacing(), self._pacings, self._numbers)
        return last

    def ticket(self, bid_id: str) -> Ticket:
        """What a bid's notice URLs carry."""
        return ticket_of(self._desk, bid_id, self._numbers.__getitem__)

    async def hear(
        self, kind: Kind, ticket: Ticket, price_cpm: float, reason: int, min_to_win_cpm: float | None = None
    ) -> Heard:
        """Take in a notice about a bid; raises `NotKept` when it could not be written down."""
        nanos = price_nanos(price_cpm) if kind is Kind.BILLING else reason if kind is Kind.LOSS else 0
        owner = int(ticket.bid_id.partition("-")[0])
        person_ix = ticket.person_ix if ticket.made_ms / 1000.0 >= self._numbered_s else -1
        return await self._hear(
            Entry(
                *(_SORTS[kind], ticket.bid_id, owner, ticket.campaign_no, person_ix, ticket.touch, nanos),
                *(ticket.day_ix, ticket.made_ms / 1000.0),
                to_beat_nanos=told_nanos(min_to_win_cpm),
            )
        )

    async def hear_conversion(self, conversion: Conversion, expires_unix_s: float) -> Heard:
        """Take in a conversion; raises `NotKept` when it could not be written down."""
        if not 0.0 <= conversion.value <= HIGHEST_VALUE:
            raise MoneyError(f"value {conversion.value!r} is not between 0 and {HIGHEST_VALUE:.0f}")
        product_ix, person_ix = self._desk.buyer(conversion)
        if product_ix < 0:
            return Heard.UNKNOWN
        value_nanos = units_to_nanos(conversion.value)
        return await self._hear(
            Entry(Sort.CONVERSION, conversion.id, 0, -1, person_ix, product_ix, value_nanos, 0, expires_unix_s)
        )

    async def _hear(self, entry: Entry) -> Heard:
        answer: asyncio.Future[Heard] = asyncio.get_running_loop().create_future()

        def done(how: How) -> None:
            self._count(entry, how)
            if how not in _KNOWN:
                self._apply(entry)
            if not answer.done():
                answer.set_result(_HEARD.get(how, Heard.BOOKED))

        def failed(error: Exception) -> None:
            self._failed(error)
            if not answer.done():
                answer.set_exception(NotKept("the notice could not be written down"))

        self._writer.submit(lambda session: session.hear(entry), done, failed)
        return await answer

    def _count(self, entry: Entry, how: How) -> None:
        counts = self._desk.counts
        if how is How.FORGOTTEN:
            counts.unknown += 1
        elif how in _KNOWN:
            counts.repeated += 1
            self._contradicted += how is How.CONTRADICTED
        elif entry.sort == Sort.BILLING:
            counts.late += how is How.LATE
            counts.refused += how is How.REFUSED
            counts.wins += how is not How.REFUSED
        elif entry.sort == Sort.LOSS:
            counts.losses += 1

    def _apply(self, entry: Entry) -> None:
        """Let the book follow a notice that is on disk."""
        if entry.person_ix >= len(self._desk.book.persons):  # another worker has a newer audience
            self._desk.book = ensure_people(self._desk.book, entry.person_ix + 1)
        if entry.sort == Sort.CONVERSION:
            self._desk.book_conversion(entry.what_ix, entry.person_ix, entry.nanos, entry.heard_s)
            return
        campaign_ix = self._ix.get(entry.campaign_no, -1)
        if campaign_ix < 0:  # of an earlier scenario; its money is on disk all the same
            return
        if entry.sort == Sort.BILLING and entry.how != How.REFUSED:
            on_time = entry.how == How.ON_TIME and entry.owner == self.worker
            if not on_time:  # paid for by somebody else's lease or by nobody's
                self._desk.book.campaigns["total_nanos"][campaign_ix] += entry.nanos
            spend = Spend(campaign_ix, entry.person_ix, entry.what_ix, entry.nanos, entry.day_ix)
            self._desk.book_billing(entry.id, spend, entry.heard_s, on_time=on_time, to_beat_nanos=entry.to_beat_nanos)
        elif entry.sort == Sort.CLICK:
            self._desk.book_click(campaign_ix, entry.person_ix, entry.what_ix, entry.made_s)
        elif entry.sort in (Sort.LOSS, Sort.BILLING):
            self._desk.give_up(entry.id, entry.to_beat_nanos)

    def _wanted(self) -> NDArray[np.int64]:
        """int64[C]: what the worker would like to have free to commit."""
        now, before = committed(self._desk.book), self._used_nanos
        self._used_nanos = now
        used = now - before if len(now) == len(before) else 0 * now
        return wanted(self._desk.book, self._totals, self._workers, used)

    def _shift(self) -> tuple[dict[int, int], dict[int, int]]:
        """What to ask for and what to give back, by position; the second is no longer used from here on."""
        campaigns = self._desk.book.campaigns
        wish, free = self._wanted(), campaigns["total_nanos"] - committed(self._desk.book)
        asks = {int(ix): int(wish[ix] - free[ix]) for ix in np.flatnonzero(2 * free < wish)}
        returns = {int(ix): int(free[ix] - wish[ix]) for ix in np.flatnonzero(free > 2 * wish)}
        for ix, nanos in returns.items():
            campaigns["total_nanos"][ix] -= nanos
        return asks, returns

    def _submit_sync(self, finished: Callable[[Exception | None], None]) -> None:
        asks, returns = self._shift()
        numbers = self._numbers

        stats = self._stats()

        def job(session: Session) -> tuple[dict[int, int], frozenset[str], int, bool]:
            session.free_held()
            for ix, nanos in returns.items():
                session.give_back(numbers[ix], nanos)
            if stats:
                session.set_stats(stats)
            granted = {ix: session.grant(numbers[ix], nanos) for ix, nanos in asks.items()}
            return granted, session.paused(), session.counted("reloads"), self._compaction.job(session)

        def done(result: tuple[dict[int, int], frozenset[str], int, bool]) -> None:
            granted, paused, reloads, self._compaction.turn = result
            for ix, nanos in granted.items():
                self._desk.book.campaigns["total_nanos"][ix] += nanos
            finished(None)
            if paused != self._paused:
                self._paused = paused
                self.on_paused(paused)
            if reloads > self._reloads:
                self._reloads = reloads
                self.on_reload()

        self._writer.submit(job, done, finished)

    async def _do(self, job: Callable[[Session], Result]) -> Result:
        """What *job* returns, once it is on disk; raises what kept it from being written."""
        answer: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._writer.submit(job, answer.set_result, answer.set_exception)
        return await answer

    def paused(self) -> frozenset[str]:
        """Ids of the campaigns that are paused."""
        return self._paused

    async def pause(self, campaign_id: str, paused: bool) -> None:
        """Keep in mind, for every worker, that a campaign is paused or not."""
        await self._do(lambda session: session.set_paused(campaign_id, paused))

    def _stats(self) -> bytes:
        """This worker's metrics when it is time to tell them, else nothing."""
        now_s = time.monotonic()
        if self._workers == 1 or now_s < self._told_s + TELL_EVERY_S:
            return b""
        self._told_s = now_s
        return msgspec.json.encode(self.samples())

    def figures(self) -> dict[str, float]:
        """Metrics of the accounts themselves."""
        return {
            "bidlab_commits_total": self._writer.commits,
            "bidlab_write_failures_total": self.failures,
            "bidlab_contradicted_prices_total": self._contradicted,
            "bidlab_waiting_notices": self._writer.waiting(),
            "bidlab_compactions_total": self._compaction.made,
        }

    def other_workers(self) -> dict[str, list[Sample]]:
        """The last metrics of the other workers, by their number."""
        told = self._store.stats()
        return {str(no): msgspec.json.decode(text, type=list[Sample]) for no, text in told if no != self.worker}

    async def tell_reload(self) -> None:
        """Have all other workers read their campaigns anew."""
        self._reloads = await self._do(lambda session: session.count_up("reloads"))

    async def prepare(self, plans: Sequence[CampaignPlan]) -> Callable[[Book], None]:
        """Write the budgets of *plans* down."""
        numbers, overdrawn = await self._do(lambda session: session.change_budgets(budgets_of(plans)))

        def adopt(book: Book) -> None:
            """What was leased stays leased; new campaigns begin without."""
            before = self._desk.book.campaigns["total_nanos"]
            book.campaigns["total_nanos"] = book.campaigns["spent_nanos"]
            book.campaigns["total_nanos"][: len(before)] = before
            self._work_for(plans, numbers)
            for campaign_ix, plan in enumerate(plans):
                self._give_back(book, campaign_ix, overdrawn.get(plan.campaign_id, 0))

        return adopt

    def _give_back(self, book: Book, campaign_ix: int, nanos: int) -> None:
        """Give back up to *nanos* of what is free, because the budget has become smaller."""
        row = book.campaigns[campaign_ix]
        nanos = min(nanos, int(row["total_nanos"] - row["spent_nanos"] - row["reserved_nanos"]))
        if nanos > 0:
            number = self._numbers[campaign_ix]
            row["total_nanos"] -= nanos
            self._writer.submit(lambda session: session.give_back(number, nanos), lambda _: None, self._failed)

    def _failed(self, error: Exception) -> None:
        self.failures += 1
        _log.error("not written", extra={"data": {"error": str(error)}})

    def _sync(self) -> None:
        """One round, and the next one later."""

        def finished(error: Exception | None) -> None:
            self._syncing = False
            if error is not None:
                self._failed(error)

        if not self._syncing:
            self._syncing = True
            self._submit_sync(finished)
        self._handle = asyncio.get_running_loop().call_later(SYNC_EVERY_S, self._sync)

    def _on_commit(self, news: Committed) -> None:
        if self._compaction.copying:
            self._held_back.append(news)
            return
        for entry in news.others:
            self._apply(entry)
        for done, result in news.done:
            done(result)
        self._desk.horizon_s = news.now_s
        self._compaction.look(news.last, self._plans, self._numbers, news.now_s, self._catch_up)

    def _catch_up(self) -> None:
        """Book what was held back while the book was copied."""
        held_back, self._held_back = self._held_back, []
        for news in held_back:
            self._on_commit(news)

    async def start(self) -> None:
        """Begin to write, with a first lease for every campaign; raises `ServeError` when it cannot be written."""
        self._writer.start(self._on_commit)
        first: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._submit_sync(lambda error: first.set_exception(error) if error else first.set_result(None))
        try:
            await first
        except sqlite3.Error as error:
            raise ServeError(
                f"the accounts cannot be written ({error}); make room, or choose another --state"
            ) from None
        self._sync()

    async def stop(self) -> None:
        """Write down what is waiting and give the lease back, or let it be held while bids are in flight."""
        if self._handle is not None:
            self._handle.cancel()
        await self._compaction.stop()
        idle = self._desk.in_flight() == 0
        self._writer.submit(lambda session: session.hold([self.worker], idle=idle), lambda _: None, self._failed)
        await self._writer.stop()
        await asyncio.sleep(0)  # what was committed last is booked
        self._store.close()

    def tick(self) -> None:
        """The desk's tick; pacing is to see budgets, not leases, and is written down."""
        campaigns = self._desk.book.campaigns
        ceilings = campaigns["total_nanos"].copy()
        campaigns["total_nanos"] = paced_totals(campaigns, self._totals, self._workers)
        self._desk.tick()
        campaigns["total_nanos"] = ceilings
        told = written(campaigns, self._pacings, self._numbers)
        self._writer.submit(lambda session: session.set_pacing(told), lambda _: None, self._failed)
