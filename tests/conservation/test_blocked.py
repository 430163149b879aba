"""Blocked categories and creative attributes: never shown, directly or through a network, and said on the wire."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest

from exchange_sim.requests import SSP_DOMAIN, Arrivals, RequestMaker
from exchange_sim.selling.terms import set_all_terms
from exchange_sim.traffic import draw_opportunities, new_cursor
from exchange_sim.world import OPPORTUNITY
from experiments.accounting.tables import account
from experiments.compile.wire import deal_cards, slot_cards
from experiments.drivers.batch import run_batch
from experiments.drivers.events import run_events
from experiments.results.tables import build_tables
from experiments.scenario.models import Scenario
from experiments.scenario.references import find_problems
from experiments.setting import Setting, fresh_truth, make_ready

AD = {"kind": "banner", "click": "https://shop.example/"}
NO: dict[str, Any] = {"blocked_categories": ["footwear", "IAB7"], "blocked_attributes": [3]}


def market(**paper: Any) -> dict[str, Any]:
    """Two publishers and a network that resells both; four campaigns, three of which the paper may not want."""
    money: dict[str, Any] = {
        "budget": {"total": 1000.0},
        "goal": {"kind": "cpm", "value": 1.0},
        "bid": {"kind": "random", "high": 2.0},
    }
    slots = {"top": {"format": "display"}, "clip": {"format": "video", "roll": "mid"}}
    return {
        "name": "blocked",
        "days": 0.2,
        "people": {"count": 100},
        "products": {"shoes": {"category": "footwear"}, "pans": {"category": "kitchen"}},
        "publishers": {"paper": {"slots": slots} | paper, "other": {"slots": {"top": {"format": "display"}}}},
        "networks": {"net": {"buys": {"paper": {"share": 0.5, "price": 0.1}}, "slots": {"any": {"format": "display"}}}},
        "fees": {"ssp": 0.1},
        "rivals": {"few": {"kind": "independent", "count": 2, "price": {"kind": "uniform", "low": 0.0, "high": 2.0}}},
        "traffic": {"requests_per_day": 6000.0},
        "campaigns": {
            "by-product": money | {"product": "shoes"},
            "by-code": money | {"creatives": {"a": AD, "b": AD | {"categories": ["IAB7-3"]}, "v": VIDEO}},
            "by-attribute": money | {"creatives": {"a": AD | {"attributes": [3]}, "v": VIDEO}},
            "welcome": money | {"product": "pans", "creatives": {"a": AD | {"categories": ["IAB71"]}, "v": VIDEO}},
        },
    }


VIDEO = {"kind": "video", "click": "https://shop.example/"}


def shown_on_paper(setting: Setting, exposures: Any) -> set[str]:
    """Campaigns whose ads stood on the paper's pages, whoever sold them."""
    names = list(setting.scenario.campaigns)
    on_paper = exposures[exposures["seller_slot_ix"] < 2]
    return {names[c] for c in on_paper["campaign_ix"].tolist()}


def test_what_a_publisher_blocks_is_never_shown_there() -> None:
    """Without rules all are; with them one, though a network resells blind; both drivers agree."""
    free, blocking = (make_ready(Scenario.model_validate(market(**rules))) for rules in ({}, NO))
    everybody, _ = run_batch(free)
    assert shown_on_paper(free, everybody.exposures) == set(free.scenario.campaigns)
    ledger, book = run_batch(blocking)
    assert shown_on_paper(blocking, ledger.exposures) == {"welcome"}
    assert {"by-product", "by-code", "by-attribute"} <= {
        list(blocking.scenario.campaigns)[c] for c in ledger.exposures["campaign_ix"].tolist()
    }
    tables = build_tables(account(blocking, ledger, book))
    refused = {row["campaign_id"] for row in tables["seller_safety"].to_pylist() if row["refused_ads"]}
    assert refused == {"by-product", "by-code", "by-attribute"}  # where the network resold the paper
    events, _ = run_events(fresh_truth(blocking))
    assert events.exposures.tolist() == ledger.exposures.tolist()


def test_buyers_are_told_on_the_wire() -> None:
    """`bcat` and `battr` of the seller's requests, when a video plays, and every hop that takes a fee."""
    setting = make_ready(Scenario.model_validate(market(**NO)))
    opps, world = np.zeros(200, OPPORTUNITY), setting.world
    n = draw_opportunities(world, opps, len(opps), new_cursor(), 9000.0)
    arrivals = Arrivals(opps[:n], np.zeros((n, 0), np.int64))
    set_all_terms(world, arrivals.opps, arrivals.terms)
    maker = RequestMaker(
        *(world, slot_cards(setting), setting.directory.places, setting.user_id),
        currency="EUR",
        tmax_ms=100.0,
        deals=deal_cards(setting),
    )
    seen = set()
    for i in range(n):
        request = msgspec.to_builtins(maker.make(arrivals, i))
        imp, chain = request["imp"][0], request["source"]["schain"]
        seller, ours = request["site"]["publisher"]["id"], request.get("bcat") is not None
        seen.add((seller, "video" in imp))
        assert ours == (seller == "paper")
        assert [node["asi"] for node in chain["nodes"]] == [SSP_DOMAIN, "exchange.bidlab"]
        assert [node["sid"] for node in chain["nodes"]] == [seller, SSP_DOMAIN]
        assert chain["complete"] == (seller != "net")
        room = imp.get("video") or imp["banner"]
        assert room.get("battr") == ([3] if ours else None)
        assert request.get("bcat") == (["footwear", "IAB7"] if ours else None)
        assert room.get("startdelay") == (-1 if "video" in imp else None)
    assert seen == {("paper", False), ("paper", True), ("other", False), ("net", False)}


@pytest.mark.parametrize(
    ("campaign", "word"),
    [
        ("by-product", "refuses ads of category 'footwear': remove 'footwear' from its blocked_categories"),
        ("by-code", "refuses ads of category 'IAB7': remove"),
        ("by-attribute", "refuses ads with attribute 3: remove 3 from its blocked_attributes"),
    ],
)
def test_a_deal_with_a_blocked_campaign_is_refused(campaign: str, word: str) -> None:
    data = market(**NO) | {"deals": {"look": {"publisher": "paper", "kind": "preferred", "floor": 1.0}}}
    data["campaigns"][campaign]["target"] = {"deals": ["look"]}
    (problem,) = find_problems(data)
    assert (problem.path, word in problem.message) == (("campaigns", campaign, "target", "deals", 0), True)
