"""`bidlab market avails|yield`: what publishers can expect, have promised and can still sell, and what it brought."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from experiments.cli.cells_bar import runs_bar
from experiments.cli.market import AsJson, Overrides, ScenarioName

if TYPE_CHECKING:
    from rich.table import Table

    from experiments.avails.promises import Promise
    from experiments.market.opportunity_cost import Alternative
    from experiments.scenario.models import Scenario


def avails(
    scenario: ScenarioName,
    overrides: Overrides = None,
    history: Annotated[int | None, typer.Option(min=1, help="Days of the past; the rest is forecast.")] = None,
    probability: Annotated[float, typer.Option(min=0.5, max=0.999, help="Of the intervals.")] = 0.9,
    seeds: Annotated[int, typer.Option(min=1, max=1000, help="Seeds on which intervals are tried.")] = 1,
    days: Annotated[bool, typer.Option("--days", help="Show every day.")] = False,
    plot: Annotated[Path | None, typer.Option(help="Draw the forecast into this PNG file.")] = None,
    as_json: AsJson = False,
) -> None:
    """Forecast each publisher's requests from its own past: what will come, what is promised, what is left to sell."""
    from experiments.avails.outlook import day_rows, forecast, held, slot_rows
    from experiments.errors import RunError
    from experiments.scenario.loader import load

    plan = load(scenario, overrides or [])
    history = max(1, int(plan.days / 2)) if history is None else history
    if history >= plan.days:
        message = f"--history {history}: {plan.name} lasts {plan.days:g} days, so nothing would be left to forecast; "
        raise RunError(f"{message}write less, or --set days={history + 1}")
    if plot is not None and not plot.parent.is_dir():
        raise RunError(f"--plot {plot}: there is no folder {str(plot.parent)!r}; make it first")
    with runs_bar("avails", seeds) as on_run:
        told = forecast(plan, history)
        inside = [held(told, probability)]
        for k in range(1, seeds):
            on_run()
            again = plan.model_copy(update={"seed": plan.seed + k})
            inside.append(held(forecast(again, history, promised=False), probability))
    if plot is not None:
        from experiments.avails.plot import plot_avails

        plot_avails(told, probability, plot)
    tried = {"seeds": seeds, "held": sum(h for h, _ in inside), "of": sum(n for _, n in inside)}
    slots, by_day = list(slot_rows(told, probability)), list(day_rows(told, probability))
    promises = [told_of._asdict() for told_of in told.outlook.promises]
    if as_json:
        head = {"scenario": plan.name, "history_days": history, "days": plan.days, "probability": probability}
        print(json.dumps(head | {"slots": slots, "by_day": by_day, "promises": promises, "intervals": tried}, indent=2))
        return
    _show_avails(plan, history, probability, by_day if days else slots, told.outlook.promises)
    share = tried["held"] / tried["of"]
    told_seeds = f"{seeds} seed{'s' if seeds > 1 else ''}"
    print(f"\nOf {tried['of']:,} slot-days of {told_seeds}, {share:.1%} came within their {probability:.0%} interval.")
    if history < 7:
        print("With less than a week of history every day is taken to be like the others.")


def _show_avails(
    plan: Scenario, history: int, probability: float, rows: list[dict[str, Any]], promises: list[Promise]
) -> None:
    from rich.console import Console

    title = f"requests from day {history} to {plan.days:g}, forecast from those before; {probability:.0%} interval"
    by_day = "day" in rows[0]
    headings = ("day",) if by_day else ("seen", "to network")
    told = _table(title, ("slot", "channel", *headings, "expected", "interval", "promised", "left"))
    for heading in (() if by_day else (f"left, {probability:.0%} sure",)) + ("true mean", "came"):
        told.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        first = (str(row["day"]),) if by_day else (f"{row['seen']:,}", f"{row['handed']:,}")
        told.add_row(
            *(row["slot_id"], row["channel"], *first, f"{row['expected']:,.0f}"),
            *(f"{row['low']:,}–{row['high']:,}", f"{row['promised']:,.0f}", f"{row['left']:,.0f}"),
            *(() if by_day else (f"{row['left_surely']:,}",)),
            *(f"{row['truth_expected']:,.0f}", f"{row['truth_came']:,}"),
        )
    console = Console(width=150)
    console.print(told)
    if not promises:
        return
    names = ("deal", "seller", "owed", "delivered", "due day", "promised at", "chance", "true chance", "could owe")
    table = _table(f"guaranteed deals on day {history}", (*names, "in the end"))
    for deal in promises:
        table.add_row(
            *(deal.deal_id, deal.seller_id, f"{deal.owed:,}", f"{deal.delivered:,}", f"{deal.due_day:g}"),
            *(f"{deal.probability:.3g}", _chance(deal.chance), _chance(deal.truth_chance)),
            *(f"{deal.could:,} more", f"{deal.truth_delivered:,}"),
        )
    console.print(table)


