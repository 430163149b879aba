"""Who is whom: identifiers joined into persons, and persons into households.

Identifiers that stand in one row are joined by an edge with a score: 1 is certain (deterministic), less is probable.
Edges at or above a threshold merge; the threshold depends on the use. An address never merges persons: it makes
households. The graph is built from what the store holds now, so withdrawing a source undoes its merges.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple, NoReturn

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dmp.consent import ALL, region_default
from dmp.errors import StoreError
from dmp.identifiers import ADDRESS, second_hash
from dmp.store import Batch, Catalog, Store
from dmp.union_find import components

THRESHOLDS = {"targeting": 0.8, "frequency": 0.9, "reach": 0.9, "measurement": 0.95, "deterministic": 1.0}
"""Lowest score that merges, per use: a wrong merge costs more where money or a measurement hangs on it."""


class Edges(NamedTuple):
    """Edges between identities (indices into the graph's keys), with the batch each comes from."""

    a_ix: NDArray[np.int64]
    b_ix: NDArray[np.int64]
    score: NDArray[np.float32]
    batch_ix: NDArray[np.int64]


class Graph(NamedTuple):
    """Identities in the order of their keys, and the persons and households they make."""

    key: NDArray[np.uint64]
    kind: NDArray[np.uint8]
    person_ix: NDArray[np.int64]
    """int64[identities]; -1 for an address, which is nobody's alone."""
    household_ix: NDArray[np.int64]
    """int64[persons]; a person without an address is a household alone."""
    default: NDArray[np.uint16]
    """uint16[identities]: purposes allowed where nobody decided: what all regions it was seen in allow."""
    seen_in: NDArray[np.uint64]
    """uint64[identities, words]: bit per batch it was seen in."""
    edges: Edges
    threshold: float

    @property
    def persons(self) -> int:
        """Number of persons."""
        return len(self.household_ix)

    @property
    def households(self) -> int:
        """Number of households."""
        return int(self.household_ix.max(initial=-1)) + 1

    def find(self, key: NDArray[np.uint64]) -> NDArray[np.int64]:
        """int64[n]: where identities stand in the graph, -1 for unknown ones."""
        if not len(self.key):
            return np.full(len(key), -1, np.int64)
        at = np.minimum(np.searchsorted(self.key, key), len(self.key) - 1)
        return np.where(self.key[at] == key, at, -1)


def join(kind: NDArray[np.uint8], edges: Edges, threshold: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Persons of identities (-1 for addresses) and households of persons, from edges scored *threshold* or more."""
    use = edges.score >= np.float32(threshold)
    a, b = edges.a_ix[use], edges.b_ix[use]
    is_address = kind == ADDRESS
    between = ~(is_address[a] | is_address[b])
    part = components(len(kind), a[between], b[between])
    # Components are numbered with the addresses among them; the persons are the others, in the same order.
    people, person_of = np.unique(part[~is_address], return_inverse=True)
    person = np.full(len(kind), -1, np.int64)
    person[~is_address] = person_of
    to_address = is_address[a] ^ is_address[b]
    home = np.where(is_address[a], a, b)[to_address]
    who = person[np.where(is_address[a], b, a)[to_address]]
    # Nodes: persons first, then addresses; a household is a component, numbered by its first person.
    household = components(len(people) + len(kind), who, len(people) + home)[: len(people)]
    return person, household


def build_graph(store: Store, catalog: Catalog, threshold: float) -> Graph:
    """The graph of everything the store holds; raises `StoreError` when two identifiers share a key.

    Files are read in parts and repeats dropped on the way: memory grows with the identities, not with their records.
    """
    found = [_identities(store, batch) for batch in catalog.batches]
    every = np.concatenate([*found, np.empty(0, _IDENTITY)])
    key, first, inverse = np.unique(every["key"], return_index=True, return_inverse=True)
    if np.any(every["check"] != every["check"][first][inverse]):
        _damaged()
    default = np.full(len(key), ALL, np.uint16)
    seen = np.zeros((len(key), max(1, -(-len(found) // 64))), np.uint64)
    start = 0
    for number, batch in enumerate(catalog.batches):
        own = inverse[start : start + len(found[number])]
        start += len(found[number])
        default[own] &= np.uint16(region_default(batch.source.region))
        seen[own, number // 64] |= np.uint64(1 << (number % 64))
    edges = _edges(store, catalog, key)
    kind = every["kind"][first]
    person, household = join(kind, edges, threshold)
    return Graph(key, kind, person, household, default, seen, edges, threshold)


_IDENTITY = np.dtype([("key", "u8"), ("check", "u8"), ("kind", "u1")])
_EDGE = np.dtype([("a", "u8"), ("b", "u8"), ("score", "f4")])
_SQUEEZE_ROWS = 262_144
"""Rows read before repeats are dropped, or as many as are kept already if those are more."""


def _damaged() -> NoReturn:
    raise StoreError("two identifiers share one key; the store is damaged, import its sources into a new folder")


def _identities(store: Store, batch: Batch) -> NDArray[np.void]:
    """The batch's identities once each, by key. `check` is a second hash of the value, to tell shared keys."""

    def rows_of(table: pa.Table) -> NDArray[np.void]:
        rows = np.empty(table.num_rows, _IDENTITY)
        rows["key"], rows["kind"] = table["key"].to_numpy(), table["kind"].to_numpy()
        rows["check"] = second_hash(table["value"].combine_chunks())
        return rows

    def once(rows: NDArray[np.void]) -> NDArray[np.void]:
        _, first, inverse = np.unique(rows["key"], return_index=True, return_inverse=True)
        if np.any(rows["check"] != rows["check"][first][inverse]):
            _damaged()
        return rows[first]

    return squeezed(map(rows_of, store.chunks(batch, "identifiers", ["key", "kind", "value"])), once, _IDENTITY)


def squeezed(
    parts: Iterable[NDArray[np.void]], squeeze: Callable[[NDArray[np.void]], NDArray[np.void]], kind: np.dtype[np.void]
) -> NDArray[np.void]:
    """*squeeze* of all parts together, without ever holding many more rows than it leaves."""
    kept, waiting, rows = np.empty(0, kind), list[NDArray[np.void]](), 0
    for part in parts:
        waiting.append(part)
        rows += len(part)
        if rows >= max(_SQUEEZE_ROWS, len(kept)):
            kept, waiting, rows = squeeze(np.concatenate([kept, *waiting])), [], 0
    return squeeze(np.concatenate([kept, *waiting]))


def _edges(store: Store, catalog: Catalog, key: NDArray[np.uint64]) -> Edges:
    parts = [_edges_of(store, batch) for batch in catalog.batches]
    number = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    every = np.concatenate([*parts, np.empty(0, _EDGE)])
    a, b = np.searchsorted(key, every["a"]), np.searchsorted(key, every["b"])
    return Edges(a.astype(np.int64), b.astype(np.int64), every["score"], number.astype(np.int64))


def _edges_of(store: Store, batch: Batch) -> NDArray[np.void]:
    """The batch's edges, each pair and score once."""

    def rows_of(table: pa.Table) -> NDArray[np.void]:
        rows = np.empty(table.num_rows, _EDGE)
        for name in ("a", "b", "score"):
            rows[name] = table[name].to_numpy()
        return rows

    def once(rows: NDArray[np.void]) -> NDArray[np.void]:
        rows = rows[np.lexsort((rows["score"], rows["b"], rows["a"]))]
        first = np.ones(len(rows), np.bool_)
        first[1:] = rows[1:] != rows[:-1]
        return rows[first]

    return squeezed(map(rows_of, store.chunks(batch, "edges", ["a", "b", "score"])), once, _EDGE)
