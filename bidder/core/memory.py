"""Who has seen what: for each person one short, contiguous list of exposures, so that a decision reads one stretch.

Lists lie in blocks of 4, 8, 16 ... entries inside one array. A full list first drops what no cap and no look-back can
need any more, then moves to a block of twice the size; blocks left behind are used again. A kernel cannot grow the
array it was handed: the driver makes room between calls (`bidder.room.ensure_room`).
"""

from __future__ import annotations

import math

import numpy as np

from bidder.core.book import FREE_BLOCKS, LARGEST_BLOCK, MEMORY_USED, Book
from bidder.core.kernel import kernel

SMALLEST_BLOCK = 4
IN_FLIGHT_S = math.inf


@kernel
def free_entries(book: Book) -> int:
    """Entries no block has taken yet."""
    return book.memory.shape[0] - book.index[MEMORY_USED]


@kernel
def block_entries(book: Book, exposures: int) -> int:
    """More entries than the next *exposures* can take, whoever sees them.

    A list that grows takes at most twice what it then holds, and holds at most today's largest plus all of them.
    """
    return 2 * exposures * (max(SMALLEST_BLOCK, book.index[LARGEST_BLOCK]) + exposures)


@kernel
def _bit(campaign_ix: int) -> np.uint64:
    return np.uint64(1) << (np.uint64(campaign_ix) & np.uint64(63))


@kernel
def maybe_near(book: Book, person_ix: int, campaign_ix: int) -> bool:
    """False: the campaign is surely not on the person's list as often as its lowest cap allows; true: look."""
    return (book.persons["near"][person_ix] & _bit(campaign_ix)) != 0


@kernel
def _drop_stale(book: Book, person_ix: int, now_s: float) -> None:
    """Forget the person's exposures that are older than their campaign needs."""
    start, count = book.persons["start"][person_ix], book.persons["count"][person_ix]
    kept, seen = 0, np.uint64(0)
    for at in range(start, start + count):
        campaign_ix, time_s = book.memory["campaign_ix"][at], book.memory["time_s"][at]
        if time_s >= now_s - book.campaigns["keep_s"][campaign_ix]:
            _write(book, start + kept, campaign_ix, book.memory["touch"][at], time_s)
            kept += 1
            seen |= _bit(campaign_ix)
    book.persons["count"][person_ix] = kept
    book.persons["seen"][person_ix] = seen
    book.persons["near"][person_ix] &= seen


@kernel
def _write(book: Book, at: int, campaign_ix: int, touch: int, time_s: float) -> None:
    book.memory["campaign_ix"][at] = campaign_ix
    book.memory["touch"][at] = touch
    book.memory["time_s"][at] = time_s


@kernel
def _size_class(room: int) -> int:
    size_class = 0
    while SMALLEST_BLOCK << size_class < room:
        size_class += 1
    return size_class


@kernel
def _take_block(book: Book, room: int) -> int:
    """Start of a block of *room* entries: one left behind earlier, or the next untouched stretch."""
    free = FREE_BLOCKS + _size_class(room)
    start = book.index[free]
    if start >= 0:
        book.index[free] = book.memory["campaign_ix"][start]
        return start
    start = book.index[MEMORY_USED]
    book.index[MEMORY_USED] = start + room
    book.index[LARGEST_BLOCK] = max(book.index[LARGEST_BLOCK], room)
    return start


@kernel
def _move_to_larger(book: Book, person_ix: int) -> None:
    """Give the person's list twice the room."""
    old_start, old_room = book.persons["start"][person_ix], book.persons["room"][person_ix]
    room = max(SMALLEST_BLOCK, 2 * old_room)
    start = _take_block(book, room)
    for k in range(book.persons["count"][person_ix]):
        at = old_start + k
        _write(book, start + k, book.memory["campaign_ix"][at], book.memory["touch"][at], book.memory["time_s"][at])
    if old_room > 0:
        free = FREE_BLOCKS + _size_class(old_room)
        book.memory["campaign_ix"][old_start] = book.index[free]
        book.index[free] = old_start
    book.persons["start"][person_ix] = start
    book.persons["room"][person_ix] = room


@kernel
def _find(book: Book, person_ix: int, campaign_ix: int, in_flight: bool) -> int:
    """Entry of one of the campaign's bids in flight, or of one of its exposures; -1: none."""
    start = book.persons["start"][person_ix]
    for at in range(start, start + book.persons["count"][person_ix]):
        if book.memory["campaign_ix"][at] == campaign_ix and (book.memory["time_s"][at] == IN_FLIGHT_S) == in_flight:
            return at
    return -1


@kernel
def _note(book: Book, person_ix: int, campaign_ix: int) -> None:
    """Bring the bits of the person up to date with a new entry of the campaign."""
    bit = _bit(campaign_ix)
    start, times = book.persons["start"][person_ix], 0
    if (book.persons["seen"][person_ix] & bit) == 0:
        times = 1  # the entry just written is the only one
    else:
        for at in range(start, start + book.persons["count"][person_ix]):
            times += book.memory["campaign_ix"][at] == campaign_ix
    book.persons["seen"][person_ix] |= bit
    if times >= book.campaigns["cap_least"][campaign_ix]:
        book.persons["near"][person_ix] |= bit


@kernel
def remember(book: Book, person_ix: int, campaign_ix: int, touch: int, time_s: float, now_s: float) -> None:
    """Add an exposure (*time_s* infinite: a bid in flight). Without `keep_all` only the latest exposure matters."""
    if book.campaigns["keep_s"][campaign_ix] <= 0.0:
        return
    if book.campaigns["keep_all"][campaign_ix] == 0:
        if time_s == IN_FLIGHT_S:
            return
        at = _find(book, person_ix, campaign_ix, False)
        if at >= 0:
            _write(book, at, campaign_ix, touch, time_s)
            return
    if book.persons["count"][person_ix] == book.persons["room"][person_ix]:
        _drop_stale(book, person_ix, now_s)
        if book.persons["count"][person_ix] == book.persons["room"][person_ix]:
            _move_to_larger(book, person_ix)
    at = book.persons["start"][person_ix] + book.persons["count"][person_ix]
    _write(book, at, campaign_ix, touch, time_s)
    book.persons["count"][person_ix] += 1
    _note(book, person_ix, campaign_ix)


@kernel
def forget_in_flight(book: Book, person_ix: int, campaign_ix: int) -> None:
    """Take one of the campaign's bids in flight off the person's list."""
    at = _find(book, person_ix, campaign_ix, True)
    if at < 0:
        return
    last = book.persons["start"][person_ix] + book.persons["count"][person_ix] - 1
    _write(book, at, book.memory["campaign_ix"][last], book.memory["touch"][last], book.memory["time_s"][last])
    book.persons["count"][person_ix] -= 1
