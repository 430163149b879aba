"""Bid logs as Parquet: columns click, price and pctr, any other columns are ignored.

`click` may be boolean or a number; `price` any number type as long as its values are whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from experiments.errors import ReplayError
from experiments.replay.checks import COLUMNS, all_valid, checked_row
from experiments.replay.chunk import Chunk, OnBytes

BATCH_ROWS = 1 << 18
NUMBERS = (pa.types.is_boolean, pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)


def parquet_chunks(path: Path, on_bytes: OnBytes) -> Iterator[Chunk]:
    """Yield the log's rows in order.

    Raises:
        ReplayError: the file is damaged, lacks a column, or a row breaks a rule (named with its row, from 1).
    """
    try:
        with pq.ParquetFile(path) as file:
            _check_columns(file.schema_arrow, path)
            first_row, rows = 1, max(file.metadata.num_rows, 1)
            for batch in file.iter_batches(batch_size=BATCH_ROWS, columns=list(COLUMNS), use_threads=False):
                yield _chunk(batch, first_row, path)
                first_row += batch.num_rows
                # Parquet is not read front to back; the share of rows stands for the share of bytes.
                on_bytes(path.stat().st_size * (first_row - 1) // rows)
    except pa.ArrowException as error:
        raise ReplayError(f"{path}: the Parquet file is damaged or cut short: {error}") from None


def _check_columns(schema: pa.Schema, path: Path) -> None:
    for name in COLUMNS:
        if schema.names.count(name) != 1:
            raise ReplayError(f"{path}: must hold the column {name} once; it holds {', '.join(schema.names)}")
        if not any(is_type(schema.field(name).type) for is_type in NUMBERS):
            raise ReplayError(f"{path}: column {name} is of type {schema.field(name).type}; it must hold numbers")


def _chunk(batch: pa.RecordBatch, first_row: int, path: Path) -> Chunk:
    try:
        click, price, pctr = _arrays(batch)
    except pa.ArrowInvalid:
        return _by_row(batch, first_row, path)
    if not all_valid(click, price, pctr):
        return _by_row(batch, first_row, path)
    return Chunk(click.astype(np.uint8), price, pctr)


def _arrays(batch: pa.RecordBatch) -> list[np.ndarray]:
    """Return the columns as arrays; a safe cast refuses fractions and values out of range."""
    types = {"click": pa.int64(), "price": pa.int64(), "pctr": pa.float64()}
    if any(batch.column(name).null_count for name in COLUMNS):
        raise pa.ArrowInvalid("nulls")
    return [batch.column(name).cast(types[name]).to_numpy(zero_copy_only=False) for name in COLUMNS]


def _by_row(batch: pa.RecordBatch, first_row: int, path: Path) -> Chunk:
    """Check row by row, which names the broken one, or succeeds where only the cast was too strict."""
    columns = {name: batch.column(name).to_pylist() for name in COLUMNS}
    rows = [
        checked_row({name: _text(columns[name][ix]) for name in COLUMNS}, f"{path}: row {first_row + ix}")
        for ix in range(batch.num_rows)
    ]
    click, price, pctr = zip(*rows, strict=True)
    return Chunk(np.array(click, np.uint8), np.array(price, np.int64), np.array(pctr, np.float64))


def _text(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool) or (isinstance(value, float) and value.is_integer()):
        return str(int(value))
    return str(value)
