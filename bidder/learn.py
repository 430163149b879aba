"""Fit win curves to a bidder's own auctions, see `bidder.core.winrate`. Money in one unit throughout."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bidder.core.winrate import ABOVE, BELOW, SEEN, lognormal_step, pool_adjacent, product_limit, shade_steps
from bidder.errors import FeedbackError

ROUNDS = 100


@dataclass(frozen=True)
class Feedback:
    """What n auctions told: the bid, whether it won, the highest rival price where it was told (NaN where not)."""

    bid: NDArray[np.float64]
    won: NDArray[np.bool_]
    price: NDArray[np.float64]

    def __post_init__(self) -> None:
        """Raises `FeedbackError` when the arrays differ in length, are empty or hold no usable numbers."""
        shapes = {self.bid.shape, self.won.shape, self.price.shape}
        if len(shapes) != 1 or len(self.bid) == 0 or self.bid.ndim != 1:
            raise FeedbackError("feedback needs bid, won and price of the same length, one entry per auction")
        if not (np.all(self.bid > 0) and np.all(np.isfinite(self.bid))):
            raise FeedbackError("feedback holds a bid that is not above 0 and finite; leave those auctions out")
        told = self.price[self.kind == SEEN]
        if not (np.all(told > 0) and np.all(np.isfinite(told))):
            raise FeedbackError("feedback holds a price that is not above 0 and finite; leave those auctions out")

    @property
    def kind(self) -> NDArray[np.int8]:
        """int8[n]: SEEN, BELOW or ABOVE."""
        kinds: NDArray[np.int8] = np.where(np.isnan(self.price), np.where(self.won, BELOW, ABOVE), SEEN).astype(np.int8)
        return kinds

    @property
    def at(self) -> NDArray[np.float64]:
        """float64[n]: the price where it was told, else the bid that bounds it."""
        return np.where(np.isnan(self.price), self.bid, self.price)


@dataclass(frozen=True)
class StepCurve:
    """A win curve: at a bid of price[i] or more, win[i] of the auctions are won."""

    price: NDArray[np.float64]
    win: NDArray[np.float64]

    def shade(self, worth: float) -> float:
        """The bid that maximises the surplus; 0 when none gains anything."""
        return float(shade_steps(worth, self.price, self.win))


def fit_lognormal(feedback: Feedback) -> tuple[float, float]:
    """Maximum likelihood (mu, sigma) of the logarithm of the highest rival price, from seen and bounded prices alike.

    Newton's method with halved steps on a concave likelihood. Raises `FeedbackError` when there is no maximum: only
    wins, only losses, wins and losses parted by one bid, or one single price.
    """
    log_at, kind = np.log(feedback.at), feedback.kind
    centre, spread = float(log_at.mean()), float(log_at.std())
    if not spread > 0.0:
        raise FeedbackError(_NO_CURVE)
    x = (log_at - centre) / spread
    slope, offset = 1.0, 0.0
    sums, trial = np.empty(6), np.empty(6)
    lognormal_step(x, kind, slope, offset, sums)
    for _ in range(ROUNDS):
        value, d_slope, d_offset, ss, so, oo = sums
        determinant = ss * oo - so * so
        if not determinant > 1e-12 * len(x):
            break
        step = ((so * d_offset - oo * d_slope) / determinant, (so * d_slope - ss * d_offset) / determinant)
        if max(abs(step[0]), abs(step[1])) < 1e-10 * (slope + abs(offset)):
            return centre - spread * offset / slope, spread / slope
        share = 1.0
        while share > 1e-9:
            if slope + share * step[0] > 0.0:
                lognormal_step(x, kind, slope + share * step[0], offset + share * step[1], trial)
                if trial[0] >= value - 1e-9 * abs(value):
                    break
            share *= 0.5
        slope, offset = slope + share * step[0], offset + share * step[1]
        if not (1e-6 < slope < 1e6):
            break
        lognormal_step(x, kind, slope, offset, sums)
    raise FeedbackError(_NO_CURVE)


def fit_steps(feedback: Feedback) -> StepCurve:
    """The non-parametric maximum likelihood curve.

    Prices seen and wins or losses that bound them on one side: Kaplan and Meier's product limit (run backwards where
    wins are the bounded ones). Only bounds, on both sides: isotonic regression of winning on the bid. Raises
    `FeedbackError` when prices seen, wins and losses without a price are all mixed: `fit_lognormal` takes those.
    """
    kinds = set(feedback.kind.tolist())
    if kinds == {SEEN, BELOW, ABOVE}:
        raise FeedbackError(
            "some prices were told, and both wins and losses came without one: no product limit exists for that; "
            "use fit_lognormal"
        )
    if SEEN not in kinds:
        return _isotonic(feedback)
    return _reverse_product_limit(feedback) if BELOW in kinds else _product_limit(feedback)


def _product_limit(feedback: Feedback) -> StepCurve:
    """Some prices are only known to be above the bid: the usual, right-censored case."""
    at, seen = feedback.at, feedback.kind == SEEN
    order = np.lexsort((~seen, at))
    above = np.empty(len(at))
    product_limit(at[order], seen[order], above)
    return _last_of_equals(at[order], 1.0 - above)


def _reverse_product_limit(feedback: Feedback) -> StepCurve:
    """Some prices are only known to be at or below the bid: the same with time run backwards."""
    at, seen = feedback.at, feedback.kind == SEEN
    order = np.lexsort((~seen, -at))
    below = np.empty(len(at))
    product_limit(-at[order], seen[order], below)
    # below[i] is the share strictly below at[i]; what is won at a price includes it: the value before this drop.
    prices, strictly = at[order][::-1], below[::-1]
    first = np.flatnonzero(np.diff(prices, prepend=-math.inf))
    return StepCurve(prices[first], np.append(strictly[first][1:], 1.0))


def _isotonic(feedback: Feedback) -> StepCurve:
    bids, inverse, counts = np.unique(feedback.bid, return_inverse=True, return_counts=True)
    rate = np.bincount(inverse, weights=feedback.won) / counts
    weight, start = counts.astype(np.float64), np.zeros(len(bids), np.int64)
    pools = pool_adjacent(rate, weight, start)
    return StepCurve(bids[start[:pools]], rate[:pools])


def _last_of_equals(prices: NDArray[np.float64], win: NDArray[np.float64]) -> StepCurve:
    last = np.flatnonzero(np.diff(prices, append=math.inf))
    return StepCurve(prices[last], win[last])


_NO_CURVE = (
    "this feedback fits no lognormal win curve: it needs wins and losses at several bids that overlap, or several "
    "different prices"
)
