"""The active audience: segment rows and an identity table, mapped read-only by whoever bids.

    active/VERSION/rows.npy     uint64[rows, words]: bit j % 64 of word j // 64 is segment j
    active/VERSION/keys.npy     uint64[slots]: open addressing by the key's low bits, at most half full
    active/VERSION/places.npy   int32[slots]: row of the key beside it; EMPTY for a free slot, GONE for a withdrawn one
    active/VERSION/about.json   segment names, purposes (mask), persons, rows, numbering, revision of the store
    active/moved_OLD_NEW.npy    see `dmp.moved`
    active/current              the version that counts; replaced in one step, so readers swap without a pause

A person keeps the row from version to version, so that what a bidder counts by row goes on: new persons get rows behind
all others, and the row of one who is gone stays empty. When less than half of the rows would be in use, all are
numbered anew, and `numbering` is another.

Withdrawals are written into the mapped files: a reader sees them at its next look-up, without reopening anything.
"""

from __future__ import annotations

import json
import mmap
import shutil
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dmp.active import Active
from dmp.audience import Audience
from dmp.errors import StoreError
from dmp.evidence import Flags
from dmp.moved import write_moved
from dmp.places import EMPTY, GONE, fill, row_of, slot_of
from dmp.segments import snapshot_of
from dmp.store import Store

KEEP_VERSIONS = 2
"""Readers that have not swapped yet still map the version before."""
SPARE_ROWS = 1024
"""Empty rows that are put up with in any case."""


class _Numbering(NamedTuple):
    """Where persons are: int64[persons] rows, the number of rows, and what the numbering is called ("": a new one)."""

    row: NDArray[np.int64]
    rows: int
    name: str


@njit(cache=True)
def _keep_rows(
    keys: NDArray[np.uint64],
    places: NDArray[np.int32],
    key: NDArray[np.uint64],
    person_ix: NDArray[np.int64],
    row: NDArray[np.int64],
    taken: NDArray[np.bool_],
    next_row: int,
) -> Any:
    """Fill *row* (int64[persons], all -1) from the table of the version before; returns the number of rows.

    Of several rows a person's identities had, the first identity's is kept; of several persons that had one row, the
    first keeps it.
    """
    for i in range(len(key)):
        before = row_of(keys, places, key[i])
        if before >= 0 and row[person_ix[i]] < 0 and not taken[before]:
            row[person_ix[i]] = before
            taken[before] = True
    for person in range(len(row)):
        if row[person] < 0:
            row[person] = next_row
            next_row += 1
    return next_row


def _numbered(before: Active | None, key: NDArray[np.uint64], person_ix: NDArray[np.int64], persons: int) -> _Numbering:
    """The row of each person, in the numbering of the version before or in one of their own."""
    if before is not None:
        row, taken = np.full(persons, -1, np.int64), np.zeros(len(before.rows), np.bool_)
        count = int(_keep_rows(before.keys, before.places, key, person_ix, row, taken, len(before.rows)))
        if count <= 2 * persons + SPARE_ROWS:
            return _Numbering(row, count, before.numbering)
    return _Numbering(np.arange(persons), persons, "")


def activate(audience: Audience, members: Mapping[str, Flags], purposes: int) -> str:
    """Write rows and table of *members* and make them the current version; returns its name."""
    graph, folder = audience.graph, audience.store.folder / "active"
    version = f"{audience.catalog.revision:06d}-{time.time_ns()}"
    own = graph.person_ix >= 0
    slots = 1 << max(3, int(2 * own.sum()).bit_length())
    keys, places = np.zeros(slots, np.uint64), np.full(slots, EMPTY, np.int32)
    before = Active(audience.store) if (folder / "current").exists() else None
    row, count, numbering = _numbered(before, graph.key[own], graph.person_ix[own], graph.persons)
    fill(keys, places, graph.key[own], row[graph.person_ix[own]].astype(np.int32))
    held = snapshot_of(dict(members), graph.persons).rows
    rows = np.zeros((count, held.shape[1]), np.uint64)
    rows[row] = held
    about = {
        "segments": list(members),
        "purposes": purposes,
        "persons": graph.persons,
        "rows": count,
        "numbering": numbering or version,
        "slots": slots,
        "revision": audience.catalog.revision,
    }
    with audience.store.writing() as catalog:
        if catalog.revision != audience.catalog.revision:
            raise StoreError(f"{audience.store.folder}: changed while segments were made; activate again")
        part = folder / f".{version}"
        part.mkdir(parents=True)
        np.save(part / "rows.npy", rows)
        np.save(part / "keys.npy", keys)
        np.save(part / "places.npy", places)
        if before is not None and not numbering:
            write_moved(audience.store, before, version, graph.key[own], row[graph.person_ix[own]])
        (part / "about.json").write_text(json.dumps(about), "utf-8")
        part.rename(folder / version)
        audience.store.replace("active/current", version)
        old = sorted(path for path in folder.iterdir() if path.is_dir() and path.name != version)
        for path in old[: max(0, len(old) - KEEP_VERSIONS + 1)]:
            shutil.rmtree(path)
    return version


def deactivate(store: Store, keys: NDArray[np.uint64], purposes: int) -> int:
    """Take the persons of *keys* out of the active rows at once, if the refused *purposes* are among those needed.

    Returns how many identities were active. Safe while others read: single aligned words are written. Versions that are
    not current any more are cleared too, for readers that have not swapped yet.
    """
    folder = store.folder / "active"
    if not (folder / "current").exists():
        return 0
    current = Active(store, mmap.ACCESS_WRITE)
    found = _clear(current, keys, purposes)
    for path in folder.iterdir():
        if path.is_dir() and path.name != current.version and not path.name.startswith("."):
            _clear(Active(store, mmap.ACCESS_WRITE, path.name), keys, purposes)
    return found


def _clear(active: Active, keys: NDArray[np.uint64], purposes: int) -> int:
    """Take persons out of one version; returns how many of *keys* were active in it."""
    if not active.purposes & purposes:
        return 0
    slots = [slot_of(active.keys, active.places, key) for key in keys.astype(np.uint64)]
    found = [slot for slot in slots if slot >= 0 and active.places[slot] >= 0]
    rows = np.unique(active.places[found]) if found else np.empty(0, np.int32)
    active.rows[rows] = 0
    # Every identity of those persons goes, also those nobody named.
    active.places[np.isin(active.places, rows)] = GONE
    active.flush()
    return len(found)
