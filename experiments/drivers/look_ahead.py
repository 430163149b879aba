"""Asking for the memory of people who come later in the batch loop, so that it is there when they do."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bidder.core.book import Book
from exchange_sim.kernel import kernel
from exchange_sim.prefetch import prefetch
from exchange_sim.world import World

PERSONS_AHEAD, LISTS_AHEAD = 16, 8
"""How many auctions before their own people's memory is asked for: a list can only be found once its person is here."""


@kernel
def _ask_for_person(world: World, book: Book, rows: NDArray[np.uint64], opps: NDArray[np.void], i: int) -> None:
    """Ask for what is known of the person of opportunity *i*, on either side of the market."""
    person_ix, buyer_ix = opps["person_ix"][i], opps["buyer_ix"][i]
    prefetch(rows, buyer_ix)
    prefetch(book.persons, buyer_ix)
    prefetch(world.interests, person_ix)
    prefetch(world.stock, person_ix)


@kernel
def _ask_for_list(book: Book, buyer_ix: int) -> None:
    """Ask for the first thing a person has seen, and for where the next exposure goes.

    Lists that reach further belong to people met so often that theirs is still near; a loop over its lines costs more.
    """
    start = book.persons["start"][buyer_ix]
    prefetch(book.memory, start)
    prefetch(book.memory, start + book.persons["count"][buyer_ix])


@kernel
def look_ahead(world: World, book: Book, rows: NDArray[np.uint64], opps: NDArray[np.void], i: int, n: int) -> None:
    """Before auction *i* of *n*: ask for the memory of people who come later, so that it is there when they do."""
    if i == 0:
        for k in range(min(n, PERSONS_AHEAD)):
            _ask_for_person(world, book, rows, opps, k)
        for k in range(min(n, LISTS_AHEAD)):
            _ask_for_list(book, opps["buyer_ix"][k])
    if i + PERSONS_AHEAD < n:
        _ask_for_person(world, book, rows, opps, i + PERSONS_AHEAD)
    if i + LISTS_AHEAD < n:
        _ask_for_list(book, opps["buyer_ix"][i + LISTS_AHEAD])