def _chance(value: float) -> str:
    """A probability as it may be told: never quite 1 nor 0."""
    return "> 0.9999" if value > 0.9999 else "< 0.0001" if value < 0.0001 else f"{value:.4f}"


def _table(title: str, headings: tuple[str, ...], left: int = 2) -> Table:
    """An empty table; the first *left* columns hold words."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(title=title, box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for k, heading in enumerate(headings):
        table.add_column(heading, justify="left" if k < left else "right", no_wrap=True)
    return table


def yield_(scenario: ScenarioName, overrides: Overrides = None, as_json: AsJson = False) -> None:
    """Show what each seller's channels bring in each way of sale, and what agreed prices cost it."""
    from experiments.accounting.seller_yield import seller_yield
    from experiments.drivers.batch import run_batch
    from experiments.market.opportunity_cost import alternatives
    from experiments.results.tables import build_table
    from experiments.scenario.loader import load
    from experiments.setting import make_ready

    plan = load(scenario, overrides or [])
    setting = make_ready(plan)
    ledger, _ = run_batch(setting)
    rows = build_table("seller_yield", seller_yield(setting, ledger)).to_pylist()
    others = alternatives(setting, ledger)
    if as_json:
        told = [{**other._asdict(), "advice": other.advice} for other in others]
        head = {"scenario": plan.name, "currency": plan.currency, "seed": plan.seed}
        print(json.dumps(head | {"rows": rows, "agreed_prices": told}, indent=2))
        return
    _show_yield(rows, plan.currency)
    _show_alternatives(others, plan.currency)


def _show_yield(rows: list[dict[str, Any]], currency: str) -> None:
    from rich.console import Console

    from openrtb.money import NANOS_PER_UNIT

    names = ("seller", "channel", "way", "requests", "sold", "fill", "a thousand sold", "eCPM", "revenue", "share")
    table = _table(f"after fees, in {currency}; eCPM: per thousand requests of the channel", names, left=3)
    whole: dict[str, int] = {}
    for row in rows:
        whole[row["seller_id"]] = whole.get(row["seller_id"], 0) + row["seller_nanos"]
    for row in rows:
        has, asked, sold = row["seller_nanos"] / NANOS_PER_UNIT, row["requests"], row["impressions"]
        way = f"{row['way'].replace('_', ' ')}{', ' if row['exchange_id'] else ''}{row['exchange_id']}"
        total = whole[row["seller_id"]]
        table.add_row(
            *(row["seller_id"], row["channel"], way, f"{asked:,}", f"{sold:,}"),
            f"{sold / asked:.1%}" if asked else "–",
            *(f"{1000 * has / sold:.3f}" if sold else "–", f"{1000 * has / asked:.4f}" if asked else "–"),
            *(f"{has:,.2f}", f"{row['seller_nanos'] / total:.1%}" if total else "–"),
        )
    Console(width=140).print(table)


def _show_alternatives(rows: list[Alternative], currency: str) -> None:
    from rich.console import Console

    if not rows:
        return
    names = ("slot", "way", "impressions", "had", "openly, at least", "±")
    table = _table(f"agreed prices against the open auction of the same impressions; {currency} CPM after fees", names)
    table.add_column("so", no_wrap=True)
    for row in rows:
        table.add_row(
            *(row.slot_id, row.way, f"{row.impressions:,}", f"{row.had:.3f}", f"{row.open_least:.3f}"),
            *(f"{row.standard_error:.3f}", row.advice),
        )
    Console(width=140).print(table)
