"""A run in numbers: one object for machines (`--json`) and one table for the terminal.

Money is in units of the run's currency, CPM per thousand impressions. What cannot be divided is null, never an error.
`true_` numbers are known only because the market is simulated.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from experiments.results.conservation import ALL
from experiments.results.dictionary import FATES
from experiments.results.tables import Tables
from openrtb.money import NANOS_PER_UNIT


def ratio(part: float, whole: float) -> float | None:
    """part / whole; None when there is nothing to divide by."""
    return part / whole if whole else None


def summarise(tables: Tables, currency: str) -> dict[str, Any]:
    """Summary of a run: {currency, requests, fates, total, campaigns: [...]}, ready for JSON.

    Formulas: CPM = 1000 spend / impressions; CPC = spend / clicks; CPA = spend / attributed conversions;
    win rate = impressions / bids; frequency = impressions / reach; ROAS = attributed value / spend;
    true ROMI = (value added * margin - costs) / costs, where costs are spend and data cost.
    """
    fates = {fate: 0 for fate in FATES}
    for row in tables["fates"].group_by("fate").aggregate([("requests", "sum")]).to_pylist():
        fates[row["fate"]] = row["requests_sum"]
    rows = tables["campaigns"].to_pylist()
    return {
        "currency": currency,
        "requests": sum(fates.values()),
        "fates": fates,
        "total": {"campaign_id": ALL, **_metrics(_total(rows, tables["reach"]))},
        "campaigns": [
            {"campaign_id": row["campaign_id"], "product_id": row["product_id"], "goal": row["goal"], **_metrics(row)}
            for row in rows
        ],
    }


def summary_table(summary: dict[str, Any], width: int = 120) -> Table:
    """The summary as a table for a terminal *width* columns wide, one row per campaign and one for all."""
    title = f"{summary['requests']:,} requests, {summary['fates']['won']:,} won; money in {summary['currency']}"
    table = Table(title=title, box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    headings = {h: spec for h, spec in _HEADINGS.items() if width >= 110 or h in _NARROW}
    table.add_column("campaign", overflow="ellipsis", no_wrap=True)
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    for row in summary["campaigns"]:
        table.add_row(Text(row["campaign_id"]), *_cells(row, headings))
    if len(summary["campaigns"]) > 1:
        table.add_section()
        table.add_row("all", *_cells(summary["total"], headings), style="bold")
    return table


_HEADINGS = {
    "budget": ("budget", "{:,.2f}"),
    "spend": ("spend", "{:,.2f}"),
    "impressions": ("impressions", "{:,}"),
    "win rate": ("win_rate", "{:.1%}"),
    "CPM": ("cpm", "{:,.2f}"),
    "clicks": ("clicks", "{:,}"),
    "CPC": ("cpc", "{:,.2f}"),
    "conv.": ("attributed_conversions", "{:,}"),
    "CPA": ("cpa", "{:,.2f}"),
    "reach": ("reach", "{:,}"),
    "freq.": ("frequency", "{:.2f}"),
    "true ROMI": ("true_romi", "{:+.1%}"),
}
_NARROW = ("spend", "impressions", "CPM", "clicks", "conv.", "true ROMI")


def _cells(row: dict[str, Any], headings: dict[str, tuple[str, str]]) -> list[str]:
    return ["–" if row[key] is None else form.format(row[key]) for key, form in headings.values()]


def _metrics(row: dict[str, Any]) -> dict[str, Any]:
    spend, data = row["spend_nanos"] / NANOS_PER_UNIT, row["data_nanos"] / NANOS_PER_UNIT
    impressions, clicks, conversions = row["impressions"], row["clicks"], row["attributed_conversions"]
    true_value = row["truth_value_nanos"] / NANOS_PER_UNIT
    attributed_value = row["attributed_value_nanos"] / NANOS_PER_UNIT
    return {
        "budget": row["budget_nanos"] / NANOS_PER_UNIT,
        "spend": spend,
        "billed": row["billed_nanos"] / NANOS_PER_UNIT,
        "data_cost": data,
        "budget_used": ratio(row["spend_nanos"], row["budget_nanos"]),
        "bids": row["bids"],
        "impressions": impressions,
        "win_rate": ratio(impressions, row["bids"]),
        "cpm": ratio(1000 * spend, impressions),
        "clicks": clicks,
        "ctr": ratio(clicks, impressions),
        "cpc": ratio(spend, clicks),
        "attributed_conversions": conversions,
        "attributed_value": attributed_value,
        "cpa": ratio(spend, conversions),
        "roas": ratio(attributed_value, spend),
        "reach": row["truth_reach"],
        "frequency": ratio(impressions, row["truth_reach"]),
        "true_conversions": row["truth_conversions"],
        "true_value": true_value,
        "true_cpa": ratio(spend, row["truth_conversions"]),
        "true_roas": ratio(true_value, spend),
        "margin": row.get("margin"),
        "true_profit": row["profit"] if "profit" in row else true_value * row["margin"] - spend - data,
        "true_romi": row["truth_romi"],
    }


_SUMS = (
    "budget_nanos",
    "spend_nanos",
    "billed_nanos",
    "data_nanos",
    "bids",
    "impressions",
    "clicks",
    "attributed_conversions",
    "attributed_value_nanos",
    "truth_conversions",
    "truth_value_nanos",
)


def _total(rows: list[dict[str, Any]], reach: pa.Table) -> dict[str, Any]:
    total: dict[str, Any] = {name: sum(row[name] for row in rows) for name in _SUMS}
    seen = reach.filter((pc.field("campaign_id") == ALL) & (pc.field("frequency") > 0))
    total["truth_reach"] = pc.sum(seen["truth_persons"]).as_py() or 0
    spend = (total["spend_nanos"] + total["data_nanos"]) / NANOS_PER_UNIT
    total["profit"] = sum(row["truth_value_nanos"] * row["margin"] for row in rows) / NANOS_PER_UNIT - spend
    total["truth_romi"] = ratio(total["profit"], spend)
    return total
