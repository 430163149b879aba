"""The one gate: an audience opened for stated purposes holds nobody who does not allow them.

Every read goes through `open_audience`. An identity is in when it allows every purpose and no identity of the same
person refuses one; the others are taken out of the graph, and the rest joined anew, before anything can be asked of it.
Each opening is written to the audit log first.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dmp.consent import Ledger, names_of
from dmp.identity import Edges, Graph, build_graph, join
from dmp.store import Batch, Catalog, Store


@dataclass(frozen=True)
class Reader:
    """Who reads, and why: both go into the audit log."""

    who: str
    why: str


def allowed_identities(graph: Graph, ledger: Ledger, purposes: int) -> NDArray[np.bool_]:
    """bool[identities]: allows all *purposes* itself, and no identity of the same person refuses one of them."""
    refuses = (ledger.refused(graph.key) & purposes) != 0
    own = graph.person_ix >= 0
    barred = np.zeros(graph.persons + 1, np.bool_)  # the last entry is for addresses, which bar nobody but themselves
    barred[graph.person_ix[refuses & own]] = True
    allows = (ledger.allowed(graph.key, graph.default) & purposes) == purposes
    return np.asarray(allows & ~refuses & ~barred[graph.person_ix])


def restrict(graph: Graph, keep: NDArray[np.bool_]) -> Graph:
    """The graph of the identities in *keep* alone, joined anew: nothing is merged through somebody left out."""
    index = np.cumsum(keep) - 1
    a, b, score, batch_ix = graph.edges
    inside = keep[a] & keep[b]
    edges = Edges(index[a[inside]], index[b[inside]], score[inside], batch_ix[inside])
    person, household = join(graph.kind[keep], edges, graph.threshold)
    return Graph(
        graph.key[keep],
        graph.kind[keep],
        person,
        household,
        graph.default[keep],
        graph.seen_in[keep],
        edges,
        graph.threshold,
    )


class Audience:
    """The persons who allow the purposes it was opened for; nothing about anybody else."""

    def __init__(self, store: Store, catalog: Catalog, graph: Graph, now_s: float) -> None:
        self.store, self.catalog, self.graph, self.now_s = store, catalog, graph, now_s

    def records(self, batch: Batch, fresh_only: bool = False) -> tuple[pa.Table, NDArray[np.int64]]:
        """Records of a batch that belong to persons here, and int64[rows] whose they are."""
        table = self.store.table(batch, "records")
        at = self.graph.find(table["key"].to_numpy())
        person = np.where(at >= 0, self.graph.person_ix[at], -1) if len(self.graph.key) else at
        keep = person >= 0
        days = batch.source.freshness_days
        if fresh_only and days is not None:
            keep &= table["time_s"].to_numpy() >= self.now_s - days * 86400.0
        return table.filter(pa.array(keep)), person[keep]

    def chunks(
        self, batch: Batch, columns: Sequence[str], fresh_only: bool = False
    ) -> Iterator[tuple[pa.Table, NDArray[np.int64]]]:
        """The same chunk by chunk, with key, time and those of *columns* the source has."""
        days = batch.source.freshness_days
        for table in self.store.chunks(batch, "records", ["key", "time_s", *columns]):
            at = self.graph.find(table["key"].to_numpy())
            person = np.where(at >= 0, self.graph.person_ix[at], -1) if len(self.graph.key) else at
            keep = person >= 0
            if fresh_only and days is not None:
                keep &= table["time_s"].to_numpy() >= self.now_s - days * 86400.0
            yield (table, person) if keep.all() else (table.filter(pa.array(keep)), person[keep])

    def values(self, key: NDArray[np.uint64]) -> dict[int, str]:
        """Stored values of identities here; others are left out."""
        wanted = key[self.graph.find(key) >= 0]
        found: dict[int, str] = {}
        for batch in self.catalog.batches:
            table = self.store.table(batch, "identifiers")
            hit = table.filter(pa.array(np.isin(table["key"].to_numpy(), wanted)))
            found.update(zip(hit["key"].to_pylist(), hit["value"].to_pylist(), strict=True))
        return found


def open_audience(
    store: Store, purposes: int, reader: Reader, threshold: float = 1.0, now_s: float | None = None
) -> Audience:
    """Open the audience for *purposes* (a mask); raises `StoreError` when it is empty or cannot be read."""
    catalog = store.need_catalog()
    moment = time.time() if now_s is None else now_s
    entry = {"time_s": int(moment), "who": reader.who, "why": reader.why, "purposes": list(names_of(purposes))}
    store.append("audit.jsonl", {**entry, "revision": catalog.revision})
    graph = build_graph(store, catalog, threshold)
    ledger = Ledger(store.decisions(catalog, latest=True))
    return Audience(store, catalog, restrict(graph, allowed_identities(graph, ledger, purposes)), moment)
