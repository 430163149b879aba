"""`bidlab allocate SCENARIO`: the best split of a total over campaigns, proved on fresh seeds."""

from __future__ import annotations

import json
import math
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from experiments.cli.cells_bar import cells_bar
from experiments.cli.measure import show
from experiments.errors import StudyError


def allocate(
    scenario: Annotated[str, typer.Argument(help="A scenario file, or the name of a shipped one.")],
    campaigns: Annotated[
        list[str] | None, typer.Option("--campaign", help="A campaign that takes part; several may be given.")
    ] = None,
    total: Annotated[
        float | None, typer.Option(help="Money to share, instead of what their budgets add up to.")
    ] = None,
    goal: Annotated[str, typer.Option(help="response, romi or efficiency.")] = "response",
    target: Annotated[float | None, typer.Option(help="ROMI, or value of one more unit, that must be reached.")] = None,
    bounds: Annotated[
        list[str] | None,
        typer.Option("--bound", metavar="CAMPAIGN=LOW:HIGH", help="Least and most a campaign may spend."),
    ] = None,
    split: Annotated[
        list[str] | None,
        typer.Option("--split", metavar="CAMPAIGN=HOW", help="In parts: format, device, publisher or time:N."),
    ] = None,
    points: Annotated[int, typer.Option(min=4, help="Budgets tried per campaign.")] = 10,
    seeds: Annotated[int, typer.Option(help="Seeds the curves are measured with.")] = 8,
    fresh: Annotated[int, typer.Option(min=2, help="Fresh seeds the new plan is proved on.")] = 10,
    overrides: Annotated[list[str] | None, typer.Option("--set", help="Change one setting of the scenario.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
    out: Annotated[Path, typer.Option(help="Folder that holds the studies and their cells.")] = Path("studies"),
    as_json: Annotated[bool, typer.Option("--json", help="Print the answers as JSON.")] = False,
) -> None:
    """Share a total over campaigns by marginal return; the difference is stated, then simulated on fresh seeds."""
    from experiments.funds.allocate import allocate as share_out
    from experiments.funds.allocate import planned, proof_cells, prove, questions
    from experiments.funds.allocate_output import figure, in_words, rows_of
    from experiments.funds.parts import split_all
    from experiments.report.plots import style
    from experiments.results.run_directory import run_path
    from experiments.results.study_folder import command_line, study_json, write_study
    from experiments.results.tables import build_table
    from experiments.romi.curve import curve_of
    from experiments.romi.points import collect
    from experiments.scenario.loader import dump_yaml, load, scenario_hash
    from experiments.sweep.engine import compute
    from experiments.sweep.store import Store

    base, parts = split_all(load(scenario, overrides or []), split or [])
    named = [part for name in campaigns or [] for part in parts.get(name, [name])]
    chosen = named or [name for name, c in base.campaigns.items() if c.product or c.goal.kind == "private"]
    if total is None:
        total = sum(base.campaigns[name].budget.total for name in chosen if name in base.campaigns)
    if not (math.isfinite(total) and total > 0):
        raise StudyError(f"--total {total:g}: must be a number above 0")
    limits = dict(_bound(text) for text in bounds or [])
    asked, store = questions(base, chosen, total, points, seeds), Store(out / "cells")
    curves = {}
    for name, question in asked.items():
        with cells_bar(f"curve of {name}", workers) as (on_cell, check):
            outcomes = compute(question.cells(), store=store, workers=workers, on_cell=on_cell, check=check)
        curves[name] = curve_of(collect(question, outcomes))
    allocation = share_out(curves, total, goal, target, limits)
    cells, fresh_seeds = proof_cells(base, allocation, fresh)
    with cells_bar("proof", workers) as (on_cell, check):
        proof = prove(compute(cells, store=store, workers=workers, on_cell=on_cell, check=check), fresh_seeds)
    rows = rows_of(allocation)
    answers = {
        "goal": goal,
        "target": target,
        "total": total,
        "expected_value": allocation.expected,
        "romi_after": allocation.after.romi,
        "budgets": allocation.budgets,
        "proof": {
            "seeds": list(proof.seeds),
            "value": proof.value._asdict(),
            "profit": proof.profit._asdict(),
            "spend": proof.spend._asdict(),
        },
    }
    said = {"campaign": campaigns, "total": total, "goal": goal, "target": target, "bound": bounds, "split": split}
    command = command_line("bidlab allocate", scenario, **said, points=points, seeds=seeds, fresh=fresh, set=overrides)
    with style.look():
        png = style.png_of(figure(allocation, proof, base.currency))
    files = {
        "allocation.png": png,
        "scenario.yaml": dump_yaml(planned(base, allocation.budgets)[0]).encode(),
        "study.json": study_json(command, scenario_hash(base), answers),
    }
    table = build_table("allocation", {name: [row[name] for row in rows] for name in rows[0]})
    folder = write_study(run_path(out, f"allocate-{base.name}", datetime.now()), {"allocation": table}, files)
    if as_json:
        print(json.dumps({"study": str(folder), **answers}, indent=2))
        return
    show(rows, f"money in {base.currency}; {seeds} seeds")
    print("\n".join(in_words(allocation, proof, base.currency)))
    print(f"figure: {folder / 'allocation.png'}; the new plan: {folder / 'scenario.yaml'}")


def _bound(text: str) -> tuple[str, tuple[float, float]]:
    name, equals, limits = text.rpartition("=")
    low, colon, high = limits.partition(":")
    try:
        pair = float(low or 0.0), float(high) if high else math.inf
    except ValueError:
        pair = math.nan, math.nan
    if not (equals and colon and name) or not pair[0] >= 0.0 or math.isnan(pair[1]):
        raise StudyError(f"--bound {text}: is not campaign=low:high; write for example launch=10:50")
    if pair[0] > pair[1]:
        raise StudyError(f"--bound {text}: the lower bound is above the upper; give the smaller number first")
    return name, pair
