"""One tournament, from a scenario to the standings. SimPy wakes once per tick; compiled code runs what is between."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import simpy
from numpy.typing import NDArray

from bidder.core.book import Book
from bidder.core.entries import ENTRY
from bidder.core.settle import tick
from exchange_sim.outcomes import draw_organic
from experiments.drivers.batch import MOST_PER_CALL, BatchRun, Progress
from experiments.drivers.batch_kernel import REACHED
from experiments.errors import ScenarioError
from experiments.ledger import Ledger
from experiments.scenario.models import Scenario
from experiments.setting import Setting
from experiments.tournament.hindsight import Account, new_hindsight
from experiments.tournament.kernel import Field, advance


class Tournament(NamedTuple):
    """A finished tournament."""

    ledger: Ledger
    book: Book
    hindsight: Account


def seat_names(scenario: Scenario) -> list[str]:
    """The seat of each campaign: the one it names, else its own."""
    return [name if campaign.seat is None else campaign.seat for name, campaign in scenario.campaigns.items()]


def run_tournament(setting: Setting, progress: Progress | None = None) -> Tournament:
    """Play *setting* to its end with every seat against every other; rivals of the market bid as well."""
    if setting.world.slots["rules"].any():
        message = "a tournament knows one floor and one kind of deal (floor) per slot; remove all other rules"
        raise ScenarioError(f"publishers: {message}: reserves, soft floors, floor_rules, discounts, networks, checks")
    run = TournamentRun(setting, progress)
    env = simpy.Environment()
    env.process(run.ticks(env))
    env.run()
    return Tournament(run.ledger(), run.book, run.account)


class TournamentRun(BatchRun):
    """The batch driver with the tournament's loop, and hindsight beside it."""

    def __init__(self, setting: Setting, progress: Progress | None) -> None:
        super().__init__(setting, progress)
        names = seat_names(setting.scenario)
        seats = list(dict.fromkeys(names))
        seat_ix: NDArray[np.int64] = np.array([seats.index(name) for name in names], np.int64)
        self.field = Field(seat_ix, np.zeros(len(names), ENTRY), np.full(len(seats), -1, np.int64))
        self.past = new_hindsight(len(names))
        self.account = Account(self.book, self.world.auction_kind)

    def tick(self, start_s: float, end_s: float) -> None:
        """One control interval, and what hindsight makes of it."""
        tick(self.book, start_s)
        self.run_until(end_s)
        self.account.end_tick(self.past, start_s + self.world.start_of_day_s)

    def run_until(self, end_s: float) -> None:
        """Every auction and purchase before *end_s*."""
        while not draw_organic(self.world, self.organic_cursor, end_s, self.desk.pending, self.desk.pending_size):
            self.make_room()
        reached = False
        while not reached:
            self.make_room()
            self.auctions += advance(
                *(self.world, self.book, self.rows, self.desk, self.tallies),
                *(self.field, self.past, end_s, MOST_PER_CALL),
            )
            reached = bool(self.desk.filled[REACHED])
            self.empty_buffers()
        self.deliver(end_s)
