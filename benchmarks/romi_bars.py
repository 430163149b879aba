"""What the money bought, at full size, as one table: line, bar, measured, met. `make romi-bars`.

`python -m benchmarks.romi_bars [PART ...]` runs all parts or those named; it exits 1 when a bar is not met. Costs are
CPU seconds, so that busy neighbours cost little; only the two processes are timed by the clock, too.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks import closed_world
from experiments.measure.trials import repeat, summarise
from experiments.romi.curve import curve_of
from experiments.romi.points import Points, account_of, collect
from experiments.romi.question import BUDGET, Question, ask
from experiments.scenario.loader import load
from experiments.sweep.cell import Measured, Outcome
from experiments.sweep.engine import compute
from tests.experiments.romi.worlds import hill_world, price_at

CASES = Path(__file__).parents[1] / "tests" / "cases"
MILLION = (
    "traffic.requests_per_day=490000",
    "people.count=200000",
    "campaigns.awareness.budget={total: 400, daily: 225}",
)
"""`learning` with a million auctions a run."""


class Bar(NamedTuple):
    """A line of the table; *met* is None for a figure that is told and not asked for."""

    line: str
    bar: str
    measured: str
    met: bool | None


def measured(question: Question) -> tuple[Points, list[Measured]]:
    """Points of *question*, and the runs behind them."""
    outcomes = compute(question.cells())
    return collect(question, outcomes), [outcome for outcome in outcomes if isinstance(outcome, Measured)]


def theory() -> list[Bar]:
    """The closed world: ten seeds from the scenario's own on, every one told; and how much of it is luck."""
    seeds, bids = 10, closed_world.BIDS
    question = ask(load(CASES / "closed-world.yaml"), "scaled", "bid.multiplier", bids.tolist(), seeds)
    points, runs = measured(question)
    auctions = np.array([run.auctions for run in runs[:: len(bids) + 1]])
    assert (auctions >= 1_000_000).all()
    spend, value = 1000.0 * points.spend / auctions, 1000.0 * points.value / auctions
    worst = [float(np.abs(closed_world.scores(spend[:, s], value[:, s], auctions[s])).max()) for s in range(seeds)]
    pooled = closed_world.scores(
        1000.0 * points.spend.sum(axis=1) / auctions.sum(),
        1000.0 * points.value.sum(axis=1) / auctions.sum(),
        int(auctions.sum()),
    )
    steps = np.diff(points.value.sum(axis=1)) / np.diff(points.spend.sum(axis=1))
    off = float(np.abs(steps / (2 / (bids[1:] + bids[:-1])) - 1).max())
    beyond = sum(z > 4 for z in worst)
    told = ", ".join(f"{seed}: {z:.2f}" for seed, z in zip(question.seeds, worst, strict=True))
    return [
        Bar(
            f"closed world, curve of {seeds} seeds, {auctions.sum():,} auctions a point",
            "within 4 SE",
            f"worst {np.abs(pooled).max():.2f} SE of {len(pooled)}",
            bool(np.abs(pooled).max() < 4),
        ),
        Bar(
            "the same, seed by seed, 10^6 auctions a point",
            "at most 1 of 10 seeds beyond 4 SE",
            f"{beyond} (worst by seed {told})",
            beyond <= 1,
        ),
        Bar("marginal ROAS between neighbours against 1 / beta", "within 2 %", f"at most {off:.2%} off", off < 0.02),
    ]


def luck() -> list[Bar]:
    """The draws alone, a thousand seeds: are the standard errors right, and how often is a seed beyond four?"""
    seeds = 1000
    found = closed_world.audit(seeds)
    beyond, chance = int((np.abs(found).max(axis=1) > 4).sum()), closed_world.chance_beyond(4.0)
    _, of_hundred = closed_world.deviation_of_a_hundred()
    deviation, error = float(found.std()), of_hundred * (100 / seeds) ** 0.5
    bias = np.abs(found.mean(axis=0)).max() * seeds**0.5
    return [
        Bar(
            f"deviation of the z-scores of {seeds} seeds",
            "1 within 4 SE",
            f"{deviation:.3f} (its SE {error:.3f}; of 100 seeds {of_hundred:.3f})",
            abs(deviation - 1) < 4 * error,
        ),
        Bar("their mean, worst bid", "0 within 4 SE", f"{bias:.2f} SE", bool(bias < 4)),
        Bar(
            "seeds with any of 38 scores beyond 4 SE",
            f"no more than chance ({chance:.2%})",
            f"{beyond} of {seeds}",
            beyond <= seeds * chance + 4 * (seeds * chance) ** 0.5,
        ),
    ]


