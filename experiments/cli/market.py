"""`bidlab market ways|floors|safety`: the same demand and luck, sold in other ways, at other floors, verified."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from experiments.selling_variants import Data, Result

market = typer.Typer(
    help="Ways to sell, floors and verification, compared on the same demand and luck.", no_args_is_help=True
)

ScenarioName = Annotated[str, typer.Argument(metavar="SCENARIO", help="A scenario file or a shipped one's name.")]
Overrides = Annotated[list[str] | None, typer.Option("--set", help="Change one setting: fees.exchange=0.2.")]
Seeds = Annotated[int, typer.Option(min=1, max=1000, help="Seeds, from the scenario's own on.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the numbers as JSON.")]


def ways(scenario: ScenarioName, overrides: Overrides = None, seeds: Seeds = 3, as_json: AsJson = False) -> None:
    """Compare the open auction, the private market, the ad network, and everything as the scenario has it."""
    from experiments.selling_variants import WAYS_COMPARED

    _compare(WAYS_COMPARED, scenario, overrides, seeds, as_json)


def floors(scenario: ScenarioName, overrides: Overrides = None, seeds: Seeds = 3, as_json: AsJson = False) -> None:
    """Compare no floor, fixed ones, floors by rule, soft floors, Myerson's reserve and one that learns."""
    from experiments.selling_variants import FLOORS_COMPARED

    _compare(FLOORS_COMPARED, scenario, overrides, seeds, as_json)


def safety(scenario: ScenarioName, overrides: Overrides = None, seeds: Seeds = 3, as_json: AsJson = False) -> None:
    """Compare the market with what is declared refused only, then with detectors, bots filtered, views paid."""
    from experiments.safety_variants import Safety
    from experiments.safety_variants import compare as compare_safety
    from experiments.scenario.loader import load

    plan, rows = load(scenario, overrides or []), []
    for variant, results in compare_safety(plan, seeds):
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


def _compare(
    variants: dict[str, Callable[[Data], Data]], name: str, overrides: list[str] | None, seeds: int, as_json: bool
) -> None:
    from experiments.scenario.loader import load
    from experiments.selling_variants import compare

    plan = load(name, overrides or [])
    found = dict(compare(variants, plan, seeds))
    rows = [_row(variant, results, next(iter(found.values()))) for variant, results in found.items()]
    if as_json:
        print(json.dumps({"scenario": plan.name, "seeds": seeds, "currency": plan.currency, "rows": rows}, indent=2))
        return
    _show(rows, plan.currency, seeds)


def _row(variant: str, results: list[Result], base: list[Result]) -> dict[str, Any]:
    """Means over the seeds; the difference from the first variant is paired."""
    from experiments.selling_variants import paired_difference

    count = len(results)
    difference, error = paired_difference(results, base)
    names = ("publisher", "paid", "fees", "network", "surplus", "fill", "ecpm")
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
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        error = "" if row["standard_error"] is None else f"{row['standard_error']:,.2f}"
        working = "–" if row["working_media"] is None else f"{row['working_media']:.1%}"
        cells: tuple[str, ...] = (f"{row['publisher']:,.2f}", f"{row['difference']:+,.2f}", error, f"{row['ecpm']:.4f}")
        cells += (f"{row['fill']:.1%}", f"{row['paid']:,.2f}", working, f"{row['fees']:,.2f}")
        table.add_row(row["variant"], *cells, f"{row['network']:,.2f}", f"{row['surplus']:,.2f}")
    Console(width=140).print(table)
