"""What the exposures of a run were to the bidder: which of its rows saw them, what the data cost, which caps broke."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bidder.plan import CampaignPlan, CapPlan
from dmp.recognition import NOBODY
from exchange_sim.identities import cookies_shown
from experiments.audience.costs import charges
from experiments.compile.market import start_offsets
from experiments.ledger import Ledger
from experiments.setting import Setting

Numbers = NDArray[np.int64]


class Exposed(NamedTuple):
    """Per exposure of the ledger, in its order."""

    buyer_ix: Numbers
    """int64[n]: the bidder's row of who saw it; -1 without consent."""
    data_nanos: Numbers
    """int64[n]: what its data cost."""
    over_cap: NDArray[np.bool_]
    """bool[n]: one more than a cap of its campaign allows, counted by the true person."""
    paid: dict[tuple[int, str], tuple[int, int]]
    """(campaign, source) → (impressions, nanos), in the order of campaigns and sources."""


def page_views(setting: Setting, ledger: Ledger) -> Numbers:
    """int64[exposures]: number of the first request of the page view each was part of, or its own."""
    pages, rows = setting.world.pages.slots, ledger.exposures
    if not len(pages):
        return rows["auction_ix"].copy()
    numbers: Numbers = rows["auction_ix"] - pages["position"][rows["seller_slot_ix"]]
    return numbers


def exposed(setting: Setting, ledger: Ledger) -> Exposed:
    """Look at every exposure once more, with the truth at hand."""
    rows = ledger.exposures
    known = rows["consent"] == 1
    if len(setting.units):
        cookie_ix = cookies_shown(setting.world, page_views(setting, ledger), rows["person_ix"])
        unit = setting.units[cookie_ix]
        buyer_ix = np.where(known & (unit != NOBODY), unit, -1)
    else:
        buyer_ix = np.where(known, rows["person_ix"], -1)
    data_nanos, paid = _data(setting, rows, buyer_ix)
    over_cap = np.zeros(len(rows), np.bool_)
    _, start_of_day_s = start_offsets(setting.scenario)
    for c, plan in enumerate(setting.plans):
        mine = np.flatnonzero((rows["campaign_ix"] == c) & known)
        if plan.caps and len(mine):
            over_cap[mine] = _over(plan, rows["person_ix"][mine], rows["time_s"][mine], start_of_day_s)
    return Exposed(buyer_ix, data_nanos, over_cap, paid)


def _data(
    setting: Setting, rows: NDArray[np.void], buyer_ix: Numbers
) -> tuple[Numbers, dict[tuple[int, str], tuple[int, int]]]:
    nanos = np.zeros(len(rows), np.int64)
    paid: dict[tuple[int, str], tuple[int, int]] = {}
    for charge in charges(setting.scenario, setting.audience.rows.shape[1]):
        mine = np.flatnonzero((rows["campaign_ix"] == charge.campaign_ix) & (buyer_ix >= 0))
        owing = mine[charge.owed(setting.audience.rows[buyer_ix[mine]])]
        nanos[owing] += charge.nanos
        paid[charge.campaign_ix, charge.source] = (len(owing), len(owing) * charge.nanos)
    return nanos, paid


def _over(plan: CampaignPlan, person_ix: Numbers, time_s: NDArray[Any], start_of_day_s: int) -> NDArray[np.bool_]:
    """bool[n]: exposures of one campaign, in order of time, that break one of its caps."""
    over = np.zeros(len(person_ix), np.bool_)
    # Sorting person and position as one number is stable, and several times as fast as a stable argsort.
    bits = max(1, len(person_ix).bit_length())
    order = np.sort((person_ix.astype(np.int64) << bits) | np.arange(len(person_ix))) & ((1 << bits) - 1)
    for cap in plan.caps:
        over[order] |= _breaks(cap, person_ix[order], time_s[order], start_of_day_s)
    return over


def _breaks(cap: CapPlan, person_ix: Numbers, time_s: NDArray[Any], start_of_day_s: int) -> NDArray[np.bool_]:
    """The same for one cap, sorted by person and time: one too many has *limit* others before it in its window."""
    breaks = np.zeros(len(person_ix), np.bool_)
    if len(person_ix) <= cap.limit:
        return breaks
    now, before = slice(cap.limit, None), slice(None, -cap.limit)
    if cap.sliding:
        inside = time_s[before] > time_s[now] - cap.window_s
    else:
        window = np.floor((time_s + start_of_day_s) / cap.window_s)
        inside = window[before] == window[now]
    breaks[now] = inside & (person_ix[before] == person_ix[now])
    return breaks
