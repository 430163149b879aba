"""Traffic shapes from a CSV file ``dow,hour,share``: one row for each of the 168 hours of the week, Monday = 0."""

from __future__ import annotations

import csv
import gzip
import math
import zlib
from pathlib import Path

HEADER = ["dow", "hour", "share"]


class BadHours(Exception):
    """The file cannot be used; the message names the line."""


def read_hours(path: Path) -> list[float]:
    """168 weights, Monday 00:00 first, from a plain or gzip file; raises `BadHours`."""
    try:
        raw = path.read_bytes()
        text = (gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw).decode("utf-8-sig")
    except FileNotFoundError:
        raise BadHours(f"there is no file {path}; paths count from the scenario's folder") from None
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise BadHours(f"{path} is a damaged or truncated gzip file; fetch it again") from None
    except UnicodeDecodeError:
        raise BadHours(f"{path} is not UTF-8 text; save it as UTF-8") from None
    except (OSError, ValueError) as error:
        raise BadHours(f"{path} cannot be read ({getattr(error, 'strerror', None) or error})") from None
    return _weights(text, path.name)


def _weights(text: str, name: str) -> list[float]:
    try:
        rows = list(csv.reader(text.splitlines(), strict=True))
    except csv.Error as error:
        raise BadHours(f"{name} is not CSV ({error})") from None
    if not rows or [cell.strip() for cell in rows[0]] != HEADER:
        raise BadHours(f"{name}:1: the first line must be {','.join(HEADER)}")
    weights: dict[int, float] = {}
    for line, row in enumerate(rows[1:], start=2):
        if row:
            try:
                hour, weight = _row(row, f"{name}:{line}")
            except BadHours:
                if line == len(rows) and line <= 168:
                    break  # a last line cut short: told below as what it is, a truncated file
                raise
            if hour in weights:
                raise BadHours(f"{name}:{line}: day {hour // 24}, hour {hour % 24} is given twice")
            weights[hour] = weight
    missing = [hour for hour in range(168) if hour not in weights]
    if missing:
        first = f"day {missing[0] // 24}, hour {missing[0] % 24}"
        raise BadHours(f"{name} is truncated: {len(missing)} of the 168 hours are missing, the first is {first}")
    if sum(weights.values()) <= 0:
        raise BadHours(f"{name}: every share is zero; at least one hour needs traffic")
    return [weights[hour] for hour in range(168)]


def _row(row: list[str], where: str) -> tuple[int, float]:
    try:
        day, hour, weight = int(row[0]), int(row[1]), float(row[2])
    except (ValueError, IndexError):
        raise BadHours(f"{where}: must be day,hour,share, not {','.join(row)[:60]!r}") from None
    if len(row) != 3 or not (0 <= day <= 6 and 0 <= hour <= 23):
        raise BadHours(f"{where}: day must be 0 to 6 (Monday = 0) and hour 0 to 23, three cells in all")
    if not (math.isfinite(weight) and 0 <= weight <= 1e12):
        raise BadHours(f"{where}: share must be a number of at least 0, not {row[2]}")
    return day * 24 + hour, weight
