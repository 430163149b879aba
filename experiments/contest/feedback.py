"""What minimum-to-win feedback is worth: the surplus of learned win curves, told and not told, beside the best bids.

The market of `values-first` with money enough, so that only the bid matters: a private value for each impression, one
lognormal highest rival, first price. Whoever knows the rival's distribution and shades by it bids the best that can be
bid without seeing the rival's bid. Learners begin at a wrong curve. Surplus is value bought less spend.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy import special

from experiments.compile.buyer import compile_plans
from experiments.compile.market import TELLS
from experiments.contest.contestants import PLAYER
from experiments.contest.table import DASHES
from experiments.drivers.batch import run_batch
from experiments.report.plots import style
from experiments.scenario.campaigns import Campaign
from experiments.scenario.loader import load
from experiments.scenario.models import Scenario
from experiments.setting import Setting, fresh_truth, make_ready

MARKET = "values-first"
PLENTY = 1e6
"""Budget that is never used up (currency)."""
TRUE_CURVE = {"kind": "lognormal", "median": 1.0, "sigma": 0.6}
GUESSES = {
    "thrice too high": {"kind": "lognormal", "median": 3.0, "sigma": 0.4},
    "thrice too low": {"kind": "lognormal", "median": 1.0 / 3.0, "sigma": 0.4},
}
BEST, FIXED = "best possible bid", "fixed at the guess"
LEARNERS = {
    "learned, nobody told": "nobody",
    "learned, losers told": "losers",
    "learned, winners told": "winners",
    "learned, everybody told": "everybody",
}
"""Contestants by `auction.min_to_win`."""
AFTER = (300, 1_000, 3_000, 10_000, 40_000)
"""Auctions after which surplus is compared."""


class Surplus(NamedTuple):
    """A contestant's surplus as a share of the best possible bid's on the same seed, over the seeds."""

    mean: NDArray[np.float64]
    """float64[AFTER]."""
    half_width: NDArray[np.float64]
    """float64[AFTER]: half of its 95 % interval (Student's t); NaN with one seed."""


def play_feedback(seeds: Sequence[int], progress: Callable[[str], None] | None = None) -> pa.Table:
    """Every contestant from every guess: a row per seed and each of `AFTER`, with its share of the best surplus.

    On each seed all meet the same impressions, values and rivals.
    """
    scenario, rows = load(MARKET), list[dict[str, object]]()
    best = _with(scenario, TRUE_CURVE)
    for seed in seeds:
        ready = make_ready(scenario.model_copy(update={"seed": seed}))
        most = _surplus(ready, best, "nobody")
        for guess, curve in GUESSES.items():
            if progress is not None:
                progress(f"feedback, {guess}, seed {seed}")
            for name, told in {FIXED: "nobody", **LEARNERS}.items():
                learned = {**curve, "learned": name != FIXED}
                shares = _surplus(ready, _with(scenario, learned), told) / most
                key = {"guess": guess, "contestant": name, "seed": seed}
                rows += [key | {"auctions": n, "share": float(x)} for n, x in zip(AFTER, shares, strict=True)]
    return pa.Table.from_pylist(rows)


def surplus_of(results: pa.Table) -> dict[tuple[str, str], Surplus]:
    """By (guess, contestant), in order of play."""
    found: dict[tuple[str, str], dict[int, list[float]]] = {}
    for row in results.to_pylist():
        by = found.setdefault((row["guess"], row["contestant"]), {n: [] for n in AFTER})
        by[row["auctions"]].append(row["share"])
    return {key: _interval(np.array([by[n] for n in AFTER])) for key, by in found.items()}


def _with(scenario: Scenario, curve: dict[str, Any]) -> Scenario:
    """The scenario with plenty of money and a bid shaded by *curve*."""
    changed = {"budget": {"total": PLENTY}, "bid": {"kind": "shaded", "curve": curve}}
    campaign = Campaign.model_validate(scenario.campaigns[PLAYER].model_dump() | changed)
    return scenario.model_copy(update={"campaigns": {PLAYER: campaign}})


def _surplus(ready: Setting, changed: Scenario, told: str) -> NDArray[np.float64]:
    """float64[AFTER]: worth less price of what the changed player bought in the first auctions (nanos)."""
    fresh = fresh_truth(ready)
    world = fresh.world._replace(tells=TELLS[told])
    ledger, _ = run_batch(replace(fresh, scenario=changed, plans=tuple(compile_plans(changed)), world=world))
    shown = ledger.exposures
    gained = np.concatenate([[0], np.cumsum(shown["worth_nanos"] - shown["price_nanos"])])
    return gained[np.searchsorted(shown["auction_ix"], AFTER)].astype(np.float64)


def _interval(shares: NDArray[np.float64]) -> Surplus:
    """Mean of *shares* (n, seeds) and half of its 95 % interval."""
    count = shares.shape[1]
    half = np.full(len(shares), np.nan)
    if count > 1:
        half = special.stdtrit(count - 1, 0.975) * shares.std(axis=1, ddof=1) / np.sqrt(count)
    return Surplus(shares.mean(axis=1), half)


def feedback_markdown(results: pa.Table) -> str:
    """The table: surplus as a share of the best possible bid's, with its 95 % interval, by auctions so far."""
    heads = [f"after {n:,}" for n in AFTER]
    lines = [f"| it begins | | {' | '.join(heads)} |", f"|---|---|{'---|' * len(AFTER)}"]
    for (guess, name), score in surplus_of(results).items():
        cells = [f"{mean:.1%} ± {100 * half:.1f}" for mean, half in zip(*score, strict=True)]
        lines.append(f"| {guess} | {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def draw_feedback(results: pa.Table) -> style.Plot:
    """A panel for each wrong beginning: share of the best surplus by auctions so far."""
    scores = surplus_of(results)
    with style.look():
        figure, axes = style.new_figure(4.6, 1, len(GUESSES), sharey=True)
        for panel, guess in zip(axes, GUESSES, strict=True):
            panel.axhline(1.0, color=style.INK, linewidth=0.9, linestyle="--", label=BEST)
            for name, colour, dashes in zip((*reversed(LEARNERS), FIXED), style.CYCLE, DASHES, strict=False):
                mean, half = scores[guess, name]
                look: dict[str, Any] = {"color": colour, "linestyle": dashes, "marker": "o", "markersize": 3.5}
                panel.errorbar(AFTER, mean, yerr=np.nan_to_num(half), label=name, **look)
            panel.set(xscale="log", title=f"beginning {guess}", xlabel="auctions")
            panel.set_xticks(AFTER, [f"{n:,}" for n in AFTER])
            panel.minorticks_off()
            style.shares(panel)
        axes[0].set_ylabel("surplus, share of the best")
        axes[-1].legend(loc="center right", fontsize="small")
    seeds = len(set(results["seed"].to_pylist()))
    caption = (
        f"Surplus of learned win curves by what the exchange tells, over {seeds} paired seeds; bars: 95 % interval."
    )
    return style.Plot("feedback", "What minimum-to-win feedback is worth", caption, figure)
