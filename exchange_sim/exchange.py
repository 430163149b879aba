"""The exchange as others meet it: one SimPy process per request, from the page view to the last notice.

It offers the impression, waits for the answer or `tmax`, clears, and tells the bidder what became of its bid. Who bids,
and where results are recorded, is handed in. Times in s, delays in ms, prices on the wire in CPM.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from functools import partial
from typing import Any, NamedTuple, Protocol

import numpy as np
import simpy

from exchange_sim.cable import REQUEST, RESPONSE, Delay, Wire, send
from exchange_sim.requests import Arrivals, RequestMaker
from openrtb.codes import LossReason
from openrtb.messages import Bid, BidRequest, BidResponse
from openrtb.money import nanos_to_cpm
from openrtb.notices import Billing, Click, Loss, Notice


class Sale(NamedTuple):
    """What became of our bid."""

    won: bool
    price_nanos: int
    clicked: bool
    exposure: int
    """Which exposure of the records it is, when won."""
    loss: LossReason = LossReason.LOST_TO_HIGHER_BID
    """Why it lost."""
    min_to_win_nanos: int = 0
    """What the bidder is told of the least bid that would have won; 0: nothing."""


class Bidder(Protocol):
    """Whoever answers; results come back through *then*, at once or later."""

    def bid(self, request: Any, then: Callable[[BidResponse], None]) -> None:
        """Ask for bids."""

    def notice(self, notice: Notice, then: Callable[[Any], None]) -> None:
        """Tell what happened."""


class Market(Protocol):
    """Sets the terms of requests, clears them against the rivals and keeps the records."""

    def offer(self, arrivals: Arrivals, i: int) -> None:
        """Settle on what terms opportunity *i* is offered, at this moment."""

    def answered(self, response: BidResponse, late: bool) -> None:
        """The bidder has answered; *late*: its answer will not arrive in time."""

    def clear(self, arrivals: Arrivals, i: int, response: BidResponse | None, bid: Bid | None) -> Sale:
        """Settle opportunity *i*; response None: nothing came before `tmax`."""

    def offer_paths(self, arrivals: Arrivals, i: int) -> int:
        """Settle how opportunity *i* is offered in several exchanges; returns in how many, 0: by `offer` alone."""

    def clear_paths(self, arrivals: Arrivals, i: int, responses: Sequence[BidResponse | None]) -> list[Sale]:
        """Settle opportunity *i* in all of them; None: nothing came before `tmax`."""

    def billed(self, sale: Sale, heard: Any) -> None:
        """The bidder has taken in a billing notice, in its own words."""


class Exchange(NamedTuple):
    """What all requests share."""

    env: simpy.Environment
    wire: Wire
    requests: RequestMaker
    bidder: Bidder
    market: Market


class Auction:
    """One request's life. `run` is the process; the other methods are called as messages arrive."""

    __slots__ = ("_arrivals", "_exchange", "_i", "_on_its_way", "_received_s", "_request_ms", "answer", "arrived")

    def __init__(self, exchange: Exchange, arrivals: Arrivals, i: int) -> None:
        self._exchange = exchange
        self._arrivals = arrivals
        self._i = i
        self.answer: BidResponse | None = None
        self.arrived: simpy.Event | None = None
        self._on_its_way = False

    def run(self) -> Generator[simpy.Event, Any, None]:
        """The SimPy process."""
        exchange = self._exchange
        exchange.market.offer(self._arrivals, self._i)
        self.ask()
        if self.arrived is not None:
            yield self.arrived
        response = self.answer
        bid = bid_in(response)
        self.tell(exchange.market.clear(self._arrivals, self._i, response, bid), bid)

    def tell(self, sale: Sale, bid: Bid | None) -> None:
        """Say to its bidder what became of a bid."""
        exchange = self._exchange
        if bid is None:
            return
        told = nanos_to_cpm(sale.min_to_win_nanos) if sale.min_to_win_nanos > 0 else None
        if not sale.won:
            self._notify(Loss(bid.id, sale.loss, told), _ignore)
            return
        self._notify(Billing(bid.id, nanos_to_cpm(sale.price_nanos), told), partial(exchange.market.billed, sale))
        if sale.clicked:
            exchange.bidder.notice(Click(bid.id), _ignore)

    def ask(self) -> None:
        """Send the request; unless the answer is there at once, `arrived` happens when it is, or at `tmax`."""
        exchange = self._exchange
        self._request_ms = self._delay_ms(exchange.wire.request, REQUEST)
        send(exchange.env, self._request_ms, self._deliver)
        if self.answer is None:
            self.arrived = exchange.env.event()
            send(exchange.env, exchange.wire.tmax_ms, self._give_up)

    def _make(self) -> BidRequest:
        return self._exchange.requests.make(self._arrivals, self._i)

    def _delay_ms(self, delay: Delay, kind: int) -> float:
        fixed_ms = delay.fixed_ms
        return fixed_ms if fixed_ms is not None else self._exchange.wire.delay_ms(delay, self._key(), kind)

    def _key(self) -> np.uint64:
        key: np.uint64 = self._arrivals.opps["key"][self._i]
        return key

    def _deliver(self) -> None:
        """The request reaches the bidder."""
        exchange = self._exchange
        self._received_s = exchange.env.now
        exchange.bidder.bid(self._make(), self._send_answer)

    def _send_answer(self, response: BidResponse) -> None:
        """The bidder has answered: whether that is in time follows from the delays alone, without rounding."""
        exchange = self._exchange
        response_ms = self._delay_ms(exchange.wire.response, RESPONSE)
        thinking_ms = (exchange.env.now - self._received_s) * 1000.0
        over = self.arrived is not None and self.arrived.triggered
        self._on_its_way = not over and self._request_ms + response_ms + thinking_ms <= exchange.wire.tmax_ms
        exchange.market.answered(response, not self._on_its_way)
        if self._on_its_way:
            send(exchange.env, response_ms, partial(self._receive, response))

    def _receive(self, response: BidResponse) -> None:
        self.answer = response
        if self.arrived is not None:
            self.arrived.succeed()

    def _give_up(self) -> None:
        """`tmax` is over."""
        if not self._on_its_way:
            assert self.arrived is not None
            self.arrived.succeed()

    def _notify(self, notice: Notice, then: Callable[[Any], None]) -> None:
        exchange = self._exchange
        if exchange.wire.keeps_notices:
            delays_ms = [exchange.wire.notice.fixed_ms or 0.0]
        else:
            delays_ms = exchange.wire.notice_delays_ms(self._key())
        for delay_ms in delays_ms:
            send(exchange.env, delay_ms, partial(exchange.bidder.notice, notice, then))


def bid_in(response: BidResponse | None) -> Bid | None:
    """The bid in an answer to a request with one impression."""
    return response.seatbid[0].bid[0] if response is not None and response.seatbid else None


def start(env: simpy.Environment, process: Generator[simpy.Event, Any, None]) -> None:
    """Start a process in this very moment; one that never waits is over before it becomes an event."""
    for first in process:
        env.process(_rest(first, process))
        return


def _rest(first: simpy.Event, process: Generator[simpy.Event, Any, None]) -> Generator[simpy.Event, Any, None]:
    """What is left of *process* after it has begun to wait for *first*."""
    yield first
    yield from process


def _ignore(_: Any) -> None:
    """What the bidder makes of it is its own affair."""
