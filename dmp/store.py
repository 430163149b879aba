"""The folder of an audience: batches of imported records, the consent journal, the audit log, and the catalogue.

    catalog.json            what counts: batches with their declarations and totals; written last, renamed into place
    batches/BATCH/          records, edges, identifiers, consent (Parquet) and rejects.csv of one import
    partial/                imports under way; anything found here belongs to nobody
    consent.jsonl           decisions entered by hand: keys, purposes, time, source
    audit.jsonl             who read or changed what, when and why

A batch counts from the moment the catalogue names it, so a crash leaves the audience as it was.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, ValidationError

from dmp.consent import Decisions, joined, last_of_equals
from dmp.errors import StoreError
from dmp.sources.declaration import Source

VERSION = 1
CHUNK_ROWS = 65_536
TABLES = ("records", "edges", "identifiers", "consent")


class Batch(BaseModel):
    """One import."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    batch: str
    folder: str
    sha256: str
    imported_s: int
    declaration: dict[str, Any]
    rows: int
    stored: int
    held_back: int
    """Rows not stored for lack of consent."""
    rejected: dict[str, int]
    """Rows per reason."""

    @property
    def source(self) -> Source:
        """The declaration it was imported with."""
        return Source.model_validate_json(json.dumps(self.declaration))


class Catalog(BaseModel):
    """Everything that counts, in the order of import."""

    model_config = ConfigDict(extra="forbid")

    version: int = VERSION
    revision: int = 0
    batches: list[Batch] = []
    withdrawn: list[str] = []
    """Sources withdrawn, for the record."""


