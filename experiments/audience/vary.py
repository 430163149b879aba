"""One scenario run again and again with one setting changed: the same people, rivals and luck each time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from experiments.results.summary import ratio
from experiments.run import run_scenario
from experiments.scenario.loader import load
from openrtb.money import NANOS_PER_UNIT

COLUMNS = {
    "impressions": "impressions bought",
    "reach": "people who saw it, in truth",
    "frequency": "impressions per person, in truth",
    "counted_reach": "cookies, persons or households that saw it, as the bidder counts",
    "counted_frequency": "impressions per one of these",
    "cap_accuracy": "share of impressions within the caps, counted by the true person",
    "spend": "media cost",
    "data_cost": "cost of bought data",
    "conversions": "purchases it caused, in truth",
    "attributed": "purchases the bidder credits it with",
    "romi": "(value added * margin - costs) / costs",
    "romi_se": "its standard error, from the number of purchases caused",
}
"""What is told of each campaign and value; money in the scenario's currency."""


def vary(source: str, path: str, values: Sequence[str], overrides: Sequence[str] = ()) -> list[dict[str, Any]]:
    """One row per value and campaign: {path, campaign, ...COLUMNS}. Raises `ScenarioError` as `load` does.

    All values are read before the first run, so a mistake in the last one costs no time.
    """
    scenarios = [load(source, [*overrides, f"{path}={value}"]) for value in values]
    rows = []
    for value, scenario in zip(values, scenarios, strict=True):
        tables = run_scenario(scenario, "bidlab dmp vary").tables
        rows += [
            {path: value, "campaign": row["campaign_id"], **_figures(row)} for row in tables["campaigns"].to_pylist()
        ]
    return rows


def _noise(romi: float, purchases: int) -> float:
    """Standard error of a return that came from so many independent purchases."""
    return (romi + 1.0) / math.sqrt(purchases) if purchases else 0.0


def _figures(row: dict[str, Any]) -> dict[str, Any]:
    impressions = row["impressions"]
    over = ratio(row["truth_over_cap"], impressions)
    return {
        "impressions": impressions,
        "reach": row["truth_reach"],
        "frequency": ratio(impressions, row["truth_reach"]),
        "counted_reach": row["counted_reach"],
        "counted_frequency": ratio(impressions, row["counted_reach"]),
        "cap_accuracy": None if over is None else 1.0 - over,
        "spend": row["spend_nanos"] / NANOS_PER_UNIT,
        "data_cost": row["data_nanos"] / NANOS_PER_UNIT,
        "conversions": row["truth_conversions"],
        "attributed": row["attributed_conversions"],
        "romi": row["truth_romi"],
        "romi_se": None if row["truth_romi"] is None else _noise(row["truth_romi"], row["truth_conversions"]),
    }
