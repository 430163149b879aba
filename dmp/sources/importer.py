"""Import: a declared file streamed into the store, chunk by chunk, gated by consent.

Rows that cannot be read go to `rejects.csv` as number, column and reason, without their content: a rejected row may
hold a person's data. Rows of people who did not allow storage are counted and forgotten; their decision is kept.
"""

from __future__ import annotations

import csv
import hashlib
import os
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from dmp.activation import deactivate
from dmp.consent import STORAGE, Ledger, region_default
from dmp.errors import SourceError
from dmp.identifiers import KINDS, second_hash
from dmp.sources import cells
from dmp.sources.declaration import Source, load_source
from dmp.sources.readers import Chunk, FileForm, read_chunks
from dmp.store import Batch, Store

OLDEST_S = 946_684_800
"""1 January 2000: an earlier time is a mistaken unit or an empty field."""
MAX_REJECT_LINES = 1_000_000
"""More than this many are counted but not listed."""


class ImportResult(NamedTuple):
    """What an import did; `repeated` when the file was already there and nothing changed."""

    batch: Batch
    repeated: bool


def import_source(store: Store, declaration: Path, now_s: float | None = None) -> ImportResult:
    """Import the file a declaration names; raises `SourceError` and `StoreError`, and then nothing is stored."""
    source, path = load_source(declaration)
    content = _sha256(path)
    with store.writing() as catalog:
        for batch in catalog.batches:
            if batch.source.source == source.source and batch.sha256 == content:
                if batch.source != source:
                    raise SourceError(
                        f"{declaration}: the file was imported under another declaration of {source.source}; "
                        f"`bidlab dmp withdraw {source.source}` first"
                    )
                return ImportResult(batch, repeated=True)
        ledger = Ledger(store.decisions(catalog, latest=True))
        folder = store.partial(f"{source.source}-{content[:12]}-{catalog.revision}")
        moment = time.time() if now_s is None else now_s
        totals = _Importing(source, ledger, folder, moment).run(path)
        if _sha256(path) != content:
            raise SourceError(f"{path}: changed while it was read; import it again when it is complete")
        batch = Batch(
            batch=f"{source.source}-{content[:12]}",
            folder=store.adopt(folder),
            sha256=content,
            imported_s=int(moment),
            declaration=source.model_dump(mode="json"),
            **totals,
        )
        catalog.batches.append(batch)
        for part in store.chunks(batch, "consent", ["key", "refused"]):
            refused = part["refused"].to_numpy()
            for mask in np.unique(refused[refused != 0]).tolist():
                deactivate(store, part["key"].to_numpy()[refused == mask], mask)
    return ImportResult(batch, repeated=False)


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise SourceError(f"{path}: cannot be read ({error.strerror}); check its permissions") from None


def records_schema(source: Source) -> pa.Schema:
    """Columns of a batch's records: whose, when, what happened, and the declared attributes."""
    fields = [("key", pa.uint64()), ("time_s", pa.int64())]
    if source.event is not None:
        fields += [("event", pa.dictionary(pa.int32(), pa.string())), ("value", pa.float64())]
    if source.tags is not None:
        fields.append(("tags", pa.list_(pa.string())))
    for attribute in source.attributes:
        kind = pa.string() if attribute.type == "text" else pa.float64()
        fields.append((f"attr.{attribute.known_as}", kind))
    return pa.schema(fields)


EDGES = pa.schema([("a", pa.uint64()), ("b", pa.uint64()), ("score", pa.float32())])
IDENTIFIERS = pa.schema([("key", pa.uint64()), ("kind", pa.uint8()), ("value", pa.string())])
CONSENT = pa.schema([("key", pa.uint64()), ("time_s", pa.int64()), ("granted", pa.uint16()), ("refused", pa.uint16())])


