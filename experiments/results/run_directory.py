"""The run directory: `runs/<time>-<name>/`, whole or absent.

Everything is written to a hidden sibling folder `.partial-...`, which takes its real name in one rename at the end.
An error or Ctrl-C removes the partial folder; only a killed process or a power cut can leave one, and it is hidden and
has no manifest's neighbours that a reader would take for a run.
"""

from __future__ import annotations

import csv
import errno
import io
import json
import os
import shutil
import uuid
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import pyarrow as pa

from experiments.errors import RunError
from experiments.results.dictionary import TABLES
from experiments.results.manifest import Manifest
from experiments.results.tables import Tables, read_parquet, schema_of, write_parquet
from openrtb.money import NANOS_PER_UNIT

_RULES = {
    errno.ENOSPC: "the disk is full; free some space or choose another folder",
    errno.EDQUOT: "the disk quota is used up; free some space or choose another folder",
    errno.EFBIG: "the file is larger than this system allows; raise the limit (ulimit -f) or choose another folder",
    errno.EACCES: "the folder must be writable, and it is not; choose another folder or change its permissions",
    errno.EPERM: "the folder must be writable, and it is not; choose another folder or change its permissions",
    errno.EROFS: "the folder must be writable, and its file system is read-only; choose another folder",
    errno.ENOTDIR: "a folder is wanted here, and a part of this path is a file; choose another path",
    errno.EEXIST: "it exists already, and a run never overwrites anything; choose another folder or remove it",
    errno.ENOTEMPTY: "it exists already, and a run never overwrites anything; choose another folder or remove it",
    errno.ENAMETOOLONG: "the name is too long for this file system; choose a shorter one",
}


class Run(NamedTuple):
    """A run read back."""

    manifest: Manifest
    scenario_yaml: str
    tables: dict[str, pa.Table]


def run_path(parent: Path, name: str, started: datetime) -> Path:
    """The first free folder `<parent>/<time>-<name>` (then `-2`, `-3`, ... for runs started in the same second)."""
    first = parent / f"{started:%Y%m%d-%H%M%S}-{name}"
    path, number = first, 1
    while path.exists():
        number += 1
        path = first.with_name(f"{first.name}-{number}")
    return path


class RunDirectory:
    """A run's folder in the making. Entering it proves that the place is writable, before hours are simulated.

    `with RunDirectory(path) as run: ...; run.write(...)`: leaving without `write` leaves nothing behind.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self._made_parent = False
        self._partial = self.path.with_name(f".partial-{self.path.name}-{uuid.uuid4().hex[:8]}")

    def __enter__(self) -> Self:
        """Make the partial folder. Raises RunError when the path exists or its parent cannot be written."""
        try:
            if self.path.exists() or self.path.is_symlink():
                raise FileExistsError(errno.EEXIST, "exists", str(self.path))
            self._made_parent = not self.path.parent.exists()
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._partial.mkdir()
        except OSError as error:
            # mkdir says EEXIST when the parent is a file
            file_parent = error.errno == errno.EEXIST and self.path.parent.exists() and not self.path.parent.is_dir()
            raise _run_error(self.path, error, errno.ENOTDIR if file_parent else error.errno) from None
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        shutil.rmtree(self._partial, ignore_errors=True)
        if self._made_parent and not self.path.exists():
            with suppress(OSError):
                self.path.parent.rmdir()  # only when it is empty

    def write(self, tables: Tables, manifest: Manifest, scenario_yaml: str, *, report: bool = True) -> Path:
        """Write the whole run and give it its name; returns its path.

        Raises RunError when it cannot be written, ValueError when a table breaks the dictionary; either way (and on
        Ctrl-C) nothing is left behind.
        """
        _check(tables)
        if not self._partial.is_dir():
            with self:
                return self.write(tables, manifest, scenario_yaml, report=report)
        try:
            self._fill(tables, manifest, scenario_yaml, report=report)
            # a rename would replace an empty folder silently
            if self.path.exists():
                raise FileExistsError(errno.EEXIST, "exists", str(self.path))
            self._partial.rename(self.path)
            _sync(self.path.parent)
        except OSError as error:
            shutil.rmtree(self._partial, ignore_errors=True)
            raise _run_error(self.path, error, error.errno) from None
        except BaseException:
            shutil.rmtree(self._partial, ignore_errors=True)
            raise
        return self.path

    def _fill(self, tables: Tables, manifest: Manifest, scenario_yaml: str, *, report: bool) -> None:
        for name in TABLES:
            write_parquet(tables[name], self._partial / f"{name}.parquet")
        self._put("scenario.yaml", scenario_yaml.encode())
        self._put("summary.csv", summary_csv(tables["campaigns"], manifest.currency).encode())
        if report:
            (self._partial / "plots").mkdir()
            for name, content in _pages(tables, manifest).items():
                self._put(name, content)
        self._put("manifest.json", (json.dumps(manifest.as_dict(), indent=2, ensure_ascii=False) + "\n").encode())
        for file in self._partial.rglob("*"):
            _sync(file)

    def _put(self, name: str, content: bytes) -> None:
        (self._partial / name).write_bytes(content)


def _pages(tables: Tables, manifest: Manifest) -> dict[str, bytes]:
    """The report, the sellers' page and the plots, by file name."""
    from experiments.report import build_report  # matplotlib and jinja2 are slow to import
    from experiments.report.sellers import write_sellers_page

    page = build_report(tables, title=manifest.title, currency=manifest.currency, manifest=manifest)
    sellers = write_sellers_page(tables, title=manifest.title or manifest.name, currency=manifest.currency)
    files = {f"plots/{name}.png": png for name, png in page.plots.items()}
    return {**files, "report.html": page.html.encode(), "sellers.html": sellers.encode()}


