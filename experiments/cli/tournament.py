"""`bidlab tournament SCENARIO`: every seat of a scenario bids for itself, reported agent by agent."""

from __future__ import annotations

import json
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    import pyarrow as pa


def tournament(
    scenario: Annotated[str, typer.Argument(help="A scenario file, or the name of a shipped one.")] = "tournament",
    overrides: Annotated[
        list[str] | None, typer.Option("--set", help="Change one setting: campaigns.launch.budget.total=5000.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed instead of the scenario's.")] = None,
    out: Annotated[Path, typer.Option(help="Folder that holds the runs.")] = Path("runs"),
    as_json: Annotated[bool, typer.Option("--json", help="Print the standings as JSON.")] = False,
) -> None:
    """Let the campaigns of a scenario bid against each other, each for its own seat."""
    from experiments.cli.interrupts import held_interrupts
    from experiments.cli.run import progress_bar
    from experiments.results.manifest import Manifest, scenario_hash
    from experiments.results.run_directory import run_path
    from experiments.scenario.loader import dump_yaml, load
    from experiments.setting import make_ready
    from experiments.tournament import figure, output
    from experiments.tournament.run import run_tournament
    from experiments.tournament.standings import agents_table, delivery_table

    changes = list(overrides or []) + ([f"seed={seed}"] if seed is not None else [])
    plan = load(scenario, changes)
    path = run_path(out, f"{plan.name}-standings", datetime.now())
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    setting = make_ready(plan)
    with held_interrupts() as check, progress_bar(plan, check) as progress:
        played = run_tournament(setting, progress)
    cpu_s = time.process_time() - cpu_s
    agents, delivery = agents_table(setting, played), delivery_table(setting, played)
    text = dump_yaml(plan)
    manifest = Manifest(
        name=plan.name,
        title=plan.title or plan.name,
        seed=plan.seed,
        driver="tournament",
        scenario_hash=scenario_hash(text),
        auctions=played.ledger.auctions,
        command=f"bidlab tournament {path / 'scenario.yaml'}",
        currency=plan.currency,
        start=plan.start.isoformat(),
        days=plan.days,
        wall_s=round(time.perf_counter() - wall_s, 3),
        cpu_s=round(cpu_s, 3),
    )
    plot = figure.draw(agents, delivery, manifest.title, plan.currency)
    output.write(path, agents, delivery, plot, manifest, text)
    if as_json:
        print(json.dumps({"run": str(path), "auctions": manifest.auctions, "agents": agents.to_pylist()}, indent=2))
        return
    _show(agents, plan.currency)
    print(f"{manifest.auctions:,} auctions, {agents.num_rows} agents, {cpu_s:.1f} CPU seconds", file=sys.stderr)
    print(f"page: {path / 'tournament.html'}")


def _show(agents: pa.Table, currency: str) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"money in {currency}; highest surplus per budget first", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("agent", no_wrap=True)
    for heading in ("budget", "spend", "value", "ROI", "conv.", "CPA", "best x", "regret"):
        table.add_column(heading, justify="right", no_wrap=True)
    rows = sorted(agents.to_pylist(), key=lambda row: (row["spend_nanos"] - row["worth_nanos"]) / row["budget_nanos"])
    for row in rows:
        amounts = [f"{row[name] / 1e9:,.2f}" for name in ("budget_nanos", "spend_nanos", "worth_nanos")]
        roi, cpa = _or_dash(row["roi"], "{:+.1%}"), _or_dash(row["cpa_nanos"] and row["cpa_nanos"] / 1e9, "{:,.2f}")
        conversions, best = str(row["conversions"]), f"{row['best_multiplier']:.2f}"
        table.add_row(row["agent"], *amounts, roi, conversions, cpa, best, f"{row['regret_nanos'] / 1e9:,.2f}")
    console = Console()
    Console(width=console.width if console.is_terminal else 160).print(table)


def _or_dash(value: Any, form: str) -> str:
    return "–" if value is None else form.format(value)
