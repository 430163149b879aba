"""Click and purchase rates of one impression, learned by the bidder from its own feedback (`rates.method: model`).

Each product has two hashed models (`bidder.core.ftrl`), shared by the campaigns that advertise it: of clicks and of
purchases credited. Features: campaign, slot, publisher, format, device, hour of day, place, how often the person has
seen the product's ads, and each of the first 64 segments the person is in. Until a model has seen some outcomes it is
mixed with the pooled rate of campaign and slot (`bidder.core.pooling`).

Purchases are slow. A purchase missing today says little about an ad shown an hour ago, so the gradient of "no purchase"
waits and ripens as fast as purchases come: a share 1 - exp(-rate * dt) of what waits in each interval dt. That is the
expectation of Chapelle's delay model (KDD 2014); its rate follows by EM, see `delay_rate`. Times in s.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from bidder.core.book import CTR, CVR, SLOT_PUBLISHERS, Book
from bidder.core.clock import hour_of_week
from bidder.core.ftrl import (
    GRADIENT,
    SQUARES,
    VARIANCE,
    WAITING,
    WEIGHT,
    hashed,
    logistic,
    refresh,
    row_of,
)
from bidder.core.kernel import kernel, outlined
from bidder.core.targeting import lowest_bit
from bidder.core.touch import device_of, format_of, frequency_class_of, place_of, slot_of

CLICKS, PURCHASES = 0, 1
"""The two models of a product."""
FIELDS = 8
SEGMENT = FIELDS
"""Fields 0 .. 7 have one value each, field 8 one per segment."""

# Columns of `learners`, one row per product.
HEARD_CLICKS, HEARD_PURCHASES, DELAYS_S, UNRIPE, WAITED_S, PER_S, RIPENED_S, FIRST_DELAY_S = range(8)

TRUST = 20.0
"""Outcomes after which the model and the pooled rate weigh the same."""
DELAYS_BELIEVED = 5.0
"""Purchases the plan's mean delay is worth."""
WIDEST = 1.0
"""Highest standard deviation of a rate's logarithm."""
USES_CLICKS, USES_PURCHASES = 1, 2
"""Bits of a campaign's `modelled`: which models its goal and rule bid on."""
_SQRT3 = 1.7320508075688772

_ONE, _ZERO = np.uint64(1), np.uint64(0)
_S48, _S32, _S16, _LOW = np.uint64(48), np.uint64(32), np.uint64(16), np.uint64(0xFFFF)


@kernel
def value_of(field: int, campaign_ix: int, touch: int, hour: int, index: NDArray[np.int64]) -> int:
    """Value of one of the fields 0 .. 7 for an impression; *hour* of the week."""
    if field == 0:
        return campaign_ix
    if field == 1:
        return slot_of(touch)
    if field == 2:
        return index[index[SLOT_PUBLISHERS] + slot_of(touch)]
    if field == 3:
        return format_of(touch)
    if field == 4:
        return device_of(touch)
    if field == 5:
        return hour % 24
    if field == 6:
        return place_of(touch)
    return frequency_class_of(touch)


@kernel
def segments_of(held: NDArray[np.uint64], person_ix: int) -> np.uint64:
    """The first 64 segments of a person as bits; none for a stranger or somebody the rows do not reach."""
    if person_ix < 0 or person_ix >= held.shape[0]:
        return _ZERO
    return held[person_ix, 0]


@kernel
def rows_per_model(book: Book) -> int:
    """Weights of each model: a power of two."""
    return book.weights.shape[0] // (2 * book.learners.shape[0])


@kernel
def first_row(book: Book, campaign_ix: int, model: int) -> int:
    """Where the weights of a campaign's model begin."""
    return (2 * book.campaigns["product_ix"][campaign_ix] + model) * rows_per_model(book)


@outlined
def _sum_up(
    weights: NDArray[np.float64],
    index: NDArray[np.int64],
    first: int,
    rows: int,
    campaign_ix: int,
    touch: int,
    hour: int,
    bits: np.uint64,
) -> tuple[float, float]:
    """Sum of the weights of an impression's features, and of their variances."""
    mask = np.uint64(rows - 1)
    total = variance = 0.0
    for field in range(FIELDS):
        row = first + row_of(field, value_of(field, campaign_ix, touch, hour, index), mask)
        total += weights[row, WEIGHT]
        variance += weights[row, VARIANCE]
    while bits != _ZERO:
        row = first + row_of(SEGMENT, lowest_bit(bits), mask)
        bits &= bits - _ONE
        total += weights[row, WEIGHT]
        variance += weights[row, VARIANCE]
    return total, variance


@outlined
def _gather(
    weights: NDArray[np.float64],
    index: NDArray[np.int64],
    first: int,
    rows: int,
    campaign_ix: int,
    touch: int,
    hour: int,
    bits: np.uint64,
    column: int,
    gradient: float,
    square: float,
) -> None:
    """Add *gradient* (to *column*: GRADIENT or WAITING) and its *square* to the rows of an impression's features."""
    mask = np.uint64(rows - 1)
    for field in range(FIELDS):
        row = first + row_of(field, value_of(field, campaign_ix, touch, hour, index), mask)
        weights[row, column] += gradient
        weights[row, SQUARES] += square
    while bits != _ZERO:
        row = first + row_of(SEGMENT, lowest_bit(bits), mask)
        bits &= bits - _ONE
        weights[row, column] += gradient
        weights[row, SQUARES] += square


