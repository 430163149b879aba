"""Pacing in a scenario: a name or a mapping with a kind, and what is said when it is neither."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bidder.plan import PacePlan
from experiments.compile.buyer import compile_plans
from experiments.errors import ScenarioError
from experiments.missed_targets import missed_targets
from experiments.run import run_scenario
from experiments.scenario.loader import dump_yaml, load
from tests.oracles.worlds import scenario_of

CAMPAIGN = {"budget": {"total": 10.0}, "goal": {"kind": "cpm", "value": 1.0}}


@pytest.mark.parametrize(
    ("pacing", "plan"),
    [
        ("even", PacePlan("even")),
        ({"kind": "adaptive", "step": 2.0}, PacePlan("adaptive", 0.0, 100.0, 2e-6)),
        (
            {"kind": "adaptive", "form": "multiplicative", "step": 2.0, "auctions": 1000.0, "highest": 5.0},
            PacePlan("multiplicative", 0.1, 5.0, 2e-6, 1000.0),
        ),
        ({"kind": "adaptive", "step": 2.0, "start": 9.0, "highest": 5.0}, PacePlan("adaptive", 5.0, 5.0, 2e-6)),
        ({"kind": "pid", "kp": 0.4, "ki": 0.1, "kd": 0.2}, PacePlan("pid", 1.0, 1.0, gains=(0.4, 0.1, 0.2))),
    ],
)
def test_each_pacing_becomes_its_plan_and_survives_a_dump(pacing: object, plan: PacePlan) -> None:
    scenario = scenario_of(campaigns={"c": CAMPAIGN | {"pacing": pacing}})
    assert compile_plans(scenario)[0].pacing == plan
    assert "kind: " + scenario.campaigns["c"].goal.kind in dump_yaml(scenario)
    assert type(scenario).model_validate(scenario.model_dump()) == scenario


@pytest.mark.parametrize(
    ("pacing", "message"),
    [
        ("evn", "pacing: 'evn' is not one of asap, even; did you mean even?"),
        ("3", "pacing: 3 is not one of asap, even"),
        ("", "pacing: is empty"),
        ("{kind: pidd}", "pacing.kind: 'pidd' is not one of adaptive, ecpc, pid, shaped, throttled; did you mean pid?"),
        ("{step: 1}", "pacing.kind: is missing"),
        ("{kind: adaptive}", "pacing.step: is missing"),
        ("{kind: adaptive, step: 0}", "pacing.step: must be above 0"),
        ("{kind: adaptive, step: 1, auctions: 0.5}", "pacing.auctions: must be at least 1"),
        ("{kind: pid, kpp: 1}", "pacing.kpp: unknown key; did you mean kp?"),
        ("{kind: pid, kp: .nan}", "pacing.kp: must be a finite number"),
    ],
)
def test_a_mistake_names_place_and_remedy(pacing: str, message: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        load("retail-launch", [f"campaigns.shoe-burst.pacing={pacing}"])
    assert f"campaigns.shoe-burst.{message}" in str(caught.value)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("rates={method: model}", "rates.method: model says how rates are learned; add learned: true"),
        ("rates={learned: true, explore: true}", "rates.explore: needs to know how uncertain a rate is"),
        ("rates={learned: true, method: modle}", "rates.method: 'modle' is not one of counts, pooled, model"),
        (
            "pacing={kind: adaptive, step: 1, target_cpa: 3}",
            "pacing.target_cpa: is a cost per purchase; it needs goal cpa",
        ),
        ("bid={kind: random, low: 2, high: 1}", "bid.low: 2 is above high (1); swap them"),
        ("pacing={kind: throttled, start: 0}", "pacing.start: must be above 0"),
        ("pacing={kind: throttled, shape: [1, 2]}", "pacing.shape"),
        ("pacing={kind: ecpc}", "pacing.target: is missing"),
        ("worth_by_frequency=[-1]", "worth_by_frequency"),
        ("caps=[{limit: 1, per: 1d, scope: line}]", "scope: 'line' is not one of campaign, product, all"),
    ],
)
def test_a_contradiction_names_place_and_remedy(setting: str, message: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        load("retail-launch", [f"campaigns.shoe-burst.{setting}"])
    assert message in str(caught.value)


def test_a_target_that_never_binds_is_told() -> None:
    pacing = "campaigns.shoe-prospecting.pacing={kind: adaptive, step: 1, target_cpa: 30}"
    with pytest.raises(ScenarioError) as caught:
        load("retail-launch", [pacing])
    assert "pacing.target_cpa: 30 never binds: no bid is above the worth of a purchase (21.6)" in str(caught.value)


def target_of(learned: bool, target: float) -> str:
    """One small campaign that pays for purchases, floors of 0.2 CPM and more, a believed purchase rate of 0.001."""
    return f"""
name: small
days: 0.2
people: {{count: 100}}
products: {{shoe: {{effect: {{conversion: 0.001}}}}}}
rivals: {{r: {{kind: highest, price: {{kind: quantiles, values: [0, 0.4]}}}}}}
publishers: {{site: {{rivals: r, slots: {{a: {{format: display, floor: 0.2}}, b: {{format: video, floor: 0.5}}}}}}}}
traffic: {{requests_per_day: 5000}}
campaigns:
  c:
    product: shoe
    budget: {{total: 1}}
    goal: {{kind: cpa, value: 2}}
    rates: {{cvr: 0.001, learned: {str(learned).lower()}}}
    pacing: {{kind: adaptive, step: 0.1, target_cpa: {target}, target_step: 1000}}
"""


def test_a_target_that_no_bid_can_meet_is_told_before_the_run(tmp_path: Path) -> None:
    path = tmp_path / "small.yaml"
    path.write_text(target_of(False, 0.1))
    with pytest.raises(ScenarioError) as caught:
        load(str(path))
    told = "campaigns.c.pacing.target_cpa: 0.1 can be met by no bid: at a purchase rate of 0.001 an impression may cost"
    assert told in str(caught.value)
    assert "0.1 CPM, and the lowest floor is 0.2 CPM; raise it to 0.2 or more" in str(caught.value)
    for possible in (target_of(False, 0.2), target_of(True, 0.1)):
        path.write_text(possible)
        assert load(str(path)).name == "small"


def test_a_target_out_of_reach_of_learned_rates_is_told_after_the_run(tmp_path: Path) -> None:
    """Nothing more is bought once bids lie below the floors, the budget stays whole, and one sentence says why."""
    path = tmp_path / "small.yaml"
    for target, out_of_reach in ((0.01, True), (1.9, False)):
        path.write_text(target_of(True, target))
        scenario = load(str(path))
        outcome = run_scenario(scenario, "")
        told = list(missed_targets(compile_plans(scenario), outcome.tables))
        assert len(told) == out_of_reach
        spent = sum(outcome.tables["campaigns"]["spend_nanos"].to_pylist())
        assert 0 <= spent <= 10**9
        if out_of_reach:
            assert re.match(r"campaign c: its target was out of reach: for [\d,]+ of [\d,]+ requests", told[0])
