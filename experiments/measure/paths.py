"""Paths to purchase: the channels a person met before buying (or not), for attribution. Values in currency units.

A path is a sequence of channel numbers with the number of times it ended in purchases, their value, and the number of
times it ended in none.
"""

from __future__ import annotations

import csv
import gzip
import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.errors import StudyError

SEPARATOR = ">"
COLUMNS = ("path", "total_conversions", "total_conversion_value", "total_null")


class Paths(NamedTuple):
    """P paths over C channels; the touches of path p are touches[starts[p]:starts[p + 1]], oldest first."""

    channels: tuple[str, ...]
    touches: NDArray[np.int32]
    starts: NDArray[np.int64]
    conversions: NDArray[np.float64]
    value: NDArray[np.float64]
    nulls: NDArray[np.float64]
    ages_s: NDArray[np.float64] | None = None
    """Time from each touch to the end of its path (s); None: only the order is known."""

    def __len__(self) -> int:
        """P."""
        return len(self.conversions)

    def path(self, p: int) -> NDArray[np.int32]:
        """Touches of path *p*."""
        return self.touches[self.starts[p] : self.starts[p + 1]]


def read_paths(file: Path) -> Paths:
    """Paths from a CSV (gzip too) with the columns path, total_conversions, total_conversion_value, total_null.

    Raises `StudyError` naming the file, the line and the rule.
    """
    try:
        opened = gzip.open if file.suffix == ".gz" else open
        with opened(file, "rt", encoding="utf-8") as text:
            rows = csv.DictReader(text)
            missing = [name for name in COLUMNS if name not in (rows.fieldnames or ())]
            if missing:
                raise StudyError(f"{file}:1: columns missing: {', '.join(missing)}; wanted are {', '.join(COLUMNS)}")
            return _collected([_row(file, number, row) for number, row in enumerate(rows, start=2)], file)
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise StudyError(f"{file}: cannot be read ({reason}); give a CSV file of paths") from None


def _row(file: Path, number: int, row: dict[str, str]) -> tuple[list[str], float, float, float]:
    names = [name.strip() for name in (row["path"] or "").split(SEPARATOR)]
    if not all(names):
        raise StudyError(f"{file}:{number}: path {row['path']!r}: write channels as a > b > c, none of them empty")
    found = []
    for column in COLUMNS[1:]:
        try:
            amount = float(row[column])
        except (TypeError, ValueError):
            amount = math.nan
        if not (math.isfinite(amount) and amount >= 0):
            raise StudyError(f"{file}:{number}: {column} {row[column]!r}: must be a number from 0")
        found.append(amount)
    return names, found[0], found[1], found[2]


def _collected(rows: list[tuple[list[str], float, float, float]], file: Path) -> Paths:
    if not rows:
        raise StudyError(f"{file}: holds no path")
    channels = tuple(sorted({name for names, *_ in rows for name in names}))
    code = {name: c for c, name in enumerate(channels)}
    lengths = np.array([len(names) for names, *_ in rows])
    return Paths(
        channels,
        np.array([code[name] for names, *_ in rows for name in names], np.int32),
        np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        *(np.array([row[k] for row in rows], np.float64) for k in (1, 2, 3)),
    )
