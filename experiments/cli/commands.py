"""Which file answers which command; each is imported only when the command line is built."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import typer

from experiments.errors import Interrupted


def register(app: typer.Typer) -> None:
    """Add every command to *app*."""
    from experiments.cli.audience import audience
    from experiments.cli.init import init
    from experiments.cli.market import floors, market, ways
    from experiments.cli.replay import replay
    from experiments.cli.run import run
    from experiments.cli.serve import serve
    from experiments.cli.validate import validate

    app.command("init")(_interruptible(init))
    app.command("validate")(_interruptible(validate))
    app.command("run")(_interruptible(run))
    app.command("replay")(_interruptible(replay))
    market.command("ways")(_interruptible(ways))
    market.command("floors")(_interruptible(floors))
    app.add_typer(market, name="market")
    app.add_typer(audience, name="dmp")
    bidder = typer.Typer(help="The bidder as a service.", no_args_is_help=True)
    bidder.command("serve")(_interruptible(serve))
    app.add_typer(bidder, name="bidder")


def _interruptible(command: Callable[..., None]) -> Callable[..., None]:
    """The command with Ctrl-C as an error like any other: Typer alone would end without a word."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except KeyboardInterrupt:
            raise Interrupted("interrupted; nothing was left behind") from None

    return wrapped
