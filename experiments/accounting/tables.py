"""From a ledger to a run's tidy tables: what was bought, what came of it, and what it was truly worth."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bidder.core.book import Book
from bidder.core.codes import BID, FORMATS, GOAL_PRIVATE, GOALS, NOT_TARGETED, REASONS
from exchange_sim.selling.rules import WAYS
from exchange_sim.world import DEVICES
from experiments.accounting.seller_yield import seller_yield
from experiments.accounting.selling import bids, deals, money
from experiments.accounting.verification import safety, seller_traffic
from experiments.audience.exposed import Exposed, exposed, page_views
from experiments.ledger import (
    PRICE_BIDS,
    PRICE_BINS,
    PRICE_MARKET,
    PRICE_WINS,
    RESULT_OUTBID,
    RESULT_TIMED_OUT,
    RESULT_WON,
    SLOT_CLASHES,
    SLOT_REQUESTS,
    SLOT_REVENUE,
    SLOT_SOLD,
    Ledger,
    price_bin_edges_cpm,
)
from experiments.results.dictionary import FATES
from experiments.results.tables import Codes
from experiments.setting import Setting

MOST_FREQUENCY = 20
"""The last row of a reach distribution holds this frequency and all above."""

Columns = dict[str, Any]


def account(setting: Setting, ledger: Ledger, book: Book) -> dict[str, Columns]:
    """Columns of every table of the data dictionary."""
    names = [plan.campaign_id for plan in setting.plans]
    more = exposed(setting, ledger)
    return {
        "exposures": _exposures(setting, ledger, names, more),
        "conversions": _conversions(setting, ledger, names),
        "delivery": _delivery(setting, ledger, names),
        "fates": _fates(ledger),
        "reasons": _reasons(ledger, names),
        "landscape": _landscape(setting, ledger),
        "reach": _reach(people_only(setting, ledger), names),
        "slots": _slots(setting, ledger),
        "data_costs": _data_costs(more, names),
        "campaigns": campaign_columns(setting, ledger, book, names, more),
        "bids": bids(setting, ledger, masked=True),
        "deals": deals(setting, ledger),
        "money": money(setting, ledger),
        "seller_bids": bids(setting, ledger, masked=False),
        "safety": safety(setting, ledger, masked=True),
        "seller_safety": safety(setting, ledger, masked=False),
        "seller_yield": seller_yield(setting, ledger),
        "seller_traffic": seller_traffic(setting, ledger),
    }


def _sum_by(groups: NDArray[Any], values: NDArray[Any], count: int) -> NDArray[np.int64]:
    """Exact integer sums of *values* per group 0..count-1."""
    sums = np.zeros(count, np.int64)
    np.add.at(sums, groups, values.astype(np.int64))
    return sums


def _distinct(ids: NDArray[np.int64]) -> int:
    """How many different ids from 0 on: marking them is far quicker than sorting or hashing."""
    seen = np.zeros(int(ids.max()) + 1 if len(ids) else 0, np.bool_)
    seen[ids] = True
    return int(np.count_nonzero(seen))


def _exposures(setting: Setting, ledger: Ledger, names: list[str], more: Exposed) -> Columns:
    rows, slots = ledger.exposures, setting.world.slots
    slot_ix = rows["slot_ix"]
    return {
        "auction_ix": rows["auction_ix"],
        "page_view": page_views(setting, ledger),
        "time_s": rows["time_s"],
        "campaign_id": Codes(rows["campaign_ix"], names),
        "publisher_id": Codes(slots["publisher_ix"][slot_ix], setting.directory.publishers),
        "slot_id": Codes(slot_ix, setting.directory.slots),
        "way": Codes(rows["way"].astype(np.int32), WAYS),
        "format": Codes(slots["format_ix"][slot_ix], FORMATS),
        "device": Codes(rows["device_ix"].astype(np.int32), DEVICES),
        "person_ix": rows["person_ix"],
        "consent": rows["consent"] == 1,
        "bid_nanos": rows["bid_nanos"],
        "price_nanos": rows["price_nanos"],
        "data_nanos": more.data_nanos,
        "worth_nanos": rows["worth_nanos"],
        "clicked": rows["clicked"] == 1,
        "billed": rows["billed"] == 1,
    }


def _conversions(setting: Setting, ledger: Ledger, names: list[str]) -> Columns:
    rows = ledger.purchases
    return {
        "time_s": rows["time_s"],
        "product_id": Codes(rows["product_ix"], setting.directory.products),
        "person_ix": rows["person_ix"],
        "value_nanos": rows["value_nanos"],
        "attributed_campaign_id": Codes(rows["attributed_ix"], names),
        "truth_caused": rows["caused_by_ix"] >= 0,
        "truth_campaign_id": Codes(rows["caused_by_ix"], names),
        "truth_auction_ix": rows["auction_ix"],
    }


def _delivery(setting: Setting, ledger: Ledger, names: list[str]) -> Columns:
    hours, count = len(ledger.tallies.fates), len(names)
    rows = ledger.exposures
    cell = (rows["time_s"] // 3600.0).astype(np.int64) * count + rows["campaign_ix"]
    return {
        "hour": np.repeat(np.arange(hours), count),
        "campaign_id": Codes(np.tile(np.arange(count), hours), names),
        "impressions": np.bincount(cell, minlength=hours * count),
        "clicks": _sum_by(cell, rows["clicked"], hours * count),
        "spend_nanos": _sum_by(cell, rows["price_nanos"], hours * count),
        "planned_spend_nanos": _planned(setting, hours).ravel(),
    }


def _planned(setting: Setting, hours: int) -> NDArray[np.int64]:
    """int64[hours, C]: each campaign's straight line from start to end, cut into hours."""
    edges_s = np.minimum(np.arange(hours + 1) * 3600.0, setting.end_s)
    planned = np.zeros((hours + 1, len(setting.plans)), np.int64)
    for c, plan in enumerate(setting.plans):
        elapsed = np.clip((edges_s - plan.start_s) / (plan.end_s - plan.start_s), 0.0, 1.0)
        planned[:, c] = np.floor(elapsed * plan.total_nanos).astype(np.int64)
    return np.diff(planned, axis=0)