@kernel
def modelled_rate(
    book: Book, campaign_ix: int, model: int, person_ix: int, touch: int, hour: int
) -> tuple[float, float]:
    """The model's own rate, and the variance of its log odds (diagonal Laplace approximation)."""
    total, variance = _sum_up(
        book.weights,
        book.index,
        first_row(book, campaign_ix, model),
        rows_per_model(book),
        campaign_ix,
        touch,
        hour,
        segments_of(book.held, person_ix),
    )
    campaigns = book.campaigns
    offset = campaigns["offset_click"][campaign_ix] if model == CLICKS else campaigns["offset_purchase"][campaign_ix]
    return logistic(offset + total), variance


@kernel
def predict(book: Book, campaign_ix: int, model: int, person_ix: int, touch: int, hour: int) -> tuple[float, float]:
    """Rate per impression, and the standard deviation of its logarithm.

    With k outcomes heard, the model's rate has weight k / (k + TRUST), the pooled rate of campaign and slot the rest.
    """
    rate, variance = modelled_rate(book, campaign_ix, model, person_ix, touch, hour)
    heard = book.learners[book.campaigns["product_ix"][campaign_ix], model]
    pooled = book.cells[campaign_ix, slot_of(touch), CTR if model == CLICKS else CVR]
    rate = pooled + heard / (heard + TRUST) * (rate - pooled)
    return rate, min(math.sqrt(variance), WIDEST)


@kernel
def normal_draw(request_no: int, campaign_ix: int, slot_ix: int) -> float:
    """A draw of mean 0 and variance 1 for one campaign and impression: the same wherever the request is seen.

    Sum of four uniform numbers (Irwin and Hall), each 16 bits of one hash of the request's number.
    """
    x = hashed(request_no, (campaign_ix << 20) ^ slot_ix)
    total = (x >> _S48) + ((x >> _S32) & _LOW) + ((x >> _S16) & _LOW) + (x & _LOW)
    return (np.float64(total) + 2.0) / 65536.0 * _SQRT3 - 2.0 * _SQRT3


@kernel
def explored(rate: float, spread: float, draw: float) -> float:
    """The rate a Thompson sampler bids on: lognormal around *rate*, with the same mean."""
    return rate * math.exp(spread * draw - 0.5 * spread * spread)


@kernel
def teach(
    book: Book, campaign_ix: int, model: int, person_ix: int, touch: int, now_s: float, column: int, outcome: float
) -> float:
    """Book an impression (*outcome* 0) or the click or purchase that followed it (1); returns the rate it was given."""
    hour = hour_of_week(book.index, now_s)
    gradient, square = -1.0, 1.0
    if outcome == 0.0:
        gradient = modelled_rate(book, campaign_ix, model, person_ix, touch, hour)[0]
        square = gradient * gradient
    _gather(
        book.weights,
        book.index,
        first_row(book, campaign_ix, model),
        rows_per_model(book),
        campaign_ix,
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
    if wanted & USES_PURCHASES == 0:
        rate = book.cells[campaign_ix, slot_of(touch), CVR]
        book.learners[book.campaigns["product_ix"][campaign_ix], UNRIPE] += rate
    if wanted & USES_CLICKS:
        teach(book, campaign_ix, CLICKS, person_ix, touch, now_s, GRADIENT, 0.0)
    if wanted & USES_PURCHASES:
        rate = teach(book, campaign_ix, PURCHASES, person_ix, touch, now_s, WAITING, 0.0)
        book.learners[book.campaigns["product_ix"][campaign_ix], UNRIPE] += rate


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
    product_ix = book.campaigns["product_ix"][campaign_ix]
    book.learners[product_ix, HEARD_PURCHASES] += 1.0
    book.learners[product_ix, DELAYS_S] += now_s - shown_s


@kernel
def delay_rate(learners: NDArray[np.float64], product_ix: int) -> float:
    """Purchases per second of those still to come: maximum likelihood under an exponential delay, by EM.

    Heard purchases count with their delays; each unripe impression with the purchases it is still expected to bring,
    times the time it has waited. The plan's mean delay counts as DELAYS_BELIEVED purchases.
    """
    waited_s = learners[product_ix, DELAYS_S] + learners[product_ix, WAITED_S]
    believed_s = DELAYS_BELIEVED * learners[product_ix, FIRST_DELAY_S]
    return (DELAYS_BELIEVED + learners[product_ix, HEARD_PURCHASES]) / (believed_s + waited_s)


@kernel
def learn_models(book: Book, now_s: float) -> None:
    """Once per tick: let waiting gradients ripen, and put what was gathered into force."""
    learners, rows = book.learners, rows_per_model(book)
    for product_ix in range(learners.shape[0]):
        if learners[product_ix, FIRST_DELAY_S] == 0.0:
            continue  # nobody models this product
        passed_s = now_s - learners[product_ix, RIPENED_S]
        kept = math.exp(-learners[product_ix, PER_S] * passed_s)
        learners[product_ix, WAITED_S] += passed_s * learners[product_ix, UNRIPE]
        learners[product_ix, WAITED_S] *= kept
        learners[product_ix, UNRIPE] *= kept
        learners[product_ix, RIPENED_S] = now_s
        learners[product_ix, PER_S] = delay_rate(learners, product_ix)
        first = 2 * product_ix * rows
        refresh(book.weights, first, first + rows, 0.0)
        refresh(book.weights, first + rows, first + 2 * rows, 1.0 - kept)
