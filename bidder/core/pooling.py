"""Rates of a campaign by slot when most slots have seen little: empirical Bayes (`rates.method: pooled`).

Counts are Poisson around slot rates that scatter around the campaign's. The campaign's mean m is shrunk to the plan's
rate; the scatter is estimated by moments (Marshall, "Mapping disease and mortality rates using empirical Bayes
estimators", Applied Statistics 1991): V = sum((k - n m)^2 - n m) / sum(n^2). A slot's rate is then
(k + s m) / (n + s) with s = m / V impressions, and m itself where the slots do not differ more than chance.
Purchases are compared with impressions that have had their time, see `bidder.core.rates`.
"""

from __future__ import annotations

import math

from bidder.core.book import CELL_CLICKS, CELL_CONVERSIONS, CELL_RIPE, CELL_WINS, CTR, CVR, Book
from bidder.core.kernel import kernel
from bidder.core.rates import PER_S


@kernel
def ripen_cells(book: Book, campaign_ix: int, now_s: float) -> None:
    """Bring the count of impressions that have had time for a purchase up to date."""
    per_s = book.learners[book.campaigns["product_ix"][campaign_ix], PER_S]
    ripe = 1.0 - math.exp(-per_s * (now_s - book.campaigns["ripened_s"][campaign_ix]))
    book.campaigns["ripened_s"][campaign_ix] = now_s
    for s in range(book.cells.shape[1]):
        waiting = book.cells[campaign_ix, s, CELL_WINS] - book.cells[campaign_ix, s, CELL_RIPE]
        book.cells[campaign_ix, s, CELL_RIPE] += ripe * waiting


@kernel
def pool(book: Book, campaign_ix: int, rate: int, events: int, trials: int, prior: float) -> None:
    """Write column *rate* of the campaign's cells from the counts in columns *events* and *trials*."""
    cells, strength = book.cells, book.campaigns["prior_impressions"][campaign_ix]
    k_sum = n_sum = n_squares = 0.0
    for s in range(cells.shape[1]):
        k_sum += cells[campaign_ix, s, events]
        n_sum += cells[campaign_ix, s, trials]
        n_squares += cells[campaign_ix, s, trials] * cells[campaign_ix, s, trials]
    mean = (prior * strength + k_sum) / (strength + n_sum)
    scatter = 0.0
    for s in range(cells.shape[1]):
        expected = cells[campaign_ix, s, trials] * mean
        missed = cells[campaign_ix, s, events] - expected
        scatter += missed * missed - expected
    for s in range(cells.shape[1]):
        if scatter > 0.0 and mean > 0.0:
            weight = mean * n_squares / scatter
            cells[campaign_ix, s, rate] = (cells[campaign_ix, s, events] + weight * mean) / (
                cells[campaign_ix, s, trials] + weight
            )
        else:
            cells[campaign_ix, s, rate] = mean


@kernel
def pool_rates(book: Book, campaign_ix: int, now_s: float) -> None:
    """Refresh both rates of every slot of the campaign."""
    ripen_cells(book, campaign_ix, now_s)
    pool(book, campaign_ix, CTR, CELL_CLICKS, CELL_WINS, book.campaigns["prior_ctr"][campaign_ix])
    pool(book, campaign_ix, CVR, CELL_CONVERSIONS, CELL_RIPE, book.campaigns["prior_cvr"][campaign_ix])
