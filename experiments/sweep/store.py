"""Where finished cells are kept: one file each, named after the cell, written aside and renamed into place.

A file that bears a cell's name is therefore whole, whatever was killed and when. A failed cell leaves its message and
its scenario, and is tried again by the next sweep that wants it.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from experiments.errors import SweepError
from experiments.scenario.loader import dump_yaml
from experiments.sweep.cell import Cell, Failure, Measured, Outcome, cell_id, from_json, to_json


class Store:
    """A folder of cells."""

    def __init__(self, folder: Path) -> None:
        """Make the folder; raises `SweepError` when it cannot be made or written."""
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if not os.access(folder, os.W_OK):
                raise PermissionError(13, "it must be writable, and it is not")
        except OSError as error:
            raise SweepError(f"{folder}: cells cannot be kept here ({error.strerror}); choose another --out") from None

    def path(self, name: str) -> Path:
        """The file of a finished cell."""
        return self.folder / name[:2] / f"{name}.json"

    def get(self, cell: Cell) -> Measured | None:
        """The kept result of *cell*; one that cannot be read is as good as none."""
        try:
            return from_json(self.path(cell_id(cell)).read_bytes())
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def put(self, cell: Cell, outcome: Outcome) -> None:
        """Keep what came of *cell*; raises `SweepError` when the disk refuses."""
        name = cell_id(cell)
        try:
            if isinstance(outcome, Failure):
                failed = self.folder / "failed"
                _place(failed / f"{name}.yaml", dump_yaml(cell.scenario).encode())
                told = {"kind": outcome.kind, "message": outcome.message, "off": list(cell.off)}
                _place(failed / f"{name}.json", (json.dumps(told, indent=2) + "\n").encode())
            else:
                _place(self.path(name), to_json(outcome))
                for ending in ("yaml", "json"):
                    (self.folder / "failed" / f"{name}.{ending}").unlink(missing_ok=True)
        except OSError as error:
            raise SweepError(
                f"{self.folder}: a cell cannot be kept ({error.strerror}); free some space and give the same command"
                " again: it goes on where it stopped"
            ) from None


def _place(path: Path, content: bytes) -> None:
    """Write *content* aside, flush it, then give it its name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
