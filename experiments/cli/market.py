"""`bidlab market ways|floors|pages|safety|reaction`: the same demand and luck, sold by other rules."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from experiments.cli.cells_bar import runs_bar

if TYPE_CHECKING:
    from experiments.market.reaction import Point
    from experiments.market.ways import Data, Result
    from experiments.scenario.models import Scenario

market = typer.Typer(
    help="Ways to sell, floors and verification, compared on the same demand and luck.", no_args_is_help=True
)

ScenarioName = Annotated[str, typer.Argument(metavar="SCENARIO", help="A scenario file or a shipped one's name.")]
Overrides = Annotated[list[str] | None, typer.Option("--set", help="Change one setting: fees.exchange=0.2.")]
Seeds = Annotated[int, typer.Option(min=1, max=1000, help="Seeds, from the scenario's own on.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the numbers as JSON.")]


def ways(scenario: ScenarioName, overrides: Overrides = None, seeds: Seeds = 3, as_json: AsJson = False) -> None:
    """Compare the open auction with each other way the scenario sells, and with everything as it has it."""
    from experiments.market.ways import ways_of

    _compare(ways_of, scenario, overrides, seeds, as_json)


def floors(scenario: ScenarioName, overrides: Overrides = None, seeds: Seeds = 3, as_json: AsJson = False) -> None:
    """Compare no floor, fixed ones, floors by rule, soft floors, Myerson's reserve (fitted, seen), and learning."""
    from experiments.market.ways import FLOORS_COMPARED

    _compare(lambda _: FLOORS_COMPARED, scenario, overrides, seeds, as_json)


def pages(scenario: ScenarioName, overrides: Overrides = None, seeds: Seeds = 3, as_json: AsJson = False) -> None:
    """Compare pages that keep nothing apart with those that show one ad of an advertiser, or of a category."""
    from experiments.market.pages import separations_of

    _compare(separations_of, scenario, overrides, seeds, as_json, clashes=True)


def safety(scenario: ScenarioName, overrides: Overrides = None, seeds: Seeds = 3, as_json: AsJson = False) -> None:
    """Compare the market with what is declared refused only, then with detectors, bots filtered, views paid."""
    from experiments.market.safety import SAFETY_COMPARED, Safety, measure
    from experiments.market.ways import compare
    from experiments.scenario.loader import load

    plan, rows = load(scenario, overrides or []), []
    with runs_bar("safety", len(SAFETY_COMPARED) * seeds) as on_run:
        found = dict(compare(SAFETY_COMPARED, plan, seeds, measure, on_run))
    for variant, results in found.items():
        means = {name: sum(getattr(result, name) for result in results) / seeds for name in Safety._fields}
        rows.append({"variant": variant, **means, "price": sum(result.price for result in results) / seeds})
    if as_json:
        print(json.dumps({"scenario": plan.name, "seeds": seeds, "currency": plan.currency, "rows": rows}, indent=2))
        return
    _show_safety(rows, plan.currency, seeds)


