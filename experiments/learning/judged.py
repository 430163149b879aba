"""Predictions judged: those of a scenario's campaigns against the oracle, and those made in the order of a log's rows.

"Oracle" is always the true rate, which no bidder can know: the loss it leaves is the least possible, and part of the
distance to it is information no bidder has (who really holds an interest). Money in nanos, rates per impression.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bidder.plan import CampaignPlan
from experiments.errors import RunError
from experiments.learning.logs import BITS, Examples, is_raw, read_rated, read_raw
from experiments.learning.online import fresh_weights, learn_in_order, log_odds
from experiments.learning.scores import Bin, Floats, auc, calibration, log_loss
from experiments.scenario.models import Scenario


@dataclass(frozen=True)
class Judged:
    """One set of predictions."""

    name: str
    """Campaign, or file."""
    source: str
    """Whose predictions: the method that learned them, `given` with the log, `mean` (that of the rows judged, known
    only afterwards), or `constant` (plan's rate and clicks so far, one rate for all of a campaign's impressions)."""
    outcome: str
    skipped: int
    """Impressions before the first one judged: they were learned from."""
    impressions: int
    outcomes: int
    predicted: float
    """Mean prediction."""
    log_loss: float
    """Of a scenario: expected under the true rates, so that chance in the outcomes does not enter."""
    oracle_log_loss: float | None
    auc: float | None
    bins: list[Bin] = field(repr=False)

    @property
    def above_oracle(self) -> float | None:
        """Share by which the loss exceeds the oracle's."""
        return None if not self.oracle_log_loss else self.log_loss / self.oracle_log_loss - 1.0


def judge(name: str, source: str, outcome: str, skipped: int, y: Floats, p: Floats, truth: Floats | None) -> Judged:
    """Scores of predictions *p* for outcomes *y* (0 or 1); *truth* holds the true rates where they are known."""
    measured = y if truth is None else truth
    oracle = None if truth is None else log_loss(truth, truth)
    loss = log_loss(measured, p)
    return Judged(
        name,
        source,
        outcome,
        skipped,
        len(y),
        int(y.sum()),
        float(p.mean()),
        loss,
        oracle,
        auc(y, p),
        calibration(y, p),
    )


def with_mean(
    name: str, source: str, outcome: str, skipped: int, y: Floats, p: Floats, truth: Floats | None
) -> list[Judged]:
    """The predictions, and beside them the mean rate of the same rows, known only afterwards."""
    mean = float((y if truth is None else truth).mean())
    constant = np.full(len(y), mean)
    return [judge(name, each, outcome, skipped, y, given, truth) for each, given in ((source, p), ("mean", constant))]


def judge_scenario(scenario: Scenario, after: int | None) -> list[Judged]:
    """Run *scenario* and judge the campaigns that learn a rate their goal pays for, from impression *after* on.

    Without *after*, from the middle of each campaign's impressions. Raises `RunError` when there is nothing to judge.
    """
    from experiments.drivers.batch import run_batch
    from experiments.learning.truth import true_rates
    from experiments.setting import fresh_truth, make_ready

    setting = make_ready(scenario)
    ledger, _ = run_batch(setting)
    shown, bought = ledger.exposures, ledger.purchases
    clicks, caused = np.zeros(len(shown)), np.zeros(len(shown))
    true_rates(fresh_truth(setting).world, shown, clicks, caused)
    causing = np.isin(shown["auction_ix"], bought["auction_ix"][bought["caused_by_ix"] >= 0])
    found: list[Judged] = []
    for c, plan in enumerate(setting.plans):
        if not plan.learned or plan.goal not in ("cpc", "cpa") or plan.worth_by_frequency:
            continue
        rows = np.flatnonzero(shown["campaign_ix"] == c)
        first = len(rows) // 2 if after is None else after
        so_far = _constant(plan, shown["clicked"][rows])[first:]
        rows = rows[first:]
        if len(rows) == 0:
            continue
        y = (shown["clicked"] if plan.goal == "cpc" else causing)[rows].astype(np.float64)
        p = shown["worth_nanos"][rows] / plan.goal_value_nanos
        truth = (clicks if plan.goal == "cpc" else caused)[rows]
        outcome = "click" if plan.goal == "cpc" else "caused purchase"
        found += with_mean(plan.campaign_id, plan.method, outcome, first, y, p, truth)
        if plan.goal == "cpc":
            found.append(judge(plan.campaign_id, "constant", outcome, first, y, so_far, truth))
    if not found:
        raise RunError(
            f"{scenario.name}: no campaign with goal cpc or cpa and rates: {{learned: true}} bought more than "
            f"{after or 0} impressions, so there is nothing to judge; worth_by_frequency hides the rate"
        )
    return found


def _constant(plan: CampaignPlan, clicked: NDArray[np.bool_]) -> Floats:
    """The click rate a bidder would give every impression, before each: the plan's, and the clicks heard so far."""
    before = np.concatenate([[0.0], np.cumsum(clicked, dtype=np.float64)[:-1]])
    seen = np.arange(len(clicked), dtype=np.float64)
    rate: Floats = (plan.ctr * plan.prior_impressions + before) / (plan.prior_impressions + seen)
    return rate


def judge_log(path: Path, test: Path | None) -> list[Judged]:
    """Learn from a log's rows in their order and judge the second half, or the rows of *test* if there is one.

    Raises `ReplayError` for files that cannot be read.
    """
    first = _examples(path)
    rate = min(max(float(first.click.mean()), 1e-6), 1.0 - 1e-6)
    weights, given = fresh_weights(BITS), np.zeros(len(first.click))
    learn_in_order(first.features, first.click, log_odds(rate), weights, given)
    judged, rows, skipped = first, slice(len(given) // 2, None), len(given) // 2
    if test is not None:
        judged, rows, skipped = _examples(test), slice(None), len(given)
        given = np.zeros(len(judged.click))
        learn_in_order(judged.features, judged.click, log_odds(rate), weights, given)
    name = (test or path).name
    found = with_mean(name, "model", "click", skipped, judged.click[rows], given[rows], None)
    if judged.given is not None:
        found.insert(1, judge(name, "given", "click", skipped, judged.click[rows], judged.given[rows], None))
    return found


def _examples(path: Path) -> Examples:
    return read_raw(path) if is_raw(path) else read_rated(path)
