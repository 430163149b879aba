"""What the best fixed multiplier would have made of the same impressions, had everybody else bid as they did.

A hindsight bidder bids m times the worth wherever the agent might have bid, m from a grid. Which m would have won an
impression follows from one division, so an impression costs one entry of a histogram however fine the grid; once per
tick the histograms become what each m bought and paid, and its budgets are applied: in the tick in which money runs out
it buys the part it can pay for. Caps are not applied to it where the agent itself had not reached them. Money in nanos.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bidder.core.book import Book
from bidder.core.codes import DAY_S
from exchange_sim.kernel import kernel
from exchange_sim.world import SECOND_PRICE

OCTAVES_DOWN, OCTAVES_UP, PER_OCTAVE = 6, 2, 16
MULTIPLIERS = (OCTAVES_DOWN + OCTAVES_UP) * PER_OCTAVE
"""From 1/64 to just below 4, sixteen of equal distance to the octave: read off the bits of a float."""
_SHIFT = 48
_FIRST = (1023 - OCTAVES_DOWN) * PER_OCTAVE


def multipliers() -> NDArray[np.float64]:
    """float64[MULTIPLIERS]: the grid, rising."""
    octave, part = np.divmod(np.arange(MULTIPLIERS), PER_OCTAVE)
    return 2.0 ** (octave - OCTAVES_DOWN) * (1.0 + part / PER_OCTAVE)


class Hindsight(NamedTuple):
    """What each agent's multipliers bought in the tick so far. A agents."""

    worth: NDArray[np.float64]
    """float64[A, MULTIPLIERS + 1]: worth of what this multiplier is the lowest to win; last: none does."""
    cost: NDArray[np.float64]
    """float64[A, MULTIPLIERS + 1]: their prices to beat."""


def new_hindsight(agents: int) -> Hindsight:
    """Nothing bought yet."""
    return Hindsight(np.zeros((agents, MULTIPLIERS + 1)), np.zeros((agents, MULTIPLIERS + 1)))


@kernel
def lowest_winning(price_nanos: int, worth_nanos: int) -> int:
    """Index of the lowest multiplier of the grid that bids more than *price_nanos*; MULTIPLIERS: none does."""
    ratio = np.float64(price_nanos / worth_nanos)
    at = int(ratio.view(np.int64) >> _SHIFT) - _FIRST + 1
    return min(max(at, 0), MULTIPLIERS)


@kernel
def note(hindsight: Hindsight, agent_ix: int, worth_nanos: int, price_nanos: int) -> None:
    """Take in an impression the agent could have had for *price_nanos*."""
    if worth_nanos > 0:
        at = lowest_winning(price_nanos, worth_nanos)
        hindsight.worth[agent_ix, at] += worth_nanos
        hindsight.cost[agent_ix, at] += price_nanos


class Account:
    """Each agent's multipliers over the whole run: worth bought and money spent, within the budgets."""

    def __init__(self, book: Book, auction_kind: int) -> None:
        agents = len(book.campaigns)
        self.worth, self.spent = np.zeros((agents, MULTIPLIERS)), np.zeros((agents, MULTIPLIERS))
        self._today, self._day = np.zeros((agents, MULTIPLIERS)), -1.0
        self._total = book.campaigns["total_nanos"].astype(np.float64)[:, None]
        self._daily = book.campaigns["daily_nanos"].astype(np.float64)[:, None]
        self._first_price = auction_kind != SECOND_PRICE

    def end_tick(self, hindsight: Hindsight, day_s: float) -> None:
        """Turn a tick's histograms into purchases and clear them; *day_s* is the tick's start on the calendar (s)."""
        day = day_s // DAY_S
        if day != self._day:
            self._today[:], self._day = 0.0, day
        worth = hindsight.worth[:, :-1].cumsum(axis=1)
        cost = worth * multipliers() if self._first_price else hindsight.cost[:, :-1].cumsum(axis=1)
        room = np.minimum(self._total - self.spent, self._daily - self._today)
        part = np.where(cost > room, room / np.where(cost > 0.0, cost, 1.0), 1.0)
        self.worth += part * worth
        self.spent += part * cost
        self._today += part * cost
        hindsight.worth[:], hindsight.cost[:] = 0.0, 0.0

    def best(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """(multiplier, worth, spend) of each agent's highest surplus; all 0 where nothing beats staying out."""
        surplus = self.worth - self.spent
        at = surplus.argmax(axis=1)
        rows = np.arange(len(at))
        out = surplus[rows, at] <= 0.0
        return (
            np.where(out, 0.0, multipliers()[at]),
            np.where(out, 0.0, self.worth[rows, at]),
            np.where(out, 0.0, self.spent[rows, at]),
        )
