"""A publisher's forecast of its own requests: means, intervals that hold what they say, promises, and the command."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from experiments.avails.forecast import Expected, chance, expect, expect_total, interval, surely
from experiments.avails.history import count_requests
from experiments.avails.outlook import forecast, held, slot_rows, true_requests
from experiments.avails.promises import look_out
from experiments.channels import slot_channels
from experiments.compile.market import compile_world
from experiments.ledger import SLOT_REQUESTS, SLOT_RESOLD
from experiments.scenario.loader import load
from experiments.scenario.models import Scenario
from tests.oracles.markets import INTERPRETED, market, random_market

SMALL = ["traffic.requests_per_day=3000", "people.count=100"]


def plain(**more: Any) -> Scenario:
    """Two slots, diurnal, a guaranteed deal on one of them."""
    data: dict[str, Any] = {
        "name": "plain",
        "days": 4.0,
        "people": {"count": 20},
        "publishers": {
            "paper": {"slots": {"top": {"format": "display", "share": 3.0}, "clip": {"format": "video"}}},
        },
        "rivals": {"none": {"kind": "none"}},
        "traffic": {"requests_per_day": 40 if INTERPRETED else 400, "hours": "diurnal"},
        "campaigns": {"c": {"budget": {"total": 1000.0}, "goal": {"kind": "cpm", "value": 5.0}}},
    }
    return market(data | more)


def test_hours_alike_are_forecast_from_each_other() -> None:
    """One day: every day is like it. A week: Mondays are like Mondays, and two weeks halve the variance added."""
    past = np.arange(24 * 2).reshape(24, 2)
    told = expect(past, 3.5)
    np.testing.assert_allclose(told.mean, [past.sum(axis=0)] * 2 + [past[:12].sum(axis=0)])
    np.testing.assert_allclose(told.variance, 2 * told.mean)
    week = np.zeros((168, 1), np.int64)
    week[:24], week[24:48] = 7, 2
    told = expect(week, 9.0)
    assert told.mean[:, 0].tolist() == [24 * 7, 24 * 2]
    fortnight = expect(np.concatenate([week, week]), 15.0)
    assert fortnight.mean[:, 0].tolist() == [24 * 7]
    np.testing.assert_allclose(fortnight.variance, 1.5 * fortnight.mean)


def test_an_interval_is_the_posterior_s() -> None:
    """With one ratio of time to come and time seen: Jeffreys' prior, averaged over the posterior by hand."""
    told = expect_total(np.full((24, 1), 3), 3.0)
    low, high = interval(told, 0.9)
    gamma = stats.gamma(72 + 0.5, scale=2.0)
    rates = gamma.ppf((np.arange(200_000) + 0.5) / 200_000)
    below = [float(stats.poisson.cdf(n, rates).mean()) for n in (int(low[0]) - 1, int(low[0]), int(high[0]) - 1)]
    assert below[0] < 0.05 <= below[1]
    assert below[2] < 0.95 <= float(stats.poisson.cdf(int(high[0]), rates).mean())
    sure = int(surely(told, 0.99)[0])
    assert float(chance(told, np.array(sure))[0]) >= 0.99 > float(chance(told, np.array(sure + 1))[0])
    nothing = Expected(np.zeros(1), np.zeros(1), np.full(1, 2.0))
    assert interval(nothing, 0.9)[0][0] == 0 < interval(nothing, 0.9)[1][0] < 10


def test_what_is_counted_is_what_a_run_is_asked() -> None:
    """Slot by slot, with a network and the filter of invalid traffic; counting leaves the world as it was."""
    from experiments.drivers.batch import run_batch
    from experiments.setting import make_ready

    small = [
        "traffic.requests_per_day=500",
        "deals={}",
        "campaigns={c: {budget: {total: 1}, goal: {kind: cpm, value: 1}}}",
    ]
    plan = load(Path(__file__).parents[2] / "cases" / "parity-verified.yaml", small)
    setting = make_ready(plan)
    found = count_requests(setting.world, plan.days * 86400.0)
    assert setting.world.verification.filtered.sum() == 0
    told = run_batch(setting)[0].tallies.slots
    own = np.array([seller != "adnet" for seller in ("paper", "paper", "tabloid", "kids", "adnet", "adnet")])
    np.testing.assert_array_equal(found.own.sum(axis=0)[own], told[own, SLOT_REQUESTS])
    np.testing.assert_array_equal(found.handed.sum(axis=0), told[:, SLOT_RESOLD])
    assert found.handed.sum() > 20
    assert setting.world.verification.filtered.sum() > 20


