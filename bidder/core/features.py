"""What a model looks at, and where its numbers lie.

Features of an impression: publisher, place, format, device, how often the person has seen the product's ads, hour of
the day, and each of the first 64 segments the person is in. Every value is hashed to a row of weights. A model's part
of `Book.weights` holds R rows of weights (a power of two), then TABLE_ROWS of factors and variances that follow from
them for values that come in small numbers, then the list of rows that have ever learned anything. Tables are made once
per tick, so that a prediction is a dozen multiplications: odds = odds of the pooled rate * product of exp(weight).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bidder.core.book import SEGMENT_QUADS, SLOT_PUBLISHERS, WEIGHT_ROWS, Book
from bidder.core.ftrl import COLUMNS, FACTOR, SQUARES, VARIANCE, N, row_of
from bidder.core.kernel import kernel, outlined
from bidder.core.targeting import lowest_bit
from bidder.core.touch import DEVICE_AT, device_of, format_of, frequency_class_of, place_of, slot_of

PUBLISHER, PLACE, FORMAT, DEVICE, FREQUENCY, HOUR = range(6)
FIELDS = 6
SEGMENT = FIELDS
"""Fields 0 .. 5 have one value each, field 6 one per segment."""

# Entries of the tables: format, device and frequency class together, as they stand in a touch; hours of the day; every
# combination of four segments.
CONTEXTS, HOURS = 256, 24
QUADS, QUAD = 16, 16
FIRST_HOUR = CONTEXTS
FIRST_QUAD = CONTEXTS + HOURS
ENTRIES_PER_ROW = 4
TABLE_ROWS = (CONTEXTS + HOURS + QUADS * QUAD) // ENTRIES_PER_ROW

_ONE, _ZERO, _FOUR, _FIFTEEN = np.uint64(1), np.uint64(0), np.uint64(4), np.uint64(15)


@kernel
def value_of(field: int, touch: int, hour: int, index: NDArray[np.int64]) -> int:
    """Value of one of the fields 0 .. 5 for an impression; *hour* of the week."""
    if field == PUBLISHER:
        return index[index[SLOT_PUBLISHERS] + slot_of(touch)]
    if field == PLACE:
        return place_of(touch)
    if field == FORMAT:
        return format_of(touch)
    if field == DEVICE:
        return device_of(touch)
    if field == FREQUENCY:
        return frequency_class_of(touch)
    return hour % HOURS


@kernel
def segments_of(held: NDArray[np.uint64], person_ix: int) -> np.uint64:
    """The first 64 segments of a person as bits; none for a stranger or somebody the rows do not reach."""
    if person_ix < 0 or person_ix >= held.shape[0]:
        return _ZERO
    return held[person_ix, 0]


def model_rows(weight_rows: int) -> int:
    """Rows of `Book.weights` a model of *weight_rows* weights takes."""
    return weight_rows + TABLE_ROWS + -(-weight_rows // COLUMNS)


@kernel
def first_row(book: Book, product_ix: int, model: int) -> int:
    """Where a product's model begins."""
    return (2 * product_ix + model) * (book.weights.shape[0] // (2 * book.learners.shape[0]))


@outlined
def odds_and_variance(
    weights: NDArray[np.float64],
    index: NDArray[np.int64],
    first: int,
    touch: int,
    hour: int,
    bits: np.uint64,
    odds: float,
    variance: float,
) -> tuple[float, float]:
    """*odds* times the factors of an impression's features, and *variance* plus their variances."""
    rows = index[WEIGHT_ROWS]
    mask, table = np.uint64(rows - 1), first + rows
    row = first + row_of(PUBLISHER, index[index[SLOT_PUBLISHERS] + slot_of(touch)], mask)
    odds *= weights[row, FACTOR]
    variance += weights[row, VARIANCE]
    row = first + row_of(PLACE, place_of(touch), mask)
    odds *= weights[row, FACTOR]
    variance += weights[row, VARIANCE]
    entry = (touch >> DEVICE_AT) & (CONTEXTS - 1)
    odds *= weights[table + (entry >> 2), 2 * (entry & 3)]
    variance += weights[table + (entry >> 2), 2 * (entry & 3) + 1]
    entry = FIRST_HOUR + hour % HOURS
    odds *= weights[table + (entry >> 2), 2 * (entry & 3)]
    variance += weights[table + (entry >> 2), 2 * (entry & 3) + 1]
    first_entry = FIRST_QUAD
    while bits != _ZERO:
        entry = first_entry + int(bits & _FIFTEEN)
        odds *= weights[table + (entry >> 2), 2 * (entry & 3)]
        variance += weights[table + (entry >> 2), 2 * (entry & 3) + 1]
        first_entry += QUAD
        bits >>= _FOUR
    return odds, variance


@kernel
def _reach(
    weights: NDArray[np.float64], index: NDArray[np.int64], first: int, row: int, learners: NDArray[np.float64], at: int
) -> int:
    """The row's place in `weights`; noted in the list of those that learn, whose length is learners.flat[at]."""
    here = first + row
    if weights[here, N] == 0.0 and weights[here, SQUARES] == 0.0:
        product_ix, column = at // learners.shape[1], at % learners.shape[1]
        k = int(learners[product_ix, column])
        learners[product_ix, column] = k + 1
        list_at = first + index[WEIGHT_ROWS] + TABLE_ROWS
        weights[list_at + k // COLUMNS, k % COLUMNS] = row
    return here


@outlined
def gather(
    weights: NDArray[np.float64],
    index: NDArray[np.int64],
    learners: NDArray[np.float64],
    listed_at: int,
    first: int,
    touch: int,
    hour: int,
    bits: np.uint64,
    column: int,
    gradient: float,
    square: float,
) -> None:
    """Add *gradient* (to *column*: GRADIENT or WAITING) and its *square* to the rows of an impression's features.

    *listed_at* is where in *learners*, counted row by row, the number of rows that have learned stands.
    """
    mask = np.uint64(index[WEIGHT_ROWS] - 1)
    for field in range(FIELDS):
        row = row_of(field, value_of(field, touch, hour, index), mask)
        row = _reach(weights, index, first, row, learners, listed_at)
        weights[row, column] += gradient
        weights[row, SQUARES] += square
    while bits != _ZERO:
        row = _reach(weights, index, first, row_of(SEGMENT, lowest_bit(bits), mask), learners, listed_at)
        bits &= bits - _ONE
        weights[row, column] += gradient
        weights[row, SQUARES] += square


@kernel
def listed_row(weights: NDArray[np.float64], index: NDArray[np.int64], first: int, k: int) -> int:
    """Place in `weights` of the *k*-th row that has learned."""
    list_at = first + index[WEIGHT_ROWS] + TABLE_ROWS
    return first + int(weights[list_at + k // COLUMNS, k % COLUMNS])


@kernel
def _enter(weights: NDArray[np.float64], table: int, entry: int, factor: float, variance: float) -> None:
    weights[table + (entry >> 2), 2 * (entry & 3)] = factor
    weights[table + (entry >> 2), 2 * (entry & 3) + 1] = variance


@outlined
def make_tables(weights: NDArray[np.float64], index: NDArray[np.int64], first: int) -> None:
    """Write the factors and variances of every context, hour and combination of four segments."""
    rows = index[WEIGHT_ROWS]
    mask, table = np.uint64(rows - 1), first + rows
    for frequency in range(8):
        seen = first + row_of(FREQUENCY, frequency, mask)
        for format_ix in range(8):
            shape = first + row_of(FORMAT, format_ix, mask)
            for device_ix in range(4):
                device = first + row_of(DEVICE, device_ix, mask)
                factor = weights[seen, FACTOR] * weights[shape, FACTOR] * weights[device, FACTOR]
                variance = weights[seen, VARIANCE] + weights[shape, VARIANCE] + weights[device, VARIANCE]
                _enter(weights, table, frequency << 5 | format_ix << 2 | device_ix, factor, variance)
    for hour in range(HOURS):
        row = first + row_of(HOUR, hour, mask)
        _enter(weights, table, FIRST_HOUR + hour, weights[row, FACTOR], weights[row, VARIANCE])
    for quad in range(index[SEGMENT_QUADS]):
        _make_quad(weights, first, mask, table, quad)


@kernel
def _make_quad(weights: NDArray[np.float64], first: int, mask: np.uint64, table: int, quad: int) -> None:
    """The table of four segments: each combination from the one without its highest segment."""
    start = FIRST_QUAD + QUAD * quad
    _enter(weights, table, start, 1.0, 0.0)
    for bit in range(4):
        row = first + row_of(SEGMENT, 4 * quad + bit, mask)
        for lower in range(1 << bit):
            entry = start + lower
            factor = weights[table + (entry >> 2), 2 * (entry & 3)] * weights[row, FACTOR]
            variance = weights[table + (entry >> 2), 2 * (entry & 3) + 1] + weights[row, VARIANCE]
            _enter(weights, table, entry + (1 << bit), factor, variance)
