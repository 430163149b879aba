"""The wire between exchange and bidder: latency, loss and duplication live in it, not in sender or receiver.

Every delay and every accident is a hash of the auction and of the message, so it is the same whatever anybody bids.
Delays in ms as scenarios and `tmax` have them, simulated time in s.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
import simpy

from exchange_sim.distributions import normal_quantile
from exchange_sim.draws import WIRE, key_of, uniform
from exchange_sim.kernel import kernel

REQUEST, RESPONSE, NOTICE, LOST, DUPLICATED, DUPLICATE, CONVERSION = range(7)
"""What a draw about a message is for; the values never change."""


@kernel
def draw_wire(key: np.uint64, kind: int) -> float:
    """A draw from (0, 1) for one kind of message of the owner (an auction, a purchase) with this key."""
    return uniform(key_of(key, WIRE, kind), WIRE)


class Delay(Protocol):
    """How long a message travels."""

    @property
    def fixed_ms(self) -> float | None:
        """The delay when it is always the same."""

    def ms(self, u: float) -> float:
        """The delay at probability *u*."""


@dataclass(frozen=True)
class ConstantDelay:
    """The same delay for every message."""

    fixed_ms: float = 0.0

    def ms(self, u: float) -> float:
        """Always the same."""
        return self.fixed_ms


@dataclass(frozen=True)
class LognormalDelay:
    """median * exp(sigma * normal)."""

    median_ms: float
    sigma: float
    fixed_ms: None = None

    def ms(self, u: float) -> float:
        """Inverse distribution function."""
        return self.median_ms * math.exp(self.sigma * normal_quantile(u))


@dataclass(frozen=True)
class EmpiricalDelay:
    """Measured delays, each equally likely."""

    values_ms: tuple[float, ...]
    fixed_ms: None = None

    def ms(self, u: float) -> float:
        """Inverse distribution function."""
        return self.values_ms[int(u * len(self.values_ms))]


@dataclass(frozen=True)
class Wire:
    """Both directions of the wire and its accidents."""

    tmax_ms: float = 100.0
    request: Delay = ConstantDelay()
    response: Delay = ConstantDelay()
    notice: Delay = ConstantDelay()
    lost_share: float = 0.0
    """Share of win and loss notices that never arrive."""
    duplicated_share: float = 0.0
    """Share of win and loss notices that arrive twice."""

    def delay_ms(self, delay: Delay, key: np.uint64, kind: int) -> float:
        """Delay of one message."""
        return delay.ms(draw_wire(key, kind)) if delay.fixed_ms is None else delay.fixed_ms

    @cached_property
    def keeps_notices(self) -> bool:
        """Whether every notice arrives once and after the same time: nothing to draw."""
        return self.lost_share == 0.0 and self.duplicated_share == 0.0 and self.notice.fixed_ms is not None

    def notice_delays_ms(self, key: np.uint64) -> list[float]:
        """Delays of all copies of an auction's win or loss notice that arrive: none, one or two.

        The second is sent again when the first has arrived, its receipt being what got lost.
        """
        if self.lost_share > 0.0 and draw_wire(key, LOST) < self.lost_share:
            return []
        delays = [self.delay_ms(self.notice, key, NOTICE)]
        if self.duplicated_share > 0.0 and draw_wire(key, DUPLICATED) < self.duplicated_share:
            delays.append(delays[0] + self.delay_ms(self.notice, key, DUPLICATE))
        return delays


def send(env: simpy.Environment, delay_ms: float, deliver: Callable[[], None]) -> None:
    """Put a message on the wire: *deliver* is called when it comes out, at once when there is no delay."""
    if delay_ms <= 0.0:
        deliver()
        return
    arrival = env.timeout(delay_ms / 1000.0)
    assert arrival.callbacks is not None
    arrival.callbacks.append(lambda _: deliver())
