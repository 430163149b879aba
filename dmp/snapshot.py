"""A snapshot of the audience: one bitset row of segments per person, as the bidder reads it.

Consent gates it: a person who may not be recognised has an empty row and cannot be looked up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dmp.errors import AudienceError


@dataclass(frozen=True)
class Snapshot:
    """Segments of every person at one moment."""

    segments: tuple[str, ...]
    rows: NDArray[np.uint64]
    """uint64[people, words]: bit j % 64 of word j // 64 is set when the person is in segment j."""
    consent: NDArray[np.bool_]
    """bool[people]: whether the person may be recognised."""
    prefix: str = "p"

    def user_id(self, person_ix: int) -> str:
        """The identifier under which the person is known on the wire."""
        return f"{self.prefix}{person_ix}"

    def row_ix(self, user_id: str | None) -> int:
        """Row of a wire identifier, -1 when it is unknown or the person has not consented."""
        if not user_id or not user_id.startswith(self.prefix):
            return -1
        digits = user_id[len(self.prefix) :]
        if not (digits.isascii() and digits.isdigit()) or len(digits) > 18:
            return -1
        row_ix = int(digits)
        return row_ix if row_ix < len(self.consent) and self.consent[row_ix] else -1

    def size(self, segment: str) -> int:
        """People in a segment; raises `AudienceError` for an unknown one."""
        if segment not in self.segments:
            raise AudienceError(f"unknown segment {segment!r}; known: {', '.join(self.segments) or 'none'}")
        word, bit = divmod(self.segments.index(segment), 64)
        return int(((self.rows[:, word] >> np.uint64(bit)) & np.uint64(1)).sum())


def build_snapshot(members: Mapping[str, NDArray[np.bool_]], consent: NDArray[np.bool_]) -> Snapshot:
    """Rows from one bool[people] array per segment; members without consent are left out.

    Raises `AudienceError` when an array's length differs from *consent*'s.
    """
    # np.full, not np.zeros: only memory NumPy fills itself is put on huge pages, and rows are read at random.
    rows = np.full((len(consent), max(1, -(-len(members) // 64))), 0, np.uint64)
    for j, (name, flags) in enumerate(members.items()):
        if len(flags) != len(consent):
            raise AudienceError(f"segment {name}: {len(flags)} people, but consent is known for {len(consent)}")
        word, bit = divmod(j, 64)
        rows[:, word] |= (flags & consent).astype(np.uint64) << np.uint64(bit)
    return Snapshot(tuple(members), rows, consent)
