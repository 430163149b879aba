"""Slow, obvious pages: random markets that sell several slots at once, and lists of what each view has shown."""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np

from exchange_sim.draws import (
    BEST_RIVAL,
    RIVAL_ADVERTISER,
    RIVAL_BELOW,
    RIVAL_CATEGORY,
    SECOND_RIVAL,
    key_of,
    uniform,
)
from exchange_sim.rivals import ranked_nanos
from experiments.scenario.models import Scenario
from experiments.setting import Setting
from tests.oracles.selling import OracleSellers

SEPARATIONS = ("none", "advertiser", "category")
Mark = tuple[str, str]
"""Who advertises and in which category; "": nobody's competitor."""


def with_pages(data: dict[str, Any], rng: Random, separations: tuple[str, ...] = SEPARATIONS) -> dict[str, Any]:
    """A random market whose first publisher sells a page and a pod, to rivals with something to sell."""
    paper = data["publishers"]["paper"]
    for slot in ("side", "foot", "base"):
        paper["slots"][slot] = {"format": "display", "floor": rng.choice([0.0, 0.25])}
    paper["slots"]["clip-2"] = {"format": "video", "floor": rng.choice([0.0, 0.25])}
    page = ["top", *rng.sample(["side", "foot", "base"], rng.randint(1, 3))]
    paper["pages"] = {
        "article": {"slots": page, "separation": rng.choice(separations)},
        "break": {"slots": ["clip", "clip-2"], "separation": rng.choice(separations)},
    }
    for deal in data["deals"].values():
        if deal.get("kind") == "guaranteed":
            deal["slots"] = ["top"]
            for network in data.get("networks", {}).values():
                network["buys"]["paper"]["share"] = 0.4
    shares = {"categories": {"cars": rng.choice([0.3, 0.6, 1.0]), "food": 0.0}}
    if rng.random() < 0.5:
        shares = {"categories": {"food": 0.4, "travel": 0.5}}
    for group in data["rivals"].values():
        if group["kind"] != "none":
            group |= shares
        if group["kind"] == "independent":
            group["count"] = rng.choice([2, 3, 6])
    data["traffic"]["requests_per_day"] /= 4.0  # a view brings several requests
    data["products"]["tyres"]["category"] = "cars"
    data["products"]["pans"]["category"] = rng.choice([None, "food", "cars"])
    return data


class OraclePages(OracleSellers):
    """Sellers who know what each view of a page shows."""

    def __init__(self, setting: Setting, learned_floors: Any) -> None:
        super().__init__(setting, learned_floors)
        self.views: dict[int, list[Mark]] = {}
        """What every view shows so far."""
        self.separations: dict[int, str] = {}
        self._at: tuple[list[Mark], str] | None = None
        self.best: Mark = ("", "")
        """Who has the best bid of the rivals asked last."""
        self.asked = [0, 0]
        """Their two best bids."""
        self.bought: tuple[int, Mark] = 0, ("", "")
        """The highest bid, and whose, where the slot was sold or left unsold."""

    def page(self, opp: Any) -> tuple[int, str] | None:
        """(number of the view, what it keeps apart), where the slot is on a page."""
        owner, name, _ = self.slots[opp["slot_ix"]]
        for page in self.scenario.publishers[owner].pages.values():
            if name in page.slots:
                return int(opp["auction_ix"]) - page.slots.index(name), page.separation
        return None

    def turn_to(self, opp: Any) -> bool:
        """Sell within the opportunity's view from now on; whether there is one."""
        found = self.page(opp)
        self._at = None
        if found is not None:
            view, separation = found
            self.separations[view] = separation
            self._at = self.views.setdefault(view, []), separation
        return found is not None

    def show(self, mark: Mark) -> None:
        """An ad is shown in the view."""
        assert self._at is not None
        self._at[0].append(mark)

    def may_stand(self, mark: Mark) -> bool:
        """Whether the view may show an ad of this advertiser and category."""
        assert self._at is not None
        shown, separation = self._at
        if separation == "none":
            return True
        kind = SEPARATIONS.index(separation) - 1
        return not mark[kind] or all(other[kind] != mark[kind] for other in shown)

    def sell(self, *told: Any) -> tuple[Any, ...]:
        """As without pages; who bid most among the rivals asked last is remembered."""
        sold = super().sell(*told)
        self.bought = self.asked[0], self.best
        return sold

    def rivals(self, group_ix: int, key: Any, discount: float) -> list[int]:
        """The two best bids, on a page: of those it may show."""
        if self._at is None:
            return super().rivals(group_ix, key, discount)
        name, group = list(self.scenario.rivals.items())[group_ix]
        self.best, self.asked = ("", ""), [0, 0]
        count = {"none": 0, "highest": 1}.get(group.kind, getattr(group, "count", 0))
        w, found = float(uniform(key, BEST_RIVAL)), []
        for rank in range(count):
            if rank == 1:
                w *= float(uniform(key, SECOND_RIVAL)) ** (count / (count - 1.0))
            if rank > 1:
                w *= float(uniform(np.uint64(key_of(key, RIVAL_BELOW, rank)), RIVAL_BELOW)) ** (count / (count - rank))
            mark = rival_mark(self.scenario, name, key, rank, count)
            if self.may_stand(mark):
                world = self.world
                bid = ranked_nanos(world.rivals, world.rival_knots, world.distributions, world.tables, group_ix, w)
                found.append((int(bid), mark))
        if found:
            self.best = found[0][1]
            bids = [bid for bid, _ in found[:2]]
            self.asked = ([int(bid * (1.0 - discount)) for bid in bids] if discount else bids) + [0]
        return self.asked[:2]


def rival_mark(scenario: Scenario, name: str, key: Any, rank: int, count: int) -> Mark:
    """Who the rival of this rank is and what its ad is about."""
    group, advertiser, category, above = scenario.rivals[name], "", "", 0.0
    if group.kind == "independent":
        advertiser = f"{name} {(int(float(uniform(key, RIVAL_ADVERTISER)) * count) + rank) % count}"
    u = float(uniform(np.uint64(key_of(key, RIVAL_CATEGORY, rank)), RIVAL_CATEGORY))
    every = dict.fromkeys(c for other in scenario.rivals.values() for c in getattr(other, "categories", {}))
    for told in every:
        above += getattr(group, "categories", {}).get(told, 0.0)
        if u < above:
            category = told
            break
    return advertiser, category


def campaign_mark(scenario: Scenario, campaign_id: str) -> Mark:
    """Who a campaign is for, and what it competes in."""
    product = scenario.campaigns[campaign_id].product
    advertiser = product or f"campaign {campaign_id}"
    category = scenario.products[product].category if product else None
    return advertiser, category or f"of {advertiser} alone"


def twice(shown: list[Mark], separation: str) -> bool:
    """Whether a view shows two ads of an advertiser, or of a category."""
    told = [mark[SEPARATIONS.index(separation) - 1] for mark in shown]
    told = [name for name in told if name]
    return len(told) > len(set(told))
