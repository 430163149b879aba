"""Click and purchase rates of one impression, learned by the bidder from its own feedback (`rates.method: model`).

Each product has two hashed models (`bidder.core.ftrl`, `bidder.core.features`), shared by the campaigns that advertise
it: of clicks and of purchases credited. They start from the pooled rate of campaign and slot (`bidder.core.pooling`)
and learn how an impression differs from it; until a model has seen some outcomes only a part of the difference counts.
Purchases are slow: see `bidder.core.delays`. Times in s.
"""

from __future__ import annotations

import math

import numpy as np

from bidder.core.book import CELL_DOUBT, CELL_ODDS, CTR, CVR, Book
from bidder.core.clock import hour_of_week
from bidder.core.delays import (
    FIRST_DELAY_S,
    HEARD_CLICKS,
    HEARD_PURCHASES,
    LISTED_CLICKS,
    TRUST_CLICKS,
    expect_purchases,
    hear_purchase,
    ripen,
)
from bidder.core.features import first_row, gather, listed_row, make_tables, odds_and_variance, segments_of
from bidder.core.ftrl import GRADIENT, WAITING, hashed, refresh_row
from bidder.core.kernel import kernel
from bidder.core.touch import slot_of

CLICKS, PURCHASES = 0, 1
"""The two models of a product."""
TRUST = 20.0
"""Outcomes after which the model and the pooled rate weigh the same."""
WIDEST = 1.0
"""Highest standard deviation of a rate's logarithm."""
MOST_ODDS = 1e12
USES_CLICKS, USES_PURCHASES = 1, 2
"""Bits of a campaign's `modelled`: which models its goal and rule bid on."""
_SQRT3 = 1.7320508075688772

_S48, _S32, _S16, _LOW = np.uint64(48), np.uint64(32), np.uint64(16), np.uint64(0xFFFF)


@kernel
def modelled_rate(
    book: Book, campaign_ix: int, model: int, person_ix: int, touch: int, hour: int
) -> tuple[float, float]:
    """The model's own rate, and the variance of its log odds (diagonal Laplace approximation)."""
    slot_ix = slot_of(touch)
    odds, variance = odds_and_variance(
        book.weights,
        book.index,
        first_row(book, book.campaigns["product_ix"][campaign_ix], model),
        touch,
        hour,
        segments_of(book.held, person_ix),
        book.cells[campaign_ix, slot_ix, CELL_ODDS + 2 * model],
        book.cells[campaign_ix, slot_ix, CELL_DOUBT + 2 * model],
    )
    odds = min(odds, MOST_ODDS)
    return odds / (1.0 + odds), variance


@kernel
def predict(book: Book, campaign_ix: int, model: int, person_ix: int, touch: int, hour: int) -> tuple[float, float]:
    """Rate per impression, and the variance of its logarithm.

    With k outcomes heard, the model's rate has weight k / (k + TRUST), the pooled rate of campaign and slot the rest.
    """
    rate, variance = modelled_rate(book, campaign_ix, model, person_ix, touch, hour)
    trust = book.learners[book.campaigns["product_ix"][campaign_ix], TRUST_CLICKS + model]
    pooled = book.cells[campaign_ix, slot_of(touch), CTR if model == CLICKS else CVR]
    return pooled + trust * (rate - pooled), variance


@kernel
def normal_draw(request_no: int, campaign_ix: int, slot_ix: int) -> float:
    """A draw of mean 0 and variance 1 for one campaign and impression: the same wherever the request is seen.

    Sum of four uniform numbers (Irwin and Hall), each 16 bits of one hash of the request's number.
    """
    x = hashed(request_no, (campaign_ix << 20) ^ slot_ix)
    total = (x >> _S48) + ((x >> _S32) & _LOW) + ((x >> _S16) & _LOW) + (x & _LOW)
    return (np.float64(total) + 2.0) / 65536.0 * _SQRT3 - 2.0 * _SQRT3


