"""What is measured while serving: samples, and times counted by upper bound (s)."""

from __future__ import annotations

import bisect
from collections.abc import Iterator

BOUNDS_S = (0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25)
Sample = tuple[str, dict[str, str], float]
"""Name, labels, value; the name of a histogram's sample has its ending."""


class Histogram:
    """Counts by upper bound, cheap enough for every request."""

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS_S) + 1)
        self.sum_s = 0.0

    def add(self, seconds: float) -> None:
        """Count one."""
        self.counts[bisect.bisect_left(BOUNDS_S, seconds)] += 1
        self.sum_s += seconds

    def samples(self, name: str) -> Iterator[Sample]:
        """The buckets, each with all below it, the sum and the count."""
        below = 0
        for bound, count in zip((*map(repr, BOUNDS_S), "+Inf"), self.counts, strict=True):
            below += count
            yield f"{name}_bucket", {"le": bound}, below
        yield f"{name}_sum", {}, self.sum_s
        yield f"{name}_count", {}, below
