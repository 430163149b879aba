"""What must hold in every run, recomputed from the ledger's rows by brute force, over random markets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bidder.core.book import CELL_CLICKS, CELL_CONVERSIONS, CELL_WINS
from bidder.core.codes import BID, REASONS
from exchange_sim.draws import AUCTION_OF, key_of
from exchange_sim.rivals import best_rival_nanos
from exchange_sim.selling.rules import WAYS
from experiments.ledger import FATE_OUTBID, FATE_TIMED_OUT, FATE_WON, RESULT_OUTBID, RESULT_WON
from experiments.scenario.parts import duration_s
from openrtb.money import units_to_nanos
from tests.oracles.markets import INTERPRETED, random_market

seeds = st.integers(0, 2**32 - 1)


@settings(max_examples=12 if INTERPRETED else 100)
@given(seed=seeds)
def test_conservation(seed: int, run: Callable[[dict[str, Any]], Any]) -> None:
    done = run(random_market(seed))
    budgets_hold(done)
    even_pace_holds(done)
    caps_hold(done)
    fates_add_up(done)
    ledger_equals_book(done)
    prices_are_right(done)
    consent_is_kept(done)
    targets_are_met(done)
    truth_adds_up(done)


def bought_by(done: Any, campaign_ix: int) -> np.ndarray:
    """Rows of one campaign."""
    return done.ledger.exposures[done.ledger.exposures["campaign_ix"] == campaign_ix]


def budgets_hold(done: Any) -> None:
    """Neither in total nor on any day is one nano too much spent; nothing stays reserved."""
    for c, campaign in enumerate(done.setting.scenario.campaigns.values()):
        rows = bought_by(done, c)
        assert sum(rows["price_nanos"].tolist()) <= units_to_nanos(campaign.budget.total)
        if campaign.budget.daily is not None:
            spent: Counter[int] = Counter()
            for day_ix, price in zip(done.days(rows["time_s"]).tolist(), rows["price_nanos"].tolist(), strict=True):
                spent[day_ix] += price
            assert all(nanos <= units_to_nanos(campaign.budget.daily) for nanos in spent.values())
    assert not done.book.campaigns["reserved_nanos"].any()
    assert not done.book.campaigns["reserved_day_nanos"].any()


def even_pace_holds(done: Any) -> None:
    """An evenly paced campaign is never ahead of its straight line (a nano of rounding left aside)."""
    for c, campaign in enumerate(done.setting.scenario.campaigns.values()):
        if campaign.pacing == "even":
            rows = bought_by(done, c)
            line = rows["time_s"] / done.setting.end_s * units_to_nanos(campaign.budget.total)
            assert (np.cumsum(rows["price_nanos"]) <= line + 1).all()


def caps_hold(done: Any) -> None:
    """Every window of every cap, person by person: sliding ones from each exposure back, fixed ones by number."""
    offset_s = done.setting.world.start_of_day_s
    for c, campaign in enumerate(done.setting.scenario.campaigns.values()):
        rows = bought_by(done, c)
        for cap in campaign.caps:
            window_s = duration_s(cap.per)
            assert (rows["consent"] == 1).all()
            for person_ix in set(rows["person_ix"].tolist()):
                times = rows["time_s"][rows["person_ix"] == person_ix].tolist()
                if cap.window == "fixed":
                    windows = Counter((time_s + offset_s) // window_s for time_s in times)
                    assert max(windows.values()) <= cap.limit
                else:
                    for end_s in times:
                        assert sum(end_s - window_s < time_s <= end_s for time_s in times) <= cap.limit


def fates_add_up(done: Any) -> None:
    """Requests by fate, by campaign and reason, by slot and by price: the same requests counted four times."""
    ledger, tallies = done.ledger, done.ledger.tallies
    assert tallies.fates.sum() == ledger.auctions
    assert tallies.slots[:, 0].sum() == ledger.auctions
    assert tallies.prices[:, :, 2].sum() == ledger.auctions
    assert tallies.fates[:, FATE_WON].sum() == len(ledger.exposures) == tallies.results[:, RESULT_WON].sum()
    assert tallies.fates[:, FATE_OUTBID].sum() == tallies.results[:, RESULT_OUTBID].sum()
    assert tallies.fates[:, FATE_TIMED_OUT].sum() == 0
    assert (tallies.reasons[:, BID] == tallies.results.sum(axis=1)).all()
    assert (tallies.reasons.sum(axis=1) <= ledger.auctions).all()
    assert tallies.prices[:, :, 0].sum() == tallies.results.sum()
    assert tallies.prices[:, :, 1].sum() == len(ledger.exposures)
    # A request's fate is the furthest any campaign came, so some campaign gave it that reason.
    for reason in range(1, FATE_TIMED_OUT):
        assert tallies.fates[:, reason].sum() <= tallies.reasons[:, reason].sum(), REASONS[reason]
    won = np.bincount(ledger.exposures["slot_ix"], minlength=len(tallies.slots))
    assert (tallies.slots[:, 1] >= won).all()
    paid = np.bincount(ledger.exposures["slot_ix"], ledger.exposures["price_nanos"], len(tallies.slots))
    assert (tallies.slots[:, 2] >= paid).all()
    assert (np.diff(ledger.exposures["auction_ix"]) > 0).all()


def ledger_equals_book(done: Any) -> None:
    """Spend, wins, clicks, purchases credited and their value: rows of the ledger against the bidder's own account."""
    rows, purchases, book = done.ledger.exposures, done.ledger.purchases, done.book
    for c in range(len(book.campaigns)):
        own, credited = bought_by(done, c), purchases[purchases["attributed_ix"] == c]
        account = book.campaigns[c]
        assert account["spent_nanos"] == own["price_nanos"].sum()
        assert account["wins"] == len(own)
        assert account["clicks"] == own["clicked"].sum()
        assert account["conversions"] == len(credited)
        assert account["conversion_nanos"] == credited["value_nanos"].sum()
        for s in range(book.cells.shape[1]):
            here = own[own["slot_ix"] == s]
            assert book.cells[c, s, CELL_WINS] == len(here)
            assert book.cells[c, s, CELL_CLICKS] == here["clicked"].sum()
        assert book.cells[c, :, CELL_CONVERSIONS].sum() == len(credited)
    assert rows["billed"].all()


