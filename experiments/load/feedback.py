"""What the exchange we play tells a bidder: wins, bills and losses, some of them lost, late, repeated or forged.

Which bids win is a hash of the auction, so a second run gives the same feedback to the same answers. Prices in nanos.
"""

from __future__ import annotations

import asyncio
import itertools
import re
from collections import Counter
from typing import NamedTuple

from yarl import URL

from exchange_sim.cable import draw_wire
from exchange_sim.server.answers import Taken
from exchange_sim.server.checks import Sound
from experiments.load.client import Job, Pool, dated, get_of
from experiments.load.faults import SKEW_S
from experiments.load.traffic import Due
from experiments.load.watch import Watch
from openrtb.codes import AuctionType, LossReason
from openrtb.macros import Settled, substitute_url

WIN, PRICE, BILL, LOST, LATE, DUPLICATED, FORGED, REQUEST_FAULT, FAULT_KIND, SKEWED = range(100, 110)
"""What a draw about an auction is for; the wire's own kinds are far below."""
_TOO_OLD = ("400", "401", "403", "410")
_VALUES = re.compile(r"(?<==)([^&=#]{4,})")


class Ratios(NamedTuple):
    """How many of the valid bids win, and how many of the wins are billed."""

    win: float = 0.3
    billing: float = 1.0


class NoticeFaults(NamedTuple):
    """Shares of billing notices that go wrong, and how long late ones wait."""

    lost: float = 0.0
    late: float = 0.0
    duplicate: float = 0.0
    forged: float = 0.0
    skewed: float = 0.0
    """Sent by a clock that is a day off."""
    late_s: float = 5.0


