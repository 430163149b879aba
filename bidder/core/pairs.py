"""Memory of who saw what: a hash table from (person, campaign) to bids in flight and the latest exposure times.

Open addressing with linear probing. Entries are never removed; the driver makes room between calls
(`bidder.memory.ensure_room`), because a kernel cannot grow an array it was handed.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from bidder.core.book import CAMPAIGN_BITS, PAIR_LAST_SLOT, PAIR_PENDING, PAIR_TIMES, PAIRS_USED, Book

_M1 = np.uint64(0xBF58476D1CE4E5B9)
_M2 = np.uint64(0x94D049BB133111EB)
_S1, _S2, _S3 = np.uint64(30), np.uint64(27), np.uint64(31)
_ONE, _LOW6 = np.uint64(1), np.uint64(63)


@njit(cache=True)
def pair_key(person_ix: int, campaign_ix: int) -> int:
    """Key of a pair: both numbers in one."""
    return (person_ix << CAMPAIGN_BITS) | campaign_ix


@njit(cache=True)
def _home(key: int, mask: int) -> int:
    """Where a key's probing begins (the finaliser of splitmix64)."""
    x = np.uint64(key)
    x = (x ^ (x >> _S1)) * _M1
    x = (x ^ (x >> _S2)) * _M2
    return np.int64((x ^ (x >> _S3)) & np.uint64(mask))


@njit(cache=True)
def find_slot(pair_keys: NDArray[np.int64], key: int) -> int:
    """Index of *key*, or of the empty slot where it would go."""
    mask = pair_keys.shape[0] - 1
    at = _home(key, mask)
    while pair_keys[at] != key and pair_keys[at] != -1:
        at = (at + 1) & mask
    return at


@njit(cache=True)
def maybe_touched(book: Book, person_ix: int, campaign_ix: int) -> bool:
    """False: the campaign surely never bid for this person; true: look it up."""
    bit = _ONE << (np.uint64(campaign_ix) & _LOW6)
    return (book.touched[person_ix] & bit) != 0


@njit(cache=True)
def find(book: Book, person_ix: int, campaign_ix: int) -> int:
    """Index of the pair in `pair_keys`, -1 when there is none."""
    if not maybe_touched(book, person_ix, campaign_ix):
        return -1
    key = pair_key(person_ix, campaign_ix)
    at = find_slot(book.pair_keys, key)
    return at if book.pair_keys[at] == key else -1


@njit(cache=True)
def find_or_add(book: Book, person_ix: int, campaign_ix: int) -> int:
    """Index of the pair, added when new. The caller has made sure that there is room."""
    key = pair_key(person_ix, campaign_ix)
    at = find_slot(book.pair_keys, key)
    if book.pair_keys[at] == -1:
        book.pair_keys[at] = key
        book.index[PAIRS_USED] += 1
        book.touched[person_ix] |= _ONE << (np.uint64(campaign_ix) & _LOW6)
        book.pair_state[at, PAIR_PENDING] = 0.0
        book.pair_state[at, PAIR_LAST_SLOT] = -1.0
        book.pair_state[at, PAIR_TIMES:] = -np.inf
    return at


@njit(cache=True)
def record_exposure(book: Book, at: int, slot_ix: int, now_s: float) -> None:
    """Put *now_s* in front of the pair's exposure times and forget the oldest."""
    for k in range(book.pair_state.shape[1] - 1, PAIR_TIMES, -1):
        book.pair_state[at, k] = book.pair_state[at, k - 1]
    book.pair_state[at, PAIR_TIMES] = now_s
    book.pair_state[at, PAIR_LAST_SLOT] = slot_ix
