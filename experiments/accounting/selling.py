"""Where the money went, and who bid what for whom: the tables of the sellers, of the buyers, and of the auditor.

Money in nanos. Fees are whole nanos, rounded down on the sum of one buyer's purchases from one seller in one way; the
seller has what is left, so that nothing is lost on the way.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from exchange_sim.selling.rules import GUARANTEED, WAY_GUARANTEED, WAY_NETWORK, WAYS
from exchange_sim.selling.terms import still_owed
from experiments.accounting.sales import PARTS, THEY, Sold, sales
from experiments.compile.selling import bulk_nanos, offered_slots, seller_names
from experiments.ledger import (
    LOST_BID_NANOS,
    LOST_SHORT_NANOS,
    SLOT_RESOLD,
    Ledger,
)
from experiments.results.conservation import HOPS, LOSSES
from experiments.results.tables import Codes
from experiments.scenario.selling import Fees
from experiments.setting import Setting

Columns = dict[str, Any]
RIVALS = "rivals"
BULK = "bulk"


class Split(NamedTuple):
    """One sum of money on its way; `advertiser` is all the others together."""

    advertiser: int
    trading_desk: int = 0
    dsp: int = 0
    exchange: int = 0
    ssp: int = 0
    network: int = 0
    publisher: int = 0
    refund: int = 0


def part_of(nanos: int, share: float) -> int:
    """A share of a sum, rounded down to a nano; shares are exact to a billionth."""
    return nanos * round(share * PARTS) // PARTS


def split(paid: int, fees: Fees, *, ours: bool, resold: bool, kept: int | None = None) -> Split:
    """What becomes of *paid*, the sum of prices: rivals' fees on their own side are their affair.

    *kept*: what the exchange has kept of it, where it takes its fee impression by impression.
    """
    desk, dsp = (part_of(paid, fees.trading_desk), part_of(paid, fees.dsp)) if ours else (0, 0)
    exchange = part_of(paid, fees.exchange) if kept is None else kept
    ssp = part_of(paid - exchange, fees.ssp)
    left = paid - exchange - ssp
    return Split(paid + desk + dsp, desk, dsp, exchange, ssp, left if resold else 0, 0 if resold else left)


def kept_and_refunded(sold: Sold, fees: Fees, *, ours: bool, resold: bool) -> Split:
    """What becomes of what was paid, of which some goes back all the way: everybody returns their part of it."""
    kept = split(sold.paid - sold.refunded, fees, ours=ours, resold=resold, kept=sold.kept)
    back = split(sold.refunded, fees, ours=ours, resold=resold).advertiser
    return kept._replace(advertiser=kept.advertiser + back, refund=back)


Row = tuple[str, str, str, str, int, Split]
"""Buyer, seller, way, exchange, impressions, money."""


def money(setting: Setting, ledger: Ledger) -> Columns:
    """One row per buyer, seller, way and exchange: every euro from advertiser to publisher."""
    scenario, names = setting.scenario, seller_names(setting.scenario)
    exchanges = ["", *scenario.exchanges]
    rows: list[Row] = []
    for (buyer_ix, seller_ix, way, exchange_ix), sold in sorted(by_exchange(setting, ledger).items(), key=_order):
        ours = buyer_ix != THEY
        told = kept_and_refunded(sold, scenario.fees, ours=ours, resold=way == WAY_NETWORK)
        buyer = setting.plans[buyer_ix].campaign_id if ours else RIVALS
        rows.append((buyer, names[seller_ix], WAYS[way], exchanges[exchange_ix], sold.impressions, told))
    rows += _bulk(setting, ledger)
    rows += _refunds(setting)
    columns: Columns = {
        "buyer_id": [row[0] for row in rows],
        "seller_id": [row[1] for row in rows],
        "way": [row[2] for row in rows],
        "exchange_id": [row[3] for row in rows],
        "impressions": np.array([row[4] for row in rows], np.int64),
    }
    for k, name in enumerate(Split._fields):
        columns[f"{name}_nanos"] = np.array([row[5][k] for row in rows], np.int64)
    return columns


Bought = tuple[int, int, int, int]
"""Campaign (or THEY), seller, way, exchange (0: the scenario's own)."""


def by_exchange(setting: Setting, ledger: Ledger) -> dict[Bought, Sold]:
    """What was sold, over the slots of a seller in an exchange: fees are taken of these sums."""
    found: dict[Bought, Sold] = {}
    place = places(setting)
    for (buyer_ix, slot_ix, way), sold in sales(setting, ledger).items():
        seller_ix, exchange_ix = place[slot_ix]
        at = buyer_ix, seller_ix, way, exchange_ix
        found[at] = found[at].and_also(sold) if at in found else sold
    return found


def places(setting: Setting) -> list[tuple[int, int]]:
    """(seller, exchange) of each slot; exchange 0: the scenario's own."""
    exchanges, sellers = ["", *setting.scenario.exchanges], setting.world.slots["publisher_ix"].tolist()
    offers = offered_slots(setting.scenario)
    return [(sellers[s], exchanges.index(offered.exchange)) for s, offered in enumerate(offers)]


def _order(told: tuple[Bought, Sold]) -> tuple[bool, Bought]:
    """The rivals come after the campaigns."""
    return told[0][0] == THEY, told[0]


def _bulk(setting: Setting, ledger: Ledger) -> list[Row]:
    """What networks paid publishers, resold or not."""
    names, prices = seller_names(setting.scenario), bulk_nanos(setting.scenario)
    handed: dict[tuple[int, int], tuple[int, int]] = defaultdict(lambda: (0, 0))
    for s, row in enumerate(setting.world.slots):
        count = int(ledger.tallies.slots[s, SLOT_RESOLD])
        if count:
            network_ix = int(setting.world.slots["publisher_ix"][row["network_slot_ix"]])
            before = handed[network_ix, int(row["publisher_ix"])]
            handed[network_ix, int(row["publisher_ix"])] = before[0] + count, before[1] + count * int(prices[s])
    return [
        (names[network_ix], names[publisher_ix], BULK, "", count, Split(0, network=-paid, publisher=paid))
        for (network_ix, publisher_ix), (count, paid) in sorted(handed.items())
    ]


def _refunds(setting: Setting) -> list[Row]:
    """Of prepaid guaranteed deals: what was paid for impressions that never came, and is given back."""
    rows: list[Row] = []
    for d, (name, deal) in enumerate(setting.scenario.deals.items()):
        payer = next((plan.campaign_id for plan in setting.plans if name in plan.target.deals), None)
        missing = (deal.impressions or 0) - int(setting.world.selling.delivered[d])
        if deal.kind == "guaranteed" and deal.prepaid and payer is not None and missing > 0:
            owed = missing * int(setting.world.selling.deals["price_nanos"][d])
            rows.append((payer, deal.publisher or "", WAYS[WAY_GUARANTEED], "", 0, Split(owed, refund=owed)))
    return rows


def bids(setting: Setting, ledger: Ledger, *, masked: bool) -> Columns:
    """One row per campaign and seller it bid for; *masked*: by the names buyers know, else by the sellers' own."""
    names = setting.directory.publishers if masked else seller_names(setting.scenario)
    lost, (won, paid, bid) = ledger.tallies.lost, _won(setting, ledger)
    count = lost[:, :, : len(LOSSES)].sum(axis=2) + won
    campaign_ix, seller_ix = np.nonzero(count)
    at = campaign_ix, seller_ix
    columns: Columns = {
        "campaign_id": Codes(campaign_ix, [plan.campaign_id for plan in setting.plans]),
        "publisher_id" if masked else "seller_id": Codes(seller_ix, names),
    }
    if not masked:
        columns["advertiser_id"] = [setting.plans[c].product or "" for c in campaign_ix]
    columns |= {
        "bids": count[at],
        "bid_nanos": (lost[:, :, LOST_BID_NANOS] + bid)[at],
        "won": won[at],
        "paid_nanos": paid[at],
        "short_nanos": lost[:, :, LOST_SHORT_NANOS][at],
    }
    columns |= {name: lost[:, :, k][at] for k, name in enumerate(LOSSES)}
    return columns | {name: taken[at] for name, taken in _taken(setting, ledger).items()} if masked else columns


def _taken(setting: Setting, ledger: Ledger) -> dict[str, NDArray[np.int64]]:
    """int64[C, P] by hop: what it has of what each campaign paid each seller; and what was given back."""
    told = {name: np.zeros(ledger.tallies.lost.shape[:2], np.int64) for name in HOPS}
    for (buyer_ix, seller_ix, way, _), sold in by_exchange(setting, ledger).items():
        if buyer_ix != THEY:
            kept = kept_and_refunded(sold, setting.scenario.fees, ours=True, resold=way == WAY_NETWORK)
            parts = kept.trading_desk, kept.dsp, kept.exchange, kept.ssp, kept.publisher + kept.network, kept.refund
            for name, nanos in zip(HOPS, parts, strict=True):
                told[name][buyer_ix, seller_ix] += nanos
    return told


def _won(setting: Setting, ledger: Ledger) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """int64[C, P] each: bids won by campaign and seller, what they cost, what had been bid."""
    shown, shape = ledger.exposures, ledger.tallies.lost.shape[:2]
    at = shown["campaign_ix"], setting.world.slots["publisher_ix"][shown["slot_ix"]]
    won, paid, bid = (np.zeros(shape, np.int64) for _ in range(3))
    np.add.at(won, at, 1)
    np.add.at(paid, at, shown["price_nanos"])
    np.add.at(bid, at, shown["bid_nanos"])
    return won, paid, bid


def deals(setting: Setting, ledger: Ledger) -> Columns:
    """One row per deal: what it owes, what was delivered, and what of that came late."""
    rows = setting.scenario.deals
    return {
        "deal_id": list(rows),
        "kind": [deal.kind for deal in rows.values()],
        "price_nanos": setting.world.selling.deals["price_nanos"][: len(rows)].astype(np.int64),
        "owed": np.array([deal.impressions or 0 for deal in rows.values()], np.int64),
        "delivered": setting.world.selling.delivered[: len(rows)].copy(),
        "made_good": made_good(setting, ledger)[: len(rows)],
    }


def made_good(setting: Setting, ledger: Ledger) -> NDArray[np.int64]:
    """int64[D]: impressions that guaranteed deals delivered after they were due.

    Where several are on one slot, each impression is the first one's that wanted it then, as requests carry it.
    """
    terms, slots = setting.world.selling.deals, setting.world.slots
    shown = ledger.exposures[ledger.exposures["way"] == WAY_GUARANTEED]
    late, had = np.zeros(len(terms), np.int64), np.zeros(len(terms), np.int64)
    if not len(shown):
        return late
    listed = setting.world.selling.slot_deals
    on = [
        [int(d) for d in listed[first : first + count] if terms["kind"][d] == GUARANTEED]
        for first, count in zip(slots["deals_first"].tolist(), slots["deals_count"].tolist(), strict=True)
    ]
    slot_ix, time_s = shown["slot_ix"], shown["time_s"]
    if max(map(len, on)) == 1:
        deal_ix = np.array([here[0] if here else -1 for here in on])[slot_ix]
        np.add.at(late, deal_ix[time_s >= terms["end_s"][deal_ix]], 1)
        return late
    for k in np.argsort(time_s, kind="stable").tolist():
        now_s = float(time_s[k])
        for d in on[int(slot_ix[k])]:
            if still_owed(terms, had, d, now_s):
                had[d] += 1
                late[d] += now_s >= terms["end_s"][d]
                break
    return late
