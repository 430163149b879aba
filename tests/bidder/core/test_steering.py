"""Throttling, shapes, cost targets and eCPC control: closed forms, traffic that misbehaves, targets nobody can meet."""

from __future__ import annotations

import math
from random import Random
from typing import Any

import numpy as np
import pytest

from bidder.build import build_book
from bidder.core import settle
from bidder.core.book import IMPRESSION, Book
from bidder.core.budgets import affordable, shaped_share
from bidder.core.pacing import throttled
from bidder.core.pricing import quote
from bidder.plan import BidPlan, CampaignPlan, CapPlan, Directory, PacePlan
from tests.oracles.pacing import Pacer

DIRECTORY = Directory(("a",), ("a/x",), ("town",), (), (), ("g",))
DAY_S = 86400.0
SIGNALS = np.zeros(1, np.int64)


def plan(pacing: PacePlan, **changes: Any) -> CampaignPlan:
    """A campaign of ten days with 1,000 CPM to spend."""
    values: dict[str, Any] = {
        "campaign_id": "c", "total_nanos": 10**9, "start_s": 0.0, "end_s": 10 * DAY_S, "goal": "cpm",
        "bid": BidPlan("truthful", 1.0), "goal_value_nanos": 1e6, "product": "g", "pacing": pacing,
    }  # fmt: skip
    return CampaignPlan(**(values | changes))


def book_of(*plans: CampaignPlan) -> Book:
    return build_book(plans, DIRECTORY, people_count=1)


def traffic(day: float, course: str) -> int:
    """Auctions per ten minutes on a day of a course."""
    if course == "stops" and 3.0 <= day < 5.0:
        return 0
    if course == "doubles" and day >= 5.0:
        return 80
    return 0 if course == "ends early" and day >= 8.0 else 40


@pytest.mark.parametrize("course", ["steady", "stops", "doubles", "ends early"])
@pytest.mark.parametrize(
    "pacing",
    [
        PacePlan("throttled", 0.1, step_per_nano=0.1),
        PacePlan("throttled", 0.1, step_per_nano=0.1, shape=tuple(1.0 + h % 24 for h in range(168))),
        PacePlan("even"),
        PacePlan("even", shape=tuple(1.0 + h % 24 for h in range(168))),
    ],
    ids=["throttled", "throttled along a shape", "even", "even along a shape"],
)
def test_spend_follows_its_plan_whatever_traffic_does(pacing: PacePlan, course: str) -> None:
    """57,600 auctions at 0.5 CPM where 2,000 may be bought: spend is never above the budget, ends within 4 % of it (6 %
    of the plan at day 8, where traffic ends then), and is never more than 6 % of the budget ahead of plan."""
    book, number = book_of(plan(pacing)), 0
    imps = np.zeros(1, IMPRESSION)
    for step in range(1440):
        now_s = 600.0 * step
        settle.tick(book, now_s)
        count = traffic(now_s / DAY_S, course)
        for k in range(count):
            imps["request_no"][0] = number = number + 1
            moment_s = now_s + 600.0 * k / count
            if throttled(book, 0, imps, 0) or not affordable(book.campaigns, 0, 500_000, 0):
                continue
            planned = shaped_share(book, 0, 0.0, 10 * DAY_S, moment_s) * 10**9
            if pacing.kind == "even" and book.campaigns["spent_nanos"][0] + 500_000 > planned:
                continue
            settle.buy(book, 0, -1, 0, 500_000, moment_s)
        spent = int(book.campaigns["spent_nanos"][0])
        assert spent <= 10**9
        assert spent <= shaped_share(book, 0, 0.0, 10 * DAY_S, now_s + 600.0) * 10**9 + 6e7
    due = shaped_share(book, 0, 0.0, 10 * DAY_S, 8 * DAY_S) if course == "ends early" else 1.0
    assert spent == pytest.approx(due * 10**9, rel=0.04 if due == 1.0 else 0.075)


