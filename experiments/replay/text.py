"""Bid logs as text, plain or gzip: `click price pCTR` rows, or a CSV/TSV table with a header.

Whole chunks of lines are parsed by Arrow. A chunk Arrow cannot parse, or one with a value out of range, is read again
line by line: that is slow, but either copes with it (odd spacing) or names the line that is wrong.
"""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv

from experiments.errors import ReplayError
from experiments.replay.checks import COLUMNS, all_valid, checked_row, shown
from experiments.replay.chunk import Chunk, OnBytes

CHUNK_BYTES = 1 << 22
GZIP_MAGIC = b"\x1f\x8b"
ARROW_TYPES = {"click": pa.int64(), "price": pa.int64(), "pctr": pa.float64()}


class Layout(NamedTuple):
    """How a line falls into fields: the delimiter ("" for any white space) and each column's place, from 0."""

    delimiter: str
    width: int
    positions: dict[str, int]
    quoted: bool


def text_chunks(path: Path, on_bytes: OnBytes) -> Iterator[Chunk]:
    """Yield the log's rows in order.

    Raises:
        ReplayError: the file is cut short, is no log, or a line breaks a rule.
    """
    layout: Layout | None = None
    first_line = 1
    with path.open("rb") as file:
        for lines in _whole_lines(path, _opened(file)):
            body, body_line = lines, first_line
            if layout is None:
                head, _, rest = lines.partition(b"\n")
                layout, has_header = _layout(head, path)
                if has_header:
                    body, body_line = rest, first_line + 1
            yield _parsed(body, body_line, layout, path)
            first_line += lines.count(b"\n")
            on_bytes(file.tell())


def _opened(file: IO[bytes]) -> IO[bytes]:
    is_gzip = file.read(len(GZIP_MAGIC)) == GZIP_MAGIC
    file.seek(0)
    return gzip.GzipFile(fileobj=file) if is_gzip else file  # type: ignore[return-value]


def _whole_lines(path: Path, stream: IO[bytes]) -> Iterator[bytes]:
    """Yield pieces of about CHUNK_BYTES that end where a line ends."""
    tail = b""
    lines_read = 0
    while True:
        try:
            block = stream.read(CHUNK_BYTES)
        except EOFError:
            # What was unpacked before the cut is lost with the failed read, so the line named is a lower bound.
            raise ReplayError(
                f"{path}: the gzip file is cut short somewhere after line {lines_read}; copy or download it again"
            ) from None
        except (gzip.BadGzipFile, zlib.error) as error:
            raise ReplayError(f"{path}: the gzip file is damaged after line {lines_read}: {error}") from None
        if not block:
            break
        cut = block.rfind(b"\n") + 1
        if not cut:
            tail += block
            if len(tail) > 2 * CHUNK_BYTES:
                raise ReplayError(f"{path}:{lines_read + 1}: the line has no end; this is not a bid log")
            continue
        yield tail + block[:cut]
        lines_read += block.count(b"\n")
        tail = block[cut:]
    if tail:
        yield tail


def _layout(head: bytes, path: Path) -> tuple[Layout, bool]:
    """Return the layout told by the first line, and whether that line is a header."""
    text = head.decode("utf-8-sig", errors="backslashreplace").strip("\r")
    delimiter = "," if "," in text else "\t"
    names = [name.strip().lower() for name in next(csv.reader([text], delimiter=delimiter), [])]
    if "price" not in names and delimiter == "\t":
        return Layout("", len(COLUMNS), {name: ix for ix, name in enumerate(COLUMNS)}, False), False
    for name in COLUMNS:
        if names.count(name) != 1:
            raise ReplayError(
                f"{path}:1: the header {shown(text)} must name the column {name} once; "
                "a table needs click, price and pctr, other columns are ignored"
            )
    return Layout(delimiter, len(names), {name: names.index(name) for name in COLUMNS}, True), True


def _parsed(lines: bytes, first_line: int, layout: Layout, path: Path) -> Chunk:
    if not lines.strip():
        return Chunk(np.empty(0, np.uint8), np.empty(0, np.int64), np.empty(0, np.float64))
    try:
        click, price, pctr = _parsed_by_arrow(lines, layout)
    except pa.ArrowInvalid:
        return _parsed_by_line(lines, first_line, layout, path)
    if not all_valid(click, price, pctr):
        return _parsed_by_line(lines, first_line, layout, path)
    return Chunk(click.astype(np.uint8), price, pctr)


def _parsed_by_arrow(lines: bytes, layout: Layout) -> list[np.ndarray]:
    # Columns are numbered because a table's other columns may repeat names.
    wanted = {name: str(layout.positions[name]) for name in COLUMNS}
    table = pa_csv.read_csv(
        pa.py_buffer(lines),
        read_options=pa_csv.ReadOptions(
            column_names=[str(ix) for ix in range(layout.width)], block_size=len(lines) + 1, use_threads=False
        ),
        parse_options=pa_csv.ParseOptions(
            delimiter=layout.delimiter or (" " if b" " in lines[:256] else "\t"),
            quote_char='"' if layout.quoted else False,
        ),
        convert_options=pa_csv.ConvertOptions(
            column_types={column: ARROW_TYPES[name] for name, column in wanted.items()},
            include_columns=list(wanted.values()),
            null_values=[],
        ),
    )
    return [table.column(wanted[name]).to_numpy() for name in COLUMNS]


def _parsed_by_line(lines: bytes, first_line: int, layout: Layout, path: Path) -> Chunk:
    rows = []
    for line_number, line in enumerate(lines.decode("utf-8", errors="backslashreplace").split("\n"), first_line):
        if not line.strip():
            continue
        place = f"{path}:{line_number}"
        fields = _fields(line.rstrip("\r"), layout)
        if len(fields) != layout.width:
            wanted = "the three fields click, price and pctr" if not layout.quoted else f"{layout.width}, as the header"
            raise ReplayError(f"{place}: the row {shown(line)} has {len(fields)} field(s); it must have {wanted}")
        rows.append(checked_row({name: fields[layout.positions[name]] for name in COLUMNS}, place))
    click, price, pctr = zip(*rows, strict=True)
    return Chunk(np.array(click, np.uint8), np.array(price, np.int64), np.array(pctr, np.float64))


def _fields(line: str, layout: Layout) -> list[str]:
    if not layout.delimiter:
        return line.split()
    try:
        return [field.strip() for field in next(csv.reader([line], delimiter=layout.delimiter))]
    except csv.Error:
        return [line]
