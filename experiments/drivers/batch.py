"""Driver `batch`: SimPy wakes once per tick and lets compiled code run everything in between."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from typing import Any

import numpy as np
import simpy
from numpy.typing import NDArray

from bidder.core.book import IMPRESSION, Book
from bidder.core.settle import tick
from bidder.room import ensure_room
from exchange_sim.outcomes import draw_organic
from exchange_sim.pending import PENDING
from exchange_sim.selling.header import ASK, most_paths
from exchange_sim.selling.reserve import learn_reserves
from exchange_sim.selling.rules import TERMS
from exchange_sim.traffic import new_cursor
from exchange_sim.world import OPPORTUNITY, World
from experiments.compile.pages import requests_per_arrival
from experiments.drivers.batch_kernel import (
    FILLED_EXPOSURES,
    FILLED_PURCHASES,
    REACHED,
    Desk,
    advance,
    deliver_purchases,
)
from experiments.drivers.header_kernel import Paths, advance_paths
from experiments.ledger import EXPOSURE, PURCHASE, Ledger, Tallies
from experiments.setting import Setting

BLOCK = 256
"""Opportunities drawn at once: their memory loads overlap, and they stay in the first-level cache."""
MOST_PER_CALL = 32_768
"""Auctions per call of the compiled loop: bounds the buffers it fills."""
MORE_EXPOSURES = 8 * MOST_PER_CALL
"""Rows by which the record of exposures grows when more were bought than foreseen."""
MOST_AHEAD = 1 << 25
"""Rows of the record set aside at most before the run: 2 GiB of addresses."""

Progress = Callable[[float, int, int], None]
"""Called with simulated seconds, auctions and nanos spent so far."""


def run_batch(setting: Setting, progress: Progress | None = None) -> tuple[Ledger, Book]:
    """Run *setting* to its end; returns the ledger and the bidder's final book."""
    run = BatchRun(setting, progress)
    env = simpy.Environment()
    env.process(run.ticks(env))
    env.run()
    return run.ledger(), run.book


def rows_ahead(setting: Setting) -> int:
    """Rows of the record of exposures to set aside: one per auction expected.

    Only rows written take memory, and what is set aside uncleared NumPy puts on huge pages: growing step by step cost
    a tenth of a long run in page faults.
    """
    scenario = setting.scenario
    auctions = int(scenario.traffic.requests_per_day * scenario.days * requests_per_arrival(scenario))
    return min(auctions, MOST_AHEAD) + MORE_EXPOSURES


class BatchRun:
    """State of one run between ticks."""

    def __init__(self, setting: Setting, progress: Progress | None) -> None:
        self.setting = setting
        self.world: World = setting.world
        self.book: Book = setting.new_book()
        self.rows: NDArray[np.uint64] = setting.audience.rows
        self.tallies: Tallies = setting.new_tallies()
        self.progress = progress
        self.auctions = 0
        self.purchases: list[NDArray[np.void]] = []
        self.organic_cursor = np.zeros((len(self.world.products), 2))
        self.most_paths = most_paths(self.world)
        self.paths = Paths(
            np.zeros(self.most_paths, TERMS),
            np.zeros(self.most_paths, ASK),
            int(setting.scenario.duplicates == "skip"),
        )
        self.desk = Desk(
            opportunities=np.zeros(BLOCK // self.most_paths, OPPORTUNITY),
            terms=np.zeros(1, TERMS),
            impression=np.zeros(1, IMPRESSION),
            signals=np.zeros(max(1, len(self.world.signal_keys)), np.int64),
            cursor=new_cursor(),
            pending=np.zeros(2 * MOST_PER_CALL, PENDING),
            pending_size=np.zeros(1, np.int64),
            exposures=np.empty(rows_ahead(setting), EXPOSURE),
            purchases=np.zeros(4 * MOST_PER_CALL, PURCHASE),
            units=setting.units,
            filled=np.zeros(3, np.int64),
        )

    def ticks(self, env: simpy.Environment) -> Generator[simpy.Event, Any, None]:
        """The SimPy process: refresh the bidder at the start of each tick, then run up to its end."""
        for start_s, end_s in self.setting.ticks():
            yield env.timeout(end_s - env.now)
            self.tick(start_s, end_s)
            if self.progress is not None:
                self.progress(end_s, self.auctions, int(self.book.campaigns["spent_nanos"].sum()))
        self.deliver(math.inf)

    def tick(self, start_s: float, end_s: float) -> None:
        """One control interval: the bidder refreshes its prices, then everything before *end_s* happens."""
        learn_reserves(self.world.selling.reserves, self.world.selling.observed)
        tick(self.book, start_s)
        self.run_until(end_s)

    def run_until(self, end_s: float) -> None:
        """Every auction and purchase before *end_s*."""
        while not draw_organic(self.world, self.organic_cursor, end_s, self.desk.pending, self.desk.pending_size):
            self.make_room()
        reached = False
        while not reached:
            self.make_room()
            self.auctions += self.advance(end_s)
            reached = bool(self.desk.filled[REACHED])
            self.empty_buffers()
        self.deliver(end_s)

    def advance(self, end_s: float) -> int:
        """At most MOST_PER_CALL auctions before *end_s*; returns how many there were."""
        if self.most_paths == 1:
            return advance(self.world, self.book, self.rows, self.desk, self.tallies, end_s, MOST_PER_CALL)
        return advance_paths(
            self.world, self.book, self.rows, self.desk, self.tallies, self.paths, end_s, MOST_PER_CALL
        )

    def deliver(self, end_s: float) -> None:
        """Purchases due before *end_s*."""
        if self.desk.pending_size[0] == 0 or self.desk.pending["due_s"][0] >= end_s:
            return  # handing the world to compiled code costs more than to look
        self.make_room()
        deliver_purchases(self.world, self.book, self.desk, end_s)
        self.empty_buffers()

    def make_room(self) -> None:
        """Room for one call's worth of memory, exposures, purchases to come and purchases to record."""
        exposures = self.desk.exposures
        if self.desk.filled[FILLED_EXPOSURES] + MOST_PER_CALL > len(exposures):
            exposures.resize(len(exposures) + MORE_EXPOSURES, refcheck=False)
        self.book = ensure_room(self.book, BLOCK)
        waiting = int(self.desk.pending_size[0])
        if waiting + MOST_PER_CALL > len(self.desk.pending):
            self.desk = self.desk._replace(
                pending=np.concatenate([self.desk.pending, np.zeros_like(self.desk.pending)])
            )
        if waiting + MOST_PER_CALL > len(self.desk.purchases):
            self.desk = self.desk._replace(purchases=np.zeros(2 * (waiting + MOST_PER_CALL), PURCHASE))

    def empty_buffers(self) -> None:
        """Take over what the compiled loop recorded."""
        purchases = self.desk.filled[FILLED_PURCHASES]
        if purchases:
            self.purchases.append(self.desk.purchases[:purchases].copy())
            self.desk.filled[FILLED_PURCHASES] = 0

    def ledger(self) -> Ledger:
        """Everything recorded, in order."""
        return Ledger(
            self.auctions,
            self.desk.exposures[: self.desk.filled[FILLED_EXPOSURES]],
            np.concatenate([np.zeros(0, PURCHASE), *self.purchases]),
            self.tallies,
        )
