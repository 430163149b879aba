"""Purchases that have been decided and are yet to come due: a binary heap in an array, earliest first."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from exchange_sim.kernel import kernel

PENDING = np.dtype(
    [
        ("due_s", "f8"),
        ("person_ix", "i8"),
        ("value_nanos", "i8"),
        ("auction_ix", "i8"),  # whose exposure caused it; -1: organic
        ("product_ix", "i4"),
        ("campaign_ix", "i4"),  # whose exposure caused it; -1: organic
    ],
    align=True,
)


@kernel
def _copy(heap: NDArray[np.void], to: int, source: int) -> None:
    heap["due_s"][to] = heap["due_s"][source]
    heap["person_ix"][to] = heap["person_ix"][source]
    heap["value_nanos"][to] = heap["value_nanos"][source]
    heap["auction_ix"][to] = heap["auction_ix"][source]
    heap["product_ix"][to] = heap["product_ix"][source]
    heap["campaign_ix"][to] = heap["campaign_ix"][source]


@kernel
def _set(
    heap: NDArray[np.void],
    at: int,
    due_s: float,
    product_ix: int,
    person_ix: int,
    value_nanos: int,
    campaign_ix: int,
    auction_ix: int,
) -> None:
    heap["due_s"][at] = due_s
    heap["person_ix"][at] = person_ix
    heap["value_nanos"][at] = value_nanos
    heap["auction_ix"][at] = auction_ix
    heap["product_ix"][at] = product_ix
    heap["campaign_ix"][at] = campaign_ix


@kernel
def push(
    heap: NDArray[np.void],
    size: NDArray[np.int64],
    due_s: float,
    product_ix: int,
    person_ix: int,
    value_nanos: int,
    campaign_ix: int,
    auction_ix: int,
) -> None:
    """Add a purchase; the caller has made sure of room. *size* is int64[1]."""
    at = size[0]
    size[0] += 1
    while at > 0:
        parent = (at - 1) >> 1
        if heap["due_s"][parent] <= due_s:
            break
        _copy(heap, at, parent)
        at = parent
    _set(heap, at, due_s, product_ix, person_ix, value_nanos, campaign_ix, auction_ix)


@kernel
def drop_first(heap: NDArray[np.void], size: NDArray[np.int64]) -> None:
    """Remove the earliest purchase, which stands at index 0."""
    size[0] -= 1
    last = size[0]
    at = 0
    due_s = heap["due_s"][last]
    while True:
        child = 2 * at + 1
        if child >= last:
            break
        if child + 1 < last and heap["due_s"][child + 1] < heap["due_s"][child]:
            child += 1
        if heap["due_s"][child] >= due_s:
            break
        _copy(heap, at, child)
        at = child
    _copy(heap, at, last)
