"""Room in the book's exposure memory: made between calls, because kernels cannot grow what they were handed."""

from __future__ import annotations

import mmap

import numpy as np
from numpy.typing import NDArray

from bidder.core.book import LARGEST_BLOCK, MEMORY_USED, Book
from bidder.core.memory import SMALLEST_BLOCK


def blank_rows(count: int, row: np.dtype[np.void]) -> NDArray[np.void]:
    """row[count], every byte zero, from the start of a page on: rows that fill or divide cache lines straddle none.

    Straight from the operating system: rows take addresses at once but memory only when they are first written, so
    setting aside many costs nothing. On huge pages where there are any, for people's rows are read at random.
    """
    pages = mmap.mmap(-1, count * row.itemsize, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        pages.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(pages, row)


def ensure_people(book: Book, count: int) -> Book:
    """The same book with room for *count* people; those it has keep their places, and there is some to spare."""
    if len(book.persons) >= count:
        return book
    persons = blank_rows(count + count // 4, book.persons.dtype)
    persons[: len(book.persons)] = book.persons
    return book._replace(persons=persons)


def ensure_room(book: Book, exposures: int = 1) -> Book:
    """The same book with room for the next *exposures*, whoever sees them; memory doubles as often as needed."""
    largest = max(SMALLEST_BLOCK, int(book.index[LARGEST_BLOCK]))
    wanted = int(book.index[MEMORY_USED]) + 2 * exposures * (largest + exposures)
    size = len(book.memory)
    if size >= wanted:
        return book
    while size < wanted:
        size *= 2
    memory, used = blank_rows(size, book.memory.dtype), int(book.index[MEMORY_USED])
    memory[:used] = book.memory[:used]
    return book._replace(memory=memory)
