"""Figures of a run or study in a notebook."""

from __future__ import annotations

from pathlib import Path


class Picture:
    """A PNG file that a notebook shows when it is the last value of a cell."""

    def __init__(self, file: Path) -> None:
        """Read *file*; raises OSError when there is none."""
        self.file = file
        self._png = file.read_bytes()

    def _repr_png_(self) -> bytes:
        return self._png

    def __repr__(self) -> str:
        return f"Picture({str(self.file)!r})"