def _fates(ledger: Ledger) -> Columns:
    hours = len(ledger.tallies.fates)
    return {
        "hour": np.repeat(np.arange(hours), len(FATES)),
        "fate": Codes(np.tile(np.arange(len(FATES)), hours), FATES),
        "requests": ledger.tallies.fates.ravel(),
    }


def _reasons(ledger: Ledger, names: list[str]) -> Columns:
    """Every campaign's reasons, adding up to the requests seen: who was not visited was not targeted."""
    kinds = (*REASONS[:BID], "timed_out", "outbid", "won")
    results = ledger.tallies.results[:, [RESULT_TIMED_OUT, RESULT_OUTBID, RESULT_WON]]
    counts = np.concatenate([ledger.tallies.reasons[:, :BID], results], axis=1)
    counts[:, NOT_TARGETED] += ledger.tallies.fates.sum() - counts.sum(axis=1)
    return {
        "campaign_id": Codes(np.repeat(np.arange(len(names)), len(kinds)), names),
        "reason": Codes(np.tile(np.arange(len(kinds)), len(names)), kinds),
        "requests": counts.ravel(),
    }


def _landscape(setting: Setting, ledger: Ledger) -> Columns:
    publishers = setting.directory.publishers
    edges = price_bin_edges_cpm()
    prices = ledger.tallies.prices.reshape(-1, 3)
    return {
        "publisher_id": Codes(np.repeat(np.arange(len(publishers)), PRICE_BINS), publishers),
        "price_low_cpm": np.tile(edges[:-1], len(publishers)),
        "price_high_cpm": np.tile(edges[1:], len(publishers)),
        "bids": prices[:, PRICE_BIDS],
        "wins": prices[:, PRICE_WINS],
        "truth_market": prices[:, PRICE_MARKET],
    }


def _frequencies(persons: NDArray[np.int64]) -> NDArray[np.int64]:
    """int64[MOST_FREQUENCY]: people seen once, twice, ..., MOST_FREQUENCY or more times."""
    times = np.unique(persons, return_counts=True)[1]
    return np.bincount(np.minimum(times, MOST_FREQUENCY), minlength=MOST_FREQUENCY + 1)[1:]


def people_only(setting: Setting, ledger: Ledger) -> NDArray[np.void]:
    """The exposures that people saw, without those of bots."""
    shown = ledger.exposures
    return shown[shown["person_ix"] < setting.world.people_count] if len(setting.world.verification.bots) else shown


