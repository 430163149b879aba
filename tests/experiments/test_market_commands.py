"""`bidlab market`: the table, the same numbers as JSON, pairs of seeds, and what cannot be compared."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from exchange_sim.selling.reserve import lognormal_reserve
from experiments.market.ways import (
    FLOORS_COMPARED,
    WAYS_COMPARED,
    Result,
    adaptive_reserves,
    feasible,
    fitted_values,
    measure,
    myerson_reserves,
    paired_difference,
    seen_bids,
    under_their_names,
    ways_of,
)
from experiments.scenario.loader import load, shipped_names
from experiments.scenario.models import Scenario
from tests.command_line import Done, bidlab

NAMED = ["publishers.sports-tv.anonymous=false", "publishers.sports-tv.discount=0"]
SMALL = ["--set", "traffic.requests_per_day=3000", "--set", "people.count=500", "--set", "deals.order.impressions=700"]


def market(*arguments: str) -> Done:
    return bidlab(Path.cwd(), "market", *arguments)


@pytest.mark.slow
def test_ways_are_compared_on_the_same_demand_and_luck() -> None:
    done = market("ways", "sell-every-way", "--seeds", "2", "--json", *SMALL)
    assert done.code == 0, done.stderr
    found = json.loads(done.stdout)
    rows = {row["variant"]: row for row in found["rows"]}
    assert list(rows) == list(WAYS_COMPARED)
    for row in rows.values():
        assert row["paid"] == pytest.approx(row["publisher"] + row["fees"] + row["network"])
        assert 0 < row["working_media"] < 1
    assert rows["open auction"]["difference"] == 0
    assert rows["ad network"]["publisher"] < rows["open auction"]["publisher"]
    assert rows["open auction"]["network"] == 0 < rows["ad network"]["network"]
    assert rows["header bidding"]["publisher"] > rows["open auction"]["publisher"]
    shown = market("ways", "sell-to-a-network", "--seeds", "1", *SMALL[:4]).stdout
    assert [name for name in WAYS_COMPARED if name in shown] == ["open auction", "ad network", "as written"]


@pytest.mark.slow
def test_floors_are_compared() -> None:
    soon_out = ["--set", "campaigns.knives-open.budget.total=1", "--set", "campaigns.shoes-open.budget.total=1"]
    done = market("floors", "sell-at-a-floor", "--seeds", "1", "--json", *SMALL[:4], *soon_out)
    assert done.code == 0, done.stderr
    rows = {row["variant"]: row for row in json.loads(done.stdout)["rows"]}
    assert list(rows) == list(FLOORS_COMPARED)
    assert rows["none"]["fill"] > 0.99 > rows["myerson"]["fill"]
    assert rows["myerson"]["publisher"] > rows["none"]["publisher"]
    assert rows["empirical"]["publisher"] > rows["none"]["publisher"]
    assert rows["myerson"]["standard_error"] is None


@pytest.mark.slow
def test_floors_that_cannot_be_are_left_out_with_the_reason() -> None:
    """Nothing is learned in first-price auctions, or from one exchange of several: the rest is compared."""
    done = market("floors", "sell-openly", "--seeds", "1", "--set", "auction.kind=first_price", *SMALL[:4])
    assert done.code == 0, done.stderr
    assert "Left out, adaptive: publishers.daily-news.slots.top.reserve: what it would learn" in done.stdout
    plan = load("sell-by-header")
    everywhere = plan.model_dump()
    for body in adaptive_reserves(plan.model_dump())["publishers"].values():
        assert all((slot["reserve"] is None) == bool(body["header"]) for slot in body["slots"].values())
    found, left_out = feasible(FLOORS_COMPARED, plan)
    assert (list(found), left_out) == (list(FLOORS_COMPARED), {})
    for body in everywhere["publishers"].values():
        body["header"] = ["northern"]
    found, left_out = feasible(FLOORS_COMPARED, Scenario.model_validate(everywhere))
    assert list(left_out) == ["adaptive"]
    assert "several exchanges" in left_out["adaptive"]


def test_what_a_mask_costs_is_compared() -> None:
    """The same seller under its name: rivals bid all they would, and the rest is as it was."""
    variants = ways_of(load("sell-anonymously"))
    assert list(variants) == ["open auction", "under their names", "as written"]
    named = Scenario.model_validate(variants["under their names"](load("sell-anonymously").model_dump()))
    assert not any(body.anonymous or body.discount for body in named.publishers.values())
    small = ["traffic.requests_per_day=3000", "people.count=500"]
    masked, shown = (measure(load("sell-anonymously", [*small, *more])) for more in ([], NAMED))
    assert shown.publisher > masked.publisher
    assert shown == measure(Scenario.model_validate(under_their_names(load("sell-anonymously", small).model_dump())))


@pytest.mark.slow
def test_what_separation_costs_is_compared() -> None:
    """Apart from what it prevents, keeping competitors apart only takes buyers away."""
    done = market("pages", "sell-by-page", "--seeds", "2", "--json", *SMALL[:4])
    assert done.code == 0, done.stderr
    rows = {row["variant"]: row for row in json.loads(done.stdout)["rows"]}
    assert list(rows) == ["none", "advertiser", "category"]
    assert rows["none"]["clashes"] > rows["advertiser"]["clashes"] > 0 == rows["category"]["clashes"]
    assert rows["none"]["publisher"] > rows["category"]["publisher"] > 0
    assert rows["category"]["standard_error"] < -rows["category"]["difference"]
    nobody = market("pages", "sell-openly")
    assert nobody.code != 0
    told = (
        "publishers: nobody sells pages here; give a publisher some, for example {article: {slots: [top, side]}} under"
    )
    assert told in nobody.stderr


@pytest.mark.slow
def test_verification_is_compared_on_the_same_luck() -> None:
    """Each step stops what it is for; the command prints what the table says."""
    done = market("safety", "sell-safely", "--seeds", "1", "--json", *SMALL[:4])
    assert done.code == 0, done.stderr
    rows = {row["variant"]: row for row in json.loads(done.stdout)["rows"]}
    declared, detectors, bots, views = rows.values()
    assert declared["stopped"] == declared["filtered"] == declared["refunded"] == 0 < declared["refused"]
    assert detectors["bad_ads"] < 0.5 * declared["bad_ads"]
    assert bots["bots"] < detectors["bots"]
    assert bots["refunded"] > 0 < bots["filtered"]
    assert views["paid"] < bots["paid"]
    shown = market("safety", "sell-safely", "--seeds", "1", *SMALL[:4]).stdout
    assert all(name in shown for name in rows)


@pytest.mark.parametrize(
    ("scenario", "word"), [("sell-openly", "deals: everything is sold in one open auction"), ("nope", "no such file")]
)
def test_what_cannot_be_compared_is_one_message(scenario: str, word: str) -> None:
    done = market("ways", scenario, "--seeds", "1", *SMALL[:4])
    assert done.code == 1
    assert word in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_over_targeting_is_a_curve(tmp_path: Path) -> None:
    """More often: less response, more opt-outs; aimed narrowly more so; drawn, and told as numbers."""
    picture = tmp_path / "reaction.png"
    small = ["--set", "traffic.requests_per_day=20000", "--set", "people.count=2000", "--set", "days=7"]
    done = market(
        "reaction", "over-targeting", "--caps", "1,16", "--seeds", "1", "--plot", str(picture), "--json", *small
    )
    assert done.code == 0, done.stderr
    rows = {(row["audience"], row["cap"]): row for row in json.loads(done.stdout)["rows"]}
    assert picture.read_bytes().startswith(b"\x89PNG")
    seldom, often = rows["as written", 1]["reacting"], rows["as written", 16]["reacting"]
    assert often["impressions"] > 2 * seldom["impressions"]
    assert often["withdrawn"] / often["reached"] > 2 * seldom["withdrawn"] / seldom["reached"]
    calm = rows["as written", 16]["indifferent"]
    assert calm["withdrawn"] == 0
    assert often["clicks"] / often["impressions"] < 0.8 * calm["clicks"] / calm["impressions"]
    refused = market("reaction", "sell-openly")
    assert (refused.code, "people.reaction: is missing" in refused.stderr) == (1, True)
    assert "--caps 1,x" in market("reaction", "over-targeting", "--caps", "1,x").stderr


def test_differences_are_paired() -> None:
    base = [Result(10, 10, publisher, 0.0, 0.0, 0.0, 0.0, 0) for publisher in (1.0, 5.0, 9.0)]
    other = [result._replace(publisher=result.publisher + extra) for result, extra in zip(base, (1, 2, 3), strict=True)]
    assert paired_difference(other, base) == (2.0, pytest.approx(1.0 / 3**0.5))
    assert paired_difference(other[:1], base[:1]) == (1.0, None)
    assert (base[0].fill, base[0].ecpm) == (1.0, 100.0)


def test_the_reserve_comes_from_bids_that_were_seen() -> None:
    """4,000 bids of one rival, lognormal with median 0.5 and sigma 0.7: told from uniform, and the reserve is near."""
    data = load("sell-openly").model_dump()
    values = fitted_values(seen_bids(data, "many"))
    assert values["kind"] == "lognormal"
    fitted = lognormal_reserve(math.log(values["median"]), values["sigma"])
    assert fitted == pytest.approx(lognormal_reserve(math.log(0.5), 0.7), rel=0.05)
    slot = myerson_reserves(data)["publishers"]["recipes"]["slots"]["banner"]
    assert slot["reserve"] == {"kind": "myerson", "values": values}
    data["rivals"]["few"]["price"] = {"kind": "uniform", "low": 0.2, "high": 0.9}
    assert fitted_values(seen_bids(data, "few"))["kind"] == "uniform"


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in shipped_names() if name.startswith("sell-")])
def test_each_way_has_a_scenario_that_sells(name: str) -> None:
    """Small enough to run here; the way it is named after brings money."""
    small = ["traffic.requests_per_day=3000", "people.count=500"]
    owes = "guaranteed" in name or "every" in name
    plan = load(name, [*small, "deals.order.impressions=700"] if owes else small)
    result = measure(plan)
    assert result.publisher > 0
    assert result.sold > 0.8 * result.requests


@pytest.mark.slow
def test_yield_by_channel_and_what_agreed_prices_cost() -> None:
    done = market("yield", "sell-every-way", "--json", *SMALL)
    assert done.code == 0, done.stderr
    found = json.loads(done.stdout)
    assert {row["channel"] for row in found["rows"]} == {"display", "mobile web", "video", "in-app"}
    agreed = {(row["slot_id"], row["way"]): row["advice"] for row in found["agreed_prices"]}
    assert agreed["sports-tv/clip", "guaranteed"].startswith("keep")
    assert agreed["recipes/banner", "bulk"].startswith("sell openly")