def hill() -> list[Bar]:
    """Worlds whose response is a Hill curve."""
    rows = []
    for shape in (0.5, 0.7, 1.0):
        half, value, requests = 0.5, 3.0, 500_000
        base = hill_world(value, half, shape, requests)
        bids = [price_at(share, half, shape) for share in np.linspace(0.06, 0.92, 20)]
        points, _ = measured(ask(base, "c", "bid.price", bids, 3))
        fit = next(fit for fit in curve_of(points).fits if fit.family == "hill")
        expected = (value * requests / 1000, half * requests / 1000, shape)
        off = [got / want - 1 for got, want in zip(fit.parameters, expected, strict=True)]
        told = f"a {off[0]:+.2%}, k {off[1]:+.2%}, h {off[2]:+.2%}"
        rows.append(Bar(f"Hill world, h = {shape}", "a, k, h within 5 %", told, max(map(abs, off)) < 0.05))
    return rows


def variance_cut(points: Points, a: int, b: int) -> float:
    """Variance of the difference of ROMI of two values: independent seeds over common ones."""
    romi = points.profit / points.spend
    return float((np.var(romi[a], ddof=1) + np.var(romi[b], ddof=1)) / np.var(romi[a] - romi[b], ddof=1))


def pairing() -> list[Bar]:
    """Common random numbers against independent seeds."""
    rows = []
    bids = [0.5, 0.505, 0.51, 0.525, 0.55, 0.6]
    base = load(CASES / "closed-world.yaml", ["traffic.requests_per_day=10000"])
    points, _ = measured(ask(base, "scaled", "bid.multiplier", bids, 200))
    for v, bid in enumerate(bids[1:], 1):
        cut, theory = variance_cut(points, 0, v), closed_world.variance_cut(0.5, bid)
        asked = bid <= 0.51  # beyond that theory itself is near ten or below
        rows.append(
            Bar(
                f"closed world, {bid / 0.5 - 1:.0%} more bid: variance cut",
                f"{'>= 10; ' if asked else ''}theory {theory:.1f} within 4 SE",
                f"{cut:.1f} times",
                abs(cut / theory - 1) < 0.4 and (cut >= 10 or not asked),  # SE of a ratio of variances: about a tenth
            )
        )
    for campaign, now in (("buyers", 9.0), ("awareness", 16.0)):
        more = [now * k for k in (1.0, 1.05, 1.1, 1.5, 2.0)]
        question = ask(load("learning"), campaign, BUDGET, more, 100)
        outcomes = compute(question.cells())
        points = collect(question, outcomes)
        for v, budget in enumerate(more[1:], 1):
            cut = variance_cut(points, 0, v)
            small = campaign == "buyers" and budget <= 1.11 * now  # awareness is paced evenly: other auctions are met
            rows.append(
                Bar(
                    f"learning, {campaign}, {budget / now - 1:.0%} more budget: variance cut",
                    ">= 10" if small else "told",
                    f"{cut:.1f} times",
                    cut >= 10 if small else None,
                )
            )
        rows.append(_on_against_off(campaign, outcomes, len(more) + 1))
    return rows


def _on_against_off(campaign: str, outcomes: Sequence[Outcome], stride: int) -> Bar:
    """Incremental value: the twin with the campaign switched off against such a run under another seed."""
    value = [account_of(outcome).value_nanos for outcome in outcomes if isinstance(outcome, Measured)]
    off, on = np.array(value[::stride], float), np.array(value[1::stride], float)
    cut = float((np.var(on, ddof=1) + np.var(off, ddof=1)) / np.var(on - off, ddof=1))
    return Bar(
        f"learning, {campaign} on against off: variance cut of the value", ">= 10", f"{cut:.0f} times", cut >= 10
    )


