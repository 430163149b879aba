"""Files as a stream of text columns: CSV, JSON Lines and Parquet, plain or gzip, in bounded memory.

A chunk is a record batch of string columns (null where the cell is empty), with the number of each row in the file: the
first row of data is 1. Rows that cannot be split into cells are rejected here, with their number and the reason.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from dmp.errors import SourceError

BLOCK_BYTES = 4 * 1024 * 1024
CHUNK_ROWS = 65_536
MAX_LINE_BYTES = 1024 * 1024
Reject = Callable[[int, str, str], None]
"""Called with row, column (or empty) and reason."""


class Chunk(NamedTuple):
    """Some rows of a file: string columns, and the number of each row."""

    columns: dict[str, pa.StringArray]
    row: NDArray[np.int64]


class FileForm(NamedTuple):
    """How a file is written: csv, jsonl or parquet; for CSV its delimiter, and the column names if it has no header."""

    kind: str
    delimiter: str = ","
    header: list[str] | None = None


def read_chunks(path: Path, form: FileForm, names: list[str], reject: Reject) -> Iterator[Chunk]:
    """Chunks of the file; raises `SourceError` when it is not what *form* says or lacks one of the columns *names*."""
    readers = {"csv": _csv, "jsonl": _jsonl, "parquet": _parquet}
    try:
        yield from readers[form.kind](path, names, form, reject)
    except (OSError, EOFError, zlib.error) as error:
        raise SourceError(f"{path}: breaks off or cannot be read ({error}); get the file again") from None
    except pa.ArrowInvalid as error:
        told = str(error).splitlines()[0]
        raise SourceError(f"{path}: is not {form.kind} as declared ({told}); check `format` and `delimiter`") from None


def is_gzip(path: Path) -> bool:
    """Whether the file's content begins as gzip does."""
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


def _need(path: Path, names: list[str], there: list[str]) -> None:
    twice = sorted({name for name in names if there.count(name) > 1})
    if twice:
        raise SourceError(f"{path}: has the column {twice[0]!r} twice; rename one")
    missing = [name for name in names if name not in there]
    if missing:
        shown = ", ".join(repr(name) for name in there[:20])
        raise SourceError(f"{path}: has no column {', '.join(map(repr, missing))}; it has {shown or 'none'}")


def _csv(path: Path, names: list[str], form: FileForm, reject: Reject) -> Iterator[Chunk]:
    broken: list[int] = []

    def skip(row: pacsv.InvalidRow) -> str:
        lines_before = 1 if form.header is None else 0
        number = row.number - lines_before if row.number is not None else 0
        broken.append(number)
        reject(number, "", f"{row.actual_columns} cells instead of {row.expected_columns}")
        return "skip"

    if path.stat().st_size == 0:
        raise SourceError(f"{path}: is empty; a CSV file begins with a header")
    _need(path, names, _csv_header(path, form))
    options = pacsv.ConvertOptions(
        include_columns=names,
        column_types=dict.fromkeys(names, pa.binary()),
        strings_can_be_null=True,
        null_values=[""],
        check_utf8=False,
    )
    seen = 0
    with _open_csv(path, form, skip, options) as reader:
        for batch in reader:
            ordinal = np.arange(seen, seen + batch.num_rows)
            seen += batch.num_rows
            # A row's number is its place among the good rows and the broken ones before it.
            gaps = np.array(broken, np.int64) - np.arange(len(broken)) - 1
            row = ordinal + np.searchsorted(gaps, ordinal, "right") + 1
            for start in range(0, batch.num_rows, CHUNK_ROWS):
                part, numbers = batch.slice(start, CHUNK_ROWS), row[start : start + CHUNK_ROWS]
                yield Chunk({name: _text(part.column(name), numbers, name, reject) for name in names}, numbers)


def _open_csv(path: Path, form: FileForm, skip: Callable[[Any], str], convert: pacsv.ConvertOptions) -> Any:
    stream = pa.input_stream(str(path), compression="gzip" if is_gzip(path) else None)
    return pacsv.open_csv(
        stream,
        read_options=pacsv.ReadOptions(use_threads=False, block_size=BLOCK_BYTES, column_names=form.header),
        parse_options=pacsv.ParseOptions(delimiter=form.delimiter, invalid_row_handler=skip, newlines_in_values=True),
        convert_options=convert,
    )


