"""Which file answers which command; each is imported only when the command line is built."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import typer

from experiments.errors import Interrupted

PANELS = {
    "Begin here": ("init", "scenarios", "validate", "run", "report"),
    "Plan campaigns, and measure them": ("forecast", "romi", "allocate", "phases", "reconcile", "measure", "market"),
    "Research": ("sweep", "compare", "cite", "tournament", "replay", "learn"),
    "Serve bids, and test bidders": ("bidder", "exchange", "explain", "load"),
    "Audiences": ("dmp",),
}
PANEL_OF = {name: panel for panel, names in PANELS.items() for name in names}


def register(app: typer.Typer) -> None:
    """Add every command to *app*."""
    from experiments.cli import audience_models, audience_rights, audience_study  # noqa: F401  their commands join those of `audience`
    from experiments.cli.allocate import allocate
    from experiments.cli.audience import audience
    from experiments.cli.cite import cite
    from experiments.cli.compare import compare
    from experiments.cli.exchange import page
    from experiments.cli.exchange import serve as serve_exchange
    from experiments.cli.explain import explain
    from experiments.cli.funds import forecast, reconcile
    from experiments.cli.init import init
    from experiments.cli.learn import learn
    from experiments.cli.load import load
    from experiments.cli.market import floors, market, pages, reaction, safety, ways
    from experiments.cli.measure import measure
    from experiments.cli.phases import phases
    from experiments.cli.replay import replay
    from experiments.cli.report import report
    from experiments.cli.romi import romi
    from experiments.cli.run import run
    from experiments.cli.scenarios import scenarios
    from experiments.cli.sellers import avails, yield_
    from experiments.cli.serve import serve
    from experiments.cli.sweep import sweep
    from experiments.cli.tournament import tournament
    from experiments.cli.validate import validate
    from experiments.cli.verify import verify

    app.command("init")(_interruptible(init))
    app.command("scenarios")(_interruptible(scenarios))
    app.command("validate")(_interruptible(validate))
    app.command("run")(_interruptible(run))
    app.command("romi")(_interruptible(romi))
    app.command("forecast")(_interruptible(forecast))
    app.command("reconcile")(_interruptible(reconcile))
    app.command("allocate")(_interruptible(allocate))
    app.command("phases")(_interruptible(phases))
    app.command("sweep")(_interruptible(sweep))
    app.command("compare")(_interruptible(compare))
    app.command("report")(_interruptible(report))
    app.command("cite")(_interruptible(cite))
    app.command("replay")(_interruptible(replay))
    market.command("ways")(_interruptible(ways))
    market.command("floors")(_interruptible(floors))
    market.command("safety")(_interruptible(safety))
    market.command("pages")(_interruptible(pages))
    market.command("reaction")(_interruptible(reaction))
    market.command("avails")(_interruptible(avails))
    market.command("yield")(_interruptible(yield_))
    app.add_typer(market, name="market")
    app.command("explain")(_interruptible(explain))
    app.command("load")(_interruptible(load))
    app.command("tournament")(_interruptible(tournament))
    app.command("learn")(_interruptible(learn))
    app.add_typer(audience, name="dmp")
    app.add_typer(measure, name="measure")
    bidder = typer.Typer(help="The bidder as a service.", no_args_is_help=True)
    bidder.command("serve")(_interruptible(serve))
    bidder.command("verify")(_interruptible(verify))
    app.add_typer(bidder, name="bidder")
    exchange = typer.Typer(help="The exchange as a service.", no_args_is_help=True)
    exchange.command("serve")(_interruptible(serve_exchange))
    exchange.command("page")(_interruptible(page))
    app.add_typer(exchange, name="exchange")
    for command in app.registered_commands:
        command.rich_help_panel = PANEL_OF.get(str(command.name), command.rich_help_panel)
    for group in app.registered_groups:
        group.rich_help_panel = PANEL_OF.get(str(group.name), group.rich_help_panel)


def _interruptible(command: Callable[..., None]) -> Callable[..., None]:
    """The command with Ctrl-C as an error like any other: Typer alone would end without a word."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except KeyboardInterrupt:
            raise Interrupted("interrupted; nothing was left behind") from None

    return wrapped
