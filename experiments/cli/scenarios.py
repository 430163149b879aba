"""`bidlab scenarios`: what comes with bidlab to run, to learn from and to start from."""

from __future__ import annotations

import json
from typing import Annotated

import typer


def scenarios(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the scenarios that come with bidlab, each with what it is for."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from experiments.scenario.catalogue import catalogue

    found = catalogue()
    if as_json:
        print(json.dumps([entry._asdict() for entry in found], indent=2))
        return
    table = Table(box=box.SIMPLE, pad_edge=False)
    for name in ("scenario", "what it is for"):
        table.add_column(name)
    for name in ("days", "people", "requests", "campaigns"):
        table.add_column(name, justify="right")
    for entry in found:
        counts = (f"{entry.days:g}", f"{entry.people:,}", f"{entry.requests:,}", f"{entry.campaigns}")
        table.add_row(entry.name, entry.about, *counts)
    console = Console()
    Console(width=console.width if console.is_terminal else 150).print(table)
    print("Run one: bidlab run learning. A copy to change: bidlab init plan.yaml --like learning")
