"""Rules cannot be got round: random markets where everybody refuses something and networks resell everything blind."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange_sim.draws import AUCTION_OF, DETECT_AD, DISCOVER, VIEW, key_of, uniform
from exchange_sim.verification.rules import ADS, FALSE_ALARMS, RECALL
from experiments.accounting.sales import is_path
from experiments.accounting.tables import account
from experiments.compile.selling import offered_slots, seller_names
from experiments.results.conservation import identities
from experiments.results.tables import build_tables
from tests.oracles.markets import INTERPRETED, with_header
from tests.oracles.verification import refused, verified_market

seeds = st.integers(0, 2**32 - 1)


@settings(max_examples=10 if INTERPRETED else 60)
@given(seed=seeds)
def test_nothing_declared_and_refused_is_ever_shown(seed: int, run: Callable[[dict[str, Any]], Any]) -> None:
    """Each exposure against the scenario: no rule broken, no detector heard, prices and refunds as they must be.

    Every other market sells by header bidding, too.
    """
    data = verified_market(seed)
    done = run(with_header(data, Random(seed)) if seed % 2 else data)
    headed = is_path(done.setting)
    scenario, world = done.setting.scenario, done.setting.world
    offers, campaigns = offered_slots(scenario), list(scenario.campaigns)
    refunds, kinds = 0, list(scenario.verification.bots.values())
    for row in done.ledger.exposures:
        shown_by, campaign_id = offers[int(row["seller_slot_ix"])], campaigns[int(row["campaign_ix"])]
        assert not refused(scenario, shown_by.owner, campaign_id, declared=True)
        key = np.uint64(key_of(world.seed_key, AUCTION_OF, int(row["auction_ix"])))
        hides = refused(scenario, shown_by.owner, campaign_id, declared=False)
        if scenario.publishers[shown_by.owner].refuses or scenario.verification.refuses:
            rate = world.verification.detectors[ADS, RECALL if hides else FALSE_ALARMS]
            by = key_of(key, DETECT_AD, int(row["campaign_ix"])) if headed[row["slot_ix"]] else key
            assert uniform(np.uint64(by), DETECT_AD) >= rate
        viewed = uniform(key, VIEW) < shown_by.slot.viewability
        if not viewed:
            assert not row["clicked"]
            assert row["price_nanos"] == 0 or scenario.campaigns[campaign_id].pays == "impression"
        bot = int(row["person_ix"]) - scenario.people.count
        if bot >= 0:
            kind = kinds[0] if bot < kinds[0].count else kinds[1]
            refunds += int(row["price_nanos"]) if uniform(key, DISCOVER) < kind.discovered else 0
    tables = build_tables(account(done.setting, done.ledger, done.book))
    assert [said for said, holds in identities(tables) if not holds] == []
    assert sum(r["refunded_nanos"] for r in tables["safety"].to_pylist()) == refunds
    assert all(r["person_ix"] < scenario.people.count for r in tables["conversions"].to_pylist())
    hidden_names = set(scenario.publishers) - set(done.setting.directory.publishers)
    assert not hidden_names & {r["publisher_id"] for r in tables["safety"].to_pylist()}
    assert {r["seller_id"] for r in tables["seller_safety"].to_pylist()} <= set(seller_names(scenario))


def crowded(**campaign: Any) -> dict[str, Any]:
    """One campaign that outbids everybody, before three rivals."""
    return {
        "name": "crowded",
        "days": 1.0,
        "people": {"count": 300},
        "publishers": {"site": {"refuses": ["adult"], "slots": {"slot": {"format": "display", "floor": 0.2}}}},
        "deals": {"first": {"publisher": "site", "kind": "preferred", "floor": 0.2}},
        "rivals": {"r": {"kind": "independent", "count": 3, "price": {"kind": "uniform", "low": 0.0, "high": 1.0}}},
        "traffic": {"requests_per_day": 300 if INTERPRETED else 4000},
        "auction": {"kind": "second_price"},
        "verification": {"ads": {"recall": 1.0}},
        "campaigns": {
            "c": {"budget": {"total": 1000.0}, "goal": {"kind": "cpm", "value": 9.0}} | campaign,
        },
    }


def test_what_is_stopped_goes_to_the_next_bid(run: Callable[[dict[str, Any]], Any]) -> None:
    """A detector that misses nothing: the market is as if the campaign did not bid, and it pays nothing."""
    absent = run(crowded(bid={"kind": "constant", "price": 0.000001}))
    sold = absent.ledger.tallies.slots[:, 1:3]
    for target in ({}, {"deals": ["first"]}):
        done = run(crowded(ad={"undeclared": ["adult"]}, target=target))
        assert len(done.ledger.exposures) == 0
        assert done.book.campaigns["spent_nanos"].sum() == 0
        assert (done.ledger.tallies.slots[:, 1:3] == sold).all()
        assert done.ledger.tallies.blocks[:, 0, 0, 2].tolist() == [done.ledger.auctions] * 2
        kept = run(crowded(ad={"undeclared": ["violence"]}, target=target))
        assert len(kept.ledger.exposures) == kept.ledger.auctions


def headed(**campaign: Any) -> dict[str, Any]:
    """The crowded market, every impression offered in two more exchanges; no deal."""
    data = crowded(**campaign)
    data["publishers"]["site"]["header"] = ["blue", "red"]
    return data | {"deals": {}, "exchanges": {"blue": {"fee": 0.1}, "red": {"rivals": "r"}}}


def test_duplicates_do_not_get_round_the_detector(run: Callable[[dict[str, Any]], Any]) -> None:
    """An ad that bids in three exchanges is shown as often as one that bids in one: within the detector's error."""
    data = headed(ad={"undeclared": ["adult"]})
    data["verification"] = {"ads": {"recall": 0.6}}
    done = run(data)
    shown, asked = len(done.ledger.exposures), done.ledger.auctions
    error = (0.6 * 0.4 / asked) ** 0.5
    assert abs(shown / asked - 0.4) < 4 * error
    assert done.ledger.tallies.blocks[0, 0, 0, 2] > asked - shown  # it was stopped on more than one path
    sold = done.ledger.tallies.slots
    assert sold[:, 1].sum() == asked  # the rivals had the others


