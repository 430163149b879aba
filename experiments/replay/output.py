"""Replay rows for people and machines: a table on a terminal, TSV in a pipe, JSON, and a file of their own."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from experiments.errors import ReplayError
from experiments.replay.grid import ReplayRow

if TYPE_CHECKING:
    import pyarrow as pa

OUT_SUFFIXES = (".parquet", ".csv")


def print_rows(rows: list[ReplayRow], as_json: bool, stream: TextIO) -> None:
    """Print *rows*: a JSON array if asked, else a table on a terminal, else TSV with a header.

    Raises:
        ReplayError: *stream* takes no more, as when the disk is full.
        BrokenPipeError: nobody reads *stream* any more.
    """
    try:
        _print_rows(rows, as_json, stream)
        stream.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        # What is still buffered would fail once more, with a traceback, when the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        raise ReplayError(f"the rows cannot be printed: {error.strerror}; free some space or print elsewhere") from None


def _print_rows(rows: list[ReplayRow], as_json: bool, stream: TextIO) -> None:
    if as_json:
        json.dump([row._asdict() for row in rows], stream, indent=1)
        stream.write("\n")
    elif stream.isatty():
        _print_table(rows, stream)
    else:
        stream.write("\t".join(ReplayRow._fields) + "\n")
        stream.writelines("\t".join(str(value) for value in row) + "\n" for row in rows)


def _print_table(rows: list[ReplayRow], stream: TextIO) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table()
    for name in ReplayRow._fields:
        table.add_column(name, justify="left" if name == "bid" else "right")
    for row in rows:
        table.add_row(row.bid, f"{row.param:g}" if isinstance(row.param, float) else str(row.param), *_grouped(row[2:]))
    Console(file=stream).print(table)


def _grouped(counts: tuple[int, ...]) -> list[str]:
    return [f"{count:,}" for count in counts]


def check_out(path: Path) -> None:
    """Refuse an output file before the work is done rather than after.

    Raises:
        ReplayError: the ending is unknown, or the folder is missing.
    """
    if path.suffix not in OUT_SUFFIXES:
        raise ReplayError(f"--out {path}: the name must end in {' or '.join(OUT_SUFFIXES)}")
    if not path.parent.is_dir():
        raise ReplayError(f"--out {path}: there is no folder {path.parent}")


def write_rows(rows: list[ReplayRow], path: Path) -> None:
    """Write *rows* to a .parquet or .csv file, which appears only when it is complete.

    Raises:
        ReplayError: the file cannot be written.
    """
    temporary = None
    try:
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
        os.close(descriptor)
        _write_table(_arrow_table(rows), temporary, path.suffix)
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except OSError as error:
        raise ReplayError(f"--out {path}: cannot be written: {error.strerror or error}") from None
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)


def _arrow_table(rows: list[ReplayRow]) -> pa.Table:
    import pyarrow as pa

    columns = zip(*rows, strict=True)
    types = [pa.string(), pa.float64()] + [pa.int64()] * (len(ReplayRow._fields) - 2)
    return pa.table(
        {name: pa.array(values, kind) for name, values, kind in zip(ReplayRow._fields, columns, types, strict=True)}
    )


def _write_table(table: pa.Table, name: str, suffix: str) -> None:
    if suffix == ".parquet":
        import pyarrow.parquet as pq

        pq.write_table(table, name)
    else:
        import pyarrow.csv as pa_csv

        pa_csv.write_csv(table, name)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