class Store:
    """The folder; raises `StoreError` where it cannot be read or written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def catalog(self) -> Catalog:
        """The catalogue; an empty one where nothing was imported yet."""
        path = self.folder / "catalog.json"
        try:
            text = path.read_text("utf-8")
        except FileNotFoundError:
            return Catalog()
        except OSError as error:
            raise StoreError(f"{path}: cannot be read ({error.strerror}); name the folder with --store") from None
        try:
            catalog = Catalog.model_validate_json(text)
        except ValidationError:
            raise StoreError(f"{path}: is damaged or of another program; restore it or import anew") from None
        if catalog.version != VERSION:
            raise StoreError(f"{path}: has version {catalog.version}, this program reads {VERSION}; import anew")
        return catalog

    def need_catalog(self) -> Catalog:
        """The catalogue of an audience that holds something."""
        catalog = self.catalog()
        if not catalog.batches:
            raise StoreError(f"{self.folder}: holds no audience yet; `bidlab dmp import SOURCE.yaml` fills it")
        return catalog

    @contextmanager
    def writing(self) -> Iterator[Catalog]:
        """The only writer: yields the catalogue, and puts it into place when the block ends without an error."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with (self.folder / "lock").open("w") as lock:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    raise StoreError(f"{self.folder}: another process is writing; try again when it is done") from None
                self._sweep(self.catalog())
                catalog = self.catalog()
                before = catalog.model_copy(deep=True)
                try:
                    yield catalog
                except BaseException:
                    shutil.rmtree(self.folder / "partial", ignore_errors=True)
                    raise
                if catalog != before:
                    catalog.revision += 1
                    self.replace("catalog.json", catalog.model_dump_json(indent=1))
                self._sweep(catalog)
        except OSError as error:
            raise StoreError(f"{self.folder}: cannot be written ({error.strerror or error})") from None

    def _sweep(self, catalog: Catalog) -> None:
        """Remove what no catalogue names: imports that never ended, batches replaced or withdrawn."""
        shutil.rmtree(self.folder / "partial", ignore_errors=True)
        named = {batch.folder for batch in catalog.batches}
        if (self.folder / "batches").is_dir():
            for folder in (self.folder / "batches").iterdir():
                if folder.name not in named:
                    shutil.rmtree(folder)

    def replace(self, name: str, text: str) -> None:
        """Write a whole file of the store or nothing; only while `writing`."""
        part = self.folder / f"{name}.part"
        with part.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.replace(self.folder / name)
        _sync(self.folder)

    def partial(self, batch: str) -> Path:
        """An empty folder to write a batch into."""
        folder = self.folder / "partial" / batch
        folder.mkdir(parents=True)
        return folder

    def adopt(self, partial: Path) -> str:
        """Move a written batch beside the others (it counts once the catalogue names it); returns the folder's name."""
        for file in partial.iterdir():
            with file.open("rb") as opened:
                os.fsync(opened.fileno())
        _sync(partial)
        batches = self.folder / "batches"
        batches.mkdir(exist_ok=True)
        partial.rename(batches / partial.name)
        _sync(batches)
        return partial.name

    def table(self, batch: Batch, name: str) -> pa.Table:
        """A table of a batch."""
        path = self.folder / "batches" / batch.folder / f"{name}.parquet"
        try:
            return pq.read_table(path)
        except (OSError, pa.ArrowInvalid) as error:
            raise StoreError(
                f"{path}: cannot be read ({str(error).splitlines()[0]}); import {batch.batch} anew"
            ) from None

    def chunks(self, batch: Batch, name: str, columns: Sequence[str]) -> Iterator[pa.Table]:
        """A table of a batch in parts of at most `CHUNK_ROWS` rows, with those of *columns* it has."""
        path = self.folder / "batches" / batch.folder / f"{name}.parquet"
        try:
            with pq.ParquetFile(path, pre_buffer=False) as file:
                there = [column for column in columns if column in file.schema_arrow.names]
                for part in file.iter_batches(CHUNK_ROWS, columns=there, use_threads=False):
                    yield pa.Table.from_batches([part])
        except (OSError, pa.ArrowInvalid) as error:
            raise StoreError(
                f"{path}: cannot be read ({str(error).splitlines()[0]}); import {batch.batch} anew"
            ) from None

    def append(self, name: str, entry: dict[str, Any]) -> None:
        """Add one line to a journal and put it on disk; a line a crash left unfinished is cut off first."""
        path = self.folder / name
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with path.open("a+b") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                file.seek(0)
                whole = file.read()
                file.truncate(whole.rfind(b"\n") + 1)
                file.write(json.dumps(entry, ensure_ascii=False).encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise StoreError(f"{path}: cannot be written ({error.strerror or error})") from None

    def journal(self, name: str) -> list[dict[str, Any]]:
        """Every whole line of a journal."""
        path = self.folder / name
        if not path.exists():
            return []
        lines = path.read_bytes().split(b"\n")[:-1]
        try:
            return [json.loads(line) for line in lines]
        except ValueError:
            raise StoreError(f"{path}: is damaged; restore it, its decisions must not be guessed") from None

    def decisions(self, catalog: Catalog, latest: bool = False) -> Decisions:
        """Every consent decision: of the batches and of the journal.

        *latest*: of an identity's equal ones in a batch the last alone, which is all that counts now; memory then
        grows with the identities and not with how often they said so.
        """
        parts = []
        columns = ("key", "time_s", "granted", "refused")
        for batch in catalog.batches:
            kept: list[Decisions] = []
            waiting = 0
            for table in self.chunks(batch, "consent", columns):
                kept.append(Decisions(*(table[name].to_numpy() for name in columns)))
                waiting += table.num_rows
                if latest and waiting >= max(2 * CHUNK_ROWS, len(kept[0].key)):
                    kept, waiting = [last_of_equals(joined(kept))], 0
            parts.append(last_of_equals(joined(kept)) if latest else joined(kept))
        for entry in self.journal("consent.jsonl"):
            keys = np.array([int(key, 16) for key in entry["keys"]], np.uint64)
            shape = len(keys)
            parts.append(
                Decisions(
                    keys,
                    np.full(shape, entry["time_s"], np.int64),
                    np.full(shape, entry["granted"], np.uint16),
                    np.full(shape, entry["refused"], np.uint16),
                )
            )
        return joined(parts)


def _sync(folder: Path) -> None:
    """Put a folder's names on disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
