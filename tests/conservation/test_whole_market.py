"""Driver `batch` against a loop in plain Python: the oracle decides, sorts the bids and keeps the accounts.

Traffic, rival bids and outcomes are drawn by the kernels (each proved on its own); everything the buyer and the auction
do is redone by the oracles, and every row and count of the ledger must come out the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bidder.core.clock import hour_of_week
from bidder.core.codes import REASONS
from exchange_sim.draws import COIN, uniform
from exchange_sim.outcomes import draw_organic, expose
from exchange_sim.pending import PENDING, drop_first
from exchange_sim.selling.reserve import learn_reserves, observe
from exchange_sim.selling.rules import WAYS
from exchange_sim.traffic import draw_opportunities, draw_signals, new_cursor
from exchange_sim.world import OPPORTUNITY
from experiments.ledger import FATE_OUTBID, FATE_WON
from experiments.setting import Setting, fresh_truth
from tests.oracles.bidder import OracleBidder
from tests.oracles.markets import INTERPRETED, random_market
from tests.oracles.selling import OracleSellers


class OracleMarket:
    """One run, request by request."""

    def __init__(self, setting: Setting) -> None:
        self.setting, self.world = setting, setting.world
        self.index = setting.new_book().index
        start_hour, start_of_day_s = setting.world.start_hour, setting.world.start_of_day_s
        self.bidder = OracleBidder(setting.plans, setting.directory, start_hour, start_of_day_s)
        self.pending, self.pending_size = np.zeros(20_000, PENDING), np.zeros(1, np.int64)
        self.exposures: list[tuple[Any, ...]] = []
        self.purchases: list[tuple[Any, ...]] = []
        self.fates = np.zeros_like(setting.new_tallies().fates)
        self.reasons = np.zeros_like(setting.new_tallies().reasons)
        self.revenue = np.zeros(len(setting.directory.slots), np.int64)
        self.selling = setting.world.selling
        self.sellers = OracleSellers(setting, self.learned_floor)
        self.ways: list[str] = []
        self.way = ""
        self.lost = np.zeros_like(setting.new_tallies().lost)

    def run(self) -> None:
        """From the first tick to the last purchase."""
        cursor, organic = new_cursor(), np.zeros((len(self.world.products), 2))
        opps = np.zeros(20_000, OPPORTUNITY)
        for start_s, end_s in self.setting.ticks():
            learn_reserves(self.selling.reserves, self.selling.observed)
            self.bidder.tick(start_s)
            assert draw_organic(self.world, organic, end_s, self.pending, self.pending_size)
            for i in range(draw_opportunities(self.world, opps, len(opps), cursor, end_s)):
                self.deliver(float(opps["time_s"][i]))
                self.request(opps, i)
            self.deliver(end_s)
        self.deliver(np.inf)

    def deliver(self, until_s: float) -> None:
        """Purchases due before *until_s*."""
        while self.pending_size[0] and self.pending["due_s"][0] < until_s:
            due = self.pending[0].copy()
            drop_first(self.pending, self.pending_size)
            person_ix, product_ix = int(due["person_ix"]), int(due["product_ix"])
            credited = -1
            if self.world.homes["consent"][person_ix]:
                product = self.setting.directory.products[product_ix]
                credited = self.bidder.convert(product, person_ix, int(due["value_nanos"]), float(due["due_s"]))
            self.purchases.append((float(due["due_s"]), person_ix, product_ix, credited, int(due["campaign_ix"])))

    def request(self, opps: np.ndarray, i: int) -> None:
        """One request from the bidder's question to the outcome."""
        opp, world, directory = opps[i], self.world, self.setting.directory
        person_ix, time_s = int(opp["person_ix"]), float(opp["time_s"])
        terms = self.sellers.terms(opp, hour_of_week(self.index, time_s))
        slot, deal = world.slots[terms["slot_ix"]], self.setting.scenario.deals.get(terms["deal"])
        imp = {name: opp[name].item() for name in ("place_ix", "device_ix", "lat", "lon")}
        imp |= {n: slot[n].item() for n in ("publisher_ix", "format_ix")}
        imp |= {"slot_ix": terms["slot_ix"], "floor_nanos": terms["floor_nanos"]}
        imp["deal_ix"] = directory.deals.index(terms["deal"]) if deal else -1
        imp["deal_floor_nanos"] = round(deal.floor * 1_000_000) if deal else 0
        imp |= {"now_s": time_s, "person_ix": person_ix if opp["consent"] else -1}
        imp["deal_first"] = int(deal is not None and deal.kind in ("preferred", "guaranteed"))
        imp["hour"] = hour_of_week(self.index, time_s)
        row = self.setting.audience.rows[person_ix]
        segments = {name for j, name in enumerate(directory.segments) if (int(row[j // 64]) >> (j % 64)) & 1}
        signals = np.zeros(max(1, len(world.signal_keys)), np.int64)
        draw_signals(world, opp["key"], signals)
        (c, bid, worth, reason), told = self.bidder.decide(imp, segments, signals.tolist())
        for campaign_ix, why in told.items():
            self.reasons[campaign_ix, REASONS.index(why)] += 1
        won, price = self.clear(opp, terms, c, bid)
        fate = REASONS.index(reason) if c < 0 else FATE_WON if won else FATE_OUTBID
        self.fates[int(time_s // 3600), fate] += 1
        if c >= 0 and not won:
            self.bidder.lose(c)
        if won:
            self.bidder.buy(c, imp["person_ix"], imp["slot_ix"], price, time_s)
            clicked = bool(expose(world, opps, i, c, self.pending, self.pending_size))
            if clicked:
                self.bidder.click(c, imp["slot_ix"])
            row = (
                int(opp["auction_ix"]),
                c,
                person_ix,
                imp["slot_ix"],
                int(opp["slot_ix"]),
                bid,
                price,
                worth,
                clicked,
            )
            self.exposures.append(row)

    def clear(self, opp: Any, terms: dict[str, Any], c: int, bid: int) -> tuple[bool, int]:
        """The auction, and what explorers note of it."""
        via_deal = c >= 0 and bool(self.setting.plans[c].target.deals)

        def we_win_ties(key: Any) -> bool:
            return (False, True, uniform(key, COIN) < 0.5)[self.world.tie]

        won, price, revenue, way, lost = self.sellers.sell(opp, terms, bid, via_deal, we_win_ties)
        self.way = way
        self.revenue[terms["slot_ix"]] += revenue
        if won:
            self.ways.append(way)
        elif c >= 0:
            self.lost[c, self.world.slots["publisher_ix"][terms["slot_ix"]], lost] += 1
        if terms["explores"]:
            reserve_ix = int(self.world.slots["reserve_ix"][terms["slot_ix"]])
            owner = self.sellers.slots[terms["slot_ix"]][0]
            body = self.setting.scenario.publishers.get(owner) or self.setting.scenario.networks[owner]
            best, second = self.sellers.rivals(
                list(self.setting.scenario.rivals).index(body.rivals), opp["key"], body.discount
            )
            open_bid = 0 if via_deal and self.setting.scenario.deals[terms["deal"]].kind != "floor" else bid
            if way in ("open", "deal"):
                observe(self.selling.observed, reserve_ix, open_bid, best, second)
        return won, price

    def learned_floor(self, slot_ix: int) -> int:
        """What the slot's seller has learned so far."""
        return int(self.selling.reserves["floor_nanos"][self.world.slots["reserve_ix"][slot_ix]])


@settings(max_examples=8 if INTERPRETED else 40)
@given(seed=st.integers(0, 2**32 - 1))
def test_batch_is_the_oracle_s_market(seed: int, run: Callable[[dict[str, Any]], Any]) -> None:
    done = run(random_market(seed))
    oracle = OracleMarket(fresh_truth(done.setting))
    oracle.run()
    names = ["auction_ix", "campaign_ix", "person_ix", "slot_ix", "seller_slot_ix"]
    names += ["bid_nanos", "price_nanos", "worth_nanos", "clicked"]
    assert [tuple(row) for row in done.ledger.exposures[names].tolist()] == oracle.exposures
    names = ["time_s", "person_ix", "product_ix", "attributed_ix", "caused_by_ix"]
    assert [tuple(row) for row in done.ledger.purchases[names].tolist()] == oracle.purchases
    tallies = done.ledger.tallies
    assert (tallies.fates == oracle.fates).all()
    assert (tallies.reasons == oracle.reasons).all()
    assert (tallies.slots[:, 2] == oracle.revenue).all()
    assert [WAYS[way] for way in done.ledger.exposures["way"]] == oracle.ways
    assert (tallies.lost[:, :, :3] == oracle.lost[:, :, :3]).all()
    kinds = [deal.kind for deal in done.setting.scenario.deals.values()]
    counted = np.array([kind != "floor" for kind in kinds], bool)
    delivered = done.setting.world.selling.delivered[: len(kinds)]
    assert (delivered[counted] == np.array(list(oracle.sellers.delivered.values()), np.int64)[counted]).all()