def cost() -> list[Bar]:
    """Twenty budgets by twenty seeds by a million auctions: CPU seconds of one process, then two processes."""
    base = load("learning", MILLION)
    compute(ask(load("learning"), "awareness", BUDGET, [16.0], 1).cells())  # compile
    question = ask(base, "awareness", BUDGET, None, 20)
    cells = question.cells()
    wall, cpu = time.perf_counter(), time.process_time()
    one = compute(cells)
    points = collect(question, one)
    curve = curve_of(points)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    auctions = sum(run.auctions for run in one if isinstance(run, Measured))
    assert len(question.values) == 20
    assert len(cells) == 20 * 21  # and the campaign switched off under every seed
    assert auctions >= 420 * 1_000_000
    assert (np.diff(points.spend.mean(axis=1)) > 0).all()
    assert curve.optimum is not None
    rows = [
        Bar(
            "ROMI curve, 20 budgets x 20 seeds x 10^6 auctions",
            "< 150 CPU s",
            f"{cpu:.0f} CPU s ({wall:.0f} s; {len(cells)} runs, {auctions:,} auctions)",
            cpu < 150,
        )
    ]
    if (os.cpu_count() or 1) < 2:
        return [*rows, Bar("two processes", ">= 1.8 times one", "this machine has one processor", None)]
    again, children = time.perf_counter(), _of_children_s()
    two = compute(cells, workers=2)
    again, children = time.perf_counter() - again, _of_children_s() - children
    assert one == two
    return [
        *rows,
        Bar(
            "the same in two processes, by the clock (quiet machine)",
            ">= 1.8 times one",
            f"{wall / again:.2f} times ({again:.0f} s)",
            wall / again >= 1.8,
        ),
        Bar(
            "by CPU seconds: of one, over half of both workers' (start-up and all)",
            "told",
            f"{cpu / (children / 2):.2f} times ({children:.0f} CPU s)",
            None,
        ),
    ]


def _of_children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def ghosts() -> list[Bar]:
    """Ghost ads, 400 repeats: the 95 % interval and the truth."""
    told = summarise(repeat(load(CASES / "ghost-ads.yaml"), "tea-time", "ghost", 400))
    assert told.coverage is not None
    assert told.bias is not None
    assert told.bias_error is not None
    held = abs(told.coverage - 0.95) <= 0.03
    return [
        Bar("ghost ads, 400 repeats: intervals that hold the truth", "95 +- 3 %", f"{told.coverage:.2%}", held),
        Bar(
            "their bias",
            "0 within 4 SE",
            f"{told.bias:+.2f} +- {told.bias_error:.2f} purchases",
            abs(told.bias) < 4 * told.bias_error,
        ),
    ]


PARTS: dict[str, Callable[[], list[Bar]]] = {
    "theory": theory,
    "luck": luck,
    "hill": hill,
    "pairing": pairing,
    "cost": cost,
    "ghosts": ghosts,
}


def table(rows: Sequence[Bar]) -> str:
    """The rows under one another."""
    met = {True: "yes", False: "NO", None: ""}
    lines = [("line", "bar", "measured", "met"), *((r.line, r.bar, r.measured, met[r.met]) for r in rows)]
    widths = [max(len(line[k]) for line in lines) for k in range(4)]
    widths[2] = min(widths[2], 60)
    return "\n".join("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)) for line in lines)


def main(names: Sequence[str]) -> int:
    """Run parts and print the table; returns the exit code."""
    if unknown := [name for name in names if name not in PARTS]:
        print(f"no such part: {', '.join(unknown)}; there are {', '.join(PARTS)}", file=sys.stderr)
        return 2
    rows: list[Bar] = []
    for name in names or PARTS:
        started = time.perf_counter()
        rows += PARTS[name]()
        print(f"{name}: {time.perf_counter() - started:.0f} s", file=sys.stderr)
    print(table(rows))
    return 1 if any(row.met is False for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
