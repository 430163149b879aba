"""The active audience: segment rows and an identity table, mapped read-only by whoever bids.

    active/VERSION/rows.npy     uint64[rows, words]: bit j % 64 of word j // 64 is segment j
    active/VERSION/keys.npy     uint64[slots]: open addressing by the key's low bits, at most half full
    active/VERSION/places.npy   int32[slots]: row of the key beside it; EMPTY for a free slot, GONE for a withdrawn one
    active/VERSION/about.json   segment names, purposes (mask), persons, rows, numbering, revision of the store
    active/current              the version that counts; replaced in one step, so readers swap without a pause

A person keeps the row from version to version, so that what a bidder counts by row goes on: new persons get rows behind
all others, and the row of one who is gone stays empty. When less than half of the rows would be in use, all are
numbered anew, and `numbering` is another.

Withdrawals are written into the mapped files: a reader sees them at its next look-up, without reopening anything.
"""

from __future__ import annotations

import json
import mmap
import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dmp.audience import Audience
from dmp.errors import StoreError
from dmp.evidence import Flags
from dmp.segments import snapshot_of
from dmp.store import Store

EMPTY, GONE = -2, -1
KEEP_VERSIONS = 2
"""Readers that have not swapped yet still map the version before."""
REST_S = 0.001
SPARE_ROWS = 1024
"""Empty rows that are put up with in any case."""


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


