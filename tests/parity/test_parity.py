"""The promise: at zero latency `events` equals `batch`, integer for integer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bidder.core.book import Book
from bidder.core.budgets import committed_day_nanos
from bidder.core.clock import day_ix
from bidder.core.codes import BAD_BID
from bidder.core.curves import CURVE_BELIEVED
from exchange_sim.selling.rules import LOST_ADVERTISER, LOST_CATEGORY, LOST_ELSEWHERE, LOST_STOPPED
from exchange_sim.verification.rules import BOTS_SHOWN, OPEN_PAID
from experiments.accounting.sales import is_path
from experiments.drivers.batch import run_batch
from experiments.drivers.events import run_events
from experiments.ledger import FATE_OUTBID, FATE_WON, RESULT_OUTBID, RESULT_WON, SLOT_CLASHES, Ledger
from experiments.scenario.loader import load
from experiments.setting import Setting, fresh_truth, make_ready

CASES = Path(__file__).parents[1] / "cases"
DAY_FIELDS = ("day_ix", "spent_day_nanos")
"""A bid in flight opens a campaign's new day, a bought impression does so in `batch`: compared by what they mean."""


def ready(case: str, seed: int, **changes: object) -> Setting:
    """The case with another seed."""
    scenario = load(CASES / f"{case}.yaml")
    return make_ready(scenario.model_copy(update={"seed": seed, **changes}))


def assert_equal_ledgers(a: Ledger, b: Ledger) -> None:
    """Field by field, so that a failure names what differs."""
    assert a.auctions == b.auctions
    for name in a.exposures.dtype.names:
        np.testing.assert_array_equal(a.exposures[name], b.exposures[name], err_msg=f"exposures.{name}")
    for name in a.purchases.dtype.names:
        np.testing.assert_array_equal(a.purchases[name], b.purchases[name], err_msg=f"purchases.{name}")
    for name in a.tallies._fields:
        np.testing.assert_array_equal(getattr(a.tallies, name), getattr(b.tallies, name), err_msg=name)


def assert_equal_books(a: Book, b: Book, end_s: float) -> None:
    """Campaigns, learned cells and price lists."""
    for name in set(a.campaigns.dtype.names or ()) - set(DAY_FIELDS):
        np.testing.assert_array_equal(a.campaigns[name], b.campaigns[name], err_msg=f"campaigns.{name}")
    today_ix = day_ix(a.index, end_s - 1.0)
    for c in range(len(a.campaigns)):
        assert committed_day_nanos(a.campaigns, c, today_ix) == committed_day_nanos(b.campaigns, c, today_ix)
    np.testing.assert_array_equal(a.cells, b.cells)
    np.testing.assert_array_equal(a.prices, b.prices)
    np.testing.assert_array_equal(a.weights, b.weights)
    np.testing.assert_array_equal(a.learners, b.learners)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize(
    "case",
    [
        "parity-first-price",
        "parity-second-price",
        "parity-learned",
        "parity-paced",
        "parity-modelled",
        "parity-steered",
        "parity-market",
        "parity-verified",
    ],
)
def test_events_equals_batch(case: str, seed: int) -> None:
    """Every exposure, purchase, count and campaign of the two drivers."""
    setting = ready(case, seed)
    batch, batch_book = run_batch(setting)
    again = fresh_truth(setting)
    events, events_book = run_events(again)
    np.testing.assert_array_equal(setting.world.verification.filtered, again.world.verification.filtered)
    fates = batch.tallies.fates.sum(axis=0)
    assert fates[FATE_WON] > 100
    assert fates[FATE_OUTBID] > 100
    assert len(batch.purchases) > 10
    assert_equal_ledgers(batch, events)
    assert_equal_books(batch_book, events_book, setting.end_s)


def test_events_equals_batch_for_an_hour() -> None:
    """The same at a size that runs with the compiler off."""
    setting = ready("parity-learned", 4, days=1 / 24)
    batch, batch_book = run_batch(setting)
    events, events_book = run_events(fresh_truth(setting))
    assert len(batch.exposures) > 100
    assert_equal_ledgers(batch, events)
    assert_equal_books(batch_book, events_book, setting.end_s)


CURVE = "{kind: lognormal, median: 1.5, sigma: 0.5, learned: true}"
LEARNED_CURVES = [f"campaigns.{name}.bid={{kind: shaded, curve: {CURVE}}}" for name in ("tyres-wide", "pans-deal")]
"""Campaigns of the first-price case that learn the price to beat, one of them inside a deal."""


@pytest.mark.parametrize("told", ["nobody", "losers", "winners", "everybody"])
def test_events_equals_batch_where_the_minimum_to_win_is_told(told: str) -> None:
    """Told as a price in CPM in one driver and as a number in the other, to whom the scenario says."""
    plan = load(CASES / "parity-first-price.yaml", [*LEARNED_CURVES, f"auction.min_to_win={told}", "days=0.25"])
    setting = make_ready(plan)
    batch, batch_book = run_batch(setting)
    events, events_book = run_events(fresh_truth(setting))
    results = batch.tallies.results[0]
    assert min(results[RESULT_WON], results[RESULT_OUTBID]) > 50
    assert_equal_ledgers(batch, events)
    assert_equal_books(batch_book, events_book, setting.end_s)
    who = {"nobody": [], "losers": [RESULT_OUTBID], "winners": [RESULT_WON], "everybody": [RESULT_OUTBID, RESULT_WON]}
    assert batch_book.campaigns["curve_seen"][0] == CURVE_BELIEVED + results[who[told]].sum()
    assert batch_book.campaigns["curve_heard"][0] == CURVE_BELIEVED + results[who["everybody"]].sum()