def prices_are_right(done: Any) -> None:
    """floor <= price <= bid; first price: the bid; second price: the larger of floor and best rival."""
    world, scenario = done.setting.world, done.setting.scenario
    second_price = scenario.auction.kind == "second_price"
    plain = world.slots["rules"][done.ledger.exposures["seller_slot_ix"]] == 0  # the others: test_whole_market.py
    for row in done.ledger.exposures[plain]:
        slot = world.slots[row["slot_ix"]]
        plan = done.setting.plans[row["campaign_ix"]]
        open_floor = int(slot["floor_nanos"])
        floor = int(slot["deal_floor_nanos"]) if plan.target.deals else open_floor
        bid, price = int(row["bid_nanos"]), int(row["price_nanos"])
        key = np.uint64(key_of(world.seed_key, AUCTION_OF, int(row["auction_ix"])))
        best = int(best_rival_nanos(world, int(slot["rivals_ix"]), key))
        best = int(best * slot["rival_scale"]) if slot["rival_scale"] != 1.0 else best
        rival = best if best >= open_floor else 0
        assert price >= floor
        assert bid >= max(price, rival)
        assert price == (max(floor, rival) if second_price else bid)
        if bid == rival:
            assert scenario.auction.tie != "rival"
        if plan.bid.max_nanos is not None:
            assert bid <= plan.bid.max_nanos


def consent_is_kept(done: Any) -> None:
    """Nobody who has not consented is bought by a campaign that must know the person, credited, or in a segment."""
    consent = done.setting.world.homes["consent"]
    rows = done.ledger.exposures
    assert (rows["consent"] == consent[rows["person_ix"]]).all()
    for row in rows[rows["consent"] == 0]:
        plan = done.setting.plans[row["campaign_ix"]]
        target = plan.target
        rules = (target.any_segments, target.all_segments, target.none_segments, target.fence, plan.caps)
        assert not any(rules)
    purchases = done.ledger.purchases
    assert (consent[purchases["person_ix"][purchases["attributed_ix"] >= 0]] == 1).all()
    assert not done.setting.audience.rows[consent == 0].any()
    assert (done.book.persons["count"][consent == 0] == 0).all()


def targets_are_met(done: Any) -> None:
    """Each impression bought lies where, when and before whom the campaign wanted it."""
    setting, start = done.setting, done.setting.scenario.start
    slots = {
        f"{publisher}/{name}": slot
        for publisher, body in setting.scenario.publishers.items()
        for name, slot in body.slots.items()
    }
    slots |= {f"{n}/{name}": slot for n, body in setting.scenario.networks.items() for name, slot in body.slots.items()}
    slots |= {mask: slots[own] for mask, own in zip(setting.directory.slots, list(slots), strict=True)}
    for row in done.ledger.exposures:
        target = setting.plans[row["campaign_ix"]].target
        name = setting.directory.slots[row["slot_ix"]]
        if target.formats:
            assert slots[name].format in target.formats
        if target.deals:
            assert setting.scenario.deals["deal"].publisher == name.split("/")[0]
            assert WAYS[row["way"]] != "open"
        if target.places:
            home = setting.world.homes[row["person_ix"]]
            assert setting.directory.places[home["place_ix"]] in target.places
        if target.hours:
            seconds = start.weekday() * 86400 + start.hour * 3600 + start.minute * 60 + start.second + row["time_s"]
            assert int(seconds // 3600) % 168 in target.hours
        held = {s for j, s in enumerate(setting.directory.segments) if _holds(done, int(row["person_ix"]), j)}
        assert held.issuperset(target.all_segments)
        assert held.isdisjoint(target.none_segments)
        assert not target.any_segments or not held.isdisjoint(target.any_segments)
        if target.publishers:
            assert name.split("/")[0] in target.publishers
        seller = setting.scenario.publishers.get(list(slots)[row["slot_ix"]].split("/")[0])
        assert seller is None or setting.plans[row["campaign_ix"]].product not in seller.blocked


def _holds(done: Any, person_ix: int, segment_ix: int) -> bool:
    return bool((int(done.setting.audience.rows[person_ix, segment_ix // 64]) >> (segment_ix % 64)) & 1)


def truth_adds_up(done: Any) -> None:
    """Each caused purchase names an impression really bought, of that campaign, person and product, and before it."""
    purchases = done.ledger.purchases
    shown = {int(row["auction_ix"]): row for row in done.ledger.exposures}
    assert (np.diff(purchases["time_s"]) >= 0).all()
    caused = purchases[purchases["caused_by_ix"] >= 0]
    assert len(set(caused["auction_ix"].tolist())) == len(caused)
    for purchase in caused:
        row = shown[int(purchase["auction_ix"])]
        assert (row["campaign_ix"], row["person_ix"]) == (purchase["caused_by_ix"], purchase["person_ix"])
        assert row["time_s"] <= purchase["time_s"]
        product = done.setting.plans[row["campaign_ix"]].product
        assert product == done.setting.directory.products[purchase["product_ix"]]
    organic = purchases[purchases["caused_by_ix"] < 0]
    assert (organic["auction_ix"] == -1).all()
    assert (organic["time_s"] < done.setting.end_s).all()