@njit(cache=True, nogil=True)
def _load(
    rows: NDArray[np.uint64], keys: NDArray[np.uint64], places: NDArray[np.int32], page: int, ready: NDArray[np.uint64]
) -> None:
    """Read every page of a version, so that later reads find it in memory, then say so in *ready*.

    Other threads run meanwhile, and see *ready* before this one has the interpreter again: who swaps does not meet it.
    """
    total = np.uint64(0)
    flat = rows.reshape(-1)
    for at in range(0, len(flat), page // 8):
        total += flat[at]
    for at in range(0, len(keys), page // 8):
        total += keys[at]
    for at in range(0, len(places), page // 4):
        total += np.uint64(places[at])
    ready[1] = total  # or the compiler would leave the reading out
    ready[0] = 1


def _read(path: Path) -> bytes:
    """A small file's content in three calls of the system: at each the interpreter changes hands, and readers wait."""
    file = os.open(path, os.O_RDONLY)
    try:
        return os.read(file, 1 << 24)
    finally:
        os.close(file)


def _rest() -> None:
    """Sleep a moment. After work that used up its share of a core, a thread that goes on holding the interpreter is the
    next to be put off the core, and all others wait with it for some milliseconds; one that has slept has a new share.
    """
    time.sleep(REST_S)


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
        (part / "about.json").write_text(json.dumps(about), "utf-8")
        part.rename(folder / version)
        audience.store.replace("active/current", version)
        old = sorted(path for path in folder.iterdir() if path.is_dir() and path.name != version)
        for path in old[: max(0, len(old) - KEEP_VERSIONS + 1)]:
            shutil.rmtree(path)
    return version


class _Numbering(NamedTuple):
    """Where persons are: int64[persons] rows, the number of rows, and what the numbering is called ("": a new one)."""

    row: NDArray[np.int64]
    rows: int
    name: str


class Version(NamedTuple):
    """One version, mapped."""

    name: str
    numbering: str
    """Versions of one numbering have each person in the same row."""
    segments: tuple[str, ...]
    purposes: int
    rows: NDArray[np.uint64]
    keys: NDArray[np.uint64]
    places: NDArray[np.int32]
    maps: list[mmap.mmap]


class Active:
    """The current version, mapped; `refresh` swaps to a newer one. Raises `StoreError` where there is none.

    A reader that must not wait has another thread `prepare` what is new, and calls `swap`, which only changes names.
    """

    def __init__(self, store: Store, access: int = mmap.ACCESS_READ, name: str = "") -> None:
        """Map the current version, or the one called *name*, with *access* as `mmap` has it.

        With `ACCESS_COPY` the arrays are of the type kernels are compiled for; what is written stays in the process.
        """
        self._folder, self._access, self._only = store.folder / "active", access, name
        self._next: Version | None = None
        self._ready = np.zeros(2, np.uint64)
        self._before: Version | None = None
        self._use(self._newer() or self._missing())

    def refresh(self) -> bool:
        """Map the current version if it is another one; returns whether it was."""
        self._next = self._newer(self.version)
        self._ready[0] = 1
        return self.swap()

    def prepare(self, passing_over: str = "") -> bool:
        """Map a newer version and load its pages, for `swap`; for another thread. Returns whether there is one, other
        than the one called *passing_over*.

        What the swap before left behind is unmapped here too, because that takes time with every page.
        """
        if self._ready[0]:
            return True
        self._before = None
        _rest()
        found = self._newer(self.version, passing_over)
        if found is None:
            return False
        self._next = found
        _load(found.rows, found.keys, found.places, mmap.PAGESIZE, self._ready)
        return True

    def compile(self) -> None:
        """Compile what `prepare` calls, which would otherwise keep every thread waiting the first time."""
        nobody = self.rows[:0], self.keys[:0], self.places[:0]
        _load(*nobody, mmap.PAGESIZE, np.zeros_like(self._ready))

    def coming(self) -> Version | None:
        """What `swap` would take."""
        return self._next if self._ready[0] else None

    def turn_down(self) -> None:
        """Do not take what was prepared."""
        self._ready[0], self._next = 0, None

    def swap(self) -> bool:
        """Take the version that was prepared, if any; opens, reads and frees nothing."""
        if not self._ready[0]:
            return False
        self._ready[0] = 0
        found, self._next = self._next, None
        if found is None or found.name == self.version:
            return False
        self._before = self._now
        self._use(found)
        return True

    def _use(self, found: Version) -> None:
        self._now = found
        self.version, self.numbering = found.name, found.numbering
        self.segments, self.purposes = found.segments, found.purposes
        self.rows, self.keys, self.places = found.rows, found.keys, found.places

    def _missing(self) -> NoReturn:
        raise StoreError(f"{self._folder}: no active audience; `bidlab dmp activate` makes one")

    def _newer(self, *passed: str) -> Version | None:
        """The current version, mapped, if it is none of *passed*."""
        for attempt in range(5):
            try:
                return self._map(passed)
            except FileNotFoundError:
                # Two newer versions may have come between reading the name and opening the files: look again.
                if attempt == 4 or not (self._folder / "current").exists():
                    self._missing()
            except (OSError, ValueError) as error:
                raise StoreError(f"{self._folder}: cannot be read ({error}); `bidlab dmp activate` again") from None
        return None

    def _map(self, passed: tuple[str, ...]) -> Version | None:
        name = self._only or _read(self._folder / "current").decode("utf-8").strip()
        if name in passed:
            return None
        folder = self._folder / name
        about = json.loads(_read(folder / "about.json"))
        maps: list[mmap.mmap] = []
        rows = self._array(folder / "rows.npy", np.uint64, (about.get("rows", about["persons"]), -1), maps)
        keys = self._array(folder / "keys.npy", np.uint64, (about["slots"],), maps)
        places = self._array(folder / "places.npy", np.int32, (about["slots"],), maps)
        return Version(
            name,
            str(about.get("numbering", name)),
            tuple(about["segments"]),
            int(about["purposes"]),
            rows,
            keys,
            places,
            maps,
        )

    def _array(self, path: Path, kind: Any, shape: tuple[int, ...], maps: list[mmap.mmap]) -> NDArray[Any]:
        """The file mapped. NumPy's own loader parses the header as Python: a quarter of a millisecond for each file."""
        if shape[0] == 0:
            return np.empty((0, 1), kind)
        file = os.open(path, os.O_RDWR if self._access == mmap.ACCESS_WRITE else os.O_RDONLY)
        try:
            mapped = mmap.mmap(file, 0, access=self._access)
        finally:
            os.close(file)
        maps.append(mapped)
        start = int.from_bytes(mapped[8:10], "little") + 10  # magic, version and length of an .npy file, version 1
        return np.frombuffer(mapped, kind, offset=start).reshape(shape)

    def flush(self) -> None:
        """Put what was written into the maps on disk."""
        for mapped in self._now.maps:
            mapped.flush()

    def row_ix(self, key: np.uint64) -> int:
        """Row of an identity, -1 when nobody active has it."""
        return int(row_of(self.keys, self.places, key))


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
