"""How long purchases take, learned although only those are seen that have come.

A purchase missing today says little about an ad shown an hour ago, so the gradient of "no purchase" waits and ripens as
fast as purchases come: a share 1 - exp(-rate * dt) of what waits in each interval dt, the expectation of Chapelle's
delay model (KDD 2014). The rate is the maximum-likelihood one of exponential delays cut off on the right: of an ad
shown a seconds ago only delays below a can have been heard. By EM, with n heard purchases: rate = n / (sum of delays +
sum over them of a / (exp(rate * a) - 1)). When the rate turns out to be another, what had ripened too fast waits again.
Times in s. Ages are counted in bins of a quarter of the plan's mean delay.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from bidder.core.kernel import kernel, outlined

# Columns of `Book.learners`, one row per product.
HEARD_CLICKS, HEARD_PURCHASES, TRUST_CLICKS, TRUST_PURCHASES, LISTED_CLICKS, LISTED_PURCHASES = range(6)
DELAYS_S, PER_S, RIPENED_S, FIRST_DELAY_S, KEPT_LOG, NEWEST_BIN = range(6, 12)
FIRST_BIN = 12
BINS = 128
"""Bins of the time ads were shown: older ads are taken as fully ripe."""
LEARNER_COLUMNS = FIRST_BIN + 2 * BINS
BINS_PER_DELAY = 4.0
DELAYS_BELIEVED = 5.0
"""Purchases the plan's mean delay is worth."""
MOST_CORRECTION = 2.0
"""What waits grows or shrinks at most by this factor when the rate is found to be another."""


@kernel
def _bin_of(learners: NDArray[np.float64], product_ix: int, time_s: float) -> int:
    """Number of the bin of a moment, counted from time 0."""
    return math.floor(time_s * BINS_PER_DELAY / learners[product_ix, FIRST_DELAY_S])


@kernel
def _slot_of_bin(number: int) -> int:
    """Column of a bin's expected purchases; those heard stand BINS further on."""
    return FIRST_BIN + number % BINS


@kernel
def _open_bins(learners: NDArray[np.float64], product_ix: int, newest: int) -> None:
    """Empty the bins up to *newest*, which hold what is too old to matter."""
    first = max(int(learners[product_ix, NEWEST_BIN]) + 1, newest - BINS + 1)
    for number in range(first, newest + 1):
        learners[product_ix, _slot_of_bin(number)] = 0.0
        learners[product_ix, _slot_of_bin(number) + BINS] = 0.0
    learners[product_ix, NEWEST_BIN] = max(learners[product_ix, NEWEST_BIN], float(newest))


@kernel
def expect_purchases(learners: NDArray[np.float64], product_ix: int, rate: float, shown_s: float) -> None:
    """An ad was shown at *shown_s*: *rate* purchases are to come of it."""
    number = _bin_of(learners, product_ix, shown_s)
    if number > learners[product_ix, NEWEST_BIN]:
        _open_bins(learners, product_ix, number)
    if number > learners[product_ix, NEWEST_BIN] - BINS:
        learners[product_ix, _slot_of_bin(number)] += rate


@kernel
def hear_purchase(learners: NDArray[np.float64], product_ix: int, shown_s: float, now_s: float) -> None:
    """A purchase came at *now_s* of an ad shown at *shown_s*."""
    learners[product_ix, HEARD_PURCHASES] += 1.0
    learners[product_ix, DELAYS_S] += now_s - shown_s
    number = _bin_of(learners, product_ix, shown_s)
    if number > learners[product_ix, NEWEST_BIN]:
        _open_bins(learners, product_ix, number)
    if number > learners[product_ix, NEWEST_BIN] - BINS:
        learners[product_ix, _slot_of_bin(number) + BINS] += 1.0


@outlined
def delay_rate(learners: NDArray[np.float64], product_ix: int, now_s: float) -> tuple[float, float]:
    """(purchases per second of those still to come, factor by which what waits was kept too little or too much).

    One step of EM from the rate in force. The plan's mean delay counts as DELAYS_BELIEVED purchases.
    """
    per_s, width_s = learners[product_ix, PER_S], learners[product_ix, FIRST_DELAY_S] / BINS_PER_DELAY
    newest = int(learners[product_ix, NEWEST_BIN])
    to_come_s = 0.0
    for number in range(max(0, newest - BINS + 1), newest + 1):
        heard = learners[product_ix, _slot_of_bin(number) + BINS]
        if heard > 0.0:
            age_s = _age(number, width_s, now_s)
            to_come_s += heard * age_s / math.expm1(per_s * age_s)
    believed_s = DELAYS_BELIEVED * learners[product_ix, FIRST_DELAY_S]
    heard = DELAYS_BELIEVED + learners[product_ix, HEARD_PURCHASES]
    found = heard / (believed_s + learners[product_ix, DELAYS_S] + to_come_s)
    was = should_be = 0.0
    for number in range(max(0, newest - BINS + 1), newest + 1):
        shown = learners[product_ix, _slot_of_bin(number)]
        if shown > 0.0:
            age_s = _age(number, width_s, now_s)
            was += shown * math.exp(-per_s * age_s)
            should_be += shown * math.exp(-found * age_s)
    if was <= 0.0 or should_be <= 0.0:
        return found, 1.0
    return found, min(max(should_be / was, 1.0 / MOST_CORRECTION), MOST_CORRECTION)


@kernel
def _age(number: int, width_s: float, now_s: float) -> float:
    """Age of the middle of what a bin holds so far, at least a thousandth of its width."""
    start_s = number * width_s
    return max(now_s - 0.5 * (start_s + min(start_s + width_s, now_s)), 0.001 * width_s)


@kernel
def ripen(learners: NDArray[np.float64], product_ix: int, now_s: float) -> float:
    """Once per tick: learn the delay, and return the share of what waited that still waits (above 1: more than did)."""
    per_s, correction = delay_rate(learners, product_ix, now_s)
    passed_s = now_s - learners[product_ix, RIPENED_S]
    kept = math.exp(-per_s * passed_s) * correction
    learners[product_ix, PER_S], learners[product_ix, RIPENED_S] = per_s, now_s
    learners[product_ix, KEPT_LOG] += math.log(max(kept, 1e-300))
    return kept
