"""Room in the book's exposure memory: made between calls, because kernels cannot grow what they were handed."""

from __future__ import annotations

import numpy as np

from bidder.core.book import LARGEST_BLOCK, MEMORY_USED, Book
from bidder.core.memory import SMALLEST_BLOCK


def ensure_room(book: Book, exposures: int = 1) -> Book:
    """The same book with room for the next *exposures*, whoever sees them; memory doubles as often as needed."""
    largest = max(SMALLEST_BLOCK, int(book.index[LARGEST_BLOCK]))
    wanted = int(book.index[MEMORY_USED]) + 2 * exposures * (largest + exposures)
    size = len(book.memory)
    if size >= wanted:
        return book
    while size < wanted:
        size *= 2
    memory = np.zeros(size, book.memory.dtype)  # not empty: a run is the same to the last byte of its book
    memory[: len(book.memory)] = book.memory
    return book._replace(memory=memory)