class _Importing:
    """One file on its way into a folder."""

    def __init__(self, source: Source, ledger: Ledger, folder: Path, now_s: float) -> None:
        self.source, self.ledger, self.folder, self.now_s = source, ledger, folder, now_s
        self.rejected: Counter[str] = Counter()
        self.rows = self.stored = self.held_back = 0
        self._bad_rows: set[int] = set()
        self._fixed_time = None if source.as_of is None else _midnight(source.as_of)

    def run(self, path: Path) -> dict[str, Any]:
        """Totals for the catalogue."""
        schemas = {
            "records": records_schema(self.source),
            "edges": EDGES,
            "identifiers": IDENTIFIERS,
            "consent": CONSENT,
        }
        with (self.folder / "rejects.csv").open("w", encoding="utf-8", newline="") as file:
            self._rejects = csv.writer(file, lineterminator="\n")
            self._rejects.writerow(["row", "column", "reason"])
            self._writers = {
                name: pq.ParquetWriter(self.folder / f"{name}.parquet", schema, compression="lz4")
                for name, schema in schemas.items()
            }
            try:
                form = FileForm(self.source.format, self.source.delimiter, self.source.header)
                for chunk in read_chunks(path, form, self.source.columns(), self.reject):
                    self._chunk(chunk)
            finally:
                for writer in self._writers.values():
                    writer.close()
            file.flush()
            os.fsync(file.fileno())
        return {
            "rows": self.rows + self._broken,
            "stored": self.stored,
            "held_back": self.held_back,
            "rejected": dict(sorted(self.rejected.items())),
        }

    _broken = 0

    def reject(self, row: int, column: str, reason: str) -> None:
        """Note a row; its first mistake counts. Called by the reader too, for rows that are no rows."""
        if row in self._bad_rows:
            return
        self._bad_rows.add(row)
        if not column:
            self._broken += 1
        told = f"{column}: {reason}" if column else reason
        self.rejected[told] += 1
        if self.rejected.total() <= MAX_REJECT_LINES:
            self._rejects.writerow([row, column, reason])

    def _reject_all(self, chunk: Chunk, bad: NDArray[np.bool_], column: str, reason: str) -> None:
        for row in chunk.row[bad].tolist():
            self.reject(row, column, reason)

    def _chunk(self, chunk: Chunk) -> None:
        source = self.source
        self.rows += len(chunk.row)
        time_s = self._times(chunk)
        columns: dict[str, Any] = {"time_s": time_s}
        self._properties(chunk, columns)
        values, keys, valid = self._identifiers(chunk)
        granted, refused, unread = self._consent(chunk)
        score = self._scores(chunk)
        good = ~np.isin(chunk.row, np.fromiter(self._bad_rows, np.int64, len(self._bad_rows)))
        decided = good & ~unread & ((granted | refused) != 0)
        self._write_consent(keys, valid, decided, time_s, granted, refused)
        kept = good & ~unread & self._may_store(keys, valid, time_s, granted, refused)
        self.held_back += int(good.sum() - kept.sum())
        self.stored += int(kept.sum())
        first = np.argmax(valid, axis=1)
        columns["key"] = keys[np.arange(len(first)), first]
        self._write_records(columns, kept)
        self._write_edges(keys, valid & kept[:, None], first, score)
        for place, declared in enumerate(source.identifiers):
            self._write_identifiers(declared.kind, values[place], keys[:, place], valid[:, place] & kept)
        # Numbers rise from chunk to chunk: earlier ones are not needed to know a row again.
        if len(chunk.row):
            last = int(chunk.row[-1])
            self._bad_rows = {row for row in self._bad_rows if row > last}

    def _times(self, chunk: Chunk) -> NDArray[np.int64]:
        declared = self.source.time
        if declared is None:
            return np.full(len(chunk.row), self._fixed_time, np.int64)
        time_s, bad = cells.times(chunk.columns[declared.column], declared)
        self._reject_all(chunk, bad, declared.column, "not a time")
        ahead: NDArray[np.bool_] = np.greater(time_s, self.now_s + self.source.clock_skew_s)
        self._reject_all(chunk, ahead & ~bad, declared.column, "in the future")
        self._reject_all(chunk, (time_s < OLDEST_S) & ~bad, declared.column, "before the year 2000")
        return time_s

    def _properties(self, chunk: Chunk, columns: dict[str, Any]) -> None:
        source = self.source
        for attribute in source.attributes:
            read = {"number": cells.numbers, "text": cells.texts, "flag": cells.flags}[attribute.type]
            values, bad = read(chunk.columns[attribute.column])
            words = {"number": "not a number", "text": "longer than 256 bytes", "flag": "neither yes nor no"}
            self._reject_all(chunk, bad, attribute.column, words[attribute.type])
            columns[f"attr.{attribute.known_as}"] = values
        if source.event is not None:
            self._events(chunk, columns)
        if source.tags is not None:
            texts = chunk.columns[source.tags.column]
            parts = pc.split_pattern(pc.fill_null(texts, ""), source.tags.separator)
            columns["tags"] = _prefixed(parts, source.tags.prefix)

    def _events(self, chunk: Chunk, columns: dict[str, Any]) -> None:
        event = self.source.event
        assert event is not None
        if event.column is None:
            columns["event"] = pa.DictionaryArray.from_arrays(
                pa.array(np.zeros(len(chunk.row), np.int32)), [event.name]
            )
        else:
            names, bad = cells.texts(chunk.columns[event.column])
            self._reject_all(chunk, np.asarray(pc.is_null(names)), event.column, "no event name")
            self._reject_all(chunk, bad, event.column, "longer than 256 bytes")
            columns["event"] = names.dictionary_encode()
        columns["value"] = np.full(len(chunk.row), np.nan)
        if event.value is not None:
            columns["value"], bad = cells.numbers(chunk.columns[event.value])
            self._reject_all(chunk, bad, event.value, "not a number")

    def _identifiers(self, chunk: Chunk) -> tuple[list[pa.StringArray], NDArray[np.uint64], NDArray[np.bool_]]:
        """Stored values per column, uint64[rows, columns] keys and where they mean something."""
        values, keys, valid = [], [], []
        for declared in self.source.identifiers:
            stored, key, bad, reason = cells.identifiers(chunk.columns[declared.column], declared)
            self._reject_all(chunk, bad, declared.column, reason)
            values.append(stored)
            keys.append(key)
            valid.append(np.asarray(pc.is_valid(stored)))
        there = np.stack(valid, axis=1)
        nobody: NDArray[np.bool_] = ~np.any(there, axis=1)
        self._reject_all(chunk, nobody, self.source.identifiers[0].column, "no identifier in the row")
        return values, np.stack(keys, axis=1), there

    def _consent(self, chunk: Chunk) -> tuple[NDArray[np.uint16], NDArray[np.uint16], NDArray[np.bool_]]:
        declared = self.source.consent
        if declared is None:
            nothing = np.zeros(len(chunk.row), np.uint16)
            return nothing, nothing, np.zeros(len(chunk.row), np.bool_)
        return cells.consent(chunk.columns[declared.column], declared)

    def _scores(self, chunk: Chunk) -> NDArray[np.float32]:
        if self.source.score_column is None:
            return np.full(len(chunk.row), self.source.score, np.float32)
        values, _ = cells.numbers(chunk.columns[self.source.score_column])
        outside: NDArray[np.bool_] = ~((values > 0) & (values <= 1))
        self._reject_all(chunk, outside, self.source.score_column, "not a score above 0 and up to 1")
        return values.astype(np.float32)

    def _may_store(
        self,
        keys: NDArray[np.uint64],
        valid: NDArray[np.bool_],
        time_s: NDArray[np.int64],
        granted: NDArray[np.uint16],
        refused: NDArray[np.uint16],
    ) -> NDArray[np.bool_]:
        """bool[rows]: storing is allowed for every identifier of the row, by the row itself or by what was known."""
        default = region_default(self.source.region)
        row_grants, row_decides = (granted & STORAGE) != 0, ((granted | refused) & STORAGE) != 0
        may: NDArray[np.bool_] = row_grants | ~row_decides
        for place in range(keys.shape[1]):
            known = (self.ledger.allowed(keys[:, place], default) & STORAGE) != 0
            later = self.ledger.refused_at(keys[:, place], STORAGE) >= time_s
            may &= np.where(row_grants, ~later, known) | ~valid[:, place]
        return may

    def _write_consent(
        self,
        keys: NDArray[np.uint64],
        valid: NDArray[np.bool_],
        decided: NDArray[np.bool_],
        time_s: NDArray[np.int64],
        granted: NDArray[np.uint16],
        refused: NDArray[np.uint16],
    ) -> None:
        if not decided.any():
            return
        for place in range(keys.shape[1]):
            rows = np.flatnonzero(decided & valid[:, place])
            # Of one identity's equal decisions in the chunk the last one says it all.
            order = rows[np.lexsort((time_s[rows], refused[rows], granted[rows], keys[rows, place]))]
            same = np.ones(len(order), np.bool_)
            if len(order):
                a, b = order[:-1], order[1:]
                same[:-1] = (keys[a, place] != keys[b, place]) | (granted[a] != granted[b]) | (refused[a] != refused[b])
            last = order[same]
            columns = [keys[last, place], time_s[last], granted[last], refused[last]]
            self._writers["consent"].write_table(pa.table(columns, schema=CONSENT))

    def _write_records(self, columns: dict[str, Any], kept: NDArray[np.bool_]) -> None:
        schema = self._writers["records"].schema
        arrays = []
        for field in schema:
            column = columns[field.name]
            array = column if isinstance(column, pa.Array) else pa.array(column, from_pandas=True)
            arrays.append(array if kept.all() else array.filter(pa.array(kept)))
        self._writers["records"].write_table(pa.table(arrays, schema=schema))

    def _write_edges(
        self,
        keys: NDArray[np.uint64],
        valid: NDArray[np.bool_],
        first: NDArray[np.intp],
        score: NDArray[np.float32],
    ) -> None:
        every = np.arange(len(first))
        start = keys[every, first]
        for place in range(keys.shape[1]):
            rows = np.flatnonzero(valid[:, place] & (first != place) & (keys[:, place] != start))
            if not len(rows):
                continue
            a, b = start[rows], keys[rows, place]
            # One edge of a pair and score per chunk: hashing the triple is enough to find repeats.
            mixed = (a * np.uint64(0x9E3779B97F4A7C15)) ^ (b * np.uint64(0xC2B2AE3D27D4EB4F))
            mixed ^= score[rows].view(np.uint32).astype(np.uint64) << np.uint64(20)
            _, once = np.unique(mixed, return_index=True)
            table = pa.table([a[once], b[once], score[rows][once]], schema=EDGES)
            self._writers["edges"].write_table(table)

    def _write_identifiers(
        self, kind: str, values: pa.StringArray, keys: NDArray[np.uint64], valid: NDArray[np.bool_]
    ) -> None:
        rows = np.flatnonzero(valid)
        found, once, inverse = np.unique(keys[rows], return_index=True, return_inverse=True)
        check = second_hash(values if len(rows) == len(values) else values.take(pa.array(rows)))
        if np.any(check != check[once][inverse]):
            raise SourceError(f"{self.source.source}: two identifiers share one key; this file cannot be imported")
        kinds = np.full(len(found), KINDS.index(kind), np.uint8)
        table = pa.table([found, kinds, values.take(pa.array(rows[once]))], schema=IDENTIFIERS)
        self._writers["identifiers"].write_table(table)


def _prefixed(parts: pa.ListArray, prefix: str) -> pa.ListArray:
    """Trimmed tags with the source's prefix, without the empty ones."""
    flat = pc.utf8_trim_whitespace(parts.flatten())
    owner = pc.list_parent_indices(parts)
    there = np.asarray(pc.and_(pc.greater(pc.binary_length(flat), 0), pc.not_equal(flat, "null")))
    counts = np.bincount(np.asarray(owner)[there], minlength=len(parts))
    tags = flat.filter(pa.array(there))
    if prefix:
        tags = pc.binary_join_element_wise(pa.scalar(prefix), tags, "")
    ends = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(ends), tags)


def _midnight(day: str) -> int:
    return int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp())