def write_pages(run: Run, path: Path, *, new: bool) -> Path:
    """Make the pages and plots of a finished run again, in its own folder or in a *new* one; returns the folder.

    Tables, manifest and scenario are left alone. Raises RunError when they cannot be written.
    """
    try:
        if new:
            path.mkdir(parents=True)
        files = _pages(run.tables, run.manifest)
        (path / "plots").mkdir(exist_ok=True)
        for name, content in files.items():
            part = path / f"{name}.part"
            part.write_bytes(content)
            part.replace(path / name)
    except OSError as error:
        raise _run_error(path, error, error.errno) from None
    return path


def read_run(path: Path) -> Run:
    """A run written by `RunDirectory`. Raises RunError naming the file that is missing, cut short or not ours."""
    path = Path(path)
    file = path / "manifest.json"
    try:
        manifest = Manifest.from_dict(json.loads(file.read_text()))
        file = path / "scenario.yaml"
        scenario_yaml = file.read_text()
        tables = {}
        for name in TABLES:
            file = path / f"{name}.parquet"
            tables[name] = read_parquet(file)
            if not tables[name].schema.equals(schema_of(name)):
                raise RunError(f"{file}: its columns are not those of the data dictionary; run the scenario again")
    except FileNotFoundError:
        raise RunError(f"{file}: no such file, so {path} is not the folder of a whole run") from None
    except (OSError, ValueError, TypeError) as error:
        raise RunError(f"{file}: cannot be read as part of a run ({error}); run the scenario again") from None
    return Run(manifest, scenario_yaml, tables)


def summary_csv(campaigns: pa.Table, currency: str) -> str:
    """The campaigns table as CSV with money in currency units (`spend_nanos` becomes `spend_EUR`); null is empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([name.replace("_nanos", f"_{currency}") for name in campaigns.column_names])
    money = [name.endswith("_nanos") for name in campaigns.column_names]
    for row in zip(*(column.to_pylist() for column in campaigns.columns), strict=True):
        writer.writerow([v / NANOS_PER_UNIT if in_nanos else v for v, in_nanos in zip(row, money, strict=True)])
    return text.getvalue()


def _check(tables: Tables) -> None:
    if set(tables) != set(TABLES):
        raise ValueError(f"a run has the tables {', '.join(TABLES)}; got {', '.join(tables)}")
    for name, table in tables.items():
        if not table.schema.equals(schema_of(name)):
            raise ValueError(f"{name}: not the dictionary's columns; make it with build_table")


def _run_error(path: Path, error: OSError, number: int | None) -> RunError:
    rule = _RULES.get(number or 0, error.strerror or str(error))
    return RunError(f"{path}: the run cannot be written here: {rule}")


def _sync(path: Path) -> None:
    """Flush to disk: without it a power cut after the rename could leave a whole-looking run of empty files."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