@pytest.mark.parametrize("duplicates", ["answer", "skip"])
def test_events_equals_batch_by_header_bidding_where_the_minimum_to_win_is_told(duplicates: str) -> None:
    names = list(load(CASES / "parity-header.yaml").campaigns)
    curves = [f"campaigns.{name}.bid={{kind: shaded, curve: {CURVE}}}" for name in names[:2]]
    plan = load(CASES / "parity-header.yaml", [*curves, f"duplicates={duplicates}", "auction.min_to_win=everybody"])
    setting = make_ready(plan.model_copy(update={"days": 0.1}))
    batch, batch_book = run_batch(setting)
    events, events_book = run_events(fresh_truth(setting))
    assert (batch_book.campaigns["curve_heard"][:2] > CURVE_BELIEVED + 4.0).all()
    assert_equal_ledgers(batch, events)
    assert_equal_books(batch_book, events_book, setting.end_s)


@pytest.mark.parametrize("duplicates", ["answer", "skip"])
def test_events_equals_batch_by_header_bidding(duplicates: str) -> None:
    """Several requests for an impression, decided on one after the other while the bids before them are in flight."""
    setting = ready("parity-header", 1, duplicates=duplicates, days=0.25)
    batch, batch_book = run_batch(setting)
    events, events_book = run_events(fresh_truth(setting))
    lost, requests = batch.tallies.lost.sum(axis=(0, 1)), batch.tallies.fates.sum()
    assert requests > 2 * batch.auctions
    assert len(batch.exposures) > 100
    assert lost[LOST_ELSEWHERE] > 20
    assert_equal_ledgers(batch, events)
    assert_equal_books(batch_book, events_book, setting.end_s)


HEADED = [
    *(
        "publishers.paper.header=[blue, green]",
        "publishers.kids.header=[green]",
        "publishers.paper.slots.foot.reserve=null",
    ),
    "exchanges={blue: {fee: 0.2, auction: first_price, rivals: grid}, green: {fee: 0.123456789}}",
    *("deals.order.impressions=60", "days=0.5"),
]


@pytest.mark.parametrize("duplicates", ["answer", "skip"])
def test_events_equals_batch_by_header_bidding_with_every_check(duplicates: str) -> None:
    """Refused and stopped on a path, bots found and refunded in whatever exchange, views paid for."""
    plan = load(CASES / "parity-verified.yaml", [*HEADED, f"duplicates={duplicates}"])
    setting = make_ready(plan)
    batch, batch_book = run_batch(setting)
    events, events_book = run_events(fresh_truth(setting))
    lost, invalid = batch.tallies.lost.sum(axis=(0, 1)), batch.tallies.invalid
    headed = np.array([bool(name.partition("@")[2]) for name in setting.directory.slots])
    assert headed.sum() == 5
    assert batch.tallies.fates.sum() > 1.2 * batch.auctions
    assert lost[LOST_STOPPED] > 20 < lost[LOST_ELSEWHERE]
    assert (invalid[headed, BOTS_SHOWN].sum(), invalid[headed, OPEN_PAID].sum()) > (20, 1000)
    assert ((batch.exposures["price_nanos"] == 0) & is_path(setting)[batch.exposures["slot_ix"]]).any()
    assert_equal_ledgers(batch, events)
    assert_equal_books(batch_book, events_book, setting.end_s)


def test_events_equals_batch_page_by_page() -> None:
    """Slots of a view in one moment, purchases without delay among them, one resold, some filtered as a whole."""
    setting = ready("parity-pages", 1)
    batch, batch_book = run_batch(setting)
    events, events_book = run_events(fresh_truth(setting))
    lost = batch.tallies.lost.sum(axis=(0, 1))
    assert lost[LOST_ADVERTISER] > 20 < lost[LOST_CATEGORY]
    assert (batch.tallies.slots[:, SLOT_CLASHES] > 0).tolist() == [k in (5, 7) for k in range(9)]
    assert len(set(batch.exposures["time_s"].tolist())) < len(batch.exposures) - 50
    assert batch.tallies.slots[-1, 0] > 100 < setting.world.verification.filtered.sum()
    assert_equal_ledgers(batch, events)
    assert_equal_books(batch_book, events_book, setting.end_s)


def test_events_equals_batch_with_strategies_of_users() -> None:
    """Compiled, plain, paced and failing ones, in lock-step as in the fused loop; unusable bids cost nothing."""
    setting = ready("parity-strategy", 1)
    batch, batch_book = run_batch(setting)
    events, events_book = run_events(fresh_truth(setting))
    bought = np.bincount(batch.exposures["campaign_ix"], minlength=4)
    assert (bought > 20).all()
    unusable = batch.tallies.reasons[:, BAD_BID]
    assert unusable[3] > 100
    assert not unusable[:3].any()
    assert (batch_book.campaigns["spent_nanos"] <= batch_book.campaigns["total_nanos"]).all()
    assert_equal_ledgers(batch, events)
    assert_equal_books(batch_book, events_book, setting.end_s)
