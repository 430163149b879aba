"""Text cells as numbers, times, flags, identifiers and consent: whole columns, cell by cell only where that fails.

Each function returns the values and a Boolean array of the rows it cannot read; the caller rejects those.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from dmp.consent import ALL, NOTHING, mask_of, mask_of_string
from dmp.gpp import gpp_sections
from dmp.identifiers import HASHED_KINDS, BadIdentifier, keys_of, plain_values, stored_value
from dmp.sources.declaration import ConsentColumn, IdentifierColumn, TimeColumn
from dmp.tcf import read_tc_string

Bad = NDArray[np.bool_]
YES, NO = frozenset({"true", "yes", "y", "1"}), frozenset({"false", "no", "n", "0"})
MAX_TEXT = 256


def numbers(column: pa.StringArray) -> tuple[NDArray[np.float64], Bad]:
    """float64[n], NaN where empty; bad where it is no finite number."""
    empty = np.asarray(pc.is_null(column))
    try:
        values = np.array(pc.fill_null(pc.cast(column, pa.float64()), np.nan), np.float64)
    except pa.ArrowInvalid:
        values = np.array([_or_nan(float, cell) for cell in column.to_pylist()], np.float64)
    bad = ~np.isfinite(values) & ~empty
    values[bad] = np.nan
    return values, bad


def _or_nan(read: Callable[[str], float], cell: str | None) -> float:
    try:
        return np.nan if cell is None else read(cell)
    except (ValueError, OverflowError):
        return np.nan


def texts(column: pa.StringArray) -> tuple[pa.StringArray, Bad]:
    """Trimmed text; bad where it is longer than `MAX_TEXT` bytes."""
    trimmed = pc.utf8_trim_whitespace(column)
    return trimmed, np.asarray(pc.fill_null(pc.greater(pc.binary_length(trimmed), MAX_TEXT), False))


def flags(column: pa.StringArray) -> tuple[NDArray[np.float64], Bad]:
    """1 for yes, 0 for no, NaN where empty."""
    lowered = pc.utf8_lower(pc.utf8_trim_whitespace(column))
    yes = np.asarray(pc.is_in(lowered, value_set=pa.array(sorted(YES))))
    no = np.asarray(pc.is_in(lowered, value_set=pa.array(sorted(NO))))
    empty = np.asarray(pc.is_null(column))
    return np.where(yes, 1.0, np.where(no, 0.0, np.nan)), ~(yes | no | empty)


def times(column: pa.StringArray, declared: TimeColumn) -> tuple[NDArray[np.int64], Bad]:
    """int64[n] seconds since 1970; bad where empty or unreadable."""
    if declared.form == "iso":
        return _iso_times(column)
    if declared.form == "compact":
        digits = pc.utf8_slice_codeunits(column, 0, 14)
        moments = pc.strptime(digits, format="%Y%m%d%H%M%S", unit="s", error_is_null=True)
        return np.asarray(pc.fill_null(pc.cast(moments, pa.int64()), 0)), np.asarray(pc.is_null(moments))
    values, bad = numbers(column)
    bad |= np.isnan(values) | (np.abs(values) > 1e15)
    seconds = np.floor(np.where(bad, 0.0, values) / (1000.0 if declared.form == "ms" else 1.0))
    return seconds.astype(np.int64), bad


def _iso_times(column: pa.StringArray) -> tuple[NDArray[np.int64], Bad]:
    empty = np.asarray(pc.is_null(column))
    for kind in (pa.timestamp("us"), pa.timestamp("us", "UTC")):
        try:
            micros = pc.fill_null(pc.cast(pc.cast(column, kind), pa.int64()), 0)
        except pa.ArrowInvalid:
            continue
        return np.asarray(micros) // 1_000_000, empty
    cells = np.array([_or_nan(_iso_seconds, cell) for cell in column.to_pylist()], np.float64)
    bad = np.isnan(cells)
    return np.floor(np.where(bad, 0.0, cells)).astype(np.int64), bad


def _iso_seconds(cell: str) -> float:
    moment = datetime.fromisoformat(cell.strip())
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def identifiers(
    column: pa.StringArray, declared: IdentifierColumn
) -> tuple[pa.StringArray, NDArray[np.uint64], Bad, str]:
    """Stored values (null where empty or bad), their keys, bad rows and the reason."""
    reason = ""
    if declared.kind in HASHED_KINDS:
        # Each value is normalised and hashed once per chunk, however often it occurs.
        coded = column.dictionary_encode()
        stored: list[str | None] = []
        for text in coded.dictionary.to_pylist():
            try:
                stored.append(stored_value(declared.kind, text, declared.hashed, declared.country_code or ""))
            except BadIdentifier as error:
                stored.append(None)
                reason = str(error)
        values = pa.array(stored, pa.string()).take(coded.indices)
        bad = np.asarray(pc.and_(pc.is_null(values), pc.is_valid(column)))
    else:
        values, bad = plain_values(declared.kind, column)
        if bad.any():
            values = pc.if_else(pa.array(bad), pa.scalar(None, pa.string()), values)
            reason = f"not a {declared.kind}: a placeholder, too long or with control characters"
    return values, keys_of(declared.kind, values), bad, reason


def consent(column: pa.StringArray, declared: ConsentColumn) -> tuple[NDArray[np.uint16], NDArray[np.uint16], Bad]:
    """Masks of purposes granted and refused, both 0 where the cell is empty; bad where the cell cannot be read.

    An unreadable consent string decides nothing, and its row must not be stored: it grants nothing.
    """
    coded = column.dictionary_encode()
    about = mask_of(declared.purposes)
    granted, refused, bad = [], [], []
    for text in coded.dictionary.to_pylist():
        yes, no, unread = _decision(text, declared, about)
        granted.append(yes)
        refused.append(no)
        bad.append(unread)
    index = np.asarray(pc.fill_null(coded.indices, len(granted)))

    def pick(values: list[Any], empty: Any, kind: Any) -> NDArray[Any]:
        picked: NDArray[Any] = np.array([*values, empty], kind)[index]
        return picked

    return pick(granted, 0, np.uint16), pick(refused, 0, np.uint16), pick(bad, False, np.bool_)


def _decision(text: str, declared: ConsentColumn, about: int) -> tuple[int, int, bool]:
    if declared.form == "flag":
        word = text.strip().lower()
        return (about, NOTHING, False) if word in YES else (NOTHING, about, False) if word in NO else (0, 0, True)
    european = gpp_sections(text).get(2) if "~" in text else text
    if read_tc_string(european) is None:
        return 0, 0, True
    grants = mask_of_string(text, declared.vendor) & about
    return grants, ALL & about & ~grants, False
