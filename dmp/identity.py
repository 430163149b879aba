"""Who is whom: identifiers joined into persons, and persons into households.

Identifiers that stand in one row are joined by an edge with a score: 1 is certain (deterministic), less is probable.
Edges at or above a threshold merge; the threshold depends on the use. An address never merges persons: it makes
households. The graph is built from what the store holds now, so withdrawing a source undoes its merges.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dmp.consent import ALL, region_default
from dmp.errors import StoreError
from dmp.identifiers import ADDRESS
from dmp.store import Catalog, Store
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
    """The graph of everything the store holds; raises `StoreError` when two identifiers share a key."""
    tables = [store.table(batch, "identifiers") for batch in catalog.batches]
    keys = [table["key"].to_numpy() for table in tables]
    every = np.concatenate([*keys, np.empty(0, np.uint64)])
    key, first, inverse = np.unique(every, return_index=True, return_inverse=True)
    kinds = np.concatenate([*(table["kind"].to_numpy() for table in tables), np.empty(0, np.uint8)])
    _check_keys(tables, first, inverse)
    default = np.full(len(key), ALL, np.uint16)
    seen = np.zeros((len(key), max(1, -(-len(tables) // 64))), np.uint64)
    start = 0
    for number, batch in enumerate(catalog.batches):
        own = np.unique(inverse[start : start + len(keys[number])])
        start += len(keys[number])
        default[own] &= np.uint16(region_default(batch.source.region))
        seen[own, number // 64] |= np.uint64(1 << (number % 64))
    edges = _edges(store, catalog, key)
    person, household = join(kinds[first], edges, threshold)
    return Graph(key, kinds[first], person, household, default, seen, edges, threshold)


def _check_keys(tables: list[pa.Table], first: NDArray[np.intp], inverse: NDArray[np.intp]) -> None:
    if not len(inverse):
        return
    values = pa.chunked_array([chunk for table in tables for chunk in table["value"].chunks])
    encoded = values.combine_chunks().dictionary_encode()
    code = np.asarray(encoded.indices)
    if np.any(code != code[first][inverse]):
        raise StoreError("two identifiers share one key; the store is damaged, import its sources into a new folder")


def _edges(store: Store, catalog: Catalog, key: NDArray[np.uint64]) -> Edges:
    columns: list[list[NDArray[np.generic]]] = [[], [], [], []]
    for number, batch in enumerate(catalog.batches):
        table = store.table(batch, "edges")
        if not table.num_rows:
            continue
        a, b = (np.searchsorted(key, table[name].to_numpy()) for name in ("a", "b"))
        for column, part in zip(
            columns, (a, b, table["score"].to_numpy(), np.full(len(a), number, np.int64)), strict=True
        ):
            column.append(part)
    kinds = (np.int64, np.int64, np.float32, np.int64)
    parts = [np.concatenate([*column, np.empty(0, kind)]) for column, kind in zip(columns, kinds, strict=True)]
    return Edges(*(part.astype(kind) for part, kind in zip(parts, kinds, strict=True)))
