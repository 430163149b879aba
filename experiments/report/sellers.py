"""The sellers' page: who bought, what they bid and paid. Made from the sellers' tables, never shown to a buyer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from markupsafe import Markup

from experiments.report import words
from experiments.report.template import template
from experiments.results.conservation import LOSSES
from experiments.results.summary import ratio
from experiments.results.tables import Tables
from openrtb.money import NANOS_PER_UNIT

HERE = Path(__file__).parent
NANOS_PER_CPM = 1e6


def write_sellers_page(tables: Tables, *, title: str, currency: str) -> str:
    """One self-contained page of HTML; everything that came from a scenario is escaped."""
    money, bids = tables["money"].to_pylist(), tables["seller_bids"].to_pylist()
    checks, traffic = tables["seller_safety"].to_pylist(), tables["seller_traffic"].to_pylist()
    names = sorted({row["seller_id"] for row in [*money, *bids, *checks]})
    return template(HERE / "sellers.html").render(
        title=title,
        currency=currency,
        sellers=[_seller(name, money, bids, currency) | _verified(name, checks, traffic, currency) for name in names],
        css=Markup((HERE / "report.css").read_text(encoding="utf-8")),
        js=Markup((HERE / "report.js").read_text(encoding="utf-8")),
        count=words.count,
        money=lambda amount: words.money(amount, currency),
    )


def _seller(name: str, money: list[dict[str, Any]], bids: list[dict[str, Any]], currency: str) -> dict[str, Any]:
    sales = [row for row in money if row["seller_id"] == name]
    fees = sum(row["exchange_nanos"] + row["ssp_nanos"] for row in sales)
    return {
        "name": name,
        "impressions": sum(row["impressions"] for row in sales),
        "revenue": sum(row["publisher_nanos"] + row["network_nanos"] * (row["way"] != "bulk") for row in sales)
        / NANOS_PER_UNIT,
        "fees": fees / NANOS_PER_UNIT,
        "sales": [_sale(row, currency) for row in sales],
        "bids": [_bids(row) for row in bids if row["seller_id"] == name],
    }


def _verified(name: str, checks: list[dict[str, Any]], traffic: list[dict[str, Any]], currency: str) -> dict[str, Any]:
    """What verification did at a seller: by campaign, and the requests and refunds of bots (None: there was none)."""
    rows, own = [row for row in checks if row["seller_id"] == name], [r for r in traffic if r["seller_id"] == name]
    counts = ("kept_out", "refused_ads", "refused_pages", "stopped_ads", "stopped_pages", "viewed", "refunded")
    refunds = sum(row["refunded_nanos"] for row in own) / NANOS_PER_UNIT
    told = [words.count(sum(row[key] for row in own)) for key in ("filtered", "refunded")]
    return {
        "checks": [(row["campaign_id"], *(words.count(row[key]) for key in counts)) for row in rows],
        "bots": (*told, words.money(refunds, currency))
        if any(row["filtered"] + row["refunded"] for row in own)
        else None,
    }


def _sale(row: dict[str, Any], currency: str) -> tuple[str, ...]:
    has = row["publisher_nanos"] + (row["network_nanos"] if row["way"] != "bulk" else 0)
    price = ratio((has + row["exchange_nanos"] + row["ssp_nanos"]) / NANOS_PER_CPM, row["impressions"])
    parts = (row["exchange_nanos"], row["ssp_nanos"], has)
    return (
        *(row["buyer_id"], _way(row), words.count(row["impressions"]), words.money(price, currency)),
        *(words.money(nanos / NANOS_PER_UNIT, currency) for nanos in parts),
    )


def _way(row: dict[str, Any]) -> str:
    way: str = row["way"].replace("_", " ")
    return f"{way}, {row['exchange_id']}" if row["exchange_id"] else way


def _bids(row: dict[str, Any]) -> tuple[str, ...]:
    mean_bid = ratio(row["bid_nanos"] / NANOS_PER_CPM, row["bids"])
    mean_price = ratio(row["paid_nanos"] / NANOS_PER_CPM, row["won"])
    return (
        *(row["campaign_id"], row["advertiser_id"] or words.DASH, words.count(row["bids"]), words.number(mean_bid)),
        *(words.count(row["won"]), words.number(mean_price)),
        *(words.count(row[key]) for key in LOSSES),
    )