def _reach(rows: NDArray[np.void], names: list[str]) -> Columns:
    groups = [rows["person_ix"]] + [rows["person_ix"][rows["campaign_ix"] == c] for c in range(len(names))]
    return {
        "campaign_id": Codes(np.repeat(np.arange(len(groups)), MOST_FREQUENCY), ["*", *names]),
        "frequency": np.tile(np.arange(1, MOST_FREQUENCY + 1), len(groups)),
        "truth_persons": np.concatenate([_frequencies(group) for group in groups]),
    }


def _slots(setting: Setting, ledger: Ledger) -> Columns:
    slots, rows = setting.world.slots, ledger.exposures
    count = len(slots)
    return {
        "publisher_id": Codes(slots["publisher_ix"], setting.directory.publishers),
        "slot_id": Codes(np.arange(count), setting.directory.slots),
        "format": Codes(slots["format_ix"], FORMATS),
        "requests": ledger.tallies.slots[:, SLOT_REQUESTS],
        "impressions": np.bincount(rows["slot_ix"], minlength=count),
        "spend_nanos": _sum_by(rows["slot_ix"], rows["price_nanos"], count),
        "truth_sold": ledger.tallies.slots[:, SLOT_SOLD],
        "truth_revenue_nanos": ledger.tallies.slots[:, SLOT_REVENUE],
        "truth_clashes": ledger.tallies.slots[:, SLOT_CLASHES],
    }


def _data_costs(more: Exposed, names: list[str]) -> Columns:
    sources = list(dict.fromkeys(source for _, source in more.paid))
    return {
        "campaign_id": Codes(np.array([c for c, _ in more.paid], np.int64), names),
        "source_id": Codes(np.array([sources.index(source) for _, source in more.paid], np.int64), sources),
        "impressions": np.array([impressions for impressions, _ in more.paid.values()], np.int64),
        "data_nanos": np.array([nanos for _, nanos in more.paid.values()], np.int64),
    }


def campaign_columns(setting: Setting, ledger: Ledger, book: Book, names: list[str], more: Exposed) -> Columns:
    """Columns of the table of campaigns; *names* are their ids in the order of the plans."""
    shown, bought, count = ledger.exposures, ledger.purchases, len(names)
    by, people = shown["campaign_ix"], people_only(setting, ledger)
    caused = bought[bought["caused_by_ix"] >= 0]
    spend = _sum_by(by, shown["price_nanos"], count)
    data = _sum_by(by, more.data_nanos, count)
    value = _sum_by(caused["caused_by_ix"], caused["value_nanos"], count)
    private = book.campaigns["goal"] == GOAL_PRIVATE
    value[private] = _sum_by(by, shown["worth_nanos"], count)[private]
    products = setting.scenario.products
    margins = [products[plan.product].margin if plan.product else 1.0 for plan in setting.plans]
    return {
        "campaign_id": names,
        "product_id": [plan.product or "" for plan in setting.plans],
        "goal": Codes(book.campaigns["goal"], GOALS),
        "budget_nanos": book.campaigns["total_nanos"],
        "spend_nanos": spend,
        "billed_nanos": book.campaigns["spent_nanos"],
        "data_nanos": data,
        "bids": ledger.tallies.results.sum(axis=1),
        "impressions": np.bincount(by, minlength=count),
        "clicks": _sum_by(by, shown["clicked"], count),
        "attributed_conversions": book.campaigns["conversions"],
        "attributed_value_nanos": book.campaigns["conversion_nanos"],
        "counted_reach": [_distinct(more.buyer_ix[(by == c) & (more.buyer_ix >= 0)]) for c in range(count)],
        "truth_over_cap": _sum_by(by, more.over_cap, count),
        "truth_reach": [_distinct(people["person_ix"][people["campaign_ix"] == c]) for c in range(count)],
        "truth_conversions": np.bincount(caused["caused_by_ix"], minlength=count),
        "truth_value_nanos": value,
        "margin": margins,
        "truth_romi": [_romi(int(value[c]), margins[c], int(spend[c] + data[c])) for c in range(count)],
    }


def _romi(value_nanos: int, margin: float, spend_nanos: int) -> float | None:
    """Return on marketing investment: (value * margin - spend) / spend, media and data; None when nothing was spent."""
    return (value_nanos * margin - spend_nanos) / spend_nanos if spend_nanos else None