class Feedback:
    """Sends notices over connections of its own; `heard` counts them by kind and status."""

    def __init__(self, ratios: Ratios, faults: NoticeFaults, watch: Watch, give_up_s: float) -> None:
        self.heard: Counter[tuple[str, str]] = Counter()
        self.wins = 0
        self.unsendable = 0
        """Notices whose URL no client can call, or whose host cannot be reached."""
        self.start_s = 0.0
        self._ratios, self._faults, self._watch, self._give_up_s = ratios, faults, watch, give_up_s
        self._pools: dict[str, Pool | None] = {}
        self._timers: set[asyncio.TimerHandle] = set()
        self._skews_s = itertools.cycle((SKEW_S, -SKEW_S))
        self._opening: set[asyncio.Task[None]] = set()

    def settle(self, due: Due, taken: Taken, sound: Sound, currency: str) -> None:
        """Decide on one valid bid and tell its bidder."""
        bid = taken.bid
        won = draw_wire(due.key, WIN) < self._ratios.win
        price = price_of(sound, due.request.at, draw_wire(due.key, PRICE))
        settled = Settled(
            *(due.request.id, bid.impid, taken.response_id, taken.seat, bid.adid),
            price_nanos=price,
            bid_nanos=sound.bid_nanos,
            currency=currency,
            loss=int(LossReason.WON if won else LossReason.LOST_TO_HIGHER_BID),
            min_to_win_nanos=price if won else sound.bid_nanos + 1,
        )
        values = settled.values()
        if not won:
            self._send("loss", bid.lurl, values)
            return
        self.wins += 1
        self._send("win", bid.nurl, values)
        if draw_wire(due.key, BILL) < self._ratios.billing:
            self._bill(due, bid.burl, values, _Bill(self, due, bid.cid, price))

    def _bill(self, due: Due, burl: str | None, values: dict[str, str], bill: _Bill) -> None:
        faults = self._faults
        if not burl:
            return
        if faults.forged and draw_wire(due.key, FORGED) < faults.forged:
            self._send("forged", forged(substitute_url(burl, values)), values)
        if faults.lost and draw_wire(due.key, LOST) < faults.lost:
            self.heard["billing", "lost on purpose"] += 1
            return
        copies = 3 if faults.duplicate and draw_wire(due.key, DUPLICATED) < faults.duplicate else 1
        wait_s = faults.late_s if faults.late and draw_wire(due.key, LATE) < faults.late else 0.0
        skewed = bool(faults.skewed) and draw_wire(due.key, SKEWED) < faults.skewed
        for _ in range(copies):
            self._later(wait_s, burl, values, bill, skewed)

    def _later(self, wait_s: float, burl: str, values: dict[str, str], bill: _Bill, skewed: bool) -> None:
        kind = f"{'late ' if wait_s > 0.0 else ''}{'skewed ' if skewed else ''}billing"
        if wait_s <= 0.0:
            self._send(kind, burl, values, bill)
            return

        def now() -> None:
            self._timers.discard(timer)
            self._send(kind, burl, values, bill)

        timer = asyncio.get_running_loop().call_later(wait_s, now)
        self._timers.add(timer)

    def _send(self, kind: str, url: str | None, values: dict[str, str], bill: _Bill | None = None) -> None:
        if not url:
            return
        filled = substitute_url(url, values)
        try:
            target = URL(filled, encoded=True)
            payload = get_of(filled)
            if "skewed" in kind:
                payload = dated(payload, next(self._skews_s))
            origin = str(target.origin())
        except ValueError:
            self.unsendable += 1
            return
        job = Job(payload, asyncio.get_running_loop().time(), self._done, (kind, bill))
        if origin in self._pools:
            pool = self._pools[origin]
            if pool is None:
                self.unsendable += 1
            else:
                pool.send(job)
            return
        pool = self._pools[origin] = Pool(origin, 8, self._give_up_s)
        pool.send(job)  # it stands in line until a connection is open
        task = asyncio.get_running_loop().create_task(self._open(origin, pool))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    async def _open(self, origin: str, pool: Pool) -> None:
        try:
            await pool.open()
        except OSError:
            pool.close()
            self._pools[origin] = None

    def _done(self, job: Job, status: int, body: bytes, why: str) -> None:
        kind, bill = job.about
        self.heard[kind, why or str(status)] += 1
        if bill is not None and 200 <= status < 300:
            bill.acknowledged(asyncio.get_running_loop().time() - self.start_s)

    @property
    def waiting(self) -> int:
        """Notices that are not out yet."""
        return len(self._timers) + len(self._opening) + sum(p.waiting for p in self._pools.values() if p is not None)

    def close(self) -> None:
        """Drop what is left."""
        for timer in self._timers:
            timer.cancel()
        for pool in self._pools.values():
            if pool is not None:
                pool.close()

    def misdated(self) -> int:
        """Billing notices called too old, or no notices at all, that a skewed clock had sent."""
        return sum(n for (kind, status), n in self.heard.items() if "skewed" in kind and status in _TOO_OLD)

    def accepted_forgeries(self) -> int:
        """Forged notices a bidder said yes to."""
        return sum(n for (kind, status), n in self.heard.items() if kind == "forged" and status.startswith("2"))


class _Bill:
    """One billing notice; acknowledged twice it still counts once."""

    __slots__ = ("_account", "_counted")

    def __init__(self, feedback: Feedback, due: Due, campaign_id: str | None, price_nanos: int) -> None:
        user_id = None if due.request.user is None else due.request.user.id
        self._account = (feedback._watch, campaign_id, user_id, price_nanos)
        self._counted = False

    def acknowledged(self, time_s: float) -> None:
        """The bidder has taken it in."""
        if not self._counted:
            self._counted = True
            watch, campaign_id, user_id, price_nanos = self._account
            watch.bill(campaign_id, user_id, price_nanos, time_s)


def price_of(sound: Sound, at: int, draw: float) -> int:
    """What a winner pays, in nanos: as its deal says, or else the request (*at*); *draw* from 0 to 1 is for what second
    prices depend on."""
    if sound.deal is not None and sound.deal.at is not None:
        at = sound.deal.at
    if at == AuctionType.DEAL_PRICE:
        return sound.floor_nanos
    if at == AuctionType.SECOND_PRICE_PLUS:
        return sound.floor_nanos + int(draw * (sound.bid_nanos - sound.floor_nanos))
    return sound.bid_nanos


def forged(url: str) -> str:
    """The URL with one character of its longest parameter changed: whatever is signed no longer fits."""
    found = max(_VALUES.finditer(url), key=lambda value: len(value[0]), default=None)
    if found is None:
        return f"{url}0"
    at = (found.start() + found.end()) // 2
    return f"{url[:at]}{'A' if url[at] != 'A' else 'B'}{url[at + 1 :]}"
