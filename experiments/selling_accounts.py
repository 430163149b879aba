"""Where the money went, and who bid what for whom: the tables of the sellers, of the buyers, and of the auditor.

Money in nanos. Fees are whole nanos, rounded down on the sum of one buyer's purchases from one seller in one way; the
seller has what is left, so that nothing is lost on the way.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from exchange_sim.selling.rules import WAY_GUARANTEED, WAY_NETWORK, WAY_OPEN, WAY_PRIVATE, WAYS
from exchange_sim.verification.rules import OPEN_PAID, PRIVATE_PAID
from experiments.compile_selling import bulk_nanos, seller_names
from experiments.ledger import (
    LOST_BID_NANOS,
    LOST_SHORT_NANOS,
    SALE_COUNT,
    SALE_PAID,
    SLOT_RESOLD,
    SLOT_REVENUE,
    SLOT_SOLD,
    Ledger,
)
from experiments.results.tables import Codes
from experiments.scenario.selling import Fees
from experiments.setting import Setting
from experiments.verification_accounts import invalid_counts, seen

Columns = dict[str, Any]
RIVALS = "rivals"
BULK = "bulk"
PARTS = 1_000_000_000
LOSSES = ("lost_to_higher_bid", "lost_below_floor", "lost_to_deal", "lost_refused", "lost_stopped")
"""In the order of `exchange_sim.selling.rules`."""


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


def split(paid: int, fees: Fees, *, ours: bool, resold: bool) -> Split:
    """What becomes of *paid*, the sum of prices: rivals' fees on their own side are their affair."""
    desk, dsp = (part_of(paid, fees.trading_desk), part_of(paid, fees.dsp)) if ours else (0, 0)
    exchange = part_of(paid, fees.exchange)
    ssp = part_of(paid - exchange, fees.ssp)
    left = paid - exchange - ssp
    return Split(paid + desk + dsp, desk, dsp, exchange, ssp, left if resold else 0, 0 if resold else left)


def kept_and_refunded(paid: int, refunded: int, fees: Fees, *, ours: bool, resold: bool) -> Split:
    """What becomes of *paid* of which *refunded* goes back all the way: everybody returns their part of it."""
    kept = split(paid - refunded, fees, ours=ours, resold=resold)
    back = split(refunded, fees, ours=ours, resold=resold).advertiser
    return kept._replace(advertiser=kept.advertiser + back, refund=back)


def money(setting: Setting, ledger: Ledger) -> Columns:
    """One row per buyer, seller and way: every euro from advertiser to publisher."""
    scenario, names = setting.scenario, seller_names(setting.scenario)
    rows: list[tuple[str, str, str, int, Split]] = []
    for (campaign_ix, seller_ix, way), (count, paid, back) in sorted(_bought(setting, ledger).items()):
        told = kept_and_refunded(paid, back, scenario.fees, ours=True, resold=way == WAY_NETWORK)
        rows.append((setting.plans[campaign_ix].campaign_id, names[seller_ix], WAYS[way], count, told))
    for (seller_ix, way), (count, paid, back) in sorted(_bought_by_rivals(setting, ledger).items()):
        told = kept_and_refunded(paid, back, scenario.fees, ours=False, resold=way == WAY_NETWORK)
        rows.append((RIVALS, names[seller_ix], WAYS[way], count, told))
    rows += _bulk(setting, ledger)
    rows += _refunds(setting)
    columns: Columns = {
        "buyer_id": [row[0] for row in rows],
        "seller_id": [row[1] for row in rows],
        "way": [row[2] for row in rows],
        "impressions": np.array([row[3] for row in rows], np.int64),
    }
    for k, name in enumerate(Split._fields):
        columns[f"{name}_nanos"] = np.array([row[4][k] for row in rows], np.int64)
    return columns


