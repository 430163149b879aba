"""Slow, obvious sellers: terms and tiers read from the scenario itself, reserves learned from lists of bids."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from exchange_sim.draws import EXPLORE, INVITED, RESALE, bits, uniform
from exchange_sim.rivals import best_rival_nanos, second_rival_nanos
from experiments.setting import Setting
from tests.oracles import market as auction

TIERS = ("floor", "private_auction", "preferred", "guaranteed")
HIGHER, FLOOR, DEAL = 0, 1, 2
"""Why a bid lost."""


def nanos(cpm: float) -> int:
    """CPM to nanos."""
    return round(cpm * 1_000_000)


def lognormal_reserve(mu: float, sigma: float) -> float:
    """The price that maximises price * (1 - F(price)), by trying."""
    from scipy import optimize, stats

    found = optimize.minimize_scalar(
        lambda z: -math.exp(mu + sigma * z) * stats.norm.sf(z),
        bounds=(-9, 9),
        method="bounded",
        options={"xatol": 1e-12},
    )
    return math.exp(mu + sigma * float(found.x))


class OracleSellers:
    """The sellers of one run."""

    def __init__(self, setting: Setting, learned_floors: Any) -> None:
        self.setting, self.scenario, self.world = setting, setting.scenario, setting.world
        self.delivered = dict.fromkeys(self.scenario.deals, 0)
        self.learned_floors = learned_floors
        """Called with a slot: its learned floor (that is proved on its own)."""
        self.slots = [(p, n, s) for p, body in self.scenario.publishers.items() for n, s in body.slots.items()]
        self.slots += [(p, n, s) for p, body in self.scenario.networks.items() for n, s in body.slots.items()]

    def terms(self, opp: Any, hour: int) -> dict[str, Any]:
        """How an opportunity is offered."""
        owner, name, slot = self.slots[opp["slot_ix"]]
        shown = int(opp["slot_ix"])
        for network_name, network in self.scenario.networks.items():
            bulk = network.buys.get(owner)
            same = [
                k for k, (p, _, other) in enumerate(self.slots) if p == network_name and other.format == slot.format
            ]
            if bulk is not None and same and uniform(opp["key"], RESALE) < bulk.share:
                shown = same[0]
                owner, name, slot = self.slots[shown]
        place = self.setting.directory.places[opp["place_ix"]]
        ours, rivals = (self.floor(owner, name, slot, buyer, hour, place) for buyer in ("campaigns", "rivals"))
        explores = False
        if slot.reserve is not None and slot.reserve.kind == "adaptive":
            explores = bool(uniform(opp["key"], EXPLORE) < slot.reserve.explore)
            if not explores:
                ours, rivals = (max(floor, self.learned_floors(shown)) for floor in (ours, rivals))
        return {
            "slot_ix": shown,
            "slot": slot,
            "floor_nanos": ours,
            "rivals_floor": rivals,
            "deal": self.deal(owner, name, float(opp["time_s"])),
            "explores": explores,
        }

    def floor(self, owner: str, name: str, slot: Any, buyer: str, hour: int, place: str) -> int:
        """The first rule that fits, or the slot's own; a reserve lifts it."""
        floor = slot.floor
        if owner in self.scenario.publishers:
            for rule in reversed(self.scenario.publishers[owner].floor_rules):
                fits = rule.slots is None or name in rule.slots
                fits = fits and (rule.formats is None or slot.format in rule.formats)
                fits = fits and (rule.hours is None or hour in rule.hours)
                fits = fits and (rule.places is None or place in rule.places)
                if fits and rule.buyer in ("anyone", buyer):
                    floor = rule.floor
        if slot.reserve is not None and slot.reserve.kind == "myerson":
            values = slot.reserve.values
            return max(nanos(floor), round(lognormal_reserve(math.log(values.median), values.sigma) * 1_000_000))
        return nanos(floor)

    def deal(self, owner: str, name: str, time_s: float) -> str | None:
        """The highest deal that is open."""
        found = [
            deal_name
            for deal_name, deal in self.scenario.deals.items()
            if deal.publisher == owner
            and (deal.slots is None or name in deal.slots)
            and self.is_open(deal_name, time_s)
        ]
        return max(found, key=lambda n: TIERS.index(self.scenario.deals[n].kind), default=None)

    def is_open(self, deal_name: str, time_s: float) -> bool:
        """Whether a deal wants an impression now."""
        deal, done = self.scenario.deals[deal_name], self.delivered[deal_name]
        if deal.kind != "guaranteed":
            return True
        end_s = min(deal.days or self.scenario.days, self.scenario.days) * 86400.0
        due = deal.impressions if deal.pace == "asap" or time_s >= end_s else deal.impressions * (time_s / end_s)
        return done < due

    def rivals(self, group_ix: int, key: Any, discount: float) -> list[int]:
        """The two best rival bids."""
        draws = [int(draw(self.world, group_ix, key)) for draw in (best_rival_nanos, second_rival_nanos)]
        return [int(bid * (1.0 - discount)) if discount else bid for bid in draws]

    def sell(self, opp: Any, terms: dict[str, Any], bid: int, via_deal: bool, we_win_ties: Any) -> tuple[Any, ...]:
        """(won, price, revenue, way, reason of a loss), tier by tier."""
        owner, _, slot = self.slots[terms["slot_ix"]]
        seller = self.scenario.publishers.get(owner) or self.scenario.networks[owner]
        second = self.scenario.auction.kind == "second_price"
        deal = self.scenario.deals[terms["deal"]] if terms["deal"] else None
        kind, price = (deal.kind, nanos(deal.floor)) if deal else ("none", 0)
        groups = list(self.scenario.rivals)
        if via_deal and kind in ("preferred", "guaranteed") and bid >= price:
            self.delivered[terms["deal"]] += 1
            return True, price, price, kind, 0
        if kind == "private_auction":
            assert deal is not None
            key = np.uint64(bits(opp["key"], INVITED))
            invited = self.rivals(groups.index(deal.rivals), key, seller.discount) if deal.rivals else []
            ours = bid if via_deal else 0
            won, paid, revenue = auction.clear(second, we_win_ties(key), ours, price, price, invited)
            if won:
                self.delivered[terms["deal"]] += 1
            if won or any(amount > 0 and amount >= price for amount in invited):
                return won, paid, revenue, kind, 0 if won else HIGHER if via_deal else DEAL
        own_floor = price if via_deal else terms["floor_nanos"]
        ours = 0 if via_deal and kind != "floor" else bid
        others = self.rivals(groups.index(seller.rivals), opp["key"], seller.discount)
        won, paid, revenue = auction.clear(
            *(second, we_win_ties(opp["key"]), ours, own_floor, terms["rivals_floor"], others, nanos(slot.soft_floor))
        )
        way = "deal" if won and via_deal else "open"
        return won, paid, revenue, way, 0 if won else FLOOR if bid < own_floor else HIGHER
