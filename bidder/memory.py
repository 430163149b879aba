"""Room in the book's hash table: grown between calls, because kernels cannot grow what they were handed."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bidder.core.book import PAIRS_USED, Book
from bidder.core.pairs import find_slot

FULLEST = 0.6
"""Highest share of slots in use; linear probing slows down beyond it."""


def free_pairs(book: Book) -> int:
    """How many more pairs fit before the table must grow."""
    return int(FULLEST * book.pair_keys.shape[0]) - int(book.index[PAIRS_USED])


def ensure_room(book: Book, extra: int) -> Book:
    """The same book with room for *extra* more pairs; the table is doubled as often as needed."""
    room = book.pair_keys.shape[0]
    if free_pairs(book) >= extra:
        return book
    while int(FULLEST * room) - int(book.index[PAIRS_USED]) < extra:
        room *= 2
    keys = np.full(room, -1, np.int64)
    state = np.empty((room, book.pair_state.shape[1]))
    _move(book.pair_keys, book.pair_state, keys, state)
    return book._replace(pair_keys=keys, pair_state=state)


@njit(cache=True)
def _move(
    old_keys: NDArray[np.int64], old_state: NDArray[np.float64], keys: NDArray[np.int64], state: NDArray[np.float64]
) -> None:
    for at in range(old_keys.shape[0]):
        if old_keys[at] != -1:
            to = find_slot(keys, old_keys[at])
            keys[to] = old_keys[at]
            state[to, :] = old_state[at, :]
