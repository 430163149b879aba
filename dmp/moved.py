"""Where the persons of one numbering of the active rows are in the next: kept beside the versions, for readers that
have counted by row and come back later.

    active/moved_OLD_NEW.npy    int32[rows of OLD]: row of the same person in NEW; GONE: nobody has it

Only rows are named, no identities: whoever has withdrawn since is simply nowhere.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dmp.active import Active
from dmp.places import GONE, row_of
from dmp.store import Store

KEEP_MOVES = 8
"""A reader that comes back after more numberings than these begins anew."""


@njit(cache=True)
def _follow(
    keys: NDArray[np.uint64],
    places: NDArray[np.int32],
    key: NDArray[np.uint64],
    row: NDArray[np.int64],
    moved: NDArray[np.int32],
) -> None:
    """Fill *moved*, all GONE: each row before has moved to where the first of its identities is now."""
    for i in range(len(key)):
        before = row_of(keys, places, key[i])
        if before >= 0 and moved[before] < 0:
            moved[before] = row[i]


def write_moved(store: Store, before: Active, numbering: str, key: NDArray[np.uint64], row: NDArray[np.int64]) -> None:
    """Write down where those of *before* are in *numbering*, in which identities *key* have the rows *row*."""
    moved = np.full(len(before.rows), GONE, np.int32)
    _follow(before.keys, before.places, key, row, moved)
    folder = store.folder / "active"
    np.save(folder / f"moved_{before.numbering}_{numbering}.npy", moved)
    for path in sorted(folder.glob("moved_*.npy"), key=_ends)[:-KEEP_MOVES]:
        path.unlink()


def read_moved(store: Store, before: str, now: str) -> NDArray[np.int32] | None:
    """int32[rows of numbering *before*]: the rows in numbering *now*, GONE for those that are not in it; None: how they
    have moved is not known."""
    for path in sorted((store.folder / "active").glob(f"moved_{before}_*.npy"), key=_ends, reverse=True):
        new, _ = _ends(path)
        first: NDArray[np.int32] = np.load(path)
        if new == now:
            return first
        rest = read_moved(store, new, now)
        if rest is not None:
            moved = np.full(len(first), GONE, np.int32)
            moved[first >= 0] = rest[first[first >= 0]]
            return moved
    return None


def _ends(path: Path) -> tuple[str, str]:
    """The numberings a file leads to and from; their names stand in the order they were made."""
    old, new = path.stem.removeprefix("moved_").split("_")
    return new, old
