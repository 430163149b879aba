"""What `bidlab romi` promises at full size: theory, speed, two processes, common random numbers. `make romi-bars`.

Each test prints the figures it is about. CPU seconds, so that busy neighbours cost little.
"""

from __future__ import annotations

import math
import os
import time
from pathlib import Path

import numpy as np
import pytest

from experiments.measure.trials import repeat, summarise
from experiments.romi.curve import curve_of
from experiments.romi.points import Points, collect
from experiments.romi.question import BUDGET, Question, ask
from experiments.scenario.loader import load
from experiments.scenario.models import Scenario
from experiments.sweep.cell import Cell, Measured
from experiments.sweep.engine import compute
from tests.experiments.romi.worlds import hill_world, price_at

CASES = Path(__file__).parents[1] / "tests" / "cases"
MILLION = [
    "traffic.requests_per_day=490000",
    "people.count=200000",
    "campaigns.awareness.budget={total: 400, daily: 225}",
]


def measured(question: Question) -> tuple[Points, list[Measured]]:
    """Points of *question*, and the runs behind them."""
    outcomes = compute(question.cells())
    return collect(question, outcomes), [o for o in outcomes if isinstance(o, Measured)]


def test_the_closed_world_at_a_million_auctions_a_point() -> None:
    """S = beta^2 / 6, V = sqrt(2 S / 3), dV/dS = 1 / beta, within four standard errors."""
    question = ask(load(CASES / "closed-world.yaml"), "scaled", "bid.multiplier", [k / 20 for k in range(2, 21)], 1)
    points, runs = measured(question)
    auctions = runs[0].auctions
    assert auctions >= 1_000_000
    worst = 0.0
    for v, beta in enumerate(question.values):
        spend, value = 1000.0 * points.spend[v, 0] / auctions, 1000.0 * points.value[v, 0] / auctions
        spend_error = math.sqrt((beta**3 / 12 - (beta**2 / 6) ** 2) / auctions)
        # value - sqrt(2 S / 3) to first order: the mean of v won - d won / beta
        curve_error = math.sqrt(
            (beta / 4 - 2 / beta * beta**2 / 8 + beta**3 / 12 / beta**2 - (beta / 6) ** 2) / auctions
        )
        off = (spend - beta**2 / 6) / spend_error, (value - math.sqrt(2 * spend / 3)) / curve_error
        worst = max(worst, *map(abs, off))
    assert worst < 4.0
    steps = np.diff(points.value[:, 0]) / np.diff(points.spend[:, 0])
    expected = np.array([2 / (low + high) for low, high in zip(question.values, question.values[1:], strict=False)])
    print(f"closed world: {len(question.values)} points of {auctions:,} auctions, worst {worst:.2f} standard errors; ")
    print(f"  marginal ROAS off by at most {np.abs(steps / expected - 1).max():.2%}")
    assert np.abs(steps / expected - 1).max() < 0.02


def test_a_hill_world_returns_its_parameters() -> None:
    """a, k and h within 5 %."""
    for shape in (0.5, 0.7, 1.0):
        half, value, requests = 0.5, 3.0, 500_000
        base = hill_world(value, half, shape, requests)
        bids = [price_at(share, half, shape) for share in np.linspace(0.06, 0.92, 20)]
        points, _ = measured(ask(base, "c", "bid.price", bids, 3))
        fit = next(fit for fit in curve_of(points).fits if fit.family == "hill")
        expected = (value * requests / 1000, half * requests / 1000, shape)
        off = [got / want - 1 for got, want in zip(fit.parameters, expected, strict=True)]
        print(f"Hill world h = {shape}: a {off[0]:+.2%}, k {off[1]:+.2%}, h {off[2]:+.2%}")
        assert max(map(abs, off)) < 0.05


def test_twenty_budgets_by_twenty_seeds_by_a_million_auctions() -> None:
    """Under 150 CPU seconds, and the work asserted."""
    base = load("learning", MILLION)
    compute(ask(load("learning"), "awareness", BUDGET, [16.0], 1).cells())  # compile
    question = ask(base, "awareness", BUDGET, None, 20)
    started = time.process_time()
    points, runs = measured(question)
    curve = curve_of(points)
    seconds = time.process_time() - started
    auctions = sum(run.auctions for run in runs)
    assert len(question.values) == 20
    assert auctions >= 400 * 1_000_000
    assert (np.diff(points.spend.mean(axis=1)) > 0).all()
    print(f"ROMI curve: {len(runs)} runs, {auctions:,} auctions, {seconds:.0f} CPU seconds, optimum {curve.optimum}")
    assert seconds < 150.0


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="needs two processors")
def test_two_processes_are_at_least_1_8_times_as_fast() -> None:
    """By the clock, so only on a quiet machine; the results are equal."""
    base = load("learning", MILLION)
    cells = [Cell(base.model_copy(update={"seed": seed})) for seed in range(1, 41) for _ in (0,)]
    compute(cells[:1])
    started = time.perf_counter()
    one = compute(cells)
    between = time.perf_counter()
    two = compute(cells, workers=2)
    ratio = (between - started) / (time.perf_counter() - between)
    print(f"two processes: {ratio:.2f} times as fast as one")
    assert one == two
    assert ratio >= 1.8


def _variance_cut(points: Points, a: int, b: int) -> float:
    romi = points.profit / points.spend
    return float((np.var(romi[a], ddof=1) + np.var(romi[b], ddof=1)) / np.var(romi[a] - romi[b], ddof=1))


def test_common_random_numbers() -> None:
    """Variance of a ROMI difference, independent seeds over common ones: at least 10 for a step of 5 %."""
    base: Scenario = load(CASES / "closed-world.yaml", ["traffic.requests_per_day=10000"])
    points, _ = measured(ask(base, "scaled", "bid.multiplier", [0.5, 0.505, 0.51, 0.525, 0.55], 200))
    for v in range(1, 5):
        print(f"closed world, bid 0.5 -> {points.question.values[v]}: cut {_variance_cut(points, 0, v):.1f} times")
    budget, _ = measured(ask(load("learning"), "buyers", BUDGET, [9.0, 9.45], 100))
    print(f"learning, buyers, budget 9 -> 9.45: cut {_variance_cut(budget, 0, 1):.1f} times")
    assert _variance_cut(points, 0, 3) >= 8.0  # 10.3 in the limit; sampling error of the ratio is about 10 %
    assert _variance_cut(points, 0, 2) >= 10.0
    assert _variance_cut(budget, 0, 1) >= 10.0


def test_ghost_ads_cover_the_truth() -> None:
    """The 95 % interval holds the expected effect in 95 +- 3 % of 400 repeats, without bias."""
    told = summarise(repeat(load(CASES / "ghost-ads.yaml"), "tea-time", "ghost", 400))
    print(f"ghost ads, 400 repeats: coverage {told.coverage:.2%}, bias {told.bias:+.2f} +- {told.bias_error:.2f}")
    assert told.coverage is not None
    assert told.bias is not None
    assert told.bias_error is not None
    assert abs(told.coverage - 0.95) <= 0.03
    assert abs(told.bias) < 4 * told.bias_error