def test_what_is_stopped_on_every_path_goes_to_the_rivals(run: Callable[[dict[str, Any]], Any]) -> None:
    """The market is as if the campaign did not bid, fees and all."""
    absent = run(headed(bid={"kind": "constant", "price": 0.000001}))
    done = run(headed(ad={"undeclared": ["adult"]}))
    assert len(done.ledger.exposures) == 0
    assert (done.ledger.tallies.slots[:, 1:3] == absent.ledger.tallies.slots[:, 1:3]).all()
    assert (done.ledger.tallies.paths[:, 1] == absent.ledger.tallies.paths[:, 1]).all()
    rogue = headed(ad={"declared": ["adult"]})
    rogue["publishers"]["other"] = {"share": 1e-9, "slots": {"slot": {"format": "display"}}}
    assert len(run(rogue).ledger.exposures) == 0


def test_a_bidder_that_ignores_what_it_was_told_is_refused(run: Callable[[dict[str, Any]], Any]) -> None:
    """The exchange looks again: even if the campaign bids where its declared ad is refused, nothing is shown."""
    from experiments.drivers.batch import run_batch
    from experiments.setting import make_ready
    from tests.oracles.markets import market

    data = crowded(ad={"declared": ["adult"]})
    data["publishers"]["other"] = {"share": 1e-9, "slots": {"slot": {"format": "display"}}}
    data["deals"] = {}
    setting = make_ready(market(data))
    assert setting.plans[0].target.publishers == ("other",)
    import dataclasses

    rogue = dataclasses.replace(setting.plans[0], target=dataclasses.replace(setting.plans[0].target, publishers=()))
    ledger, _ = run_batch(dataclasses.replace(setting, plans=(rogue,)))
    assert len(ledger.exposures) == 0
    assert ledger.tallies.blocks[0, 0, 0, 0] == ledger.auctions > 100


def test_both_sides_are_told_the_same(run: Callable[[dict[str, Any]], Any]) -> None:
    """Without a network the two tables differ in names alone; the sellers' page shows counts and refunds."""
    from experiments.report.sellers import write_sellers_page

    data = crowded(ad={"undeclared": ["adult"]})
    data["publishers"]["site"] |= {"anonymous": True}
    data["deals"] = {}
    data["verification"] = {"ads": {"recall": 0.5}, "bots": {"b": {"share": 0.5, "filtered": 0.2, "discovered": 0.5}}}
    done = run(data)
    tables = build_tables(account(done.setting, done.ledger, done.book))
    (buyer,), (seller,) = tables["safety"].to_pylist(), tables["seller_safety"].to_pylist()
    assert (buyer.pop("publisher_id"), seller.pop("seller_id")) == ("anonymous-1", "site")
    assert buyer == seller
    assert buyer["stopped_ads"] > 30 < buyer["refunded"]
    (traffic,) = tables["seller_traffic"].to_pylist()
    assert traffic["refunded"] > buyer["refunded"]  # rivals have theirs
    page = write_sellers_page(tables, title="t", currency="EUR")
    assert f"{traffic['filtered']:,} requests stopped" in page.replace("\u202f", ",")
    assert "<th>ads stopped</th>" in page
