"""The active audience as its readers have it: the files of `dmp.activation`, mapped, and newer ones swapped in."""

from __future__ import annotations

import json
import mmap
import os
import time
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dmp.errors import StoreError
from dmp.places import row_of
from dmp.store import Store

REST_S = 0.001


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
