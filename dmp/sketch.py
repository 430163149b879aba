"""Theta sketches: how many, and how many in both, from the smallest hashes of each set.

A sketch keeps the `size` smallest of a set's hashes, spread evenly over (0, 1), and theta, the bound they lie below.
The count of the set is (hashes kept) / theta; of two sets' overlap, (hashes of both below the smaller theta) / it
(Dasgupta, Lang, Rhodes, Thaler 2016). The relative standard error is about sqrt((1 - theta) / hashes kept); a set that
fits is counted exactly. Hashes of identifiers are personal data: who has one can recognise an identifier they know.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from dmp.errors import SegmentError, StoreError
from dmp.identifiers import KINDS
from dmp.identity import Graph

FORM = 1
_ALL = 2.0**64


class Sketch(NamedTuple):
    """The smallest hashes of a set, in order."""

    hashes: NDArray[np.uint64]
    theta: float
    """1: every hash of the set is here."""

    def estimate(self) -> float:
        """Estimated size of the set."""
        return len(self.hashes) / self.theta

    def standard_error(self) -> float:
        """Standard error of the estimate (same unit as it); 0 for a set that is here as a whole."""
        return float(np.sqrt(len(self.hashes) * (1.0 - self.theta)) / self.theta)


@njit(cache=True)
def _mixed(key: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """uint64[n]: hashes of the keys, independent of the keys' own order (finaliser of splitmix64)."""
    out = np.empty(len(key), np.uint64)
    for i in range(len(key)):
        x = key[i] + np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        out[i] = x ^ (x >> np.uint64(31))
    return out


def sketch_of(key: NDArray[np.uint64], size: int) -> Sketch:
    """Sketch of the set of identities *key* (repeats count once)."""
    hashes = _mixed(key)
    several = 4 * size
    if len(hashes) > several:
        # The smallest few, repeats among them, nearly always hold enough different ones: no need to sort the rest.
        few = _once(np.partition(hashes, several)[:several])
        if len(few) > size:
            return _smallest(few, 1.0, size)
    return _smallest(_once(hashes), 1.0, size)


def _once(hashes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Sorted and without repeats (np.unique, in a hash table, takes ten times as long on millions)."""
    ordered = np.sort(hashes)
    first = np.ones(len(ordered), np.bool_)
    first[1:] = ordered[1:] != ordered[:-1]
    return ordered[first]


def _smallest(hashes: NDArray[np.uint64], theta: float, size: int) -> Sketch:
    """Of sorted hashes below *theta* the first *size*; the next one is then the bound, itself left out."""
    if len(hashes) <= size:
        return Sketch(hashes, theta)
    return Sketch(hashes[:size], float(hashes[size]) / _ALL)


def _below(sketch: Sketch, theta: float) -> NDArray[np.uint64]:
    return sketch.hashes if theta >= sketch.theta else sketch.hashes[sketch.hashes.astype(np.float64) < theta * _ALL]


def union(sketches: Sequence[Sketch]) -> Sketch:
    """Sketch of those in any of the sets, no larger than the largest of them."""
    theta = min(sketch.theta for sketch in sketches)
    hashes = _once(np.concatenate([_below(sketch, theta) for sketch in sketches]))
    return _smallest(hashes, theta, max(len(sketch.hashes) for sketch in sketches) if theta < 1.0 else len(hashes))


def both(a: Sketch, b: Sketch) -> Sketch:
    """Sketch of those in both sets; its error is relative to what is left of it."""
    theta = min(a.theta, b.theta)
    return Sketch(np.intersect1d(_below(a, theta), _below(b, theta), assume_unique=True), theta)


def without(a: Sketch, b: Sketch) -> Sketch:
    """Sketch of those in the first set and not in the second."""
    theta = min(a.theta, b.theta)
    return Sketch(np.setdiff1d(_below(a, theta), _below(b, theta), assume_unique=True), theta)


def values_of_kind(graph: Graph, kind: str) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Keys of all identities of a kind, and whose they are; raises `SegmentError` for an unknown kind."""
    kinds = [name for name in KINDS if name != "address"]
    if kind not in kinds:
        raise SegmentError(f"unknown kind {kind!r}; kinds: {', '.join(kinds)}")
    own = graph.kind == KINDS.index(kind)
    return graph.key[own], graph.person_ix[own]


def save_sketches(path: Path, kind: str, sketches: Mapping[str, Sketch]) -> None:
    """Write named sketches of identifiers of one kind; raises `StoreError`."""
    about = {"form": FORM, "kind": kind, "names": list(sketches), "theta": [each.theta for each in sketches.values()]}
    arrays = {f"hashes{number}": each.hashes for number, each in enumerate(sketches.values())}
    try:
        with path.open("wb") as file:
            np.savez(file, about=np.array(json.dumps(about)), **arrays)  # type: ignore[arg-type]
    except OSError as error:
        raise StoreError(f"{path}: cannot be written ({error.strerror})") from None


def load_sketches(paths: Sequence[Path]) -> dict[str, Sketch]:
    """The sketches of one file by name; of several as FILE/NAME. Raises `StoreError`, also when kinds differ."""
    found: dict[str, Sketch] = {}
    kinds = {}
    for path in paths:
        try:
            with np.load(path, allow_pickle=False) as file:
                about = json.loads(str(file["about"]))
                if about["form"] != FORM:
                    raise StoreError(f"{path}: has form {about['form']}, this program reads {FORM}; sketch anew")
                kinds[path] = about["kind"]
                for number, (name, theta) in enumerate(zip(about["names"], about["theta"], strict=True)):
                    label = name if len(paths) == 1 else f"{path.stem}/{name}"
                    found[label] = _checked(path, file[f"hashes{number}"], theta)
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
            raise StoreError(f"{path}: is no file of sketches ({error}); `bidlab dmp sketch` writes one") from None
    if len(set(kinds.values())) > 1:
        told = ", ".join(f"{path} {kind}" for path, kind in kinds.items())
        raise StoreError(f"sketches count different identifiers ({told}); sketch them by the same --kind")
    return found


def _checked(path: Path, hashes: NDArray[np.uint64], theta: float) -> Sketch:
    if hashes.dtype != np.uint64 or hashes.ndim != 1 or not 0 < theta <= 1 or (np.diff(hashes.astype(float)) < 0).any():
        raise ValueError("its hashes are no hashes")
    return Sketch(hashes, float(theta))