def _bought(setting: Setting, ledger: Ledger) -> dict[tuple[int, int, int], tuple[int, int, int]]:
    """(impressions, paid, of that refunded) of the campaigns by (campaign, seller, way)."""
    shown, sellers = ledger.exposures, len(seller_names(setting.scenario))
    seller_ix = setting.world.slots["publisher_ix"][shown["slot_ix"]].astype(np.int64)
    way = np.where(seller_ix >= len(setting.scenario.publishers), WAY_NETWORK, shown["way"])
    cell = (shown["campaign_ix"] * sellers + seller_ix) * len(WAYS) + way
    cells, index, counts = np.unique(cell, return_inverse=True, return_counts=True)
    paid, refunded = np.zeros(len(cells), np.int64), np.zeros(len(cells), np.int64)
    np.add.at(paid, index, shown["price_nanos"])
    found = seen(setting, ledger).found
    np.add.at(refunded, index[found], shown["price_nanos"][found])
    where = zip(cells // len(WAYS) // sellers, cells // len(WAYS) % sellers, cells % len(WAYS), strict=True)
    sums = zip(counts.tolist(), paid.tolist(), refunded.tolist(), strict=True)
    return {(int(c), int(p), int(way)): told for (c, p, way), told in zip(where, sums, strict=True)}


def _bought_by_rivals(setting: Setting, ledger: Ledger) -> dict[tuple[int, int], tuple[int, int, int]]:
    """(impressions, paid, of that refunded) of the rivals by (seller, way): all that was sold, less what is ours."""
    slots, shown, own = setting.world.slots, ledger.exposures, len(setting.scenario.publishers)
    count, paid = ledger.tallies.slots[:, SLOT_SOLD].copy(), ledger.tallies.slots[:, SLOT_REVENUE].copy()
    np.subtract.at(count, shown["slot_ix"], 1)
    np.subtract.at(paid, shown["slot_ix"], shown["price_nanos"])
    back = invalid_counts(setting, ledger)
    found: dict[tuple[int, int], tuple[int, int, int]] = defaultdict(lambda: (0, 0, 0))
    for s, invited in enumerate(ledger.tallies.invited):
        seller_ix = int(slots["publisher_ix"][s])
        private = int(invited[SALE_COUNT]), int(invited[SALE_PAID]), int(back[s, PRIVATE_PAID])
        openly = int(count[s]) - private[0], int(paid[s]) - private[1], int(back[s, OPEN_PAID])
        other = WAY_NETWORK if seller_ix >= own else WAY_OPEN
        for way, (n, nanos, refunded) in ((WAY_PRIVATE, private), (other, openly)):
            if n:
                before = found[seller_ix, way]
                found[seller_ix, way] = before[0] + n, before[1] + nanos, before[2] + refunded
    return dict(found)


def _bulk(setting: Setting, ledger: Ledger) -> list[tuple[str, str, str, int, Split]]:
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
        (names[network_ix], names[publisher_ix], BULK, count, Split(0, network=-paid, publisher=paid))
        for (network_ix, publisher_ix), (count, paid) in sorted(handed.items())
    ]


def _refunds(setting: Setting) -> list[tuple[str, str, str, int, Split]]:
    """Of prepaid guaranteed deals: what was paid for impressions that never came, and is given back."""
    rows = []
    for d, (name, deal) in enumerate(setting.scenario.deals.items()):
        payer = next((plan.campaign_id for plan in setting.plans if name in plan.target.deals), None)
        missing = (deal.impressions or 0) - int(setting.world.selling.delivered[d])
        if deal.kind == "guaranteed" and deal.prepaid and payer is not None and missing > 0:
            owed = missing * int(setting.world.selling.deals["price_nanos"][d])
            rows.append((payer, deal.publisher, WAYS[WAY_GUARANTEED], 0, Split(owed, refund=owed)))
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
    return columns | {name: lost[:, :, k][at] for k, name in enumerate(LOSSES)}


def _won(setting: Setting, ledger: Ledger) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """int64[C, P] each: bids won by campaign and seller, what they cost, what had been bid."""
    shown, shape = ledger.exposures, ledger.tallies.lost.shape[:2]
    at = shown["campaign_ix"], setting.world.slots["publisher_ix"][shown["slot_ix"]]
    won, paid, bid = (np.zeros(shape, np.int64) for _ in range(3))
    np.add.at(won, at, 1)
    np.add.at(paid, at, shown["price_nanos"])
    np.add.at(bid, at, shown["bid_nanos"])
    return won, paid, bid


def deals(setting: Setting) -> Columns:
    """One row per deal: what it owes and what was delivered."""
    rows = setting.scenario.deals
    return {
        "deal_id": list(rows),
        "kind": [deal.kind for deal in rows.values()],
        "price_nanos": setting.world.selling.deals["price_nanos"][: len(rows)].astype(np.int64),
        "owed": np.array([deal.impressions or 0 for deal in rows.values()], np.int64),
        "delivered": setting.world.selling.delivered[: len(rows)].copy(),
    }
