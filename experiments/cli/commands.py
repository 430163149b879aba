"""Which file answers which command; each is imported only when the command line is built."""

from __future__ import annotations

import typer


def register(app: typer.Typer) -> None:
    """Add every command to *app*."""
    from experiments.cli.init import init
    from experiments.cli.replay import replay
    from experiments.cli.validate import validate

    app.command("init")(init)
    app.command("validate")(validate)
    app.command("replay")(replay)
