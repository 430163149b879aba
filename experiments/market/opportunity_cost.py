"""What prices agreed beforehand cost the seller: against the open auction of the very same impressions. In CPM, net.

Of the open auction only the rivals' bids are known, so what it would have brought is the least: a deal that brings less
was too cheap, one that brings more need not have been dear enough.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from exchange_sim.selling.elsewhere import COUNT, NET, NET_SQUARED, sold_openly
from exchange_sim.selling.rules import WAY_GUARANTEED, WAY_PREFERRED, WAYS
from experiments.accounting.selling import BULK
from experiments.channels import slot_channels
from experiments.compile.selling import bulk_nanos, offered_slots
from experiments.ledger import Ledger
from experiments.setting import Setting
from openrtb.money import NANOS_PER_CPM

FIXED = (WAY_PREFERRED, WAY_GUARANTEED)


class Alternative(NamedTuple):
    """A slot's impressions sold in one way at a price agreed beforehand. Money in CPM after fees."""

    seller_id: str
    slot_id: str
    channel: str
    way: str
    impressions: int
    had: float
    """What the seller had for a thousand of them, before refunds."""
    open_least: float
    """What it would have had from the rivals in the auctions open to everybody."""
    standard_error: float
    """Of that, as a mean over impressions drawn by chance."""
    worth_asking: float
    """The price in the deal, before fees, from which on it would have brought as much."""

    @property
    def advice(self) -> str:
        """What follows from it, where luck does not explain it (2 standard errors)."""
        short = self.open_least - self.had
        if abs(short) <= 2.0 * self.standard_error:
            return "no difference to be seen"
        if short < 0.0:
            return "keep: rivals alone would pay less"
        least = f"{self.worth_asking:.2f}"
        return f"sell openly, or ask {least} or more" if self.way == BULK else f"ask {least} or more"


def alternatives(setting: Setting, ledger: Ledger) -> list[Alternative]:
    """Each slot's guaranteed, preferred and bulk sales against the open auction; draws the impressions once more.

    Floors that are learned are those the run ended with.
    """
    scenario, shown, world = setting.scenario, ledger.exposures, setting.world
    fixed = np.isin(shown["way"], FIXED)
    wanted = np.ascontiguousarray(shown["auction_ix"][fixed])
    groups = np.searchsorted(FIXED, shown["way"][fixed]).astype(np.int64)
    found = sold_openly(world, setting.end_s, wanted, groups, len(FIXED))
    bulk, ssp = bulk_nanos(scenario), 1.0 - scenario.fees.ssp
    exchange = 1.0 - scenario.fees.exchange
    channels, rows = slot_channels(scenario), []
    for s, offered in enumerate(offered_slots(scenario)):
        header = not offered.resold and bool(scenario.publishers[offered.owner].header)
        left = ssp if header else ssp * exchange  # where exchanges are compared, theirs is off already
        for group, way in enumerate((*(WAYS[code] for code in FIXED), BULK)):
            count, total, squares = (float(found[group, s, k]) for k in (COUNT, NET, NET_SQUARED))
            if not count:
                continue
            if way == BULK:
                had, share = bulk[s] / NANOS_PER_CPM, 1.0
            else:
                own = fixed & (shown["slot_ix"] == s) & (shown["way"] == FIXED[group])
                had, share = float(shown["price_nanos"][own].mean()) / NANOS_PER_CPM * ssp * exchange, ssp * exchange
            mean, spread = total / count, math.sqrt(max(0.0, squares / count - (total / count) ** 2))
            openly = mean / NANOS_PER_CPM * left
            rows.append(
                Alternative(
                    *(offered.owner, f"{offered.owner}/{offered.label}", channels[s], way, int(count)),
                    *(had, openly, spread / NANOS_PER_CPM * left / math.sqrt(count), openly / share if share else 0.0),
                )
            )
    return rows
