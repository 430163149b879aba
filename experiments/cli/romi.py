"""`bidlab romi SCENARIO --campaign C`: what spend buys, where to stop, and how sure that is."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from experiments.cli.cells_bar import cells_bar
from experiments.cli.tables import print_table
from experiments.errors import StudyError

if TYPE_CHECKING:
    from experiments.romi.curve import Curve


def romi(
    scenario: Annotated[str, typer.Argument(help="A scenario file, or the name of a shipped one.")],
    campaign: Annotated[
        str | None, typer.Option("--campaign", help="The campaign that is asked about; needed when there are several.")
    ] = None,
    budgets: Annotated[
        str | None, typer.Option("--budgets", metavar="VALUES", help="Total budgets: 50,100 or 10:200:10.")
    ] = None,
    vary: Annotated[
        str | None,
        typer.Option("--vary", metavar="PATH=VALUES", help="Another setting of the campaign: bid.max=1:2:0.1."),
    ] = None,
    by: Annotated[
        str | None, typer.Option("--by", metavar="GROUPS", help="A curve per group too: customer, place or segment.")
    ] = None,
    seeds: Annotated[int, typer.Option(help="Replications, each under its own seed.")] = 10,
    overrides: Annotated[list[str] | None, typer.Option("--set", help="Change one setting of the scenario.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
    out: Annotated[Path, typer.Option(help="Folder that holds the studies and their cells.")] = Path("studies"),
    as_json: Annotated[bool, typer.Option("--json", help="Print the answers as JSON.")] = False,
) -> None:
    """Spend against incremental value: ROMI, marginal ROMI, optimum and break-even, with intervals."""
    from experiments.report import words
    from experiments.results.run_directory import run_path
    from experiments.results.study_folder import command_line
    from experiments.romi.curve import answers, curve_of, in_words
    from experiments.romi.groups import groups_from, word_for
    from experiments.romi.groups import in_words as in_group_words
    from experiments.romi.points import collect
    from experiments.romi.question import BUDGET, ask, chosen_campaign
    from experiments.romi.study import save
    from experiments.scenario.loader import load
    from experiments.sweep.engine import compute
    from experiments.sweep.store import Store
    from experiments.sweep.values import numbers

    if budgets is not None and vary is not None:
        raise StudyError("--budgets and --vary: turn one setting at a time")
    base = load(scenario, overrides or [])
    campaign = chosen_campaign(base, campaign)
    lever, values = BUDGET, None if budgets is None else numbers("--budgets", budgets)
    if vary is not None:
        lever, equals, text = (part.strip() for part in vary.partition("="))
        if not equals or not lever:
            raise StudyError(f"--vary {vary}: is not path=values; write for example bid.max=1:2:0.1")
        values = numbers(f"--vary {lever}=", text)
    question = ask(base, campaign, lever, values, seeds)
    if by is not None:
        question = question._replace(by=word_for(base, campaign, by))
    said = {"campaign": campaign, "budgets": budgets, "vary": vary, "by": by, "seeds": seeds, "set": overrides}
    command = command_line("bidlab romi", scenario, **said)
    with cells_bar("romi", workers) as (on_cell, check):
        cells = question.cells()
        outcomes = compute(cells, store=Store(out / "cells"), workers=workers, on_cell=on_cell, check=check)
    curve = curve_of(collect(question, outcomes))
    groups = None if by is None else groups_from(question, outcomes)
    folder = save(curve, run_path(out, f"romi-{base.name}-{campaign}", datetime.now()), command, groups)
    told = {} if groups is None else {"groups": {name: answers(of_group) for name, of_group in groups.curves.items()}}
    if as_json:
        print(json.dumps({"study": str(folder), **answers(curve), **told}, indent=2))
        return
    _show(curve)
    print("\n".join(in_words(curve, lambda amount: words.money(amount, base.currency))))
    if groups is not None:
        print("\n".join(in_group_words(groups.curves, lambda amount: words.money(amount, base.currency))))
    print(f"page: {folder / 'romi.html'}")


def _show(curve: Curve) -> None:
    from experiments.report.words import count, money, number, signed_percent

    currency, lever = curve.points.question.base.currency, curve.points.question.lever
    rows = [
        [
            f"{row.value:g}{' (now)' if row.current else ''}",
            money(row.spend.mean, currency),
            money(row.incremental.mean, currency),
            *(signed_percent(value) for value in (row.romi.mean, row.romi.low, row.romi.high, row.marginal_romi.mean)),
            number(row.iroas.mean),
            number(row.credited_roas.mean),
            count(row.reach),
        ]
        for row in curve.rows
    ]
    headings = (lever, "spend", "incremental value", "ROMI", "from", "to", "marginal", "iROAS", "ROAS l.t.", "reach")
    title = f"{len(curve.points.question.seeds)} seeds; money in {currency}; 95 % intervals"
    print_table(headings, rows, title, numbered=True)
