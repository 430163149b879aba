"""A table from identities to rows: open addressing by the key's low bits, in compiled code and in files alike.

`keys` is uint64[slots], `places` int32[slots]; slots is a power of two, at most half of them full.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

EMPTY, GONE = -2, -1
"""In place of a row: a slot nobody has taken, and one whose person has withdrawn."""


@njit(cache=True)
def fill(
    keys: NDArray[np.uint64], places: NDArray[np.int32], key: NDArray[np.uint64], place: NDArray[np.int32]
) -> None:
    """Put every key into the table; its length is a power of two above the number of keys, *places* all EMPTY."""
    mask = len(keys) - 1
    for i in range(len(key)):
        at = np.int64(key[i] & np.uint64(mask))
        while places[at] != EMPTY:
            at = (at + 1) & mask
        keys[at] = key[i]
        places[at] = place[i]


@njit(cache=True)
def slot_of(keys: NDArray[np.uint64], places: NDArray[np.int32], key: np.uint64) -> Any:
    """Slot (int64) of a key in the table, -1 when it is not there."""
    # Signed throughout: Numba makes a float of what is uint64 on one path and int64 on another.
    mask = len(keys) - 1
    at = np.int64(key & np.uint64(mask))
    while places[at] != EMPTY:
        if keys[at] == key:
            return at
        at = (at + 1) & mask
    return np.int64(-1)


@njit(cache=True)
def row_of(keys: NDArray[np.uint64], places: NDArray[np.int32], key: np.uint64) -> Any:
    """Row (int64) of a key, -1 for one that is unknown or withdrawn."""
    slot = slot_of(keys, places, key)
    return np.int64(places[slot]) if slot >= 0 else np.int64(-1)
