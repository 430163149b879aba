"""When requests should leave and what is in them: SimPy's clock for the moments, a scenario's market for the contents.

Times in s since the start of the run. The moments are a Poisson process of the wanted rate, thinned while it ramps up;
what each request says is what the scenario's traffic says next, so nobody meets the same auction twice.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from typing import NamedTuple

import numpy as np
import simpy

from exchange_sim.requests import Arrivals, RequestMaker
from exchange_sim.selling.terms import set_all_terms
from exchange_sim.traffic import new_cursor
from experiments.compile.wire import deal_cards, slot_cards
from experiments.drivers.events import draw_arrivals
from experiments.setting import Setting
from openrtb.decode import encode_request
from openrtb.messages import BidRequest


class Due(NamedTuple):
    """A request whose moment has come."""

    intended_s: float
    request: BidRequest
    body: bytes
    key: np.uint64
    """What draws about this auction come from."""


class Pace(NamedTuple):
    """How many requests a second, and how long."""

    rate_per_s: float
    duration_s: float
    ramp_s: float = 0.0
    """The rate rises from nothing to its height over this long, within the duration."""

    def rate_at(self, time_s: float) -> float:
        """Requests per second wanted at a moment."""
        return self.rate_per_s if time_s >= self.ramp_s else self.rate_per_s * time_s / self.ramp_s


class Contents:
    """What requests say, one after another, without end."""

    def __init__(self, setting: Setting, tmax_ms: float) -> None:
        self._setting = setting
        self._maker = RequestMaker(
            setting.world,
            slot_cards(setting),
            setting.directory.places,
            setting.user_id,
            currency=setting.scenario.currency,
            tmax_ms=tmax_ms,
            deals=deal_cards(setting),
        )
        self._cursor = new_cursor()
        self._arrivals, self._at = self._drawn(), 0

    def _drawn(self) -> Arrivals:
        """A block of opportunities, on the terms they are offered on."""
        arrivals = draw_arrivals(self._setting.world, self._cursor, math.inf)
        set_all_terms(self._setting.world, arrivals.opps, arrivals.terms)
        return arrivals

    def due(self, intended_s: float) -> Due:
        """The next request."""
        if self._at == len(self._arrivals.time_s):
            self._arrivals, self._at = self._drawn(), 0
        arrivals, i = self._arrivals, self._at
        self._at += 1
        request = self._maker.make(arrivals, i)
        return Due(intended_s, request, encode_request(request), arrivals.opps["key"][i])


class Schedule:
    """The SimPy process of arrivals; the wall clock takes it along."""

    def __init__(self, pace: Pace, seed: int, arrive: Callable[[float], None]) -> None:
        self.env = simpy.Environment()
        self._pace, self._arrive = pace, arrive
        self._luck = np.random.default_rng(seed)
        self.env.process(self._run())

    def next_s(self) -> float:
        """When something happens next; infinity: never again."""
        return float(self.env.peek())

    def advance(self, until_s: float) -> None:
        """Let everything up to this moment happen."""
        while self.env.peek() <= until_s:
            self.env.step()

    def _run(self) -> Generator[simpy.Event, None, None]:
        pace, env = self._pace, self.env
        while True:
            gaps = self._luck.exponential(1.0 / pace.rate_per_s, 1024).tolist()
            kept = self._luck.random(1024).tolist()
            for gap_s, u in zip(gaps, kept, strict=True):
                yield env.timeout(gap_s)
                if env.now >= pace.duration_s:
                    return
                if env.now >= pace.ramp_s or u * pace.rate_per_s < pace.rate_at(env.now):
                    self._arrive(env.now)
