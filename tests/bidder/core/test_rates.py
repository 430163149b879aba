"""Rates learned online: against a slow oracle, against the rates of a made-up market, and at the edges."""

from __future__ import annotations

import math
from random import Random
from typing import Any

import numpy as np
import pytest

from bidder.build import build_book
from bidder.core import settle
from bidder.core.book import CELL_CLICKS, CELL_WINS, CTR, CVR, IMPRESSION, WEIGHT_ROWS, Book
from bidder.core.delays import PER_S
from bidder.core.features import SEGMENT, value_of
from bidder.core.ftrl import row_of
from bidder.core.pooling import pool_rates
from bidder.core.rates import (
    CLICKS,
    PURCHASES,
    explored,
    learn_models,
    modelled_rate,
    normal_draw,
    predict,
    teach_click,
    teach_exposure,
    teach_purchase,
)
from bidder.core.touch import touch, touch_of
from bidder.errors import PlanError
from bidder.plan import BidPlan, CampaignPlan, Directory
from bidder.room import ensure_room
from tests.oracles.learning import Feature, Model

DIRECTORY = Directory(("a", "b"), ("a/x", "a/y", "b/z"), ("town", "shore"), (), ("s0", "s1"), ("g",))
DAY_S = 86400.0


def plan(**changes: Any) -> CampaignPlan:
    """A campaign that learns by model."""
    values: dict[str, Any] = {
        "campaign_id": "c", "total_nanos": 10**15, "start_s": 0.0, "end_s": 90 * DAY_S, "goal": "cpc",
        "bid": BidPlan("truthful", 1.0), "goal_value_nanos": 1e9, "product": "g", "ctr": 0.02, "cvr": 0.01,
        "learned": True, "method": "model", "prior_impressions": 100.0, "lookback_s": 30 * DAY_S, "delay_s": 7200.0,
    }  # fmt: skip
    return CampaignPlan(**(values | changes))


def book_of(*plans: CampaignPlan, people: int = 50) -> Book:
    """A book over people of which some hold segments."""
    held = np.arange(people, dtype=np.uint64)[:, None] % np.uint64(4)
    return build_book(plans, DIRECTORY, people_count=people, held=held)


