"""What minimum-to-win feedback is worth: the surplus of learned win curves, told and not told, beside the best bids.

The market of `values-first` with money enough, so that nothing but the bid matters: a private value for each impression,
one lognormal highest rival, first price. Whoever knows the rival's distribution and shades by it bids the best that can
be bid without seeing the rival's bid. Learners begin at a wrong curve. Surplus is value bought less spend.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from experiments.compile.buyer import compile_plans
from experiments.compile.market import TELLS
from experiments.contest.contestants import PLAYER
from experiments.drivers.batch import run_batch
from experiments.report.plots import style
from experiments.scenario.campaigns import Campaign
from experiments.scenario.loader import load
from experiments.scenario.models import Scenario
from experiments.setting import fresh_truth, make_ready

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
    """A contestant's surplus as a share of the best possible bid's, up to each of `AFTER`, over the seeds."""

    guess: str
    contestant: str
    mean: NDArray[np.float64]
    """float64[AFTER]: mean over the seeds of the share on the same seed."""
    half_width: NDArray[np.float64]
    """float64[AFTER]: half of its 95 % interval (Student's t); NaN with one seed."""


def play_feedback(seeds: Sequence[int], progress: Callable[[str], None] | None = None) -> list[Surplus]:
    """Every contestant from every guess; on each seed all meet the same impressions, values and rivals."""
    scenario = load(MARKET)
    best = _with(scenario, TRUE_CURVE)
    shares: dict[tuple[str, str], list[NDArray[np.float64]]] = {}
    for seed in seeds:
        if progress is not None:
            progress(f"feedback, seed {seed}")
        ready = make_ready(scenario.model_copy(update={"seed": seed}))

        def play(changed: Scenario, told: str, ready: Any = ready) -> NDArray[np.float64]:
            fresh = fresh_truth(ready)
            world = fresh.world._replace(tells=TELLS[told])
            return surplus_after(replace(fresh, scenario=changed, plans=tuple(compile_plans(changed)), world=world))

        most = play(best, "nobody")
        for guess, curve in GUESSES.items():
            shares.setdefault((guess, FIXED), []).append(play(_with(scenario, curve), "nobody") / most)
            for name, told in LEARNERS.items():
                learned = _with(scenario, {**curve, "learned": True})
                shares.setdefault((guess, name), []).append(play(learned, told) / most)
    return [Surplus(*key, *_interval(np.array(rows))) for key, rows in shares.items()]


def _with(scenario: Scenario, curve: dict[str, Any]) -> Scenario:
    """The scenario with plenty of money and a bid shaded by *curve*."""
    changed = {"budget": {"total": PLENTY}, "bid": {"kind": "shaded", "curve": curve}}
    campaign = Campaign.model_validate(scenario.campaigns[PLAYER].model_dump() | changed)
    return scenario.model_copy(update={"campaigns": {PLAYER: campaign}})


def surplus_after(setting: Any) -> NDArray[np.float64]:
    """float64[AFTER]: worth less price of what was bought in the first auctions (nanos)."""
    ledger, _ = run_batch(setting)
    shown = ledger.exposures
    gained = np.concatenate([[0], np.cumsum(shown["worth_nanos"] - shown["price_nanos"])])
    return gained[np.searchsorted(shown["auction_ix"], AFTER)].astype(np.float64)


def _interval(rows: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean of *rows* (seeds, n) and half of its 95 % interval."""
    count = len(rows)
    if count < 2:
        return rows.mean(axis=0), np.full(rows.shape[1], np.nan)
    half = special.stdtrit(count - 1, 0.975) * rows.std(axis=0, ddof=1) / np.sqrt(count)
    return rows.mean(axis=0), half
