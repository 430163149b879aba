"""Questions about segments: how large, how they overlap, whom they reach at each level of identity."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dmp.identifiers import KINDS
from dmp.identity import Graph

Flags = NDArray[np.bool_]
LEVELS = ("cookie", "device", "person", "household")


def packed(flags: Flags) -> NDArray[np.uint64]:
    """The flags as uint64 words, bit i % 64 of word i // 64 (little endian), zero-filled at the end."""
    bits = np.packbits(flags, bitorder="little")
    words = np.zeros(-(-len(bits) // 8) * 8, np.uint8)
    words[: len(bits)] = bits
    return words.view(np.uint64)


def overlap(members: Mapping[str, Flags]) -> NDArray[np.int64]:
    """int64[segments, segments]: people in both; the diagonal holds the sizes."""
    words = [packed(flags) for flags in members.values()]
    counts = np.zeros((len(words), len(words)), np.int64)
    for i, left in enumerate(words):
        for j in range(i, len(words)):
            counts[i, j] = counts[j, i] = int(np.bitwise_count(left & words[j]).sum())
    return counts


def reach(flags: Flags, graph: Graph) -> dict[str, int]:
    """How many cookies, devices, persons and households a set of persons is; each counted once."""
    own = graph.person_ix >= 0
    chosen = np.zeros(len(graph.key), np.bool_)
    chosen[own] = flags[graph.person_ix[own]]
    kinds = np.bincount(graph.kind[chosen], minlength=len(KINDS))
    return {
        "cookie": int(kinds[KINDS.index("cookie")]),
        "device": int(kinds[KINDS.index("device")]),
        "person": int(flags.sum()),
        "household": len(np.unique(graph.household_ix[flags])),
    }


def union_reach(members: Mapping[str, Flags], graph: Graph) -> list[dict[str, Any]]:
    """Reach of each segment and, last, of all together without counting anybody twice."""
    rows = [{"segment": name, **reach(flags, graph)} for name, flags in members.items()]
    together = np.logical_or.reduce(list(members.values())) if members else np.zeros(graph.persons, np.bool_)
    return [*rows, {"segment": "*", **reach(together, graph)}]


def lift(flags: Flags, happened: Flags) -> dict[str, Any]:
    """How much more often an outcome (bool[persons]) happened inside a segment than outside.

    The interval covers the ratio with 95 % (Katz et al. 1978, on the logarithm). None where there is nothing to divide.
    """
    inside, outside = int(flags.sum()), int((~flags).sum())
    yes, other = int((flags & happened).sum()), int((~flags & happened).sum())
    told: dict[str, Any] = {
        "persons": inside,
        "happened": yes,
        "rate": yes / inside if inside else None,
        "rate_outside": other / outside if outside else None,
        "lift": None,
        "low": None,
        "high": None,
    }
    if yes and other:
        ratio = (yes / inside) / (other / outside)
        spread = 1.959964 * math.sqrt(1 / yes - 1 / inside + 1 / other - 1 / outside)
        told |= {"lift": ratio, "low": ratio * math.exp(-spread), "high": ratio * math.exp(spread)}
    return told
