"""Reading plain data that may be wrong anywhere: values at a path, or nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any


def at(data: Any, *path: str) -> Any:
    """The value at *path*, or None where the path leaves the mappings."""
    for key in path:
        data = data.get(key) if isinstance(data, Mapping) else None
    return data


def items(data: Any, *path: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Names and entries of the collection at *path*, entries that are no mappings left out."""
    found = at(data, *path)
    if isinstance(found, Mapping):
        yield from ((name, entry) for name, entry in found.items() if isinstance(entry, Mapping))


def number(data: Any, *path: str, default: float | None = None) -> float | None:
    """The finite number at *path*; *default* where nothing stands, None where something else stands."""
    value = at(data, *path)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or not -1e300 < value < 1e300:
        return None
    return float(value)


def texts(data: Any, *path: str) -> list[str]:
    """The texts in the list at *path*."""
    value = at(data, *path)
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def read_time(data: Any, key: str) -> datetime | None:
    """The time at *key*; None where it is missing or no naive time."""
    value = at(data, key)
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return None
    return value if isinstance(value, datetime) and value.tzinfo is None else None