def _csv_header(path: Path, form: FileForm) -> list[str]:
    with _open_csv(path, form, lambda row: "skip", pacsv.ConvertOptions(check_utf8=False)) as reader:
        try:
            return [str(name).removeprefix("\ufeff") for name in reader.schema.names]
        except UnicodeDecodeError:
            raise SourceError(f"{path}: the header is not UTF-8; save the file as UTF-8") from None


def _text(column: pa.Array, row: NDArray[np.int64], name: str, reject: Reject) -> pa.StringArray:
    """The column as text; cells that are not UTF-8 are rejected and become null."""
    try:
        return pc.cast(column, pa.string())
    except pa.ArrowInvalid:
        cells: list[str | None] = []
        for number, cell in zip(row.tolist(), column.to_pylist(), strict=True):
            try:
                cells.append(None if cell is None else cell.decode())
            except UnicodeDecodeError:
                reject(number, name, "not UTF-8")
                cells.append(None)
        return pa.array(cells, pa.string())


def _lines(file: IO[bytes] | gzip.GzipFile, reject: Reject) -> Iterator[tuple[int, bytes]]:
    number = 0
    while line := file.readline(MAX_LINE_BYTES):
        number += 1
        if len(line) < MAX_LINE_BYTES or line.endswith(b"\n"):
            if line.strip():
                yield number, line
            continue
        reject(number, "", f"a line longer than {MAX_LINE_BYTES} bytes")
        while (rest := file.readline(MAX_LINE_BYTES)) and not rest.endswith(b"\n"):
            pass


def _jsonl(path: Path, names: list[str], form: FileForm, reject: Reject) -> Iterator[Chunk]:
    decode = msgspec.json.Decoder(dict[str, Any]).decode
    present: set[str] = set()
    with gzip.open(path, "rb") if is_gzip(path) else path.open("rb") as file:
        rows: list[int] = []
        cells: dict[str, list[str | None]] = {name: [] for name in names}
        for number, line in _lines(file, reject):
            try:
                found = decode(line)
                texts = [_json_text(found.get(name)) for name in names]
            except msgspec.DecodeError:
                reject(number, "", "not a JSON object")
                continue
            except (ValueError, RecursionError) as error:
                reject(number, "", str(error))
                continue
            present.update(found)
            rows.append(number)
            for name, text in zip(names, texts, strict=True):
                cells[name].append(text)
            if len(rows) == CHUNK_ROWS:
                yield _chunk(cells, rows)
                rows, cells = [], {name: [] for name in names}
        if rows:
            yield _chunk(cells, rows)
    if present:
        _need(path, names, sorted(present))


def _chunk(cells: dict[str, list[str | None]], rows: list[int]) -> Chunk:
    return Chunk({name: pa.array(texts, pa.string()) for name, texts in cells.items()}, np.array(rows, np.int64))


def _json_text(value: Any) -> str | None:
    """A JSON value as a cell; raises `ValueError` for objects and for text that UTF-8 cannot hold."""
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ",".join(str(item) for item in value)
    if isinstance(value, dict):
        raise ValueError("an object where a plain value is expected")
    text = str(value)
    text.encode()
    return text


def _parquet(path: Path, names: list[str], form: FileForm, reject: Reject) -> Iterator[Chunk]:
    with pq.ParquetFile(path) as file:
        _need(path, names, file.schema_arrow.names)
        seen = 0
        for batch in file.iter_batches(batch_size=CHUNK_ROWS, columns=names):
            row = np.arange(seen + 1, seen + batch.num_rows + 1)
            seen += batch.num_rows
            yield Chunk({name: _parquet_text(path, batch.column(name), name) for name in names}, row)


def _parquet_text(path: Path, column: pa.Array, name: str) -> pa.StringArray:
    try:
        if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
            column = pc.binary_join(pc.cast(column, pa.list_(pa.string())), ",")
        if pa.types.is_timestamp(column.type):
            column = pc.strftime(pc.cast(column, pa.timestamp("us", column.type.tz)), "%Y-%m-%dT%H:%M:%S%z")
        text = pc.cast(column, pa.string())
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid):
        raise SourceError(f"{path}: column {name!r} has the type {column.type}, which cannot be read as text") from None
    return pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)
