"""A curve as tidy tables: `romi_points`, `romi_curve`, `romi_fits` of the data dictionary."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa

from experiments.results.tables import build_table
from experiments.romi.curve import Curve

BANDS = {
    "spend": "spend",
    "incremental_value": "incremental",
    "profit": "profit",
    "romi": "romi",
    "marginal_romi": "marginal_romi",
    "iroas": "iroas",
    "credited_roas": "credited_roas",
}
"""Columns with an interval, and the field of a row each comes from."""
PLAIN = ("direct", "others_spend", "cpa", "true_cpa", "cpm", "impressions", "clicks", "reach", "frequency")


def tables_of(curve: Curve) -> dict[str, pa.Table]:
    """The three tables."""
    return {
        "romi_points": build_table("romi_points", _points(curve)),
        "romi_curve": build_table("romi_curve", _curve(curve)),
        "romi_fits": build_table("romi_fits", _fits(curve)),
    }


def _points(curve: Curve) -> dict[str, Any]:
    question, seeds = curve.points.question, len(curve.points.question.seeds)
    count = len(question.values) * seeds
    found: dict[str, Any] = {
        "campaign_id": [question.campaign_id] * count,
        "setting": [question.lever] * count,
        "value": np.repeat(question.values, seeds),
        "seed": np.tile(np.array(question.seeds, np.int64), len(question.values)),
        "current": np.repeat(np.array(question.values) == question.current, seeds),
    }
    fields = {"value_added" if name == "value" else name: name for name in curve.points._fields[1:]}
    return found | {column: getattr(curve.points, name).ravel() for column, name in fields.items()}


def _curve(curve: Curve) -> dict[str, Any]:
    question, rows = curve.points.question, curve.rows
    found: dict[str, Any] = {
        "campaign_id": [question.campaign_id] * len(rows),
        "setting": [question.lever] * len(rows),
        "value": [row.value for row in rows],
        "current": np.array([row.current for row in rows]),
        "seeds": [len(question.seeds)] * len(rows),
    }
    for column, field in BANDS.items():
        for ending, part in (("", "mean"), ("_low", "low"), ("_high", "high")):
            found[column + ending] = [getattr(getattr(row, field), part) for row in rows]
    return found | {name: [getattr(row, name) for row in rows] for name in PLAIN}


def _fits(curve: Curve) -> dict[str, Any]:
    from experiments.romi.families import FAMILIES

    found: dict[str, list[Any]] = {
        name: []
        for name in (
            "campaign_id",
            "setting",
            "family",
            "best",
            "parameter",
            "estimate",
            "standard_error",
            "rmse",
            "r2",
            "aicc",
        )
    }
    for rank, fit in enumerate(curve.fits):
        for name, estimate, error in zip(FAMILIES[fit.family].names, fit.parameters, fit.errors, strict=True):
            row = (
                curve.points.question.campaign_id,
                curve.points.question.lever,
                fit.family,
                rank == 0,
                name,
                estimate,
                error,
                fit.rmse,
                fit.r2,
                fit.aicc if math.isfinite(fit.aicc) else None,
            )
            for column, value in zip(found.values(), row, strict=True):
                column.append(value)
    return {**found, "best": np.array(found["best"], bool)}
