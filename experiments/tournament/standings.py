"""A finished tournament as tidy tables: one row per agent, and one per agent and hour. Money in int64 nanos."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from bidder.core.codes import PACES
from experiments.ledger import RESULT_OUTBID, RESULT_WON
from experiments.setting import Setting
from experiments.tournament.run import Tournament, seat_names

LARGEST = 2.0**62
"""Sums beyond what fits an int64 are told as this."""

MEANINGS = {
    "agent": "campaign that bids for itself",
    "seat": "seat it bids for; campaigns of one seat send only the highest of their bids",
    "rule": "how it turns worth into a bid; own: its strategy's file and function",
    "pacing": "how it spreads its budget",
    "budget_nanos": "total budget",
    "spend_nanos": "what it paid",
    "bids": "bids it sent into auctions",
    "impressions": "auctions it won",
    "worth_nanos": "what the impressions it bought were worth to it when it bid: its value",
    "conversions": "purchases credited to it by last touch",
    "cpa_nanos": "spend / conversions; empty without any",
    "roi": "(worth - spend) / spend; empty without spend",
    "best_multiplier": "the fixed multiple of worth with the highest surplus in hindsight; 0: staying out",
    "best_worth_nanos": "worth it would have bought",
    "best_spend_nanos": "what it would have paid",
    "regret_nanos": "surplus (worth - spend) of that multiple less the agent's own; below 0: the agent did better",
}
"""Every column of `agents` with its meaning."""


def agents_table(setting: Setting, played: Tournament) -> pa.Table:
    """One row per agent, in the scenario's order, columns as in `MEANINGS`."""
    by, count = played.ledger.exposures["campaign_ix"], len(setting.plans)
    spend = _sums(by, played.ledger.exposures["price_nanos"], count)
    worth = _sums(by, played.ledger.exposures["worth_nanos"], count)
    conversions = played.book.campaigns["conversions"]
    results = played.ledger.tallies.results
    multiplier, *best = played.hindsight.best()
    best_worth, best_spend = (np.rint(np.minimum(amount, LARGEST)).astype(np.int64) for amount in best)
    rules = [plan.bid.kind if plan.bid.strategy is None else plan.bid.strategy.name for plan in setting.plans]
    columns = {
        "agent": [plan.campaign_id for plan in setting.plans],
        "seat": seat_names(setting.scenario),
        "rule": rules,
        "pacing": [PACES[pace] for pace in played.book.campaigns["pace"]],
        "budget_nanos": played.book.campaigns["total_nanos"],
        "spend_nanos": spend,
        "bids": results[:, RESULT_WON] + results[:, RESULT_OUTBID],
        "impressions": results[:, RESULT_WON],
        "worth_nanos": worth,
        "conversions": conversions,
        "cpa_nanos": [int(s // c) if c else None for s, c in zip(spend, conversions, strict=True)],
        "roi": [(int(w) - int(s)) / int(s) if s else None for w, s in zip(worth, spend, strict=True)],
        "best_multiplier": multiplier,
        "best_worth_nanos": best_worth,
        "best_spend_nanos": best_spend,
        "regret_nanos": (best_worth - best_spend) - (worth - spend),
    }
    types = {"cpa_nanos": pa.int64(), "roi": pa.float64()}
    return pa.table({name: pa.array(values, types.get(name)) for name, values in columns.items()})


def delivery_table(setting: Setting, played: Tournament) -> pa.Table:
    """One row per hour and agent: impressions, spend and worth bought in it."""
    shown, count, hours = played.ledger.exposures, len(setting.plans), len(played.ledger.tallies.fates)
    cell = (shown["time_s"] // 3600.0).astype(np.int64) * count + shown["campaign_ix"]
    names = pa.array([plan.campaign_id for plan in setting.plans])
    return pa.table(
        {
            "hour": np.repeat(np.arange(hours), count),
            "agent": names.take(pa.array(np.tile(np.arange(count), hours))),
            "impressions": np.bincount(cell, minlength=hours * count),
            "spend_nanos": _sums(cell, shown["price_nanos"], hours * count),
            "worth_nanos": _sums(cell, shown["worth_nanos"], hours * count),
        }
    )


def _sums(groups: NDArray[np.int64], values: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    sums = np.zeros(count, np.int64)
    np.add.at(sums, groups, values)
    return sums