@pytest.mark.parametrize("start", [(0, 0), (34, 36_000), (167, 85_500)])
def test_shapes_are_the_sum_over_hours(start: tuple[int, int]) -> None:
    rng = Random(3)
    pacing = PacePlan("even", shape=tuple(float(rng.randint(0, 3)) for _ in range(168)))
    book = build_book([plan(pacing)], DIRECTORY, people_count=1, start_hour=start[0], start_of_day_s=start[1])
    pacer = Pacer(plan(pacing), *start)
    for _ in range(300):
        now_s = rng.uniform(0.0, 10 * DAY_S)
        expected = pacer.passed(0.0, 10 * DAY_S, now_s)
        assert shaped_share(book, 0, 0.0, 10 * DAY_S, now_s) == pytest.approx(expected, abs=1e-9)


def test_throttling_draws_the_share_it_says() -> None:
    book, imps = book_of(plan(PacePlan("throttled", 0.3, step_per_nano=0.1))), np.zeros(1, IMPRESSION)
    taken = []
    for number in range(20_000):
        imps["request_no"][0] = number
        taken.append(not throttled(book, 0, imps, 0))
    assert np.mean(taken) == pytest.approx(0.3, abs=0.015)
    assert abs(np.corrcoef(taken[1:], taken[:-1])[0, 1]) < 0.03


def second_price(target_share: float, rate: float, lowest_price: float, seed: int = 1) -> tuple[Book, int]:
    """Three weeks of second-price auctions against uniform rivals from *lowest_price* to 1 CPM, with purchases at
    *rate*; a purchase is worth 1 CPM / *rate*. Returns the book and the auctions bid in."""
    pacing = PacePlan("adaptive", 0.0, 100.0, 1e-10, 1e6, target=target_share, target_step=0.05)
    worth = {"goal": "cpa", "goal_value_nanos": 1e6 / rate, "cvr": rate}
    book = book_of(plan(pacing, total_nanos=10**12, end_s=2e6, **worth))
    rng, imps, entered = Random(seed), np.zeros(1, IMPRESSION), 0
    for step in range(20_000):
        if step % 50 == 0:
            settle.tick(book, 100.0 * step)
        price = int(1e6 * (lowest_price + (1.0 - lowest_price) * rng.random()))
        _, bid = quote(book, 0, imps, 0, SIGNALS)
        entered += bid > int(1e6 * lowest_price)
        if bid > price:
            settle.buy(book, 0, -1, 0, price, 100.0 * step)
        else:
            settle.lose(book, 0)
    return book, entered


def test_a_target_cost_is_met_and_used_up() -> None:
    """Rivals uniform on 0 .. 1 CPM: a bid of b wins the share b at a mean price of b / 2. A target of 0.3 CPM per unit
    of worth means bids of 0.6, one of 0.2 bids of 0.4; a little less, as what the first ticks overspend while lambda
    rises is won back by the end."""
    for target, least in ((0.3, 0.5), (0.2, 0.2)):
        book, _ = second_price(target, 0.001, 0.0)
        spent, worth = float(book.campaigns["spent_nanos"][0]), float(book.campaigns["bought_worth"][0])
        assert spent / worth == pytest.approx(target, rel=0.02)
        assert least < book.campaigns["multiplier"][0] < 2.0 * target


def test_a_loose_target_does_not_bind() -> None:
    book, _ = second_price(0.6, 0.001, 0.0)
    assert book.campaigns["target_mu"][0] == pytest.approx(0.0, abs=0.06)
    assert book.campaigns["multiplier"][0] == pytest.approx(1.0, abs=0.03)


def test_a_target_nobody_can_meet_ends_in_silence_with_the_budget_whole() -> None:
    """Nothing is sold below 0.5 CPM, 0.05 per unit of worth is wanted: after the first losses it hardly buys again."""
    book, _ = second_price(0.05, 0.001, 0.5)
    assert book.campaigns["spent_nanos"][0] < 0.03 * 0.75e6 * 20_000
    assert book.campaigns["multiplier"][0] < 0.5


