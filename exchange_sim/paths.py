"""Header bidding as others meet it: one impression, one request per exchange, all under way at the same time.

Each path is an `Auction` as far as its messages go, with an id and delays of its own; they are cleared together.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import numpy as np
import simpy

from exchange_sim.exchange import Auction, Exchange, bid_in
from exchange_sim.requests import Arrivals
from exchange_sim.selling.header import most_paths, path_key
from exchange_sim.world import World
from openrtb.messages import BidRequest


class Path(Auction):
    """One exchange's request."""

    __slots__ = ("_path",)

    def __init__(self, exchange: Exchange, arrivals: Arrivals, i: int, path: int) -> None:
        super().__init__(exchange, arrivals, i)
        self._path = path

    def _make(self) -> BidRequest:
        return self._exchange.requests.make_path(self._arrivals, self._i, self._path)

    def _key(self) -> np.uint64:
        return np.uint64(path_key(super()._key(), self._path))


Process = Callable[[Exchange, Arrivals, int], Generator[simpy.Event, Any, None]]


def process_of(world: World) -> Process:
    """The SimPy process by which opportunities are sold in *world*."""
    return _sell_in_one if most_paths(world) == 1 else _sell_in_several


def _sell_in_one(exchange: Exchange, arrivals: Arrivals, i: int) -> Generator[simpy.Event, Any, None]:
    return Auction(exchange, arrivals, i).run()


def _sell_in_several(exchange: Exchange, arrivals: Arrivals, i: int) -> Generator[simpy.Event, Any, None]:
    """The SimPy process of opportunity *i* where sellers may offer it in several exchanges at once."""
    count = exchange.market.offer_paths(arrivals, i)
    if count == 0:
        yield from Auction(exchange, arrivals, i).run()
        return
    paths = [Path(exchange, arrivals, i, k) for k in range(count)]
    for path in paths:
        path.ask()
    for path in paths:
        if path.arrived is not None:
            yield path.arrived
    responses = [path.answer for path in paths]
    sales = exchange.market.clear_paths(arrivals, i, responses)
    for path, response, sale in zip(paths, responses, sales, strict=True):
        path.tell(sale, bid_in(response))
