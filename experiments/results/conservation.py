"""What must add up in every run: requests, impressions, money and purchases, counted in different tables.

All identities are exact, in whole numbers (money in nanos).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from experiments.results.tables import Tables

ALL = "*"
"""Stands for all campaigns together in the reach table."""


def identities(tables: Tables) -> list[tuple[str, bool]]:
    """Each identity in words, and whether the tables keep it."""
    return list(_identities(tables))


def sums_by(table: pa.Table, by: str, column: str) -> dict[str, int]:
    """Sum of *column* for each name in the column *by*."""
    rows = table.group_by(by).aggregate([(column, "sum")]).to_pylist()
    return {row[by]: row[f"{column}_sum"] for row in rows}


def counts_by(table: pa.Table, by: str) -> dict[str, int]:
    """Number of rows for each name in the column *by*; the empty name is left out."""
    rows = table.group_by(by).aggregate([([], "count_all")]).to_pylist()
    return {row[by]: row["count_all"] for row in rows if row[by]}


def _identities(tables: Tables) -> Iterator[tuple[str, bool]]:
    shown, campaigns, slots = tables["exposures"], tables["campaigns"], tables["slots"]
    delivery, sales = tables["delivery"], tables["conversions"]
    requests = _sum(tables["fates"], "requests")
    won = sums_by(tables["fates"], "fate", "requests").get("won", 0)
    bought = {won, shown.num_rows, *(_sum(t, "impressions") for t in (campaigns, delivery, slots))}
    yield "requests won = exposures = impressions by campaign = by hour = by slot", len(bought) == 1
    spent = {_sum(shown, "price_nanos"), *(_sum(t, "spend_nanos") for t in (campaigns, delivery, slots))}
    yield "prices paid = spend by campaign = by hour = by slot, to the nano", len(spent) == 1
    data = {_sum(shown, "data_nanos"), _sum(campaigns, "data_nanos"), _sum(tables["data_costs"], "data_nanos")}
    yield "data paid by exposure = by campaign = by source, to the nano", len(data) == 1
    clicks = {_sum(shown, "clicked"), _sum(campaigns, "clicks"), _sum(delivery, "clicks")}
    yield "exposures clicked = clicks by campaign = by hour", len(clicks) == 1
    yield "fates add up to the requests sent by all slots", requests == _sum(slots, "requests")
    reasons = sums_by(tables["reasons"], "campaign_id", "requests")
    names = campaigns["campaign_id"].to_pylist()
    yield "each campaign's reasons add up to all requests", all(reasons.get(name, 0) == requests for name in names)
    persons = sums_by(tables["reach"].filter(pc.field("frequency") > 0), "campaign_id", "truth_persons")
    reach = _by_campaign(campaigns, "truth_reach")
    yield "each campaign's reach = people by frequency", all(persons.get(name, 0) == reach[name] for name in names)
    credited = counts_by(sales, "attributed_campaign_id")
    yield "purchases credited = credited by campaign", credited == _nonzero(campaigns, "attributed_conversions")
    caused = counts_by(sales, "truth_campaign_id")
    yield "purchases caused = caused by campaign", caused == _nonzero(campaigns, "truth_conversions")
    yield from _money(tables)
    within = pc.less_equal(campaigns["billed_nanos"], campaigns["budget_nanos"])
    yield "no campaign was billed more than its budget", pc.all(within, min_count=0).as_py()


LOSSES = (
    *("lost_to_higher_bid", "lost_below_floor", "lost_to_deal", "lost_refused", "lost_stopped"),
    *("lost_elsewhere", "lost_seat_barred", "lost_advertiser_shown", "lost_category_shown"),
)
"""Why bids lose."""
TAKERS = ("trading_desk", "dsp", "exchange", "ssp", "network", "publisher", "refund")
"""Who has what the advertisers paid."""

HOPS = ("trading_desk_nanos", "dsp_nanos", "exchange_nanos", "ssp_nanos", "seller_nanos", "refund_nanos")
"""What buyers are told of the way their money took: all of it together is what a campaign paid."""


def _money(tables: Tables) -> Iterator[tuple[str, bool]]:
    money, bids = tables["money"], tables["bids"]
    paid, taken = _sum(money, "advertiser_nanos"), sum(_sum(money, f"{name}_nanos") for name in TAKERS)
    yield "advertisers' payments = publishers' revenue + fees + networks' margin + refunds, to the nano", paid == taken
    final = money.filter(pc.field("way") != "bulk")
    sold = _sum(tables["slots"], "truth_sold")
    yield "impressions paid for = impressions sold: each was sold once", _sum(final, "impressions") == sold
    before_fees = sum(_sum(final, f"{name}_nanos") for name in ("exchange", "ssp", "network", "publisher"))
    has = _sum(final, "publisher_nanos") + _sum(final, "network_nanos")
    handed = _sum(money.filter(pc.field("way") == "bulk"), "publisher_nanos")
    yield (
        "sellers' revenue = yield by channel and way, to the nano",
        has + handed == _sum(tables["seller_yield"], "seller_nanos"),
    )
    refunded = _sum(tables["seller_traffic"], "refunded_nanos")
    yield (
        "prices paid = what exchange, platform and sellers have + refunds of bots' impressions",
        before_fees + refunded == _sum(tables["slots"], "truth_revenue_nanos"),
    )
    yield (
        "refunds to campaigns, as buyer and as seller see them",
        _sum(tables["safety"], "refunded_nanos") == _sum(tables["seller_safety"], "refunded_nanos"),
    )
    stopped = sum(_sum(tables["safety"], f"stopped_{what}") for what in ("ads", "pages"))
    yield "bids stopped while loading = stopped ads + stopped pages", _sum(bids, "lost_stopped") == stopped
    won = {_sum(bids, "won"), _sum(tables["seller_bids"], "won"), tables["exposures"].num_rows}
    yield "bids won = impressions bought, as the buyer and as the seller sees it", len(won) == 1
    names, told = set(bids["campaign_id"].to_pylist()), dict.fromkeys(HOPS[:5], 0)
    for name in (*HOPS[:4], "network_nanos", "publisher_nanos"):
        sums = sums_by(money, "buyer_id", name)
        told[name if name in told else "seller_nanos"] += sum(n for buyer, n in sums.items() if buyer in names)
    same = all(_sum(bids, name) == nanos for name, nanos in told.items())
    yield "fees of the campaigns' purchases, and sellers' shares, as buyers and as sellers see them, to the nano", same
    lost = sum(_sum(bids, name) for name in LOSSES)
    yield "bids = won + lost for a reason", _sum(bids, "bids") == _sum(bids, "won") + lost


def _sum(table: pa.Table, column: str) -> int:
    return int(pc.sum(table[column], min_count=0).as_py())


def _by_campaign(campaigns: pa.Table, column: str) -> dict[str, Any]:
    return dict(zip(campaigns["campaign_id"].to_pylist(), campaigns[column].to_pylist(), strict=True))


def _nonzero(campaigns: pa.Table, column: str) -> dict[str, int]:
    return {name: number for name, number in _by_campaign(campaigns, column).items() if number}
