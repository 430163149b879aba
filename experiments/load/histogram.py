"""A histogram of durations in ns, in buckets of 1/1024 of the value: neither memory nor error grows with time.

The layout is that of HdrHistogram (Tene): below 2048 ns every value has a bucket, above that each doubling has 1024.
"""

from __future__ import annotations

import numpy as np

HALF = 1024
"""Buckets per doubling."""
_LONGEST_BITS = 44  # about five hours


class Histogram:
    """Counts of durations. A percentile is the upper end of the bucket it falls into: never too good."""

    def __init__(self) -> None:
        self.counts = np.zeros((_LONGEST_BITS - 9) * HALF, np.int64)
        self.highest_ns = 0
        self._sum_ns = 0

    def add(self, duration_ns: int) -> None:
        """Count a duration; one below 0 counts as 0, one beyond the scale as its end."""
        value = min(max(0, duration_ns), (1 << _LONGEST_BITS) - 1)
        shift = max(0, value.bit_length() - 11)
        self.counts[shift * HALF + (value >> shift)] += 1
        self._sum_ns += value
        self.highest_ns = max(self.highest_ns, value)

    def merge(self, other: Histogram) -> None:
        """Count what *other* counted too."""
        self.counts += other.counts
        self._sum_ns += other._sum_ns
        self.highest_ns = max(self.highest_ns, other.highest_ns)

    @property
    def total(self) -> int:
        """Durations counted."""
        return int(self.counts.sum())

    def mean_ns(self) -> float:
        """Their mean; 0 without any."""
        return self._sum_ns / max(1, self.total)

    def percentile_ns(self, percent: float) -> int:
        """The least duration that at least *percent* of all do not exceed, up to the bucket's width; 0 without any."""
        total = self.total
        if total == 0:
            return 0
        rank = max(1, int(np.ceil(total * percent / 100.0 - 1e-9)))
        bucket = int(np.searchsorted(np.cumsum(self.counts), rank))
        return min(_highest_in(bucket), self.highest_ns)


def _highest_in(bucket: int) -> int:
    if bucket < 2 * HALF:
        return bucket
    shift = bucket // HALF - 1
    return ((bucket - shift * HALF + 1) << shift) - 1
