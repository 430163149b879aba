"""Connected components by union-find with path halving and union by size, compiled."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True)
def components(count: int, a: NDArray[np.int64], b: NDArray[np.int64]) -> NDArray[np.int64]:
    """int64[count]: component of each of *count* nodes joined by the edges a-b, numbered from 0 by first appearance."""
    parent = np.arange(count)
    size = np.ones(count, np.int64)
    for e in range(len(a)):
        x, y = a[e], b[e]
        while parent[x] != x:
            parent[x] = parent[parent[x]]
            x = parent[x]
        while parent[y] != y:
            parent[y] = parent[parent[y]]
            y = parent[y]
        if x != y:
            if size[x] < size[y]:
                x, y = y, x
            parent[y] = x
            size[x] += size[y]
    label = np.full(count, -1, np.int64)
    out = np.empty(count, np.int64)
    found = 0
    for node in range(count):
        root = node
        while parent[root] != root:
            root = parent[root]
        if label[root] < 0:
            label[root] = found
            found += 1
        out[node] = label[root]
    return out
