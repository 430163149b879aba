"""Impressions sold again in the open auction: what a run without deals, networks and bidders brings, to the nano."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from exchange_sim.selling.elsewhere import COUNT, NET, NET_SQUARED, sold_openly
from exchange_sim.selling.rules import WAY_GUARANTEED, WAY_PREFERRED
from experiments.accounting.seller_yield import requests, seller_yield
from experiments.drivers.batch import run_batch
from experiments.ledger import PATH_FEES, SLOT_RESOLD, SLOT_REVENUE, Ledger
from experiments.market.opportunity_cost import Alternative, alternatives
from experiments.results.tables import build_table
from experiments.scenario.loader import load
from experiments.setting import Setting, make_ready
from tests.oracles.markets import INTERPRETED

CASE = Path(__file__).parents[2] / "cases" / "parity-header.yaml"
SMALL = ["people.count=200", "days=0.1" if INTERPRETED else "days=0.5", "deals.order.days=0.05"]
SMALL += ["deals.order.impressions=20", "publishers.radar.slots.bar.reserve=null"]


@pytest.fixture(scope="module")
def ran() -> tuple[Setting, Ledger]:
    """Header bidding beside every kind of deal and a network."""
    setting = make_ready(load(CASE, SMALL))
    return setting, run_batch(setting)[0]


def test_everything_sold_again_is_what_nobody_s_deals_bring(ran: tuple[Setting, Ledger]) -> None:
    """By slot: revenue less the fees of compared exchanges, in a run where no campaign can bid."""
    setting, _ = ran
    nobody = [
        "deals={}",
        "networks.adnet.buys.paper.share=1e-300",
        "campaigns={no: {budget: {total: 1}, goal: {kind: cpm, value: 1e-9}}}",
    ]
    nobody += [change for change in SMALL if "deals" not in change]
    other = make_ready(load(CASE, nobody))
    told, _ = run_batch(other)
    everything = np.arange(told.auctions)
    found = sold_openly(setting.world, setting.end_s, everything, np.zeros_like(everything), 1)
    net = told.tallies.slots[:, SLOT_REVENUE] - told.tallies.paths[:, PATH_FEES]
    brought, paths = np.zeros(len(net)), setting.world.selling.paths
    for s, own in enumerate(net):
        asked = next((k for k, p in enumerate(paths) if p["first"] <= s < p["first"] + p["count"]), s)
        brought[asked] += own
    np.testing.assert_array_equal(found[0, :, NET], brought)
    assert found[0, :, COUNT].sum() == told.auctions
    assert found[1].sum() == 0.0


def test_what_agreed_prices_are_compared_with(ran: tuple[Setting, Ledger]) -> None:
    """Each fixed-price exposure and each impression handed over once; means and errors from the same auctions."""
    setting, ledger = ran
    rows = {(row.slot_id, row.way): row for row in alternatives(setting, ledger)}
    shown = ledger.exposures
    guaranteed, preferred = (int((shown["way"] == way).sum()) for way in (WAY_GUARANTEED, WAY_PREFERRED))
    assert rows["paper/top", "guaranteed"].impressions == guaranteed == (20 if not INTERPRETED else guaranteed)
    assert rows["paper/foot", "preferred"].impressions == preferred > 0
    handed = {row.slot_id: row.impressions for row in rows.values() if row.way == "bulk"}
    told = ledger.tallies.slots[:, SLOT_RESOLD]
    assert handed == {setting.directory.slots[s]: int(n) for s, n in enumerate(told) if n}
    fees = setting.scenario.fees
    net = (1 - fees.exchange) * (1 - fees.ssp)
    assert rows["paper/top", "guaranteed"].had == pytest.approx(0.8 * net)
    assert rows["paper/top", "bulk"].had == pytest.approx(0.3)
    first = rows["paper/foot", "preferred"]
    assert first.worth_asking == pytest.approx(first.open_least / net)
    wanted = shown["auction_ix"][shown["way"] == WAY_PREFERRED]
    one_by_one = [
        sold_openly(setting.world, setting.end_s, wanted[k : k + 1], np.zeros(1, np.int64), 1)[0, :, NET].sum()
        for k in range(min(5, len(wanted)))
    ]
    alone = sold_openly(setting.world, setting.end_s, wanted[:5], np.zeros(5, np.int64), 1)[0]
    assert alone[:, NET].sum() == sum(one_by_one)
    assert alone[:, NET_SQUARED].sum() == pytest.approx(sum(n * n for n in one_by_one))


def test_advice_follows_from_the_difference() -> None:
    row = Alternative("a", "a/b", "display", "preferred", 100, 1.0, 1.2, 0.05, 1.5)
    assert row.advice == "ask 1.50 or more"
    assert row._replace(way="bulk").advice == "sell openly, or ask 1.50 or more"
    assert row._replace(open_least=1.09).advice == "no difference to be seen"
    assert row._replace(open_least=0.8).advice.startswith("keep")


def test_yield_by_channel_is_of_impressions_asked_for_once(ran: tuple[Setting, Ledger]) -> None:
    """However many exchanges are asked, an impression is one request; nothing is sold twice."""
    setting, ledger = ran
    asked, rows = requests(setting, ledger), build_table("seller_yield", seller_yield(setting, ledger)).to_pylist()
    publishers = len(setting.scenario.publishers)
    assert sum(count for (seller, _), count in asked.items() if seller < publishers) == ledger.auctions
    sold: dict[tuple[str, str], int] = {}
    for row in rows:
        at = row["seller_id"], row["channel"]
        sold[at] = sold.get(at, 0) + row["impressions"]
        assert 0 <= row["seller_nanos"] <= row["paid_nanos"]
        assert sold[at] <= row["requests"]
    assert {row["channel"] for row in rows} == {"display", "video", "in-app"}
    assert {row["way"] for row in rows} >= {"header", "guaranteed", "preferred", "bulk", "network", "open"}
