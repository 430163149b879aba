"""The curve of a campaign against worlds whose answer is known, and what is said when there is none."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from experiments.errors import ScenarioError, StudyError
from experiments.report.words import money
from experiments.results.tables import read_parquet, schema_of
from experiments.romi.curve import Curve, answers, curve_of, in_words
from experiments.romi.groups import groups_from, word_for
from experiments.romi.points import Points, account_of, collect
from experiments.romi.question import BUDGET, ask
from experiments.scenario.loader import load
from experiments.scenario.models import Scenario
from experiments.sweep.cell import Measured
from experiments.sweep.engine import compute
from tests.command_line import bidlab
from tests.experiments.romi.worlds import hill_world, price_at

pytestmark = pytest.mark.slow

CASES = Path(__file__).parents[2] / "cases"


def points_of(base: Scenario, campaign: str, lever: str, values: list[float], seeds: int) -> Points:
    """Measured points."""
    question = ask(base, campaign, lever, values, seeds)
    return collect(question, compute(question.cells()))


def said(curve: Curve) -> str:
    """The curve in words."""
    return "\n".join(in_words(curve, lambda amount: money(amount, "EUR")))


def test_the_closed_world() -> None:
    """S = beta^2 / 6, V = beta / 3 = sqrt(2 S / 3) per auction within 4 standard errors; dV/dS between neighbours."""
    base = load(CASES / "closed-world.yaml", ["traffic.requests_per_day=40000"])
    question = ask(base, "scaled", "bid.multiplier", [0.2, 0.4, 0.6, 0.8, 1.0], 5)
    outcomes = compute(question.cells())
    points = collect(question, outcomes)
    auctions = sum(o.auctions for o in outcomes[1 :: len(question.values) + 1] if isinstance(o, Measured))
    for v, beta in enumerate(question.values):
        spend, value = 1000.0 * points.spend[v].sum() / auctions, 1000.0 * points.value[v].sum() / auctions
        spend_error = math.sqrt((beta**3 / 12 - (beta**2 / 6) ** 2) / auctions)
        value_error = math.sqrt((beta / 4 - (beta / 3) ** 2) / auctions)
        assert abs(spend - beta**2 / 6) < 4 * spend_error
        assert abs(value - beta / 3) < 4 * value_error
        assert abs(value - math.sqrt(2 * spend / 3)) < 4 * (value_error + spend_error / beta)
    step = np.diff(points.value.sum(axis=1)) / np.diff(points.spend.sum(axis=1))
    expected = [2.0 / (low + high) for low, high in zip(question.values, question.values[1:], strict=False)]
    assert step == pytest.approx(expected, rel=0.03)


def test_a_hill_shaped_world_returns_its_parameters() -> None:
    shape, half, value, requests = 0.7, 0.5, 3.0, 100_000
    base = hill_world(value, half, shape, requests)
    bids = [price_at(share, half, shape) for share in np.linspace(0.06, 0.92, 18)]
    curve = curve_of(points_of(base, "c", "bid.price", bids, 2))
    fit = next(fit for fit in curve.fits if fit.family == "hill")
    assert curve.fits[0].family == "hill"
    assert fit.parameters == pytest.approx((value * requests / 1000, half * requests / 1000, shape), rel=0.05)


def test_the_counterfactual_is_what_the_labels_say_exactly() -> None:
    """One campaign alone: the account with it less without it is its labelled value, to the nano, and its ROMI."""
    base = load("learning", ["traffic.requests_per_day=20000", "people.count=3000"])
    alone = Scenario.model_validate(
        {**base.model_dump(mode="json"), "campaigns": {"buyers": base.model_dump(mode="json")["campaigns"]["buyers"]}}
    )
    question = ask(alone, "buyers", BUDGET, [3.0, 6.0], 3)
    outcomes = compute(question.cells())
    some = 0
    for s in range(3):
        off, *on = outcomes[4 * s : 4 * s + 4]
        assert isinstance(off, Measured)
        assert off.campaign("buyers")["spend_nanos"] == 0
        for measured in on:
            assert isinstance(measured, Measured)
            row = measured.campaign("buyers")
            assert account_of(measured).value_nanos - account_of(off).value_nanos == row["truth_value_nanos"]
            assert [p["organic_value_nanos"] for p in measured.products] == [p["value_nanos"] for p in off.products]
            some += row["truth_value_nanos"]
    assert some > 0
    curve = curve_of(collect(question, outcomes))
    for measured in (outcomes[1], outcomes[2]):
        assert isinstance(measured, Measured)
    first = outcomes[1::4]
    spend = sum(m.campaign("buyers")["spend_nanos"] for m in first if isinstance(m, Measured))
    value = sum(m.campaign("buyers")["truth_value_nanos"] for m in first if isinstance(m, Measured))
    assert curve.rows[0].romi.mean == pytest.approx((value * curve.points.margin - spend) / spend)


def test_beside_other_campaigns_labels_and_counterfactual_differ_by_what_the_others_lose() -> None:
    base = load("learning", ["traffic.requests_per_day=25000", "people.count=2000"])
    question = ask(base, "awareness", BUDGET, [16.0], 3)
    outcomes = compute(question.cells())
    for s in range(3):
        off, on = outcomes[2 * s], outcomes[2 * s + 1]
        assert isinstance(off, Measured)
        assert isinstance(on, Measured)
        lost = off.campaign("buyers")["truth_value_nanos"] - on.campaign("buyers")["truth_value_nanos"]
        net = account_of(on).value_nanos - account_of(off).value_nanos
        assert net == on.campaign("awareness")["truth_value_nanos"] - lost


def test_ads_without_effect_have_credit_and_exactly_no_value() -> None:
    base = load(CASES / "no-effect.yaml", ["traffic.requests_per_day=15000", "people.count=4000"])
    curve = curve_of(points_of(base, "useless", BUDGET, [5.0, 10.0, 20.0], 3))
    for row in curve.rows:
        assert row.incremental == (0.0, 0.0, 0.0)
        assert row.romi == (-1.0, -1.0, -1.0)
        assert row.credited_roas.mean is not None
        assert row.credited_roas.mean > 0.0
    assert curve.fits == []
    assert curve.optimum == 0.0
    assert "no value" in said(curve)


def test_no_spend_is_no_error_and_no_return() -> None:
    never_wins = ["campaigns.scaled.bid={kind: constant, price: 0.000002}", "traffic.requests_per_day=2000"]
    curve = curve_of(points_of(load(CASES / "closed-world.yaml", never_wins), "scaled", BUDGET, [1.0, 2.0], 2))
    assert "bought nothing" in said(curve)
    assert "never won" in said(curve)
    assert all(row.romi == (None, None, None) for row in curve.rows)
    assert curve.optimum is None
    json.dumps(answers(curve), allow_nan=False)
    never_bids = ["publishers.site.slots.slot.floor=5", "traffic.requests_per_day=2000"]
    curve = curve_of(points_of(load(CASES / "closed-world.yaml", never_bids), "scaled", BUDGET, [1.0], 1))
    assert "never bid" in said(curve)


def test_budgets_past_saturation_are_told_and_not_fitted() -> None:
    base = load(CASES / "closed-world.yaml", ["traffic.requests_per_day=20000"])
    curve = curve_of(points_of(base, "scaled", BUDGET, [0.2, 0.4, 0.6, 5.0, 50.0], 2))
    assert curve.saturated_from == 5.0
    assert [row.marginal_romi.mean is None for row in curve.rows] == [False] * 4 + [True] * 2
    assert "more of it buys nothing more" in said(curve)


def test_common_random_numbers_cut_the_variance() -> None:
    """The difference of ROMI that 2 % more bid makes: same seeds against independent ones, at least 10 times."""
    base = load(CASES / "closed-world.yaml", ["traffic.requests_per_day=5000"])
    points = points_of(base, "scaled", "bid.multiplier", [0.5, 0.51], 40)
    romi = points.profit / points.spend
    paired = np.var(romi[1] - romi[0], ddof=1)
    independent = np.var(romi[0], ddof=1) + np.var(romi[1], ddof=1)
    assert independent / paired > 10.0


def test_questions_without_an_answer_are_refused() -> None:
    base = load("learning")
    with pytest.raises(StudyError, match="did you mean buyers"):
        ask(base, "buyer", BUDGET, None, 2)
    with pytest.raises(StudyError, match="no such setting"):
        ask(base, "buyers", "bid.multiplyer", [1.0], 2)
    with pytest.raises(StudyError, match="only numbers"):
        ask(base, "buyers", "pacing", [1.0], 2)
    with pytest.raises(ScenarioError, match=r"budget\.total"):
        ask(base, "buyers", BUDGET, [1e12], 1).cells()
    for campaign in ("c",):
        with pytest.raises(StudyError, match="advertises no product"):
            ask(_without_product(), campaign, BUDGET, None, 1)
    question = ask(load("learning"), "awareness", BUDGET, [4.0], 1)
    assert question.values == (4.0, 16.0)
    small = question.scenarios()[0].campaigns["awareness"].budget
    assert small.daily == pytest.approx(9.0 * 4.0 / 16.0)


def _without_product() -> Scenario:
    from tests.oracles.worlds import scenario_of

    return scenario_of()


def test_the_command_leaves_a_whole_study(tmp_path: Path) -> None:
    small = ["--set", "traffic.requests_per_day=3000", "--set", "people.count=500"]
    command = ["romi", "learning", "--campaign", "buyers", *small, "--budgets", "2,4,6", "--seeds", "2"]
    done = bidlab(tmp_path, *command, "--out", str(tmp_path), "--json")
    assert done.code == 0, done.stderr
    told = json.loads(done.stdout)
    folder = Path(told["study"])
    assert told["current"]["budget"] == 9.0
    for name in ("romi_points", "romi_curve", "romi_fits"):
        assert read_parquet(folder / f"{name}.parquet").schema.equals(schema_of(name))
    assert {f.name for f in (folder / "figures").iterdir()} == {"response.png", "profit.png", "attribution.png"}
    page = (folder / "romi.html").read_text()
    assert "default-src 'none'" in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    refused = bidlab(tmp_path, "romi", "learning")
    assert refused.stderr == "bidlab: --campaign: is missing; learning has awareness, buyers: name one of them\n"
    refused = bidlab(tmp_path, "romi", "learning", "--campaign", "awareness", "--vary", "bid.max=1,2")
    assert "is not set in campaign awareness, and only numbers can be turned; there are: budget.total" in refused.stderr
    refused = bidlab(tmp_path, "romi", "learning", "--campaign", "nobody")
    assert refused.code == 1
    assert refused.stderr.startswith("bidlab: --campaign nobody: no such campaign")


def test_groups_add_up_to_the_whole_curve(tmp_path: Path) -> None:
    """Tiers and places hold everybody once: their values and spends add up to the campaign's, to the nano."""
    rich = ["products.espresso-machine.value_sigma=0.8", "places={north: {share: 0.4}, south: {share: 0.6}}"]
    base = load("learning", ["traffic.requests_per_day=20000", "people.count=3000", *rich])
    for by in ("customer", "place"):
        question = ask(base, "buyers", BUDGET, [3.0], 2)._replace(by=word_for(base, "buyers", by))
        outcomes = compute(question.cells())
        for outcome in outcomes:
            assert isinstance(outcome, Measured)
            groups, whole = outcome.groups, account_of(outcome)
            assert sum(group["persons"] for group in groups) == 3000
            assert sum(group["value_nanos"] for group in groups) == whole.value_nanos
            assert sum(sum(group["spend_nanos"].values()) for group in groups) == whole.spend_nanos
        points, found = collect(question, outcomes), groups_from(question, outcomes)
        assert list(found.curves) == (["low", "middle", "high"] if by == "customer" else ["north", "south"])
        curves = [curve.points for curve in found.curves.values()]
        assert sum(curve.spend for curve in curves) == pytest.approx(points.spend)
        assert sum(curve.gross for curve in curves) == pytest.approx(points.gross)
    done = bidlab(
        tmp_path,
        *("romi", "learning", "--campaign", "buyers", "--budgets", "3,6", "--seeds", "2", "--by", "segment"),
        *("--set", "traffic.requests_per_day=5000", "--set", "people.count=1000", "--out", str(tmp_path), "--json"),
    )
    assert done.code == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["groups"].keys() == {"coffee-lovers"}
    assert read_parquet(Path(told["study"]) / "romi_groups.parquet").schema.equals(schema_of("romi_groups"))
    assert (Path(told["study"]) / "figures" / "groups.png").stat().st_size > 10_000


def test_groups_that_cannot_be_told_apart_are_refused() -> None:
    closed, base = load(CASES / "closed-world.yaml"), load("learning")
    with pytest.raises(StudyError, match="one of customer, place, segment"):
        word_for(base, "buyers", "age")
    with pytest.raises(StudyError, match="nobody is its customer"):
        word_for(closed, "scaled", "customer")
    with pytest.raises(StudyError, match="no segments"):
        word_for(closed, "scaled", "segment")
