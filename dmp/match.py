"""How well identities were joined: against the truth where it is known, and between the sources where it is not."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dmp.identifiers import KINDS
from dmp.identity import Graph
from dmp.store import Catalog


class PairScores(NamedTuple):
    """Of the pairs of identities put together, the share that belongs together; and the share of those found."""

    precision: float
    recall: float


def pair_scores(person_ix: NDArray[np.int64], true_person: NDArray[np.int64]) -> PairScores:
    """Pairwise precision and recall over identities; 1 where there is no pair to judge."""
    both = _pairs(np.unique(np.stack([person_ix, true_person]), axis=1, return_counts=True)[1])
    joined = _pairs(np.unique(person_ix, return_counts=True)[1])
    true = _pairs(np.unique(true_person, return_counts=True)[1])
    return PairScores(both / joined if joined else 1.0, both / true if true else 1.0)


def _pairs(sizes: NDArray[np.int64]) -> int:
    return int((sizes * (sizes - 1) // 2).sum())


class SourceMatch(NamedTuple):
    """How one source meets the others."""

    source: str
    identities: int
    persons: int
    matched: int
    """Persons also known from another source."""
    match_rate: float
    conflicts: int
    """Persons with several logins, or with several e-mail addresses: one login is one person."""


def match_report(graph: Graph, catalog: Catalog) -> list[SourceMatch]:
    """One row per source, in the order of first import; over the persons of *graph*."""
    names = [batch.source.source for batch in catalog.batches]
    person = graph.person_ix
    several = np.zeros(graph.persons, np.bool_)
    for kind in ("login", "email"):
        own = person[(graph.kind == KINDS.index(kind)) & (person >= 0)]
        several |= np.bincount(own, minlength=graph.persons) > 1
    bits = {source: np.flatnonzero([name == source for name in names]) for source in dict.fromkeys(names)}
    there = {}
    for source, batches in bits.items():
        seen = np.zeros(len(person), np.bool_)
        for number in batches.tolist():
            seen |= (graph.seen_in[:, number // 64] >> np.uint64(number % 64)) & np.uint64(1) == 1
        flags = np.zeros(graph.persons, np.bool_)
        flags[person[seen & (person >= 0)]] = True
        there[source] = (int(seen.sum()), flags)
    known_in = np.sum([flags for _, flags in there.values()], axis=0)
    rows = []
    for source, (identities, flags) in there.items():
        persons, matched = int(flags.sum()), int((flags & (known_in > 1)).sum())
        rate = matched / persons if persons else 0.0
        rows.append(SourceMatch(source, identities, persons, matched, rate, int((flags & several).sum())))
    return rows
