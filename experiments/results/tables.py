"""Checked building, writing and reading of a run's tables.

Every table is a pyarrow table that obeys `experiments.results.dictionary`: its columns, in order, each with its type,
and the unit and meaning as Arrow field metadata. Names (ids) are dictionary arrays whose words are sorted and all in
use, so the same content always gives the same bytes, however it was handed in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from experiments.results.dictionary import BOOL, F64, I64, ID, NULLABLE, TABLES, Column
from experiments.results.study_dictionary import STUDIES, STUDIES_NULLABLE

Tables = Mapping[str, pa.Table]
"""A run's tables by name."""


class Codes(NamedTuple):
    """A column of names for millions of rows: integer codes, and the name of each code; -1 is the empty name."""

    indices: NDArray[Any]
    names: Sequence[str]


_KNOWN = TABLES | STUDIES
_MAY_BE_NULL = NULLABLE | STUDIES_NULLABLE
_ARROW = {ID: pa.dictionary(pa.int32(), pa.string()), I64: pa.int64(), F64: pa.float64(), BOOL: pa.bool_()}


def schema_of(table: str) -> pa.Schema:
    """Arrow schema of *table*; units and meanings are in the metadata of the fields."""
    fields = [
        pa.field(c.name, _ARROW[c.type], nullable=(table, c.name) in _MAY_BE_NULL, metadata=_field_metadata(c))
        for c in _KNOWN[table].columns
    ]
    return pa.schema(fields, metadata={"table": table, "row": _KNOWN[table].row})


def build_table(table: str, columns: Mapping[str, Any]) -> pa.Table:
    """Arrow table from one array, list or `Codes` per column, checked against the dictionary.

    NaN and None become null where the dictionary allows null. Raises ValueError for an unknown table, a missing or
    unknown column, lengths that differ, a wrong type, an infinite number, or a null where none is allowed.
    """
    if table not in _KNOWN:
        raise ValueError(f"{table}: no such table; the dictionary has {', '.join(_KNOWN)}")
    wanted = [column.name for column in _KNOWN[table].columns]
    if missing := [name for name in wanted if name not in columns]:
        raise ValueError(f"{table}: columns missing: {', '.join(missing)}")
    if unknown := [name for name in columns if name not in wanted]:
        raise ValueError(f"{table}: columns not in the dictionary: {', '.join(unknown)}")
    arrays = [_column(table, column, columns[column.name]) for column in _KNOWN[table].columns]
    if len({len(array) for array in arrays}) > 1:
        lengths = ", ".join(f"{name} {len(array)}" for name, array in zip(wanted, arrays, strict=True))
        raise ValueError(f"{table}: columns differ in length: {lengths}")
    return pa.Table.from_arrays(arrays, schema=schema_of(table))


def build_tables(columns: Mapping[str, Mapping[str, Any]]) -> dict[str, pa.Table]:
    """Every table of a run, in the dictionary's order. Raises ValueError as `build_table`, or when one is missing."""
    if missing := [name for name in TABLES if name not in columns]:
        raise ValueError(f"tables missing: {', '.join(missing)}")
    if unknown := [name for name in columns if name not in TABLES]:
        raise ValueError(f"tables not in the dictionary: {', '.join(unknown)}")
    return {name: build_table(name, columns[name]) for name in TABLES}


def write_parquet(table: pa.Table, path: Path) -> None:
    """Write *table*; the same content gives the same bytes. Raises OSError."""
    with path.open("wb") as file:
        pq.write_table(table, file, compression="zstd", version="2.6", write_statistics=True)


def read_parquet(path: Path) -> pa.Table:
    """The table in *path*, with dictionary arrays for names. Raises OSError or pyarrow.ArrowInvalid."""
    return pq.read_table(path, partitioning=None)


def _field_metadata(column: Column) -> dict[str, str]:
    return {"unit": column.unit, "meaning": column.meaning}


def _column(table: str, column: Column, values: Any) -> pa.Array:
    where = f"{table}.{column.name}"
    if column.type == ID:
        return _names(where, values if isinstance(values, Codes) else _encode(where, values))
    array = np.asarray(values)
    if array.ndim != 1:
        raise ValueError(f"{where}: one value per row is wanted, got an array of shape {array.shape}")
    if column.type == I64:
        return pa.array(_integers(where, array), type=pa.int64())
    if column.type == BOOL:
        if array.dtype != np.bool_ and array.size:
            raise ValueError(f"{where}: true or false is wanted, got {array.dtype}")
        return pa.array(array.astype(np.bool_), type=pa.bool_())
    return _floats(where, array, nullable=(table, column.name) in _MAY_BE_NULL)


def _integers(where: str, array: NDArray[Any]) -> NDArray[np.int64]:
    if array.dtype.kind not in "iu" and array.size:
        raise ValueError(f"{where}: whole numbers are wanted, got {array.dtype}")
    if array.dtype == np.uint64 and array.size and int(array.max()) > np.iinfo(np.int64).max:
        raise ValueError(f"{where}: a number does not fit 64 bits with sign")
    return array.astype(np.int64, copy=False)


def _floats(where: str, array: NDArray[Any], *, nullable: bool) -> pa.Array:
    if array.dtype.kind not in "fiuO":
        raise ValueError(f"{where}: numbers are wanted, got {array.dtype}")
    try:
        numbers = array.astype(np.float64)  # None becomes NaN
    except (TypeError, ValueError) as error:
        raise ValueError(f"{where}: numbers are wanted ({error})") from None
    unknown = np.isnan(numbers)
    if not nullable and unknown.any():
        raise ValueError(f"{where}: row {int(unknown.argmax())} has no number; this column has no nulls")
    if np.isinf(numbers).any():
        raise ValueError(f"{where}: row {int(np.isinf(numbers).argmax())} is infinite")
    return pa.array(numbers, mask=unknown) if unknown.any() else pa.array(numbers)


def _encode(where: str, values: Any) -> Codes:
    names = list(values)
    if strange := [value for value in names if not isinstance(value, str)]:
        raise ValueError(f"{where}: names are wanted, got {strange[0]!r}")
    words = sorted(set(names))
    code = {word: ix for ix, word in enumerate(words)}
    return Codes(np.array([code[name] for name in names], dtype=np.int32), words)


def _names(where: str, codes: Codes) -> pa.DictionaryArray:
    """Dictionary array in canonical form: words sorted, each in use."""
    indices = np.asarray(codes.indices)
    names = np.array([*codes.names, ""], dtype=object)  # the last one is what -1 means
    if indices.ndim != 1 or (indices.dtype.kind not in "iu" and indices.size):
        raise ValueError(f"{where}: codes are one whole number per row, got {indices.dtype} of shape {indices.shape}")
    if indices.size and (int(indices.min()) < -1 or int(indices.max()) >= len(codes.names)):
        raise ValueError(f"{where}: a code is outside -1..{len(codes.names) - 1}")
    shifted = indices.astype(np.int64) % len(names)
    used = np.flatnonzero(np.bincount(shifted, minlength=len(names)))
    words = sorted(set(names[used]))
    place = {word: ix for ix, word in enumerate(words)}
    to_word = np.zeros(len(names), dtype=np.int32)
    to_word[used] = [place[name] for name in names[used]]
    return pa.DictionaryArray.from_arrays(pa.array(to_word[shifted]), pa.array(words, type=pa.string()))
