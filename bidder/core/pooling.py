"""Rates of a campaign by slot when most slots have seen little: empirical Bayes (`rates.method: pooled`).

Counts are Poisson around slot rates that scatter around the campaign's. The campaign's mean m is shrunk to the plan's
rate; the scatter is estimated by moments (Marshall, "Mapping disease and mortality rates using empirical Bayes
estimators", Applied Statistics 1991): V = (sum((k - n m)^2 - n m) - 2 e) / sum(n^2), where e is the
standard error of that sum if no slots differed, sqrt(sum(2 (n m)^2 + n m)). A slot's rate is then (k + s m) / (n + s)
with s = m / V impressions, and m itself where the slots do not differ more than chance (V <= 0).
Purchases are compared with impressions that have had their time, see `bidder.core.delays`.
"""

from __future__ import annotations

import math

from bidder.core.book import (
    CELL_CLICKS,
    CELL_CONVERSIONS,
    CELL_DOUBT,
    CELL_ODDS,
    CELL_RIPE,
    CELL_WINS,
    CTR,
    Book,
)
from bidder.core.delays import KEPT_LOG
from bidder.core.kernel import entry, kernel

SMALLEST_RATE = 1e-7
"""Rates are kept this far from 0 and 1 before they become odds."""
LEAST_EVENTS = 1e-3
SURE = 2.0
"""Standard errors of chance by which the scatter must exceed it: a dozen events feign differences where none are."""


@entry
def odds_of(rate: float) -> float:
    """rate / (1 - rate)."""
    rate = min(max(rate, SMALLEST_RATE), 1.0 - SMALLEST_RATE)
    return rate / (1.0 - rate)


@entry
def doubt_of(events: float) -> float:
    """Variance of the logarithm of a rate that *events* (those believed before counted in) speak for."""
    return 1.0 / max(events, LEAST_EVENTS)


@kernel
def ripen_cells(book: Book, campaign_ix: int) -> None:
    """Bring the count of impressions that have had time for a purchase up to date."""
    kept_log = book.learners[book.campaigns["product_ix"][campaign_ix], KEPT_LOG]
    kept = math.exp(kept_log - book.campaigns["ripened_log"][campaign_ix])
    book.campaigns["ripened_log"][campaign_ix] = kept_log
    for s in range(book.cells.shape[1]):
        wins = book.cells[campaign_ix, s, CELL_WINS]
        waiting = kept * (wins - book.cells[campaign_ix, s, CELL_RIPE])
        book.cells[campaign_ix, s, CELL_RIPE] = max(wins - waiting, 0.0)


@kernel
def pool(book: Book, campaign_ix: int, model: int, events: int, trials: int, prior: float) -> None:
    """Write the rates of the campaign's cells (*model* 0: clicks, 1: purchases), and what the models start from.

    From the counts in columns *events* and *trials*.
    """
    cells, strength = book.cells, book.campaigns["prior_impressions"][campaign_ix]
    k_sum = n_sum = n_squares = 0.0
    for s in range(cells.shape[1]):
        k_sum += cells[campaign_ix, s, events]
        n_sum += cells[campaign_ix, s, trials]
        n_squares += cells[campaign_ix, s, trials] * cells[campaign_ix, s, trials]
    known = prior * strength + k_sum
    mean = known / (strength + n_sum)
    scatter = by_chance = 0.0
    for s in range(cells.shape[1]):
        expected = cells[campaign_ix, s, trials] * mean
        missed = cells[campaign_ix, s, events] - expected
        scatter += missed * missed - expected
        by_chance += 2.0 * expected * expected + expected
    scatter -= SURE * math.sqrt(by_chance)
    scattered = scatter > 0.0 and mean > 0.0
    weight = mean * n_squares / scatter if scattered else 0.0
    for s in range(cells.shape[1]):
        rate, spoken = mean, known
        if scattered:
            spoken = cells[campaign_ix, s, events] + weight * mean
            rate = spoken / (cells[campaign_ix, s, trials] + weight)
        cells[campaign_ix, s, CTR + model] = rate
        cells[campaign_ix, s, CELL_ODDS + 2 * model] = odds_of(rate)
        cells[campaign_ix, s, CELL_DOUBT + 2 * model] = doubt_of(spoken)


@kernel
def pool_rates(book: Book, campaign_ix: int) -> None:
    """Refresh both rates of every slot of the campaign."""
    ripen_cells(book, campaign_ix)
    pool(book, campaign_ix, 0, CELL_CLICKS, CELL_WINS, book.campaigns["prior_ctr"][campaign_ix])
    pool(book, campaign_ix, 1, CELL_CONVERSIONS, CELL_RIPE, book.campaigns["prior_cvr"][campaign_ix])
