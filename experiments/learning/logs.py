"""Features and clicks of recorded bid logs with raw fields (iPinYou's layout), and of `click price pCTR` rows.

Raw logs: tab separated without a header, the columns of `RAW` first, or comma separated with a header. Plain or gzip.
Each field's value is hashed into one row of weights; user tags are many values of one field.
"""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.errors import ReplayError

BITS = 16
MOST_TAGS = 40
RAW = (
    *("click", "weekday", "hour", "bidid", "timestamp", "logtype", "userid", "useragent", "ip", "region", "city"),
    *("adexchange", "domain", "url", "urlid", "slotid", "slotwidth", "slotheight", "slotvisibility", "slotformat"),
    *("slotprice", "creative", "bidprice", "payprice", "keypage", "advertiser", "usertag"),
)
"""Columns of a log without a header."""
USED = (
    *("weekday", "hour", "useragent", "region", "city", "adexchange", "domain", "slotid", "slotwidth", "slotheight"),
    *("slotvisibility", "slotformat", "slotprice", "creative", "advertiser"),
)
"""Fields with one value each; never the bid or the price paid, which are not known before bidding."""


@dataclass(frozen=True)
class Examples:
    """n rows in their order."""

    click: NDArray[np.float64]
    features: NDArray[np.int64]
    """int64[n, k]: rows of 2^BITS weights; -1: none."""
    given: NDArray[np.float64] | None = None
    """Predictions that came with the log."""


def is_raw(path: Path) -> bool:
    """Whether the file holds raw fields: more columns than the three of a plain bid log."""
    with _opened(path) as lines:
        head = next(lines, "")
    return head.count("\t") > 10 or head.count(",") > 10


def read_raw(path: Path) -> Examples:
    """Every row of a raw log; raises `ReplayError` naming the line that breaks a rule."""
    clicks: list[float] = []
    rows: list[list[int]] = []
    with _opened(path) as lines:
        for number, fields in _records(path, lines):
            if fields["click"] not in ("0", "1"):
                raise ReplayError(f"{path}:{number}: click is {fields['click']!r}; it must be 0 or 1")
            clicks.append(float(fields["click"]))
            rows.append(_hashed(fields))
    if not rows:
        raise ReplayError(f"{path}: holds no rows")
    features = np.full((len(rows), len(USED) + MOST_TAGS), -1, np.int64)
    for i, row in enumerate(rows):
        features[i, : len(row)] = row
    return Examples(np.array(clicks), features)


def read_rated(path: Path) -> Examples:
    """`click price pCTR` rows: the prediction is all that is known of one, as a field of 30 steps to the factor 10."""
    from experiments.replay.log import read_log

    log = read_log(path)
    steps = np.floor(30.0 * np.log10(np.maximum(log.pctr, 1e-9))).astype(np.int64)
    features = np.stack([steps - steps.min(), 2048 + (steps - steps.min()) // 8], axis=1)
    return Examples(log.click.astype(np.float64), features, log.pctr)


def _opened(path: Path) -> io.TextIOWrapper:
    try:
        file = path.open("rb")
    except OSError as error:
        raise ReplayError(f"{path}: cannot be read: {error.strerror or error}") from None
    packed = file.read(2) == b"\x1f\x8b"
    file.seek(0)
    stream: Any = gzip.GzipFile(fileobj=file) if packed else file
    return io.TextIOWrapper(stream, "utf-8", "replace", newline="\n")


def _records(path: Path, lines: io.TextIOWrapper) -> Iterator[tuple[int, dict[str, str]]]:
    """Each line's number and fields by name."""
    names: tuple[str, ...] = ()
    try:
        for number, line in enumerate(lines, 1):
            if number == 1 and "\t" not in line:
                names = tuple(name.strip().lower() for name in line.split(","))
                if missing := [name for name in ("click", *USED, "usertag") if name not in names]:
                    raise ReplayError(f"{path}:1: the header lacks {', '.join(missing)}")
                continue
            text = line.rstrip("\r\n")
            values = text.split("\t") if not names else next(csv.reader([text]), [])
            if len(values) < len(names or RAW):
                raise ReplayError(f"{path}:{number}: has {len(values)} field(s); {len(names or RAW)} are needed")
            yield number, dict(zip(names or RAW, values, strict=False))
    except (EOFError, gzip.BadGzipFile) as error:
        raise ReplayError(f"{path}: the gzip file is damaged or cut short: {error}") from None


def _hashed(fields: dict[str, str]) -> list[int]:
    values = [f"{name}={fields[name]}" for name in USED]
    tags = [tag for tag in fields["usertag"].split(",") if tag not in ("", "null")]
    values += [f"tag={tag}" for tag in tags[:MOST_TAGS]]
    return [_row(value) for value in values]


def _row(value: str) -> int:
    return int.from_bytes(blake2b(value.encode("utf-8", "replace"), digest_size=4).digest()) % (1 << BITS)
