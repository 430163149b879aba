"""Whom a bidder recognises by the cookie in a request, and at which level of identity it remembers them.

A bidder keeps one row per *unit*: per cookie, per person or per household. Segments may be known at another level than
the one it counts by: a platform can hand person-level segments to a buyer that counts cookies. A cookie the audience
does not hold is a stranger with a row of its own and no segments.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dmp.evidence import Flags
from dmp.identifiers import key_of, keys_of
from dmp.identity import Graph
from dmp.places import EMPTY, fill, row_of

LEVELS = ("cookie", "person", "household")
NO_MERGE = 2.0
"""A threshold no edge reaches: every identity is then a person of its own."""
NOBODY = 0
"""The first row is nobody's and stays empty."""


def threshold_of(level: str, threshold: float) -> float:
    """The threshold to open an audience with for a level of `LEVELS`."""
    return NO_MERGE if level == "cookie" else threshold


@dataclass(frozen=True)
class Recognition:
    """One row of segments per unit, and the table from cookie to row."""

    segments: tuple[str, ...]
    rows: NDArray[np.uint64]
    """uint64[units + 1, words]: bit j % 64 of word j // 64 is set when the unit is in segment j; row 0 is nobody's."""
    keys: NDArray[np.uint64]
    places: NDArray[np.int32]
    units: NDArray[np.int64]
    """int64[cookies]: row of each cookie it was made for, in their order."""

    def row_ix(self, user_id: str | None) -> int:
        """Row of a cookie, -1 when it is unknown."""
        return int(row_of(self.keys, self.places, key_of("cookie", user_id))) if user_id else -1


def recognise(
    cookies: Sequence[str], level: str, counted: Graph, known: Graph, members: Mapping[str, Flags], known_by: str
) -> Recognition:
    """Rows for *cookies*, all of people who may be recognised.

    *counted* is the graph whose persons or households make the units of *level*, *known* the one *members* (bool per
    person of it) were found in; at *known_by* household a whole household is in what one of its persons is in.
    """
    key = keys_of("cookie", pa.array(list(cookies), pa.string()))
    units = _units(counted, key, level)
    rows = np.full((int(units.max(initial=NOBODY)) + 1, max(1, -(-len(members) // 64))), 0, np.uint64)
    at = known.find(key)
    person = np.where(at >= 0, known.person_ix[at], -1) if len(known.key) else at
    for j, flags in enumerate(members.values()):
        held = household_wide(flags, known) if known_by == "household" else flags
        hit = units[person >= 0][held[person[person >= 0]]]
        word, bit = divmod(j, 64)
        rows[np.unique(hit), word] |= np.uint64(1) << np.uint64(bit)
    slots = 1 << max(3, (2 * len(key)).bit_length())
    keys, places = np.zeros(slots, np.uint64), np.full(slots, EMPTY, np.int32)
    fill(keys, places, key, units.astype(np.int32))
    return Recognition(tuple(members), rows, keys, places, units)


def household_wide(flags: Flags, graph: Graph) -> Flags:
    """bool[persons]: those in whose household somebody is flagged."""
    homes = np.zeros(graph.households, np.bool_)
    homes[graph.household_ix[flags]] = True
    return homes[graph.household_ix]


def _units(graph: Graph, key: NDArray[np.uint64], level: str) -> NDArray[np.int64]:
    """int64[n]: unit of each cookie, from 1 on; strangers get one each."""
    alone = np.arange(len(key)) + len(graph.key)
    if level == "cookie" or not len(graph.key):
        return np.arange(1, len(key) + 1)
    at = graph.find(key)
    person = graph.person_ix[at]
    own = graph.household_ix[person] if level == "household" else person
    return np.unique(np.where(at >= 0, own, alone), return_inverse=True)[1].astype(np.int64) + 1