@kernel
def explored(rate: float, variance: float, draw: float) -> float:
    """The rate a Thompson sampler bids on: lognormal around *rate*, with the same mean; *variance* of its logarithm."""
    spread = min(math.sqrt(variance), WIDEST)
    return rate * math.exp(spread * draw - 0.5 * spread * spread)


@kernel
def teach(
    book: Book, campaign_ix: int, model: int, person_ix: int, touch: int, now_s: float, column: int, outcome: float
) -> float:
    """Book an impression (*outcome* 0) or the click or purchase that followed it (1); returns the rate it was given."""
    hour, product_ix = hour_of_week(book.index, now_s), book.campaigns["product_ix"][campaign_ix]
    gradient, square = -1.0, 1.0
    if outcome == 0.0:
        gradient = modelled_rate(book, campaign_ix, model, person_ix, touch, hour)[0]
        square = gradient * gradient
    gather(
        book.weights,
        book.index,
        book.learners,
        product_ix * book.learners.shape[1] + LISTED_CLICKS + model,
        first_row(book, product_ix, model),
        touch,
        hour,
        segments_of(book.held, person_ix),
        column,
        gradient,
        square,
    )
    return gradient


@kernel
def teach_exposure(book: Book, campaign_ix: int, person_ix: int, touch: int, now_s: float) -> None:
    """An ad was shown: teach the models the campaign bids on that nothing has come of it, so far."""
    wanted = book.campaigns["modelled"][campaign_ix]
    rate = book.cells[campaign_ix, slot_of(touch), CVR]
    if wanted & USES_CLICKS:
        teach(book, campaign_ix, CLICKS, person_ix, touch, now_s, GRADIENT, 0.0)
    if wanted & USES_PURCHASES:
        rate = teach(book, campaign_ix, PURCHASES, person_ix, touch, now_s, WAITING, 0.0)
    expect_purchases(book.learners, book.campaigns["product_ix"][campaign_ix], rate, now_s)


@kernel
def teach_click(book: Book, campaign_ix: int, person_ix: int, touch: int, shown_s: float) -> None:
    """An ad shown at *shown_s* was clicked."""
    if book.campaigns["modelled"][campaign_ix] & USES_CLICKS:
        teach(book, campaign_ix, CLICKS, person_ix, touch, shown_s, GRADIENT, 1.0)
        book.learners[book.campaigns["product_ix"][campaign_ix], HEARD_CLICKS] += 1.0


@kernel
def teach_purchase(book: Book, campaign_ix: int, person_ix: int, touch: int, shown_s: float, now_s: float) -> None:
    """A purchase was credited to an ad shown at *shown_s*."""
    if book.campaigns["modelled"][campaign_ix] & USES_PURCHASES:
        teach(book, campaign_ix, PURCHASES, person_ix, touch, shown_s, GRADIENT, 1.0)
    hear_purchase(book.learners, book.campaigns["product_ix"][campaign_ix], shown_s, now_s)


@kernel
def _learn_model(book: Book, product_ix: int, model: int, ripe: float) -> None:
    """Put what a model has gathered into force."""
    learners, first = book.learners, first_row(book, product_ix, model)
    heard = learners[product_ix, HEARD_CLICKS if model == CLICKS else HEARD_PURCHASES]
    learners[product_ix, TRUST_CLICKS + model] = heard / (heard + TRUST)
    listed = int(learners[product_ix, LISTED_CLICKS + model])
    for k in range(listed):
        refresh_row(book.weights, listed_row(book.weights, book.index, first, k), ripe)
    if listed > 0:
        make_tables(book.weights, book.index, first)


@kernel
def learn_models(book: Book, now_s: float) -> None:
    """Once per tick: let waiting gradients ripen, and put what was gathered into force."""
    for product_ix in range(book.learners.shape[0]):
        if book.learners[product_ix, FIRST_DELAY_S] == 0.0:
            continue  # nobody models this product
        kept = ripen(book.learners, product_ix, now_s)
        _learn_model(book, product_ix, CLICKS, 0.0)
        _learn_model(book, product_ix, PURCHASES, 1.0 - kept)