def _show_safety(rows: list[dict[str, Any]], currency: str, seeds: int) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    title = f"mean of {seeds} seed{'s' if seeds > 1 else ''}; money in {currency}, price per thousand viewed by people"
    table = Table(title=title, box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    counts = ("impressions", "refused", "stopped", "mistaken", "bad_ads", "bad_pages", "bots", "viewed", "filtered")
    table.add_column("", no_wrap=True)
    for heading in (*(name.replace("_", " ") for name in counts), "paid", "price", "refunded", "publishers"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        amounts = (f"{row['paid']:,.2f}", f"{row['price']:.3f}", f"{row['refunded']:,.2f}", f"{row['publisher']:,.2f}")
        table.add_row(row["variant"], *(f"{row[name]:,.0f}" for name in counts), *amounts)
    Console(width=140).print(table)


def reaction(
    scenario: ScenarioName,
    overrides: Overrides = None,
    seeds: Seeds = 3,
    caps: Annotated[str, typer.Option(help="Impressions per person and day to try, with commas.")] = "1,2,4,8,16,32",
    plot: Annotated[Path | None, typer.Option(help="Draw the curves into this PNG file.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show what over-targeting costs: response and opt-outs by frequency, narrowly aimed and at everybody."""
    from experiments.errors import RunError
    from experiments.market.reaction import AUDIENCES, curve
    from experiments.scenario.loader import load

    tried = [int(text) for text in caps.split(",") if text.strip().isdigit() and int(text) > 0]
    if len(tried) != len(caps.split(",")):
        raise RunError(f"--caps {caps}: must be whole numbers from 1 on with commas between them, for example 1,4,16")
    if plot is not None and not plot.parent.is_dir():
        raise RunError(f"--plot {plot}: there is no folder {str(plot.parent)!r}; make it first")
    plan = load(scenario, overrides or [])
    with runs_bar("reaction", len(AUDIENCES) * len(tried) * 2 * seeds) as on_run:
        points = list(curve(plan, tried, seeds, on_run))
    if plot is not None:
        from experiments.market.reaction_plot import plot_reaction

        plot_reaction(points, plan.currency, plot)
    if as_json:
        rows = [
            {"audience": p.audience, "cap": p.cap}
            | {who: run._asdict() for who, run in (("reacting", p.reacting), ("indifferent", p.indifferent))}
            for p in points
        ]
        print(json.dumps({"scenario": plan.name, "seeds": seeds, "currency": plan.currency, "rows": rows}, indent=2))
        return
    _show_reaction(points, plan.currency, seeds)


def _show_reaction(points: list[Point], currency: str, seeds: int) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    title = (
        f"mean of {seeds} seed{'s' if seeds > 1 else ''}; profit in {currency} before fees; in brackets: nobody minds"
    )
    table = Table(title=title, box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("aimed", no_wrap=True)
    headings = ("cap a day", "impressions", "frequency", "caused per 1,000", "opt-outs per 1,000", "profit")
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    for point in points:
        seen, calm = point.reacting, point.indifferent
        table.add_row(
            *(point.audience, str(point.cap), f"{seen.impressions:,.0f}", f"{seen.frequency:.1f}"),
            f"{seen.caused_per_1000:.2f} ({calm.caused_per_1000:.2f})",
            *(f"{seen.withdrawn_per_1000:.1f}", f"{seen.profit:,.0f} ({calm.profit:,.0f})"),
        )
    Console(width=140).print(table)


def _compare(
    variants_of: Callable[[Scenario], dict[str, Callable[[Data], Data]]],
    name: str,
    overrides: list[str] | None,
    seeds: int,
    as_json: bool,
    *,
    clashes: bool = False,
) -> None:
    from experiments.market.ways import compare, feasible, measure
    from experiments.scenario.loader import load

    plan = load(name, overrides or [])
    variants, left_out = feasible(variants_of(plan), plan)
    with runs_bar("market", len(variants) * seeds) as on_run:
        found = dict(compare(variants, plan, seeds, measure, on_run))
    base = next(iter(found.values()))
    rows = [_row(variant, results, base, ("clashes",) if clashes else ()) for variant, results in found.items()]
    if as_json:
        told = {"scenario": plan.name, "seeds": seeds, "currency": plan.currency, "rows": rows, "left_out": left_out}
        print(json.dumps(told, indent=2))
        return
    _show(rows, plan.currency, seeds)
    for variant, why in left_out.items():
        print(f"Left out, {variant}: {why}")


def _row(variant: str, results: list[Result], base: list[Result], more: tuple[str, ...] = ()) -> dict[str, Any]:
    """Means over the seeds; the difference from the first variant is paired."""
    from experiments.market.ways import paired_difference

    count = len(results)
    difference, error = paired_difference(results, base)
    names = ("publisher", "paid", "fees", "network", "surplus", "fill", "ecpm", *more)
    means = {key: sum(getattr(result, key) for result in results) / count for key in names}
    working = means["publisher"] / means["paid"] if means["paid"] else None
    return {"variant": variant, **means, "working_media": working, "difference": difference, "standard_error": error}


def _show(rows: list[dict[str, Any]], currency: str, seeds: int) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    title = f"mean of {seeds} seed{'s' if seeds > 1 else ''}; money in {currency}, eCPM per thousand requests"
    table = Table(title=title, box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    headings = ("publishers", "difference", "±", "eCPM", "fill", "paid", "working", "fees", "network", "surplus")
    table.add_column("", no_wrap=True)
    more = [name for name in ("clashes",) if name in rows[0]]
    for heading in (*headings, *more):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        error = "" if row["standard_error"] is None else f"{row['standard_error']:,.2f}"
        working = "–" if row["working_media"] is None else f"{row['working_media']:.1%}"
        cells: tuple[str, ...] = (f"{row['publisher']:,.2f}", f"{row['difference']:+,.2f}", error, f"{row['ecpm']:.4f}")
        cells += (f"{row['fill']:.1%}", f"{row['paid']:,.2f}", working, f"{row['fees']:,.2f}")
        cells += (f"{row['network']:,.2f}", f"{row['surplus']:,.2f}", *(f"{row[name]:,.0f}" for name in more))
        table.add_row(row["variant"], *cells)
    Console(width=140).print(table)