def impression(rng: Random, now_s: float, people: int = 50) -> np.ndarray[Any, np.dtype[np.void]]:
    """A random request as IMPRESSION[1]; a stranger now and then."""
    imps = np.zeros(1, IMPRESSION)
    slot_ix = rng.randrange(3)
    values = (now_s, rng.randrange(-1, people), 0, 0, math.nan, math.nan, rng.randrange(10**6), slot_ix)
    imps[0] = (*values, int(slot_ix == 2), -1, rng.randrange(2), int(now_s // 3600) % 168, slot_ix, rng.randrange(4), 0)
    return imps


def features(imps: Any, seen: int, rows: int) -> list[Feature]:
    """What the documentation says a model looks at, each under the row its hash gives it."""
    row, person_ix = imps[0], int(imps["person_ix"][0])
    classes = [0, 1, 2, 3, 4, 4, 5, 5, 5, 6]
    values = [
        int(row["slot_ix"] == 2), int(row["place_ix"]), int(row["format_ix"]), int(row["device_ix"]),
        7 if person_ix < 0 else classes[min(seen, 9)], int(row["now_s"] // 3600) % 24,
    ]  # fmt: skip
    named = list(enumerate(values))
    named += [(SEGMENT, k) for k in range(2) if person_ix >= 0 and (person_ix % 4) >> k & 1]
    return [("row", row_of(field, value, np.uint64(rows - 1))) for field, value in named]


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("goal", ["cpc", "cpa"])
def test_a_model_learns_as_the_oracle_does(goal: str, seed: int) -> None:
    rng, now_s = Random(seed), 0.0
    book, model = book_of(plan(goal=goal)), CLICKS if goal == "cpc" else PURCHASES
    book.campaigns["learned"][0] = 0  # pooled rates stay those of the plan, and offset the model
    rows = int(book.index[WEIGHT_ROWS])
    prior = 0.02 if goal == "cpc" else 0.01
    oracle = Model(math.log(prior / (1 - prior)), 1.0 / (100.0 * prior), goal == "cpa", 7200.0)
    history: dict[int, list[tuple[float, list[Feature]]]] = {}
    for step in range(600):
        now_s += rng.choice([0.25, 60.0, 900.0])
        imps = impression(rng, now_s)
        person_ix = int(imps["person_ix"][0])
        seen = history.get(person_ix, []) if person_ix >= 0 else []
        known = features(imps, len(seen), rows)
        context = touch(book, 0, imps, 0)
        assert context == touch_of(imps, 0, -1 if person_ix < 0 else len(seen))
        assert value_of(0, context, 0, book.index) == (imps["slot_ix"][0] == 2)
        rate = modelled_rate(book, 0, model, person_ix, context, int(imps["hour"][0]))[0]
        assert rate == pytest.approx(oracle.rate(known), rel=1e-9)
        given, variance = predict(book, 0, model, person_ix, context, int(imps["hour"][0]))
        pooled = book.cells[0, imps["slot_ix"][0], CTR if goal == "cpc" else CVR]
        assert given == pytest.approx(oracle.predict(known, pooled), rel=1e-9)
        assert variance == pytest.approx(oracle.variance(known), rel=1e-9)
        book = ensure_room(book)
        settle.buy(book, 0, person_ix, context, 1000, now_s)
        oracle.shown(known, now_s)
        if person_ix >= 0:
            history.setdefault(person_ix, []).append((now_s, known))
        if goal == "cpc" and rng.random() < 0.2:
            settle.click(book, 0, person_ix, context, now_s)
            oracle.outcome(known)
        if goal == "cpa" and rng.random() < 0.2:
            buyer = rng.randrange(50)
            later_s = now_s + 0.125
            assert (settle.convert(book, 0, buyer, 5, later_s) == 0) == (buyer in history)
            if buyer in history:
                shown_s, then = history[buyer][-1]
                oracle.outcome(then, shown_s, later_s - shown_s)
        if step % 7 == 0:
            settle.tick(book, now_s)
            oracle.tick(now_s)
            if goal == "cpa":
                assert book.learners[0, PER_S] == pytest.approx(oracle.per_s, rel=1e-9)
    assert oracle.heard > 60


def test_rates_of_a_made_up_market_are_found() -> None:
    """Format doubles, a segment halves the click rate: after 60,000 impressions both are known within a tenth."""
    rng, book, truth = Random(5), book_of(plan(ctr=0.05)), {}
    for step in range(60_000):
        now_s = 20.0 * step
        imps = impression(rng, now_s)
        imps["person_ix"][0] = rng.randrange(50)
        person_ix = int(imps["person_ix"][0])
        rate = 0.05 * (2.0 if imps["slot_ix"][0] == 2 else 1.0) * (0.5 if person_ix % 2 else 1.0)
        context = touch_of(imps, 0, 0)
        if step >= 50_000:
            hour = int(imps["hour"][0])
            truth.setdefault(rate, []).append(predict(book, 0, CLICKS, person_ix, context, hour)[0])
        teach_exposure(book, 0, person_ix, context, now_s)
        if rng.random() < rate:
            teach_click(book, 0, person_ix, context, now_s)
        if step % 100 == 0:
            learn_models(book, now_s)
    assert len(truth) == 3  # 0.025, 0.05 twice, 0.1
    for rate, given in truth.items():
        assert np.mean(given) == pytest.approx(rate, rel=0.1)
        assert np.std(given) < 0.25 * rate


def slow_market(seed: int, days: int) -> tuple[float, float, float]:
    """Rate 0.05, mean delay two days, believed to be ten hours: (share bought so far, learned rate, learned delay)."""
    rng, book = Random(seed), book_of(plan(goal="cpa", cvr=0.05, delay_s=0.4 * DAY_S))
    due: list[tuple[float, float, int, int]] = []
    shown = bought = 0
    for hour in range(24 * days):
        now_s = 3600.0 * hour
        for _ in range(40):
            imps = impression(rng, now_s)
            context, person_ix = touch_of(imps, 0, 0), int(imps["person_ix"][0])
            teach_exposure(book, 0, person_ix, context, now_s)
            shown += 1
            if rng.random() < 0.05:
                due.append((now_s + rng.expovariate(1 / (2 * DAY_S)), now_s, person_ix, context))
        for moment in [entry for entry in due if entry[0] <= now_s]:
            due.remove(moment)
            teach_purchase(book, 0, moment[2], moment[3], moment[1], moment[0])
            bought += 1
        learn_models(book, now_s)
    given = [
        modelled_rate(book, 0, PURCHASES, int(imps["person_ix"][0]), touch_of(imps, 0, 0), int(imps["hour"][0]))[0]
        for imps in (impression(rng, now_s) for _ in range(300))
    ]
    return bought / shown, float(np.mean(given)), 1.0 / float(book.learners[0, PER_S])


def test_slow_purchases_do_not_look_like_none() -> None:
    """After six days a third of the purchases is still to come. The learned rate is right within a fifth, and the delay
    moves most of the way from what was believed."""
    shares, rates, delays = np.array([slow_market(seed, 6) for seed in (1, 2, 3)]).mean(axis=0)
    assert shares < 0.034
    assert rates == pytest.approx(0.05, rel=0.2)
    assert 1.2 * DAY_S < delays < 2.5 * DAY_S


def test_pooled_rates_shrink_rare_cells_to_the_campaign() -> None:
    """Marshall's estimator by hand: two slots with much data that differ, and one with next to none."""
    book = book_of(plan(method="pooled", prior_impressions=1.0))
    wins, clicks = [10_000.0, 10_000.0, 10.0], [100.0, 300.0, 1.0]
    book.cells[0, :, CELL_WINS], book.cells[0, :, CELL_CLICKS] = wins, clicks
    pool_rates(book, 0)
    mean = (0.02 + sum(clicks)) / (1.0 + sum(wins))
    scatter = sum((k - n * mean) ** 2 - n * mean for k, n in zip(clicks, wins, strict=True))
    scatter -= 2.0 * math.sqrt(sum(2.0 * (n * mean) ** 2 + n * mean for n in wins))
    scatter /= sum(n * n for n in wins)
    weight = mean / scatter
    for s in range(3):
        assert book.cells[0, s, CTR] == pytest.approx((clicks[s] + weight * mean) / (wins[s] + weight), rel=1e-12)
    assert book.cells[0, 2, CTR] < 0.03  # one click in ten impressions is no click rate of 10 %
    book.cells[0, :, CELL_CLICKS] = [200.0, 200.0, 0.0]
    pool_rates(book, 0)
    assert len(set(book.cells[0, :, CTR].tolist())) == 1  # no more scatter than chance: one rate for all


def test_draws_are_normal_and_follow_the_request() -> None:
    draws = np.array([normal_draw(k, 3, 1) for k in range(20_000)])
    assert abs(draws.mean()) < 0.03
    assert draws.std() == pytest.approx(1.0, abs=0.03)
    assert normal_draw(7, 3, 1) == normal_draw(7, 3, 1) != normal_draw(7, 4, 1)
    assert abs(np.corrcoef(draws, [normal_draw(k, 4, 1) for k in range(20_000)])[0, 1]) < 0.03
    assert explored(0.01, 0.0, 2.0) == 0.01
    assert np.mean([explored(0.01, 0.25, draw) for draw in draws]) == pytest.approx(0.01, rel=0.02)


@pytest.mark.parametrize("outcome", [0.0, 1.0])
def test_all_zero_and_all_one_feedback_stay_within_bounds(outcome: float) -> None:
    """No click ever, or always: rates stay probabilities, and move the right way."""
    book, context = book_of(plan()), 0
    for step in range(3000):
        teach_exposure(book, 0, -1, context, float(step))
        if outcome:
            teach_click(book, 0, -1, context, float(step))
        if step % 50 == 0:
            learn_models(book, float(step))
    rate, variance = modelled_rate(book, 0, CLICKS, -1, context, 0)
    assert 0.0 < rate < 0.02 if outcome == 0.0 else 0.5 < rate < 1.0
    assert variance >= 0.0
    assert np.isfinite(book.weights).all()


def test_a_model_without_a_product_is_refused() -> None:
    with pytest.raises(PlanError, match="campaign c: rates by model are learned per product; name its product"):
        book_of(plan(product=None, goal="cpm"))
