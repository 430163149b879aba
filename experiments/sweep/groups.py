"""Groups of people, and what they bought and were shown in a run: the figures behind a return per customer group.

A cell asks by a word: `customer:PRODUCT` (three tiers by what a purchase of the product is worth), `place`, or
`segment` (these overlap, and hold only people who consent). Sums in int64 nanos, exact.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from exchange_sim.people import person_key, purchase_value_nanos
from exchange_sim.world import World
from experiments.audience.exposed import exposed
from experiments.ledger import Ledger
from experiments.setting import Setting

Mask = NDArray[np.bool_]
TIERS = (("low", 0.0, 0.2), ("middle", 0.2, 0.8), ("high", 0.8, 1.0))
"""Customer groups by what a purchase of theirs is worth: name, and the shares of people between which they lie."""


@njit(cache=True)
def _worths(world: World, product_ix: int, worths: NDArray[np.int64]) -> None:
    for p in range(worths.shape[0]):
        worths[p] = purchase_value_nanos(world, product_ix, person_key(world.seed_key, p))


def tiers_of(setting: Setting, product_ix: int) -> dict[str, Mask]:
    """bool[people] per tier; one group `all` where every customer is worth the same."""
    worths = np.zeros(len(setting.world.homes), np.int64)
    _worths(setting.world, product_ix, worths)
    if worths.min() == worths.max():
        return {"all": np.ones(len(worths), np.bool_)}
    # Equal worths are told apart by number, so that tiers have their size whatever the spread.
    rank = np.empty(len(worths), np.int64)
    rank[np.argsort(worths, kind="stable")] = np.arange(len(worths))
    return {name: (rank >= int(low * len(worths))) & (rank < int(high * len(worths))) for name, low, high in TIERS}


def margin_of(setting: Setting, campaign_ix: int) -> float:
    """Share of a campaign's value that is profit: its product's, or all of it."""
    product = setting.plans[campaign_ix].product
    return setting.scenario.products[product].margin if product else 1.0


def masks_of(setting: Setting, by: str) -> dict[str, Mask]:
    """bool[people] per group of *by*; raises ValueError for a word that is none."""
    kind, _, product_id = by.partition(":")
    if kind == "customer":
        return tiers_of(setting, list(setting.scenario.products).index(product_id))
    if kind == "place":
        places = setting.world.homes["place_ix"]
        return {name: places == k for k, name in enumerate(setting.directory.places)}
    if kind != "segment":
        raise ValueError(f"{by}: no such kind of group")
    consent = setting.world.homes["consent"] == 1
    found = {}
    for j, name in enumerate(setting.audience.segments):
        word, bit = divmod(j, 64)
        found[name] = consent & ((setting.audience.rows[: len(consent), word] >> np.uint64(bit)) & np.uint64(1) == 1)
    return found


def groups_of(setting: Setting, ledger: Ledger, by: str) -> list[dict[str, Any]]:
    """Rows of `Measured.groups`; for `until:SECONDS,...`, what each campaign had brought by then (`_until`).

    Otherwise per group: people; value and gross of all they bought (caused or not); cost of each campaign.
    """
    if by.startswith("until:"):
        return [_until(setting, ledger, float(end)) for end in by.removeprefix("until:").split(",")]
    shown, bought = ledger.exposures, ledger.purchases
    cost = shown["price_nanos"] + exposed(setting, ledger).data_nanos
    rows = []
    for name, mask in masks_of(setting, by).items():
        seen, theirs = mask[shown["person_ix"]], bought[mask[bought["person_ix"]]]
        value, gross, spend = 0, 0.0, {}
        for g, product in enumerate(setting.scenario.products.values()):
            nanos = int(theirs["value_nanos"][theirs["product_ix"] == g].sum())
            value, gross = value + nanos, gross + product.margin * nanos
        for c, plan in enumerate(setting.plans):
            mine = seen & (shown["campaign_ix"] == c)
            spend[plan.campaign_id] = int(cost[mine].sum())
            if plan.goal == "private":  # worth what was won, as in the accounts of a run
                nanos = int(shown["worth_nanos"][mine].sum())
                value, gross = value + nanos, gross + margin_of(setting, c) * nanos
        persons = int(mask.sum())
        rows.append(
            {"name": name, "persons": persons, "value_nanos": value, "gross_nanos": gross, "spend_nanos": spend}
        )
    return rows


def _until(setting: Setting, ledger: Ledger, end_s: float) -> dict[str, Any]:
    """Value of the purchases before *end_s* that each campaign caused, and of those last touch credits to it."""
    bought = ledger.purchases[ledger.purchases["time_s"] < end_s]
    found: dict[str, Any] = {"end_s": end_s}
    for name, column in (("caused_nanos", "caused_by_ix"), ("credited_nanos", "attributed_ix")):
        found[name] = {
            plan.campaign_id: int(bought["value_nanos"][bought[column] == c].sum())
            for c, plan in enumerate(setting.plans)
        }
    return found
