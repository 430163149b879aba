"""`bidlab forecast` and `bidlab reconcile`: what a plan will deliver, and what became of it."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from experiments.cli.cells_bar import cells_bar
from experiments.cli.measure import show
from experiments.errors import StudyError


def forecast(
    scenario: Annotated[str, typer.Argument(help="A scenario file, or the name of a shipped one.")],
    campaign: Annotated[
        str | None, typer.Option("--campaign", help="The campaign that is asked about; needed when there are several.")
    ] = None,
    vary: Annotated[
        str | None,
        typer.Option("--vary", metavar="PATH=VALUES", help="budget=50:200:50, bid.max=1:2:0.1, caps.0.limit=1,2."),
    ] = None,
    seeds: Annotated[int, typer.Option(help="Draws of luck.")] = 10,
    overrides: Annotated[list[str] | None, typer.Option("--set", help="Change one setting of the scenario.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
    out: Annotated[Path, typer.Option(help="Folder that holds the studies and their cells.")] = Path("studies"),
    as_json: Annotated[bool, typer.Option("--json", help="Print the rows as JSON.")] = False,
) -> None:
    """Delivery, reach, frequency, cost and outcomes against budget, bid or cap, with the spread to expect."""
    from experiments.funds.forecast import cells_of, figure, rows_of
    from experiments.funds.forecast import forecast as look_ahead
    from experiments.report.plots import style
    from experiments.results.run_directory import run_path
    from experiments.results.study_folder import command_line, study_json, write_study
    from experiments.results.tables import build_table
    from experiments.romi.question import BUDGET, ask, chosen_campaign
    from experiments.scenario.loader import load, scenario_hash
    from experiments.sweep.engine import compute
    from experiments.sweep.store import Store
    from experiments.sweep.values import numbers

    base, lever, values = load(scenario, overrides or []), BUDGET, None
    campaign = chosen_campaign(base, campaign)
    if vary is not None:
        lever, equals, text = (part.strip() for part in vary.partition("="))
        if not equals or not lever:
            raise StudyError(f"--vary {vary}: is not path=values; write for example budget=50:200:50")
        values = numbers(f"--vary {lever}=", text)
    question = ask(base, campaign, lever, values, seeds, needs_return=False)
    with cells_bar("forecast", workers) as (on_cell, check):
        cells = cells_of(question)
        outcomes = compute(cells, store=Store(out / "cells"), workers=workers, on_cell=on_cell, check=check)
    found = look_ahead(question, outcomes)
    rows = rows_of(found)
    table = build_table("forecast", {name: [row[name] for row in rows] for name in rows[0]})
    with style.look():
        png = style.png_of(figure(found))
    said = {"campaign": campaign, "vary": vary, "seeds": seeds, "set": overrides}
    command = command_line("bidlab forecast", scenario, **said)
    files = {"forecast.png": png, "study.json": study_json(command, scenario_hash(base), {"rows": len(rows)})}
    path = run_path(out, f"forecast-{base.name}-{campaign}", datetime.now())
    folder = write_study(path, {"forecast": table}, files)
    if as_json:
        print(json.dumps({"study": str(folder), "rows": rows}, indent=2))
        return
    lines = []
    for value in question.values:
        mine = {row["measure"]: row for row in rows if row["value"] == value}
        line = {lever: f"{value:g}{' (now)' if value == question.current else ''}"}
        lines.append(line | {name: _spread(row["mean"], row["low"], row["high"]) for name, row in mine.items()})
    show(lines, f"{campaign}: mean (5 % to 95 % of {seeds} draws); money in {base.currency}")
    print(f"figure: {folder / 'forecast.png'}")


def _spread(mean: float | None, low: float | None, high: float | None) -> str:
    if mean is None or low is None or high is None:
        return "–"
    digits = 0 if abs(mean) >= 100 else 2
    return f"{mean:,.{digits}f} ({low:,.{digits}f}–{high:,.{digits}f})"


def reconcile(
    plan: Annotated[str, typer.Argument(help="The plan: a scenario file, or the name of a shipped one.")],
    run: Annotated[Path, typer.Argument(help="The folder of a finished run.")],
    out: Annotated[Path | None, typer.Option(help="Folder to write the table to.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the rows as JSON.")] = False,
) -> None:
    """Planned, delivered and billed by campaign, with the differences explained."""
    from experiments.funds.reconcile import read_both
    from experiments.funds.reconcile import reconcile as compare
    from experiments.results.study_folder import write_study
    from experiments.results.tables import build_table

    scenario, finished = read_both(plan, run)
    rows = compare(scenario, finished)
    if out is not None:
        write_study(
            out, {"reconciliation": build_table("reconciliation", {k: [r[k] for r in rows] for k in rows[0]})}, {}
        )
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    money = ("planned", "delivered", "billed")
    show(
        [
            {
                "campaign": row["campaign_id"],
                **{name: row[f"{name}_nanos"] / 1e9 for name in money},
                "why": row["explanation"],
            }
            for row in rows
        ],
        f"money in {scenario.currency}",
    )
