"""What verification did, for either side: refused, stopped, viewed, filtered, found out and refunded. Money in nanos.

What a page could be viewed by and who was a bot follows from the number of the auction, so no exposure carries it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from exchange_sim.verification.rendering import look_back
from exchange_sim.verification.rules import (
    AD_REFUSED,
    BLOCK_COLUMNS,
    BOT_REQUESTS,
    BOTS_SHOWN,
    BUYER_SIDE,
    FILTERED_PEOPLE,
    INVALID_COLUMNS,
    OPEN_COUNT,
    OPEN_PAID,
    PAGE_REFUSED,
    PRIVATE_COUNT,
    PRIVATE_PAID,
    SELLER_SIDE,
)
from experiments.compile.selling import offered_slots, seller_names
from experiments.ledger import SLOT_REQUESTS, Ledger
from experiments.results.tables import Codes
from experiments.setting import Setting

Columns = dict[str, Any]
Numbers = NDArray[np.int64]
BLOCKS = (
    *("refused_ads", "refused_pages", "stopped_ads", "stopped_pages"),
    *("truth_mistaken_ads", "truth_mistaken_pages", "truth_bad_ads", "truth_bad_pages"),
)
"""In the order of `exchange_sim.verification.rules`."""
assert len(BLOCKS) == BLOCK_COLUMNS


class Seen(NamedTuple):
    """bool[exposures] each."""

    viewed: NDArray[np.bool_]
    """It could be viewed."""
    bot: NDArray[np.bool_]
    """A bot saw it."""
    found: NDArray[np.bool_]
    """That was found out, and it is refunded."""


def seen(setting: Setting, ledger: Ledger) -> Seen:
    """What was behind each exposure."""
    shown, verification = ledger.exposures, setting.world.verification
    if not verification.on:
        none = np.zeros(len(shown), np.bool_)
        return Seen(~none, none, none)
    of = [np.ascontiguousarray(shown[name]) for name in ("auction_ix", "seller_slot_ix", "person_ix")]
    return Seen(*look_back(setting.world.seed_key, verification.viewable, verification.bots, *of))


def invalid_counts(setting: Setting, ledger: Ledger) -> Numbers:
    """int64[S, 6]: `Tallies.invalid`, zeros where verification is off."""
    if len(ledger.tallies.invalid):
        return ledger.tallies.invalid
    return np.zeros((len(setting.world.slots), INVALID_COLUMNS), np.int64)


def safety(setting: Setting, ledger: Ledger, *, masked: bool) -> Columns:
    """One row per campaign and publisher that had to do with each other; *masked*: as the buyer met them.

    A network's impressions count for the network on the buyer's side, and for the publisher on the seller's.
    """
    world, shown, told = setting.world, ledger.exposures, seen(setting, ledger)
    names = setting.directory.publishers if masked else seller_names(setting.scenario)
    shape = len(setting.plans), len(names)
    by = shown["campaign_ix"], world.slots["publisher_ix"][shown["slot_ix" if masked else "seller_slot_ix"]]

    def count(values: NDArray[Any]) -> Numbers:
        sums = np.zeros(shape, np.int64)
        np.add.at(sums, by, values)
        return sums

    on = bool(world.verification.on)
    if not on:
        shape, shown, by, told = (0, 0), shown[:0], (by[0][:0], by[1][:0]), Seen(*(told.bot[:0] for _ in range(3)))
    blocks = ledger.tallies.blocks[BUYER_SIDE if masked else SELLER_SIDE][:, : shape[1]]
    columns = {"kept_out": _kept_out(setting, ledger, shape)}
    columns |= {name: blocks[:, :, k].astype(np.int64) for k, name in enumerate(BLOCKS[:4])}
    columns |= {"impressions": count(np.ones(len(shown), np.int64)), "viewed": count(told.viewed)}
    columns |= {"refunded": count(told.found), "refunded_nanos": count(told.found * shown["price_nanos"])}
    columns |= {name: blocks[:, :, 4 + k].astype(np.int64) for k, name in enumerate(BLOCKS[4:])}
    columns["truth_bots"] = count(told.bot)
    campaign_ix, seller_ix = np.nonzero(np.sum(list(columns.values()), axis=0))
    rows: Columns = {
        "campaign_id": Codes(campaign_ix, [plan.campaign_id for plan in setting.plans]),
        "publisher_id" if masked else "seller_id": Codes(seller_ix, names),
    }
    return rows | {name: values[campaign_ix, seller_ix] for name, values in columns.items()}


def _kept_out(setting: Setting, ledger: Ledger, shape: tuple[int, int]) -> Numbers:
    """int64[C, P]: requests of a publisher the campaign did not bid on because one of them refuses the other."""
    pairs, kept = setting.world.verification.pairs, np.zeros(shape, np.int64)
    if shape[1]:
        requests = np.zeros(shape[1], np.int64)
        np.add.at(requests, setting.world.slots["publisher_ix"], ledger.tallies.slots[:, SLOT_REQUESTS])
        kept += np.where(pairs & (AD_REFUSED | PAGE_REFUSED), requests[:, None], 0).T
    return kept


def seller_traffic(setting: Setting, ledger: Ledger) -> Columns:
    """One row per slot as it was offered, by its seller's own name; none where verification is off."""
    world, shown, told = setting.world, ledger.exposures, seen(setting, ledger)
    offers = offered_slots(setting.scenario) if world.verification.on else []
    slots, invalid = np.arange(len(offers)), invalid_counts(setting, ledger)
    refunded = np.bincount(shown["slot_ix"][told.found], minlength=len(world.slots))
    nanos = np.zeros(len(world.slots), np.int64)
    np.add.at(nanos, shown["slot_ix"], told.found * shown["price_nanos"])
    filtered = world.verification.filtered
    columns = {
        "requests": ledger.tallies.slots[:, SLOT_REQUESTS],
        "filtered": filtered.sum(axis=1),
        "refunded": refunded + invalid[:, OPEN_COUNT] + invalid[:, PRIVATE_COUNT],
        "refunded_nanos": nanos + invalid[:, OPEN_PAID] + invalid[:, PRIVATE_PAID],
        "truth_filtered_people": filtered[:, FILTERED_PEOPLE],
        "truth_bot_requests": invalid[:, BOT_REQUESTS],
        "truth_bots_shown": invalid[:, BOTS_SHOWN],
    }
    rows: Columns = {
        "seller_id": [offered.owner for offered in offers],
        "slot_id": [f"{offered.owner}/{offered.label}" for offered in offers],
    }
    return rows | {name: values[slots].astype(np.int64) for name, values in columns.items()}
