"""A book and its oracle, driven through the same operations and compared after each."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from random import Random
from typing import Any

import numpy as np
import pytest

from bidder.build import build_book, pack_bits
from bidder.core import settle
from bidder.core.book import CELL_CLICKS, CELL_CONVERSIONS, CELL_WINS, CTR, CVR, SEEN, Book
from bidder.core.clock import hour_of_week
from bidder.core.codes import REASONS
from bidder.core.decide import decide
from bidder.plan import CampaignPlan, Directory
from bidder.room import ensure_room
from tests.oracles.bidder import Flight, OracleBidder
from tests.oracles.plans import impression_row, random_directory, random_impression, random_plan

SMALL_MEMORY = 64
"""Entries the book starts with here, so that it must grow."""


class Pair:
    """The same bidder twice: kernels over a book, and the oracle."""

    def __init__(
        self, rng: Random, campaigns: int, segments: int, people: int, signals: int, picky: float = 1.0
    ) -> None:
        self.rng = rng
        self.directory: Directory = random_directory(rng, segments)
        self.plans: list[CampaignPlan] = [
            random_plan(rng, f"c{k}", self.directory, signals, picky) for k in range(campaigns)
        ]
        start_hour, self.start_of_day_s = rng.choice([(0, 0), (34, 36_000), (167, 85_500)])
        book = build_book(
            self.plans,
            self.directory,
            people_count=people,
            start_hour=start_hour,
            start_of_day_s=self.start_of_day_s,
        )
        self.book: Book = book._replace(memory=np.zeros(SMALL_MEMORY, SEEN))
        self.oracle = OracleBidder(self.plans, self.directory, start_hour, self.start_of_day_s)
        self.people = people
        self.signals = signals
        self.now_s = 0.0
        self.in_flight: list[tuple[int, int, int, Flight]] = []
        """(campaign, slot, day the kernel charged, the oracle's record)."""
        chance = rng.choice([0.2, 0.5])
        self.members = [{name for name in self.directory.segments if rng.random() < chance} for _ in range(people)]
        flags = np.array([[name in held for name in self.directory.segments] for held in self.members], bool)
        self.rows = pack_bits(flags.reshape(people, len(self.directory.segments)))

    def impression(self) -> dict[str, Any]:
        """A random request at the present time."""
        hour = hour_of_week(self.book.index, self.now_s)
        return random_impression(self.rng, self.directory, self.people, self.now_s, hour)

    def decide(self, imp: dict[str, Any]) -> tuple[int, int]:
        """Let both decide, insist that they agree in everything; returns (campaign, bid)."""
        signals = [self.rng.choice([0, 500_000, 900_000, 1_400_000]) for _ in range(max(1, self.signals))]
        tally = np.zeros((len(self.plans), len(REASONS)), np.int64)
        person_ix = imp["person_ix"]
        before = [array.tobytes() for array in self.book]
        got = decide(self.book, self.rows[person_ix], impression_row(imp), 0, np.array(signals, np.int64), tally)
        assert [array.tobytes() for array in self.book] == before, "decide wrote to the book"
        expected, reasons = self.oracle.decide(imp, self.members[person_ix] if person_ix >= 0 else set(), signals)
        told = {c: REASONS[r] for c, r in np.argwhere(tally).tolist()}
        assert told == reasons
        assert tally.sum() == len(reasons)
        assert (got[0], got[1], got[2], REASONS[got[3]]) == expected
        return int(got[0]), int(got[1])

    # -- operations, each done to both --

    def buy(self, c: int, person_ix: int, slot_ix: int, price: int) -> None:
        """Bid and win at once."""
        self.book = ensure_room(self.book)
        settle.buy(self.book, c, person_ix, slot_ix, price, self.now_s)
        self.oracle.buy(c, person_ix, slot_ix, price, self.now_s)

    def lose(self, c: int) -> None:
        """Bid and lose at once."""
        settle.lose(self.book, c)
        self.oracle.lose(c)

    def reserve(self, c: int, person_ix: int, slot_ix: int, bid: int) -> None:
        """Send a bid."""
        self.book = ensure_room(self.book)
        day_ix = settle.reserve(self.book, c, person_ix, slot_ix, bid, self.now_s)
        flight = self.oracle.reserve(c, person_ix, bid, self.now_s)
        assert day_ix == flight.day_ix
        self.in_flight.append((c, slot_ix, day_ix, flight))

    def answer(self, k: int, won: bool, price_share: float) -> None:
        """Win or lose the bid in flight number *k*."""
        c, slot_ix, day_ix, flight = self.in_flight.pop(k)
        price = int(flight.bid_nanos * price_share)
        self.book = ensure_room(self.book)
        if won:
            settle.win(self.book, c, flight.person_ix, slot_ix, flight.bid_nanos, price, day_ix, 0, self.now_s)
            self.oracle.win(c, flight, slot_ix, price, self.now_s)
        else:
            settle.release(self.book, c, flight.person_ix, flight.bid_nanos, day_ix, 0)
            self.oracle.release(c, flight)

    def late_win(self, c: int, person_ix: int, slot_ix: int, price: int) -> None:
        """A win whose reservation is gone."""
        self.book = ensure_room(self.book)
        done = settle.late_win(self.book, c, person_ix, slot_ix, price, self.now_s)
        assert bool(done) == self.oracle.late_win(c, person_ix, slot_ix, price, self.now_s)

    def click(self, c: int, slot_ix: int) -> None:
        """An ad was clicked."""
        settle.click(self.book, c, -1, slot_ix, self.now_s)
        self.oracle.click(c, slot_ix)

    def convert(self, product_ix: int, person_ix: int, value: int) -> None:
        """A purchase."""
        got = settle.convert(self.book, product_ix, person_ix, value, self.now_s)
        assert got == self.oracle.convert(self.directory.products[product_ix], person_ix, value, self.now_s)

    def tick(self) -> None:
        """A control interval begins."""
        settle.tick(self.book, self.now_s)
        self.oracle.tick(self.now_s)

    # -- comparison --

    def check(self) -> None:
        """The whole book against the oracle's accounts."""
        rows = self.book.campaigns
        today_ix = self.oracle.day_ix(self.now_s)
        for c, account in enumerate(self.oracle.accounts):
            held = sum(flight.bid_nanos for flight in account.flights)
            assert rows["spent_nanos"][c] == sum(account.spent_on.values())
            assert rows["reserved_nanos"][c] == held
            if rows["day_ix"][c] == today_ix:
                today = rows["spent_day_nanos"][c] + rows["reserved_day_nanos"][c]
                assert today == account.committed_on(today_ix)
            else:
                assert account.committed_on(today_ix) == 0
            assert rows["mu"][c] == pytest.approx(account.pacer.mu, rel=1e-12)
            assert rows["multiplier"][c] == pytest.approx(account.pacer.multiplier, rel=1e-12)
            assert rows["wins"][c] == account.wins.total()
            assert rows["clicks"][c] == account.clicks.total()
            assert rows["conversions"][c] == account.conversions.total()
            assert rows["conversion_nanos"][c] == account.conversion_nanos
            for s in range(len(self.directory.slots)):
                assert self.book.cells[c, s, CELL_WINS] == account.wins[s]
                assert self.book.cells[c, s, CELL_CLICKS] == account.clicks[s]
                assert self.book.cells[c, s, CELL_CONVERSIONS] == account.conversions[s]
                assert self.book.cells[c, s, CTR] == account.ctr[s]
                assert self.book.cells[c, s, CVR] == account.cvr[s]
                if account.plan.goal != "private" and account.plan.bid.kind != "random" and account.active:
                    assert tuple(self.book.prices[c, s].tolist()) == self.oracle.quote(account, s, ())
        self.check_blocks()

    def check_blocks(self) -> None:
        """No two people's blocks of memory overlap, and every list fits its block."""
        persons: Sequence[Any] = self.book.persons
        blocks = sorted((int(p["start"]), int(p["room"])) for p in persons if p["room"])
        for (start, room), (following, _) in pairwise(blocks):
            assert start + room <= following
        assert all(p["count"] <= p["room"] for p in persons)