@pytest.mark.parametrize("clicks", ["none", "all"])
def test_ecpc_control_stays_bounded(clicks: str) -> None:
    """No click at all drives bids to their lower bound, a click each time to the upper one; nothing overflows."""
    pacing = PacePlan("ecpc", 1.0, 7.4, gains=(1.0, 0.1, 0.0), target=1e9)
    book = book_of(plan(pacing, total_nanos=10**13, goal="cpc", goal_value_nanos=1e9, ctr=0.001))
    for step in range(2_000):
        settle.buy(book, 0, -1, 0, 10_000_000 if clicks == "none" else 1_000, float(step))
        if clicks == "all":
            settle.click(book, 0, -1, 0, float(step))
        settle.tick(book, float(step))
    expected = math.exp(-2.0) if clicks == "none" else min(7.4, math.exp(1.0 + 0.1 * 10))
    assert book.campaigns["multiplier"][0] == pytest.approx(expected, rel=0.02)


def test_ecpc_control_finds_the_target() -> None:
    """Second price, uniform rivals to 1 CPM, one click in 100: bids twice the target cost per click reach it."""
    pacing = PacePlan("ecpc", 1.0, 7.4, gains=(1.0, 0.1, 0.0), target=2.5e7)
    book = book_of(plan(pacing, total_nanos=10**13, goal="cpc", goal_value_nanos=1e8, ctr=0.01))
    rng, imps = Random(2), np.zeros(1, IMPRESSION)
    for step in range(60_000):
        if step % 100 == 0:
            settle.tick(book, float(step))
        price = int(1e6 * rng.random())
        _, bid = quote(book, 0, imps, 0, SIGNALS)
        if bid > price:
            settle.buy(book, 0, -1, 0, price, float(step))
            if rng.random() < 0.01:
                settle.click(book, 0, -1, 0, float(step))
    cost = book.campaigns["spent_nanos"][0] / book.campaigns["clicks"][0]
    assert cost == pytest.approx(2.5e7, rel=0.1)


@pytest.mark.parametrize("kind", ["adaptive", "multiplicative", "pid", "ecpc", "throttled", "even"])
def test_zero_traffic_leaves_everything_in_place(kind: Any) -> None:
    book = book_of(plan(PacePlan(kind, 0.5, 5.0, 0.1, 0.0, (0.2, 0.1, 0.1), 1e6, 0.1), goal="cpc", ctr=0.1))
    for step in range(1000):
        settle.tick(book, 800.0 * step)
    assert book.campaigns["spent_nanos"][0] == 0
    assert 0.0 <= book.campaigns["multiplier"][0] <= 5.0
    assert 0.0 < book.campaigns["pass_share"][0] <= 1.0


def test_worth_falls_with_frequency_and_a_cap_counts_the_whole_product() -> None:
    from bidder.core.caps import capped

    first = plan(PacePlan(), worth_by_frequency=(1.0, 0.5, 0.0), lookback_s=DAY_S)
    second = plan(PacePlan(), campaign_id="d", caps=(CapPlan(2, 3600.0, True, "product"),))
    other = plan(PacePlan(), campaign_id="e", product=None, caps=(CapPlan(3, 3600.0, True, "all"),))
    book, imps = book_of(first, second, other), np.zeros(1, IMPRESSION)
    worths = []
    for now_s in (10.0, 20.0, 30.0):
        imps["now_s"][0] = now_s
        worths.append(quote(book, 0, imps, 0, SIGNALS)[0])
        assert bool(capped(book, 1, 0, now_s)) == (now_s > 20.0)
        settle.buy(book, 0 if now_s < 20 else 1, 0, 0, 5, now_s)
    assert worths == [1_000_000, 500_000, 0]
    assert capped(book, 2, 0, 31.0)
    assert not capped(book, 2, 0, 3611.0)
    imps["person_ix"][0] = -1
    assert quote(book, 0, imps, 0, SIGNALS)[0] == 1_000_000  # a stranger counts as new
