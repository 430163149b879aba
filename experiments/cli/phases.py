"""`bidlab phases SCENARIO --campaign C`: flights that pay for one another."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from experiments.cli.cells_bar import cells_bar
from experiments.cli.measure import show

if TYPE_CHECKING:
    from experiments.sweep.cell import Cell, Outcome


def phases(
    scenario: Annotated[str, typer.Argument(help="A scenario file, or the name of a shipped one.")],
    campaign: Annotated[
        str | None, typer.Option("--campaign", help="The campaign that runs in phases; needed when there are several.")
    ] = None,
    count: Annotated[int, typer.Option("--phases", help="How many, of equal length.")] = 3,
    first: Annotated[float | None, typer.Option(help="Money for the first phase.")] = None,
    reinvest: Annotated[float, typer.Option(help="Share of what came in that the next phase gets.")] = 1.0,
    counted: Annotated[str, typer.Option("--count", help="What came in: truth (caused) or credited.")] = "truth",
    seeds: Annotated[int, typer.Option(help="Replications, each under its own seed.")] = 10,
    overrides: Annotated[list[str] | None, typer.Option("--set", help="Change one setting of the scenario.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
    out: Annotated[Path, typer.Option(help="Folder that holds the studies and their cells.")] = Path("studies"),
    as_json: Annotated[bool, typer.Option("--json", help="Print the rows as JSON.")] = False,
) -> None:
    """Fund each phase of a campaign from what came in during the one before."""
    from experiments.funds.phases import figure, in_words, plan_phases, rows_of, run_phases, table_of
    from experiments.report.plots import style
    from experiments.report.words import money
    from experiments.results.run_directory import run_path
    from experiments.results.study_folder import command_line, study_json, write_study
    from experiments.romi.question import chosen_campaign
    from experiments.scenario.loader import dump_yaml, load, scenario_hash
    from experiments.sweep.engine import compute
    from experiments.sweep.store import Store

    base = load(scenario, overrides or [])
    campaign = chosen_campaign(base, campaign)
    plan = plan_phases(base, campaign, count, first, reinvest, counted, seeds)
    store = Store(out / "cells")

    def run(cells: Sequence[Cell]) -> list[Outcome]:
        with cells_bar("phase", workers) as (on_cell, check):
            return compute(cells, store=store, workers=workers, on_cell=on_cell, check=check)

    found = run_phases(plan, run)
    rows, said = rows_of(found), in_words(found, lambda amount: money(amount, base.currency))
    options = {"campaign": campaign, "phases": count, "first": first, "reinvest": reinvest, "count": counted}
    command = command_line("bidlab phases", scenario, **options, seeds=seeds, set=overrides)
    with style.look():
        png = style.png_of(figure(found))
    files = {
        "phases.png": png,
        "scenario.yaml": dump_yaml(base).encode(),
        "study.json": study_json(command, scenario_hash(base), {"phases": rows, "said": said}),
    }
    path = run_path(out, f"phases-{base.name}-{campaign}", datetime.now())
    folder = write_study(path, {"phases": table_of(found)}, files)
    if as_json:
        print(json.dumps({"study": str(folder), "phases": rows}, indent=2))
        return
    show(rows, f"money in {base.currency}; means of {seeds} seeds; 95 % interval of the cash")
    print("\n".join(said))
    print(f"figure: {folder / 'phases.png'}")
