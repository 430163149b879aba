"""Which file answers which command; each is imported only when the command line is built."""

from __future__ import annotations

import typer


def register(app: typer.Typer) -> None:
    """Add every command to *app*."""
    # Typer drops the command's name while an app has only one command, unless the app has a callback.
    app.callback()(lambda: None)

    from experiments.cli.replay import replay

    app.command()(replay)
