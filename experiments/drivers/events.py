"""Driver `events`: a SimPy process per request, OpenRTB messages, and the asyncio bidder in lock-step with the clock.

At zero latency its ledger equals that of `batch`, integer for integer: everything happens in the same order. With
latency bids are in flight for a while, and notices may be lost, doubled or late.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from typing import Any

import numpy as np
import simpy
from numpy.typing import NDArray

from bidder.core.book import Book
from bidder.desk import Desk
from exchange_sim.exchange import Exchange, start
from exchange_sim.paths import process_of
from exchange_sim.requests import Arrivals, RequestMaker
from exchange_sim.traffic import draw_opportunities, new_cursor
from exchange_sim.world import OPPORTUNITY, World
from experiments.compile.wire import compile_wire, deal_cards, slot_cards
from experiments.drivers.batch import Progress
from experiments.drivers.events_kernel import draw_all_signals
from experiments.drivers.events_market import EventsMarket
from experiments.drivers.lockstep import ExactEnvironment, LockstepLoop
from experiments.ledger import Ledger
from experiments.setting import Setting
from openrtb.messages import BidRequest, BidResponse
from openrtb.notices import Notice

BLOCK = 256
"""Opportunities drawn at once."""


def run_events(setting: Setting, progress: Progress | None = None) -> tuple[Ledger, Book]:
    """Run *setting* to its end; returns the ledger and the bidder's final book."""
    run = EventsRun(setting, progress)
    run.env.run()
    return run.end()


class LockstepPort:
    """Carries messages to the desk's coroutines; the wire's delays are the exchange's business."""

    def __init__(self, loop: LockstepLoop, desk: Desk) -> None:
        self._loop = loop
        self._desk = desk

    def bid(self, request: BidRequest, then: Callable[[BidResponse], None]) -> None:
        """Ask the desk for bids."""
        self._loop.submit(self._desk.bid(request), then)

    def notice(self, notice: Notice, then: Callable[[Any], None]) -> None:
        """Tell the desk what happened."""
        self._loop.submit(self._desk.notice(notice), then)


class EventsRun:
    """One run: the clock, both sides of the wire, and the processes that move them."""

    def __init__(self, setting: Setting, progress: Progress | None = None) -> None:
        self._setting = setting
        self._progress = progress
        self._world = setting.world
        self.env = ExactEnvironment(0.0)
        self.loop = LockstepLoop(self.env)  # type: ignore[abstract]  # what needs an operating system is left out
        scenario = setting.scenario
        self.desk = Desk(
            setting.new_book(),
            setting.plans,
            setting.directory,
            setting.audience,
            clock=self.loop.time,
            reservation_s=scenario.wire.reservation_s,
            currency=scenario.currency,
            skips_duplicates=scenario.duplicates == "skip",
        )
        wire, port = compile_wire(scenario.wire), LockstepPort(self.loop, self.desk)
        self.market = EventsMarket(self.env, setting, wire, port, self.desk)
        requests = RequestMaker(
            setting.world,
            slot_cards(setting),
            setting.directory.places,
            setting.user_id,
            currency=scenario.currency,
            tmax_ms=wire.tmax_ms,
            deals=deal_cards(setting),
        )
        self.exchange = Exchange(self.env, wire, requests, port, self.market)
        self._cursor = new_cursor()
        self.env.process(self._ticks())
        self.env.process(self._traffic())

    def end(self) -> tuple[Ledger, Book]:
        """Once nothing is on its way any more: what is still in flight expires; the ledger and the bidder's book."""
        self.desk.expire(math.inf)
        return self.market.ledger(), self.desk.book

    def _ticks(self) -> Generator[simpy.Event, Any, None]:
        """The SimPy process of the control interval: the bidder's tick at its start."""
        for _, end_s in self._setting.ticks():
            self.market.tick()
            self.desk.tick()
            self.market.draw_organic(end_s)
            yield self.env.at(end_s)
            if self._progress is not None:
                self._progress(end_s, self.market.auctions, self.market.spent_nanos)

    def _traffic(self) -> Generator[simpy.Event, Any, None]:
        """The SimPy process of arrivals: each starts a process of its own."""
        env, exchange = self.env, self.exchange
        sell = process_of(self._world)
        while True:
            arrivals = draw_arrivals(self._world, self._cursor, self._setting.end_s)
            for i, time_s in enumerate(arrivals.time_s):
                if time_s > env.now:  # the slots of a page are offered in one moment
                    yield env.at(time_s)
                start(env, sell(exchange, arrivals, i))
            if len(arrivals.time_s) < BLOCK:
                return


def draw_arrivals(world: World, cursor: NDArray[np.float64], until_s: float) -> Arrivals:
    """The next opportunities before *until_s*, at most BLOCK; *cursor* is that of `draw_opportunities`."""
    opps = np.zeros(BLOCK, OPPORTUNITY)
    n = draw_opportunities(world, opps, BLOCK, cursor, until_s)
    signals = np.zeros((n if len(world.signal_keys) else 0, len(world.signal_keys)), np.int64)
    draw_all_signals(world, opps, signals)
    return Arrivals(opps[:n], signals)
