"""A recorded bid log as three arrays, whatever file it came from.

One row is one auction, in time order: `click` (0/1, whether the impression was clicked), `price` (the highest rival
price, which is what a winner pays, in the log's own price unit) and `pctr` (the predicted click probability).
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from experiments.errors import ReplayError
from experiments.replay.chunk import Chunk, OnBytes
from experiments.replay.parquet import parquet_chunks
from experiments.replay.text import text_chunks

INT64_MAX = 2**63 - 1
PARQUET_MAGIC = b"PAR1"


class BidLog(NamedTuple):
    """A whole log: arrays of shape (rows,), and the sum of all prices (fits int64)."""

    click: npt.NDArray[np.uint8]
    price: npt.NDArray[np.int64]
    pctr: npt.NDArray[np.float64]
    price_sum: int


def read_log(path: Path, on_bytes: OnBytes | None = None) -> BidLog:
    """Read *path*: `click price pCTR` rows, a CSV or TSV table (both plain or gzip), or Parquet.

    The file is streamed: beside the arrays (17 bytes a row) memory stays within a few chunks of it.

    Raises:
        ReplayError: the file is missing, no file, empty, cut short, or a row breaks a rule (named with its line).
    """
    if path.is_dir():
        raise ReplayError(f"{path}: is a folder; give one log file")
    try:
        with path.open("rb") as file:
            magic = file.read(len(PARQUET_MAGIC))
        log = _gather(path, _chunks(path, magic, on_bytes or (lambda _: None)))
    except FileNotFoundError:
        raise ReplayError(f"{path}: there is no such log") from None
    except OSError as error:
        raise ReplayError(f"{path}: cannot be read: {error.strerror or error}") from None
    return log


def _chunks(path: Path, magic: bytes, on_bytes: OnBytes) -> Iterable[Chunk]:
    if magic == PARQUET_MAGIC:
        return parquet_chunks(path, on_bytes)
    return text_chunks(path, on_bytes)


def _gather(path: Path, chunks: Iterable[Chunk]) -> BidLog:
    parts = [chunk for chunk in chunks if len(chunk.price)]
    if not parts:
        raise ReplayError(f"{path}: holds no auction; a log needs at least one row `click price pCTR`")
    # Each sum is below 2**53 times the rows of one chunk; adding them as Python integers cannot overflow.
    price_sum = sum(sum(part.price.tolist()) if part.price.max() > 2**40 else int(part.price.sum()) for part in parts)
    if price_sum > INT64_MAX:
        raise ReplayError(f"{path}: the prices add up to {price_sum}, beyond int64; record them in a coarser unit")
    return BidLog(
        np.concatenate([part.click for part in parts]),
        np.concatenate([part.price for part in parts]),
        np.concatenate([part.pctr for part in parts]),
        price_sum,
    )
