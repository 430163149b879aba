"""Accounts of a run: what each campaign, format, publisher, place, device and segment cost and brought, and a
profit-and-loss by customer portfolio. Truth is told by labels: each caused purchase belongs to the exposure that caused
it. Sums in int64 nanos, exact: every dimension but segments, which overlap, adds up to the run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bidder.core.codes import FORMATS
from exchange_sim.world import DEVICES
from experiments.audience.exposed import exposed
from experiments.ledger import Ledger
from experiments.setting import Setting
from experiments.sweep.groups import margin_of, tiers_of

Numbers = NDArray[np.int64]


def accounts_of(setting: Setting, ledger: Ledger) -> list[dict[str, Any]]:
    """Rows of the table `accounts`."""
    more, shown = exposed(setting, ledger), ledger.exposures
    cost = shown["price_nanos"] + more.data_nanos
    caused, credited = _labels(setting, ledger), _last_touches(setting, ledger)
    margins = np.array([margin_of(setting, c) for c in range(len(setting.plans))])
    slots = setting.world.slots
    campaigns = [plan.campaign_id for plan in setting.plans]
    groups: list[tuple[str, Sequence[str], NDArray[Any]]] = [
        ("all", ["all"], np.zeros(len(shown), np.int64)),
        ("campaign", campaigns, shown["campaign_ix"]),
        ("format", FORMATS, slots["format_ix"][shown["slot_ix"]]),
        ("publisher", setting.directory.publishers, slots["publisher_ix"][shown["slot_ix"]]),
        ("place", setting.directory.places, setting.world.homes["place_ix"][shown["person_ix"]]),
        ("device", DEVICES, shown["device_ix"]),
    ]
    rows = []
    for dimension, names, code in groups:
        for k, name in enumerate(names):
            row = _account(dimension, name, code == k, shown, cost, caused, credited, margins)
            if row["impressions"]:
                rows.append(row)
    for j, name in enumerate(setting.audience.segments):
        word, bit = divmod(j, 64)
        bits = setting.audience.rows[np.maximum(more.buyer_ix, 0), word] >> np.uint64(bit)
        inside = (more.buyer_ix >= 0) & ((bits & np.uint64(1)) == 1)
        row = _account("segment", name, inside, shown, cost, caused, credited, margins)
        if row["impressions"]:
            rows.append(row)
    return rows


def _account(
    dimension: str,
    name: str,
    mine: NDArray[np.bool_],
    shown: NDArray[np.void],
    cost: Numbers,
    caused: tuple[Numbers, Numbers],
    credited: tuple[Numbers, Numbers],
    margins: NDArray[np.float64],
) -> dict[str, Any]:
    at = np.flatnonzero(mine)
    spend, value = int(cost[at].sum()), int(caused[1][at].sum())
    conversions, claimed = int(caused[0][at].sum()), int(credited[0][at].sum())
    reach = len(np.unique(shown["person_ix"][at]))
    profit = float(np.sum(caused[1][at] * margins[shown["campaign_ix"][at]])) - spend
    return {
        "dimension": dimension,
        "name": name,
        "impressions": len(at),
        "spend_nanos": spend,
        "clicks": int(shown["clicked"][at].astype(np.int64).sum()),
        "credited_conversions": claimed,
        "credited_value_nanos": int(credited[1][at].sum()),
        "truth_conversions": conversions,
        "truth_value_nanos": value,
        "truth_reach": reach,
        "frequency": len(at) / reach if reach else None,
        "cpa": spend / claimed / 1e9 if claimed else None,
        "credited_roas": float(credited[1][at].sum()) / spend if spend else None,
        "truth_iroas": value / spend if spend else None,
        "truth_romi": profit / spend if spend else None,
    }


def _labels(setting: Setting, ledger: Ledger) -> tuple[Numbers, Numbers]:
    """Per exposure: purchases it caused, and their value. Private values are worth what was won."""
    shown = ledger.exposures
    counts, value = np.zeros(len(shown), np.int64), np.zeros(len(shown), np.int64)
    bought = ledger.purchases[ledger.purchases["caused_by_ix"] >= 0]
    order = np.argsort(shown["auction_ix"], kind="stable")
    at = order[np.searchsorted(shown["auction_ix"][order], bought["auction_ix"])] if len(bought) else np.zeros(0, int)
    np.add.at(counts, at, 1)
    np.add.at(value, at, bought["value_nanos"])
    private = np.array([plan.goal == "private" for plan in setting.plans])[shown["campaign_ix"]]
    return counts, np.where(private, shown["worth_nanos"], value)


def _last_touches(setting: Setting, ledger: Ledger) -> tuple[Numbers, Numbers]:
    """Per exposure: purchases the bidder's last-touch rule credits to it, and their value."""
    shown = ledger.exposures
    counts, value = np.zeros(len(shown), np.int64), np.zeros(len(shown), np.int64)
    order = np.lexsort((shown["time_s"], shown["person_ix"], shown["campaign_ix"]))
    key = shown["campaign_ix"][order].astype(np.int64) * len(setting.world.homes) + shown["person_ix"][order]
    for row in ledger.purchases[ledger.purchases["attributed_ix"] >= 0]:
        wanted = int(row["attributed_ix"]) * len(setting.world.homes) + int(row["person_ix"])
        first, end = np.searchsorted(key, [wanted, wanted + 1])
        before = int(np.searchsorted(shown["time_s"][order[first:end]], row["time_s"], "right"))
        if before:
            at = order[first + before - 1]
            counts[at] += 1
            value[at] += row["value_nanos"]
    return counts, value


def customers_of(setting: Setting, ledger: Ledger) -> list[dict[str, Any]]:
    """Rows of the table `customers`: per product and value tier what customers bought, cost and earned."""
    rows = []
    cost = ledger.exposures["price_nanos"] + exposed(setting, ledger).data_nanos
    about = setting.world.campaign_products[ledger.exposures["campaign_ix"]]
    for g, (product_id, product) in enumerate(setting.scenario.products.items()):
        bought = ledger.purchases[ledger.purchases["product_ix"] == g]
        seen = about == g
        for name, tier in tiers_of(setting, g).items():
            theirs = bought[tier[bought["person_ix"]]]
            caused = theirs[theirs["caused_by_ix"] >= 0]
            total, added = int(theirs["value_nanos"].sum()), int(caused["value_nanos"].sum())
            spend = int(cost[seen & tier[ledger.exposures["person_ix"]]].sum())
            rows.append(
                {
                    "product_id": product_id,
                    "customer_group": name,
                    "truth_persons": int(tier.sum()),
                    "purchases": len(theirs),
                    "value_nanos": total,
                    "truth_conversions": len(caused),
                    "truth_value_nanos": added,
                    "spend_nanos": spend,
                    "margin": product.margin,
                    "profit": (total * product.margin - spend) / 1e9,
                    "truth_incremental_profit": (added * product.margin - spend) / 1e9,
                    "truth_romi": (added * product.margin - spend) / spend if spend else None,
                }
            )
    return rows
