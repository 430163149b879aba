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
from exchange_sim.rivals import best_rival_nanos, second_rival_nanos
from exchange_sim.traffic import draw_opportunities, draw_signals
from exchange_sim.world import OPPORTUNITY
from experiments.ledger import FATE_OUTBID, FATE_WON
from experiments.setting import Setting, fresh_truth
from tests.oracles import market as auction
from tests.oracles.bidder import OracleBidder
from tests.oracles.markets import INTERPRETED, random_market


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

    def run(self) -> None:
        """From the first tick to the last purchase."""
        cursor, organic = np.zeros(2), np.zeros((len(self.world.products), 2))
        opps = np.zeros(20_000, OPPORTUNITY)
        for start_s, end_s in self.setting.ticks():
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
        person_ix, slot, time_s = int(opp["person_ix"]), world.slots[opp["slot_ix"]], float(opp["time_s"])
        imp = {name: opp[name].item() for name in ("slot_ix", "place_ix", "device_ix", "lat", "lon")}
        imp |= {n: slot[n].item() for n in ("floor_nanos", "deal_floor_nanos", "deal_ix", "publisher_ix", "format_ix")}
        imp |= {"now_s": time_s, "person_ix": person_ix if opp["consent"] else -1}
        imp["deal_first"] = 0
        imp["hour"] = hour_of_week(self.index, time_s)
        row = self.setting.audience.rows[person_ix]
        segments = {name for j, name in enumerate(directory.segments) if (int(row[j // 64]) >> (j % 64)) & 1}
        signals = np.zeros(max(1, len(world.signal_keys)), np.int64)
        draw_signals(world, opp["key"], signals)
        (c, bid, worth, reason), told = self.bidder.decide(imp, segments, signals.tolist())
        for campaign_ix, why in told.items():
            self.reasons[campaign_ix, REASONS.index(why)] += 1
        won, price = self.clear(opp, slot, c, bid)
        fate = REASONS.index(reason) if c < 0 else FATE_WON if won else FATE_OUTBID
        self.fates[int(time_s // 3600), fate] += 1
        if c >= 0 and not won:
            self.bidder.lose(c)
        if won:
            self.bidder.buy(c, imp["person_ix"], imp["slot_ix"], price, time_s)
            clicked = bool(expose(world, opps, i, c, self.pending, self.pending_size))
            if clicked:
                self.bidder.click(c, imp["slot_ix"])
            self.exposures.append((int(opp["auction_ix"]), c, person_ix, imp["slot_ix"], bid, price, worth, clicked))

    def clear(self, opp: Any, slot: Any, c: int, bid: int) -> tuple[bool, int]:
        """The auction."""
        world, key = self.world, opp["key"]
        rivals = [int(draw(world, int(slot["rivals_ix"]), key)) for draw in (best_rival_nanos, second_rival_nanos)]
        open_floor = int(slot["floor_nanos"])
        via_deal = c >= 0 and bool(self.setting.plans[c].target.deals)
        floor = int(slot["deal_floor_nanos"]) if via_deal else open_floor
        we_win_ties = (False, True, uniform(key, COIN) < 0.5)[world.tie]
        won, price, revenue = auction.clear(world.auction_kind == 1, we_win_ties, bid, floor, open_floor, rivals)
        self.revenue[opp["slot_ix"]] += revenue
        return won, price


@settings(max_examples=8 if INTERPRETED else 40)
@given(seed=st.integers(0, 2**32 - 1))
def test_batch_is_the_oracle_s_market(seed: int, run: Callable[[dict[str, Any]], Any]) -> None:
    done = run(random_market(seed))
    oracle = OracleMarket(fresh_truth(done.setting))
    oracle.run()
    names = ["auction_ix", "campaign_ix", "person_ix", "slot_ix", "bid_nanos", "price_nanos", "worth_nanos", "clicked"]
    assert [tuple(row) for row in done.ledger.exposures[names].tolist()] == oracle.exposures
    names = ["time_s", "person_ix", "product_ix", "attributed_ix", "caused_by_ix"]
    assert [tuple(row) for row in done.ledger.purchases[names].tolist()] == oracle.purchases
    tallies = done.ledger.tallies
    assert (tallies.fates == oracle.fates).all()
    assert (tallies.reasons == oracle.reasons).all()
    assert (tallies.slots[:, 2] == oracle.revenue).all()
