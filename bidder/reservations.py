"""Bids in flight and what became of them, by bid id: what makes notices idempotent and lets reservations expire.

Times in s on the bidder's clock, money in nanos per impression.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from enum import IntEnum

from msgspec import Struct

from openrtb.errors import MoneyError
from openrtb.money import price_nanos
from openrtb.notices import Billing

MOST = 1 << 18
"""Bids whose ids are kept, at some 450 bytes each: a minute of a busy exchange's, an hour of a quiet one's."""


class State(IntEnum):
    """Where a bid stands."""

    IN_FLIGHT = 0
    WON = 1
    LOST = 2
    EXPIRED = 3
    REFUSED = 4


class Made(Struct, gc=False):
    """A bid the desk made."""

    campaign_ix: int
    person_ix: int
    touch: int
    bid_nanos: int
    worth_nanos: int
    day_ix: int
    made_s: float
    least_nanos: int = 0
    """The exchange may charge from this price on up to `most_nanos` (`bidder.charges`)."""
    most_nanos: int = 0
    state: State = State.IN_FLIGHT
    clicked: bool = False


class Reservations:
    """Every bid of the last *remember_s* seconds, but of those that hold nothing any more only the newest: together
    never more than *most*, unless more than that are in flight. All live equally long, so they leave in the order they
    came."""

    def __init__(self, hold_s: float, remember_s: float, most: int = MOST) -> None:
        self._hold_s = hold_s
        self._remember_s = max(remember_s, hold_s)
        self._most = most
        self._made: dict[str, Made] = {}
        self._held: deque[Made] = deque()
        self._known: deque[str] = deque()
        self.due_s = math.inf
        """Before this moment `overdue` has nothing to do."""

    def __len__(self) -> int:
        """Bids that still hold budget."""
        return sum(made.state is State.IN_FLIGHT for made in self._held)

    @property
    def known(self) -> int:
        """Bids whose id is known."""
        return len(self._known)

    def add(self, bid_id: str, made: Made) -> None:
        """Take in a bid just made."""
        if not self._held:
            self.due_s = min(self.due_s, made.made_s + self._hold_s)
        self._made[bid_id] = made
        self._held.append(made)
        self._known.append(bid_id)

    def find(self, bid_id: str) -> Made | None:
        """The bid with this id; None when there never was one or it is forgotten."""
        return self._made.get(bid_id)

    def overdue(self, now_s: float) -> Iterator[Made]:
        """Bids whose time is up and which nobody has settled, each handed out once, oldest first."""
        held = self._held
        while held and held[0].made_s + self._hold_s <= now_s:
            made = held.popleft()
            if made.state is State.IN_FLIGHT:
                yield made
        self._forget(now_s)
        holds = held[0].made_s + self._hold_s if held else math.inf
        remembers = self._made[self._known[0]].made_s + self._remember_s if self._known else math.inf
        self.due_s = min(holds, remembers)

    def _forget(self, now_s: float) -> None:
        known, made = self._known, self._made
        # Those that are held are the newest ones.
        while len(known) > max(self._most, len(self._held)) or (
            known and made[known[0]].made_s + self._remember_s <= now_s
        ):
            del made[known.popleft()]


class Answered:
    """Impressions bid for in the last *remember_s* seconds, by transaction id: what several exchanges offer is one."""

    def __init__(self, remember_s: float) -> None:
        self._remember_s = remember_s
        self._known: dict[str, float] = {}

    def note(self, tid: str, now_s: float) -> None:
        """A bid was made."""
        self._known[tid] = now_s

    def knows(self, tid: str, now_s: float) -> bool:
        """Whether one was made lately."""
        known = self._known
        while known:
            oldest = next(iter(known))
            if known[oldest] + self._remember_s > now_s:
                break
            del known[oldest]
        return tid in known


def told_nanos(min_to_win_cpm: float | None) -> int:
    """The least bid that would have won, in nanos; 0 when it was not told or is no price."""
    if min_to_win_cpm is None:
        return 0
    try:
        return price_nanos(min_to_win_cpm)
    except MoneyError:
        return 0


def agreed_price(notice: Billing, made: Made) -> int | None:
    """The price in nanos; None when it is no price or above the bid, which nobody has to pay."""
    try:
        price = price_nanos(notice.price_cpm)
    except MoneyError:
        return None
    return price if price <= made.bid_nanos else None
