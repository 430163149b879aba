"""What the plots and the page are made from: the tables, their summary, and sums over them as arrays.

Money is in units of the currency from here on; times are s since the scenario's start.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from experiments.results.manifest import Manifest
from experiments.results.summary import summarise
from experiments.results.tables import Tables
from openrtb.money import NANOS_PER_UNIT

OTHERS = "others"


class Facts(NamedTuple):
    """A run's tables and summary, under the title the report carries."""

    tables: Tables
    summary: dict[str, Any]
    title: str
    currency: str
    manifest: Manifest

    @property
    def total(self) -> dict[str, Any]:
        """Metrics of all campaigns together."""
        return dict(self.summary["total"])

    @property
    def campaigns(self) -> list[dict[str, Any]]:
        """Metrics by campaign, biggest spender first (budget breaks ties)."""
        return sorted(self.summary["campaigns"], key=lambda row: (-row["spend"], -row["budget"], row["campaign_id"]))


def gather(tables: Tables, title: str, currency: str, manifest: Manifest) -> Facts:
    """Facts of a run."""
    return Facts(tables, summarise(tables, currency), title or manifest.name, currency, manifest)


def names_and_codes(table: pa.Table, column: str) -> tuple[list[str], NDArray[np.int64]]:
    """Sorted names in a column, and for each row the index of its name."""
    array = table[column].combine_chunks()
    if array.type != pa.string() and not isinstance(array, pa.DictionaryArray):
        array = array.dictionary_encode()
    return array.dictionary.to_pylist(), array.indices.to_numpy().astype(np.int64)


def numbers(table: pa.Table, column: str) -> NDArray[np.float64]:
    """A column as floats; nanos become currency units."""
    values: NDArray[np.float64] = table[column].to_numpy().astype(np.float64)
    return values / NANOS_PER_UNIT if column.endswith("_nanos") else values


def hourly(table: pa.Table, by: str, column: str) -> dict[str, NDArray[np.float64]]:
    """Sum of *column* for each name in *by*, one number per hour from 0 to the last hour in the table."""
    names, codes = names_and_codes(table, by)
    hours = table["hour"].to_numpy().astype(np.int64)
    length = int(hours.max()) + 1 if len(hours) else 0
    sums = np.bincount(codes * length + hours, weights=numbers(table, column), minlength=len(names) * length)
    return dict(zip(names, sums.reshape(len(names), length), strict=True))


def grid(table: pa.Table, rows: str, columns: str, values: str) -> tuple[list[str], list[str], NDArray[np.float64]]:
    """Sum of *values* for each pair of names: names of the rows, names of the columns, sums of that shape."""
    row_names, row_codes = names_and_codes(table, rows)
    column_names, column_codes = names_and_codes(table, columns)
    shape = (len(row_names), len(column_names))
    sums = np.bincount(
        row_codes * shape[1] + column_codes, weights=numbers(table, values), minlength=shape[0] * shape[1]
    )
    return row_names, column_names, sums.reshape(shape).astype(np.float64)


def largest(names: Sequence[str], sizes: Sequence[float], limit: int) -> tuple[list[str], list[str]]:
    """The *limit* largest names in falling order, and the rest."""
    order = sorted(range(len(names)), key=lambda ix: (-sizes[ix], names[ix]))
    ranked = [names[ix] for ix in order]
    if len(ranked) <= limit:
        return ranked, []
    return ranked[: limit - 1], ranked[limit - 1 :]