@pytest.mark.skipif(INTERPRETED, reason="thousands of requests; the counting is the same with the compiler off")
@pytest.mark.parametrize(("days", "history"), [(4.0, 2), (10.0, 7)])
def test_intervals_hold_what_they_say(days: float, history: int) -> None:
    """Over seeds, the share of days and slots within the interval: its probability within 4 standard errors.

    Whole numbers cannot be cut exactly, so it may be more by what one number has; slots of a day share nothing, days
    share their past: a seed counts once.
    """
    plan, shares, whole, totals = plain(days=days), [], [], []
    for seed in range(80):
        told = forecast(plan.model_copy(update={"seed": seed}), history, promised=False)
        inside, count = held(told, 0.8)
        shares.append(inside / count)
        totals.append(told.expected.mean.sum() - told.truth.sum())
        low, high = interval(expect_total(told.past, days), 0.8)
        whole.append(float(((low <= told.came.sum(0)) & (told.came.sum(0) <= high)).mean()))
    for told_shares in (shares, whole):
        error = np.std(told_shares, ddof=1) / len(told_shares) ** 0.5
        assert 0.8 - 4 * error < np.mean(told_shares) < 0.83 + 4 * error
    if history >= 7:  # with less, weekends cannot be known of
        assert abs(np.mean(totals)) < 4 * np.std(totals, ddof=1) / len(totals) ** 0.5


def test_the_true_mean_is_the_declared_one() -> None:
    plan = load("sell-every-way", ["traffic.hours=flat"])
    assert true_requests(plan, 2.0).sum() == pytest.approx(80_000 * (1 - 0.3 / 2 - 0.6 / 3))
    assert slot_channels(plan)[:4] == ["display", "mobile web", "video", "in-app"]


def outlook(deals: dict[str, Any], delivered: int = 0) -> Any:
    """What deals take after one day of 100 requests a day and slot, of three."""
    plan = plain(days=3.0, deals=deals, traffic={"requests_per_day": 400})
    past = np.zeros((24, 2), np.int64)
    past[:10] = 10
    had = (np.full(len(deals), delivered),) * 2
    return look_out(plan, past, expect(past, 3.0), lambda day: np.full(2, (day - 1.0) * 100.0), had)


def owed(impressions: int, **more: Any) -> dict[str, Any]:
    return {"publisher": "paper", "kind": "guaranteed", "floor": 1.0, "impressions": impressions, **more}


def test_promises_take_their_days() -> None:
    """As they come, or along a line to the due day; what is short one day is taken the next; one deal after another."""
    asap = owed(150, slots=["top"], probability=0.5)
    assert outlook({"a": asap}).taken.tolist() == [[100.0, 0.0], [50.0, 0.0]]
    even = owed(150, slots=["top"], pace="even", probability=0.5)
    assert outlook({"a": even}).taken.tolist() == [[75.0, 0.0], [75.0, 0.0]]
    both = outlook({"a": asap, "b": owed(130, probability=0.5)})
    assert both.taken.tolist() == [[100.0, 100.0], [70.0, 10.0]] or both.taken.sum() == pytest.approx(280.0)
    assert both.taken.max() <= 100.0
    late = outlook({"a": owed(150, slots=["top"], days=1.0, probability=1e-9)}, delivered=120)
    assert late.taken.tolist() == [[30.0, 0.0], [0.0, 0.0]]


def test_a_promise_has_a_chance() -> None:
    """Of 200 expected in two days after one of 100: P(N >= 190), the rate known or not; and nothing left to owe."""
    (told,) = outlook({"a": owed(190, slots=["top"], probability=0.5)}).promises
    assert told.truth_chance == pytest.approx(float(stats.poisson.sf(189, 200.0)))
    assert 0.55 < told.chance < told.truth_chance
    assert 0 <= told.could <= 15
    (told,) = outlook({"a": owed(190, slots=["top"], probability=0.5)}, delivered=190).promises
    assert (told.chance, told.truth_chance) == (1.0, 1.0)
    assert told.could > 150


@pytest.mark.parametrize("seed", range(3))
def test_nobody_s_slots_are_forgotten(seed: int) -> None:
    """Random markets: every publisher's slot has a row, and left + promised = expected."""
    data = random_market(seed) | {"days": 2.0}
    plan = market(data)
    told = forecast(plan, 1, promised=False)
    rows = list(slot_rows(told, 0.9))
    assert {row["seller_id"] for row in rows} == set(plan.publishers)
    for row in rows:
        assert row["low"] <= row["expected"] <= row["high"] or row["expected"] < 1
        assert row["left"] + row["promised"] == pytest.approx(row["expected"])
    assert sum(row["truth_came"] + row["seen"] + row["handed"] for row in rows) <= count_all(plan)


def count_all(plan: Scenario) -> int:
    found = count_requests(compile_world(plan), plan.days * 86400.0)
    return int(found.own.sum() + found.handed.sum())


def avails(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "experiments.cli", "market", "avails", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=1200)


@pytest.mark.slow
def test_the_command(tmp_path: Path) -> None:
    picture, changes = tmp_path / "avails.png", [a for s in SMALL for a in ("--set", s)]
    changes += ["--set", "deals.order.impressions=700"]
    done = avails("sell-guaranteed", "--history", "1", "--json", "--plot", str(picture), *changes)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert picture.read_bytes().startswith(b"\x89PNG")
    clip = next(row for row in told["slots"] if row["slot_id"] == "sports-tv/clip")
    (deal,) = told["promises"]
    assert clip["promised"] == pytest.approx(deal["owed"] - deal["delivered"])
    assert deal["truth_delivered"] == 700
    assert told["intervals"]["of"] == len(told["by_day"])
    refused = avails("sell-guaranteed", "--history", "3")
    assert (refused.returncode, "nothing would be left to forecast" in refused.stderr) == (1, True)
