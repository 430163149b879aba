"""Measured points: what each value of the setting brought under each seed, against the twin without the campaign.

Money in units of the currency. Arrays are float64[V, N]: V values of the setting, N seeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.errors import StudyError
from experiments.romi.question import Question
from experiments.sweep.cell import Failure, Measured, Outcome
from openrtb.money import NANOS_PER_UNIT

Grid = NDArray[np.float64]


class Points(NamedTuple):
    """All measurements of one question."""

    question: Question
    spend: Grid
    """Media and bought data."""
    value: Grid
    """Incremental value of the whole account: with the campaign less without it."""
    gross: Grid
    """The same times each product's margin: profit before paying for the ads."""
    direct: Grid
    """Value its own exposures caused, by their labels: `value` plus what other campaigns lost to it."""
    others_spend: Grid
    """What the other campaigns spent more because of it (negative: less)."""
    credited: Grid
    """Value that last touch credits to it."""
    bids: Grid
    impressions: Grid
    clicks: Grid
    reach: Grid
    conversions: Grid
    """Purchases its exposures caused."""
    credited_conversions: Grid

    @property
    def margin(self) -> float:
        """Profit before ads per unit of incremental value, over all points."""
        total = float(self.value.sum())
        return float(self.gross.sum()) / total if total > 0 else 0.0

    @property
    def profit(self) -> Grid:
        """Gross profit less spend."""
        return self.gross - self.spend


class _Account(NamedTuple):
    """Exact totals of one run over all campaigns and products, in nanos."""

    value_nanos: int
    gross_nanos: float
    spend_nanos: int


def cost_nanos(row: dict[str, Any]) -> int:
    """What a campaign cost: media, and data bought on top."""
    return int(row["spend_nanos"] + row["data_nanos"])


def account_of(measured: Measured) -> _Account:
    """What the advertiser has in all: every purchase, caused or not, and every private value won."""
    private = [row for row in measured.campaigns if row["goal"] == "private"]
    value = sum(p["value_nanos"] for p in measured.products) + sum(row["truth_value_nanos"] for row in private)
    gross = sum(p["margin"] * p["value_nanos"] for p in measured.products)
    gross += sum(row["margin"] * row["truth_value_nanos"] for row in private)
    return _Account(value, gross, sum(cost_nanos(row) for row in measured.campaigns))


def collect(question: Question, outcomes: Sequence[Outcome]) -> Points:
    """Points from the outcomes of `question.cells()`; raises `StudyError` when one of them failed."""
    for outcome in outcomes:
        if isinstance(outcome, Failure):
            raise StudyError(f"a run failed: {outcome.message}")
    count = len(question.values)
    columns: dict[str, list[list[float]]] = {name: [] for name in Points._fields[1:]}
    for s in range(len(question.seeds)):
        off, *on = outcomes[s * (count + 1) : (s + 1) * (count + 1)]
        rows = [_figures(question.campaign_id, measured, off) for measured in on]
        for name in columns:
            columns[name].append([row[name] for row in rows])
    return Points(question, **{name: np.array(rows).T for name, rows in columns.items()})


def _figures(campaign_id: str, on: Any, off: Any) -> dict[str, float]:
    row, with_it, without = on.campaign(campaign_id), account_of(on), account_of(off)
    nanos = {
        "spend": cost_nanos(row),
        "value": with_it.value_nanos - without.value_nanos,
        "gross": with_it.gross_nanos - without.gross_nanos,
        "direct": row["truth_value_nanos"],
        "others_spend": with_it.spend_nanos - cost_nanos(row) - without.spend_nanos,
        "credited": row["attributed_value_nanos"],
    }
    return {name: amount / NANOS_PER_UNIT for name, amount in nanos.items()} | {
        "bids": row["bids"],
        "impressions": row["impressions"],
        "clicks": row["clicks"],
        "reach": row["truth_reach"],
        "conversions": row["truth_conversions"],
        "credited_conversions": row["attributed_conversions"],
    }
