"""What was sold, slot by slot and way by way: to each campaign, and to the rivals. Money in nanos."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from exchange_sim.selling.rules import WAY_HEADER, WAY_NETWORK, WAY_OPEN, WAY_PRIVATE, WAYS
from exchange_sim.verification.rules import OPEN_PAID, PRIVATE_PAID
from experiments.accounting.verification import invalid_counts, seen
from experiments.compile.selling import offered_slots
from experiments.ledger import PATH_FEES, PATH_PRIVATE_FEES, SLOT_REVENUE, SLOT_SOLD, Ledger
from experiments.setting import Setting

PARTS = 1_000_000_000
THEY = -1
"""Stands for the rivals where a campaign's index does for a campaign."""


class Sold(NamedTuple):
    """Some of what one buyer bought: how many impressions, for how much, and what the exchange kept of it."""

    impressions: int
    paid: int
    refunded: int
    """Of that, given back because bots had seen it."""
    kept: int | None
    """None: the exchange takes its fee of the sum."""

    def and_also(self, other: Sold) -> Sold:
        """Both together."""
        kept = None if self.kept is None or other.kept is None else self.kept + other.kept
        return Sold(self.impressions + other.impressions, self.paid + other.paid, self.refunded + other.refunded, kept)


Sales = dict[tuple[int, int, int], Sold]
"""By campaign (or THEY), slot as the buyer met it, and way."""


def sales(setting: Setting, ledger: Ledger) -> Sales:
    """Every impression that was sold, to anybody; sorted, the campaigns' first."""
    by_rivals = _to_rivals(setting, ledger)
    return dict(sorted(_to_campaigns(setting, ledger).items())) | dict(sorted(by_rivals.items()))


def is_path(setting: Setting) -> NDArray[np.bool_]:
    """bool[S]: whether a slot is sold by header bidding, where each exchange takes its fee of each price."""
    publishers = setting.scenario.publishers
    return np.array(
        [not o.resold and bool(publishers[o.owner].header) for o in offered_slots(setting.scenario)], np.bool_
    )


def _kept(setting: Setting, slot_ix: NDArray[np.int32], price_nanos: NDArray[np.int64]) -> NDArray[np.int64]:
    """int64[]: what the exchange kept of each price paid on a path."""
    paths = setting.world.selling.paths
    if not len(paths):
        return np.zeros(len(slot_ix), np.int64)
    parts = paths["fee_parts"][slot_ix]
    kept: NDArray[np.int64] = price_nanos // PARTS * parts + price_nanos % PARTS * parts // PARTS
    return kept


def _to_campaigns(setting: Setting, ledger: Ledger) -> Sales:
    shown, slot_ix = ledger.exposures, ledger.exposures["slot_ix"]
    resold = setting.world.slots["publisher_ix"][slot_ix] >= len(setting.scenario.publishers)
    way = np.where(resold, WAY_NETWORK, shown["way"])
    shape = len(setting.plans), len(setting.world.slots), len(WAYS)
    cell = np.ravel_multi_index((shown["campaign_ix"], slot_ix, way), shape)
    cells, index, counts = np.unique(cell, return_inverse=True, return_counts=True)
    paid, back, kept = (np.zeros(len(cells), np.int64) for _ in range(3))
    np.add.at(paid, index, shown["price_nanos"])
    refunded = seen(setting, ledger).found
    np.add.at(back, index[refunded], shown["price_nanos"][refunded])
    np.add.at(kept, index[~refunded], _kept(setting, slot_ix, shown["price_nanos"])[~refunded])
    by_price, found = is_path(setting), {}
    for k, at in enumerate(zip(*np.unravel_index(cells, shape), strict=True)):
        campaign, slot, how = (int(n) for n in at)
        fee = int(kept[k]) if by_price[slot] else None
        found[campaign, slot, how] = Sold(int(counts[k]), int(paid[k]), int(back[k]), fee)
    return found


def _to_rivals(setting: Setting, ledger: Ledger) -> Sales:
    """All that was sold, less what is ours."""
    slots, shown, own = setting.world.slots, ledger.exposures, len(setting.scenario.publishers)
    count, paid = ledger.tallies.slots[:, SLOT_SOLD].copy(), ledger.tallies.slots[:, SLOT_REVENUE].copy()
    kept = ledger.tallies.paths[:, PATH_FEES].copy()
    np.subtract.at(count, shown["slot_ix"], 1)
    np.subtract.at(paid, shown["slot_ix"], shown["price_nanos"])
    np.subtract.at(kept, shown["slot_ix"], _kept(setting, shown["slot_ix"], shown["price_nanos"]))
    back, by_prices = invalid_counts(setting, ledger), is_path(setting)
    found: Sales = {}
    for s, (invited_count, invited_paid) in enumerate(ledger.tallies.invited.tolist()):
        by_price, resold = bool(by_prices[s]), int(slots["publisher_ix"][s]) >= own
        fees = int(ledger.tallies.paths[s, PATH_PRIVATE_FEES])
        private = Sold(invited_count, invited_paid, int(back[s, PRIVATE_PAID]), fees if by_price else None)
        rest = int(kept[s]) - fees if by_price else None
        openly = Sold(int(count[s]) - invited_count, int(paid[s]) - invited_paid, int(back[s, OPEN_PAID]), rest)
        way = WAY_NETWORK if resold else WAY_HEADER if by_price else WAY_OPEN
        for how, sold in ((WAY_PRIVATE, private), (way, openly)):
            if sold.impressions:
                found[THEY, s, how] = sold
    return found
