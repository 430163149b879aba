"""Which file answers which command; each is imported only when the command line is built."""

from __future__ import annotations

import typer


def register(app: typer.Typer) -> None:
    """Add every command to *app*."""
