"""The consent ledger: who allowed what, when, and where we learned it.

Decisions are kept per identity (a 64-bit key of an identifier) and purpose, never overwritten; the latest one counts,
and of two at the same second the refusal. Where nothing was decided the region's default counts: in the European
regions nothing is allowed without consent. Purposes are those of TCF; a set of them is a uint16 mask, bit n - 1 for
purpose n.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dmp.errors import ConsentError
from dmp.gpp import gpp_purposes
from dmp.tcf import PURPOSES as NUMBERS
from dmp.tcf import granted_purposes

PURPOSES = {
    "storage": 1,
    "limited_ads": 2,
    "ads_profile": 3,
    "personalised_ads": 4,
    "content_profile": 5,
    "personalised_content": 6,
    "ad_measurement": 7,
    "content_measurement": 8,
    "audience_insights": 9,
    "development": 10,
    "limited_content": 11,
}
"""Our names for TCF's purposes."""
ALL = sum(1 << (number - 1) for number in NUMBERS)
NOTHING = 0
STORAGE = 1 << (PURPOSES["storage"] - 1)
ACTIVATION = STORAGE | 1 << (PURPOSES["ads_profile"] - 1) | 1 << (PURPOSES["personalised_ads"] - 1)
"""What a segment in an advert needs: store, profile, personalise."""
OPT_IN_REGIONS = frozenset({"EU", "EEA", "UK", "CH", "BR"})
"""Regions where nothing is allowed without consent."""


def region_default(region: str) -> int:
    """Purposes allowed in *region* before anybody decided; unknown and empty regions are treated as European."""
    known = region.strip().upper()
    return NOTHING if not known or known == "UNKNOWN" or known in OPT_IN_REGIONS else ALL


def mask_of(names: Iterable[str]) -> int:
    """Mask of purposes by name, `all` for all of them; raises `ConsentError`."""
    mask = 0
    for name in names:
        if name != "all" and name not in PURPOSES:
            raise ConsentError(f"unknown purpose {name!r}; purposes: all, {', '.join(PURPOSES)}")
        mask |= ALL if name == "all" else 1 << (PURPOSES[name] - 1)
    return mask


def names_of(mask: int) -> tuple[str, ...]:
    """Names of the purposes in *mask*."""
    return tuple(name for name, number in PURPOSES.items() if mask >> (number - 1) & 1)


def mask_of_string(text: object, vendor: int | None = None) -> int:
    """Purposes a TCF or GPP string grants; 0 for one that is not whole and valid."""
    whole = isinstance(text, str) and "~" in text
    numbers = gpp_purposes(text, vendor) if whole else granted_purposes(text, vendor)
    return sum(1 << (number - 1) for number in numbers)


class Decisions(NamedTuple):
    """Columns of the ledger, one row per decision of an identity at a moment."""

    key: NDArray[np.uint64]
    time_s: NDArray[np.int64]
    granted: NDArray[np.uint16]
    refused: NDArray[np.uint16]


def no_decisions() -> Decisions:
    """A ledger without a row."""
    return Decisions(np.empty(0, np.uint64), np.empty(0, np.int64), np.empty(0, np.uint16), np.empty(0, np.uint16))


def decisions(key: NDArray[np.uint64], time_s: int | NDArray[np.int64], granted: int, refused: int) -> Decisions:
    """The same decision for every identity in *key*."""
    shape = key.shape
    return Decisions(
        key.astype(np.uint64),
        np.broadcast_to(np.asarray(time_s, np.int64), shape).copy(),
        np.full(shape, granted, np.uint16),
        np.full(shape, refused, np.uint16),
    )


def joined(parts: Iterable[Decisions]) -> Decisions:
    """Several ledgers as one."""
    listed = list(parts) or [no_decisions()]
    return Decisions(*(np.concatenate(columns) for columns in zip(*listed, strict=True)))


def last_of_equals(rows: Decisions) -> Decisions:
    """Of decisions of one identity that grant and refuse the same, the latest."""
    order = np.lexsort((rows.time_s, rows.refused, rows.granted, rows.key))
    key, granted, refused = rows.key[order], rows.granted[order], rows.refused[order]
    last = np.ones(len(order), np.bool_)
    last[:-1] = (key[1:] != key[:-1]) | (granted[1:] != granted[:-1]) | (refused[1:] != refused[:-1])
    chosen = order[last]
    return Decisions(rows.key[chosen], rows.time_s[chosen], rows.granted[chosen], rows.refused[chosen])


class Ledger:
    """What counts now. Lookups are vectorised; identities nobody decided for get the default handed in."""

    def __init__(self, rows: Decisions) -> None:
        if np.any(rows.granted & rows.refused):
            raise ConsentError("a decision grants and refuses the same purpose")
        self._rows = rows
        order = np.lexsort((rows.time_s, rows.key))
        keys, times = rows.key[order], rows.time_s[order]
        granted, refused = rows.granted[order], rows.refused[order]
        self.keys, start = np.unique(keys, return_index=True)
        self._granted = np.zeros(len(self.keys), np.uint16)
        self._refused = np.zeros(len(self.keys), np.uint16)
        owner = np.repeat(np.arange(len(self.keys)), np.diff(np.append(start, len(keys))))
        for number in NUMBERS:
            bit = np.uint16(1 << (number - 1))
            latest = np.full(len(self.keys), np.iinfo(np.int64).min)
            decided = ((granted | refused) & bit) != 0
            np.maximum.at(latest, owner[decided], times[decided])
            now = decided & (times == latest[owner])
            self._refused[owner[now & ((refused & bit) != 0)]] |= bit
            yes = np.zeros(len(self.keys), bool)
            yes[owner[now]] = True
            self._granted[yes & ((self._refused & bit) == 0)] |= bit

    def allowed(self, key: NDArray[np.uint64], default: int | NDArray[np.uint16] = NOTHING) -> NDArray[np.uint16]:
        """uint16[n]: purposes allowed per identity; *default* where a purpose was never decided."""
        granted, refused = self._lookup(key)
        return (granted | (np.asarray(default, np.uint16) & ~refused)).astype(np.uint16)

    def refused(self, key: NDArray[np.uint64]) -> NDArray[np.uint16]:
        """uint16[n]: purposes refused per identity."""
        return self._lookup(key)[1]

    def refused_at(self, key: NDArray[np.uint64], purpose: int) -> NDArray[np.int64]:
        """int64[n]: since when (seconds) the one purpose of the mask is refused; the smallest int64 where it is not."""
        never = np.iinfo(np.int64).min
        hit = (
            self._rows.time_s[(self._rows.refused & purpose) != 0],
            self._rows.key[(self._rows.refused & purpose) != 0],
        )
        latest = np.full(len(self.keys) + 1, never)
        if len(self.keys):
            np.maximum.at(latest, np.searchsorted(self.keys, hit[1]), hit[0])
        at = np.searchsorted(self.keys, key)
        return np.where((self.refused(key) & purpose) != 0, latest[at], never)

    def _lookup(self, key: NDArray[np.uint64]) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
        if not len(self.keys):
            nothing = np.zeros(len(key), np.uint16)
            return nothing, nothing.copy()
        at = np.minimum(np.searchsorted(self.keys, key), len(self.keys) - 1)
        known = self.keys[at] == key
        return self._granted[at] * known.astype(np.uint16), self._refused[at] * known.astype(np.uint16)
