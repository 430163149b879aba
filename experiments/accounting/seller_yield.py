"""Yield: what each seller's channels brought in each way of sale, after fees. Money in nanos.

Fees are taken of the sum of a buyer's purchases from a seller (`experiments.accounting.selling`); here each slot bears
what they grow by when its sales join those of the slots before it, so that the parts add up to the nano.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from exchange_sim.selling.rules import WAY_NETWORK, WAYS
from experiments.accounting.sales import THEY, Sold, sales
from experiments.accounting.selling import BULK, Bought, kept_and_refunded, places
from experiments.channels import CHANNELS, slot_channels
from experiments.compile.selling import bulk_nanos, offered_slots, seller_names
from experiments.ledger import SLOT_REQUESTS, SLOT_RESOLD, Ledger
from experiments.results.tables import Codes
from experiments.setting import Setting

Columns = dict[str, Any]
Line = tuple[int, int, str, int]
"""Seller, channel, way (or BULK), exchange (0: the scenario's own)."""


def seller_yield(setting: Setting, ledger: Ledger) -> Columns:
    """One row per seller, channel, way and exchange in which something was sold."""
    lines = _sold(setting, ledger)
    for at, (count, paid, has) in _handed(setting, ledger).items():
        lines[at] = np.array([count, paid, has], np.int64)
    asked, names = requests(setting, ledger), seller_names(setting.scenario)
    exchanges = ["", *setting.scenario.exchanges]
    order = sorted(lines, key=lambda at: (at[0], at[1], at[3], [*WAYS, BULK].index(at[2])))
    rows = np.array([lines[at] for at in order], np.int64).reshape(-1, 3)
    return {
        "seller_id": [names[at[0]] for at in order],
        "channel": Codes(np.array([at[1] for at in order], np.int64), CHANNELS),
        "way": [at[2] for at in order],
        "exchange_id": [exchanges[at[3]] for at in order],
        "requests": np.array([asked[at[:2]] for at in order], np.int64),
        "impressions": rows[:, 0],
        "paid_nanos": rows[:, 1],
        "seller_nanos": rows[:, 2],
    }


def requests(setting: Setting, ledger: Ledger) -> dict[tuple[int, int], int]:
    """Impressions each seller had to sell in each channel, by (seller, channel); each once, whoever was asked."""
    channels, place, told = slot_channels(setting.scenario), places(setting), ledger.tallies.slots
    found: dict[tuple[int, int], int] = {}
    for s, offered in enumerate(offered_slots(setting.scenario)):
        at = place[s][0], CHANNELS.index(channels[s])
        again = 0 if offered.exchange else int(told[s, SLOT_REQUESTS] + told[s, SLOT_RESOLD])
        found[at] = found.get(at, 0) + again
    return found


def _sold(setting: Setting, ledger: Ledger) -> dict[Line, Any]:
    """int64[3] each: impressions, what was paid for them and not refunded, what the seller has of it."""
    channels, place = slot_channels(setting.scenario), places(setting)
    so_far: dict[Bought, Sold] = {}
    lines: dict[Line, Any] = {}
    for (buyer_ix, slot_ix, way), sold in sales(setting, ledger).items():
        seller_ix, exchange_ix = place[slot_ix]
        group = buyer_ix, seller_ix, way, exchange_ix
        before = so_far.get(group, Sold(0, 0, 0, None if sold.kept is None else 0))
        so_far[group] = before.and_also(sold)
        has = _has(setting, so_far[group], buyer_ix, way) - _has(setting, before, buyer_ix, way)
        at = seller_ix, CHANNELS.index(channels[slot_ix]), WAYS[way], exchange_ix
        told = np.array([sold.impressions, sold.paid - sold.refunded, has], np.int64)
        lines[at] = lines.get(at, 0) + told
    return lines


def _has(setting: Setting, sold: Sold, buyer_ix: int, way: int) -> int:
    """What the seller, publisher or network, has of what was paid."""
    told = kept_and_refunded(sold, setting.scenario.fees, ours=buyer_ix != THEY, resold=way == WAY_NETWORK)
    return told.network if way == WAY_NETWORK else told.publisher


def _handed(setting: Setting, ledger: Ledger) -> dict[Line, tuple[int, int, int]]:
    """Impressions networks took in bulk, and what they paid for them."""
    channels, place = slot_channels(setting.scenario), places(setting)
    found: dict[Line, tuple[int, int, int]] = {}
    for s, price in enumerate(bulk_nanos(setting.scenario).tolist()):
        count = int(ledger.tallies.slots[s, SLOT_RESOLD])
        if count:
            at = place[s][0], CHANNELS.index(channels[s]), BULK, 0
            n, paid, _ = found.get(at, (0, 0, 0))
            found[at] = n + count, paid + count * price, paid + count * price
    return found
