"""No page shows two ads of a category, rivals' included: random markets against a loop in plain Python.

The oracle keeps a list of what every view has shown; the run must have sold the same to the same, for the same money.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.accounting.tables import account
from experiments.drivers.events import run_events
from experiments.ledger import SLOT_CLASHES, SLOT_SOLD
from experiments.results.conservation import identities
from experiments.results.tables import build_tables
from experiments.setting import Setting, fresh_truth
from tests.conservation.test_whole_market import OracleMarket
from tests.oracles.markets import INTERPRETED, random_market
from tests.oracles.pages import OraclePages, campaign_mark, twice, with_pages
from tests.oracles.verification import verified_market

seeds = st.integers(0, 2**32 - 1)
Runner = Callable[[dict[str, Any]], Any]


class OraclePagesMarket(OracleMarket):
    """One run, request by request, with what each view shows."""

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self.sellers: OraclePages = OraclePages(setting, self.learned_floor)
        self.sold = np.zeros(len(setting.directory.slots), np.int64)

    def clear(self, opp: Any, terms: dict[str, Any], c: int, bid: int) -> tuple[bool, int]:
        sellers, scenario = self.sellers, self.setting.scenario
        if not sellers.turn_to(opp):
            return super().clear(opp, terms, c, bid)
        mark = ("", "") if c < 0 else campaign_mark(scenario, self.setting.plans[c].campaign_id)
        if c >= 0 and not sellers.may_stand(mark):
            page = sellers.page(opp)
            assert page is not None
            self.lost[c, self.world.slots["publisher_ix"][terms["slot_ix"]], 7 + (page[1] == "category")] += 1
            c, bid = -1, 0
        won, price = super().clear(opp, terms, c, bid)
        if won:
            sellers.show(mark)
        elif sellers.bought[0] > 0 and sellers.bought[0] >= self.rivals_floor(terms):
            sellers.show(sellers.bought[1])
        return won, price

    def rivals_floor(self, terms: dict[str, Any]) -> int:
        """What the rivals asked last had to bid: inside a private auction that sold, its own floor."""
        if self.way == "private_auction":
            return round(self.setting.scenario.deals[terms["deal"]].floor * 1_000_000)
        return int(terms["rivals_floor"])


@settings(max_examples=4 if INTERPRETED else 12)
@given(seed=seeds)
def test_no_view_shows_what_is_kept_apart(seed: int, run: Runner) -> None:
    """Everybody's ads, everybody's money: as the oracle sells them, and never two of a kind."""
    done = run(with_pages(random_market(seed), Random(seed)))
    oracle = OraclePagesMarket(fresh_truth(done.setting))
    oracle.run()
    names = ["auction_ix", "campaign_ix", "person_ix", "slot_ix", "seller_slot_ix"]
    names += ["bid_nanos", "price_nanos", "worth_nanos", "clicked"]
    assert [tuple(row) for row in done.ledger.exposures[names].tolist()] == oracle.exposures
    tallies = done.ledger.tallies
    assert (tallies.slots[:, 2] == oracle.revenue).all()
    assert (tallies.lost[:, :, :9] == oracle.lost[:, :, :9]).all()
    clashes = 0
    for view, shown in oracle.sellers.views.items():
        separation = oracle.sellers.separations[view]
        assert separation == "none" or not twice(shown, separation)
        told = [category for _, category in shown if category]
        clashes += len(told) - len(set(told))
    assert tallies.slots[:, SLOT_CLASHES].sum() == clashes
    kept_by_everybody(done)


def kept_by_everybody(done: Any) -> None:
    """Money adds up to the nano, and the published exposures themselves show what is kept apart."""
    tables = build_tables(account(done.setting, done.ledger, done.book))
    assert [said for said, holds in identities(tables) if not holds] == []
    scenario, views = done.setting.scenario, {}
    pages = scenario.publishers["paper"].pages.values()
    apart = {name: page.separation for page in pages for name in page.slots}
    positions = {name: page.slots.index(name) for page in pages for name in page.slots}
    for row, shown in zip(tables["exposures"].to_pylist(), done.ledger.exposures, strict=True):
        seller_slot = done.setting.directory.slots[shown["seller_slot_ix"]].partition("/")[2]
        assert row["auction_ix"] - row["page_view"] == positions.get(seller_slot, 0)
        if apart.get(seller_slot, "none") != "none":
            views.setdefault((row["page_view"], apart[seller_slot]), []).append(
                campaign_mark(scenario, row["campaign_id"])
            )
    assert not any(twice(shown, separation) for (_, separation), shown in views.items())


@settings(max_examples=4 if INTERPRETED else 12)
@given(seed=seeds)
def test_what_is_checked_is_kept_apart_too(seed: int, run: Runner) -> None:
    """With every check on: an ad that is stopped was not shown, and the next bid must be one the page may show."""
    data = with_pages(verified_market(seed), Random(seed), ("category",))
    done = run(data)
    assert not done.ledger.tallies.slots[:, SLOT_CLASHES].any()
    kept_by_everybody(done)


def crowded(separation: str, **more: Any) -> dict[str, Any]:
    """Six rivals of two categories and two campaigns of one before pages of three slots."""
    campaign = {"budget": {"total": 1000.0}, "goal": {"kind": "cpm", "value": 2.0}}
    return {
        "name": "crowded",
        "days": 1.0,
        "people": {"count": 300},
        "products": {"tyres": {"category": "cars"}, "hubs": {"category": "cars"}},
        "publishers": {
            "paper": {
                "slots": {name: {"format": "display"} for name in ("a", "b", "c")},
                "pages": {"p": {"slots": ["a", "b", "c"], "separation": separation}},
            }
        },
        "rivals": {
            "r": {
                **{"kind": "independent", "count": 6, "price": {"kind": "uniform", "low": 0.0, "high": 1.0}},
                "categories": {"cars": 0.5, "food": 0.3},
            }
        },
        "traffic": {"requests_per_day": 100 if INTERPRETED else 1000},
        "auction": {"kind": "second_price"},
        "campaigns": {
            "tyres": campaign | {"product": "tyres", "bid": {"kind": "constant", "price": 0.8}},
            "hubs": campaign | {"product": "hubs", "bid": {"kind": "constant", "price": 0.8}, "caps": []},
        },
    } | more


def test_without_separation_competitors_meet(run: Runner) -> None:
    """The same world breaks the rule where it does not hold; every slot is sold all the same, for more."""
    done = {name: run(crowded(name)) for name in ("none", "advertiser", "category")}
    clashes = {name: int(told.ledger.tallies.slots[:, SLOT_CLASHES].sum()) for name, told in done.items()}
    assert clashes["none"] > clashes["advertiser"] > 0 == clashes["category"]
    assert clashes["none"] > done["none"].ledger.auctions / 4
    paid = {name: int(told.ledger.tallies.slots[:, 2].sum()) for name, told in done.items()}
    assert paid["none"] > paid["advertiser"] > 0
    assert paid["none"] > paid["category"] > 0
    assert done["none"].ledger.tallies.slots[:, SLOT_SOLD].sum() == done["none"].ledger.auctions


def test_answers_that_overtake_each_other_are_kept_apart(run: Runner) -> None:
    """Driver events with delays longer than the gaps between views: many are open at once, slots end in any order."""
    slow, days = {"kind": "lognormal", "median_ms": 400.0, "sigma": 1.0}, 1.0 if INTERPRETED else 0.2
    setting = run(crowded("category", wire={"tmax_ms": 60_000.0, "request_delay": slow}, days=days)).setting
    ledger, _ = run_events(fresh_truth(setting))
    shown, before = ledger.exposures, ledger.tallies
    assert not before.slots[:, SLOT_CLASHES].any()
    assert before.lost[:, :, 8].sum() > len(shown) / 10
    views = shown["auction_ix"] - shown["seller_slot_ix"]
    assert len(set(views.tolist())) == len(views) > 20
    assert len(set((shown["seller_slot_ix"]).tolist())) == 3
