"""Room in the book's exposure memory: made between calls, because kernels cannot grow what they were handed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bidder.core.book import LARGEST_BLOCK, MEMORY_USED, Book
from bidder.core.memory import SMALLEST_BLOCK

LINE_BYTES = 64
"""Of a cache line: rows that divide or fill lines never lie across more of them than they must."""


def blank_rows(count: int, row: np.dtype[np.void]) -> NDArray[np.void]:
    """row[count], every byte zero, from the start of a cache line on; *row* is a multiple of eight bytes long.

    np.full, not np.zeros: only memory NumPy fills itself is put on huge pages, and people's rows are read at random. As
    plain numbers, because filling with records copies them one by one.
    """
    words = count * row.itemsize // 8
    blank = np.full(words + LINE_BYTES // 8, 0, np.int64)
    first = -blank.ctypes.data % LINE_BYTES // 8
    return blank[first : first + words].view(row)


def ensure_room(book: Book, exposures: int = 1) -> Book:
    """The same book with room for the next *exposures*, whoever sees them; memory doubles as often as needed."""
    largest = max(SMALLEST_BLOCK, int(book.index[LARGEST_BLOCK]))
    wanted = int(book.index[MEMORY_USED]) + 2 * exposures * (largest + exposures)
    size = len(book.memory)
    if size >= wanted:
        return book
    while size < wanted:
        size *= 2
    memory = blank_rows(size, book.memory.dtype)
    memory[: len(book.memory)] = book.memory
    return book._replace(memory=memory)
