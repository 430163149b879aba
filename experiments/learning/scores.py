"""How good predicted probabilities are: log loss, area under the ROC curve, calibration."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SMALLEST = 1e-9
"""Probabilities are kept this far from 0 and 1 before their logarithm is taken."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Bin:
    """Impressions with similar predictions."""

    impressions: int
    predicted: float
    observed: float


def log_loss(outcome: Floats, predicted: Floats) -> float:
    """Mean of -y log p - (1 - y) log(1 - p); *outcome* may itself be a probability, for an expected loss."""
    p = np.clip(predicted, SMALLEST, 1.0 - SMALLEST)
    return float(-np.mean(outcome * np.log(p) + (1.0 - outcome) * np.log1p(-p)))


def auc(outcome: Floats, predicted: Floats) -> float | None:
    """Probability that an impression with the outcome is rated above one without, ties counting half; None: no pair.

    By ranks (Mann and Whitney 1947).
    """
    positive = outcome > 0
    pairs = float(positive.sum()) * float((~positive).sum())
    if pairs == 0.0:
        return None
    _, inverse, counts = np.unique(predicted, return_inverse=True, return_counts=True)
    mean_rank = np.cumsum(counts) - (counts - 1) / 2.0
    ranks = float(mean_rank[inverse][positive].sum())
    wins = float(positive.sum())
    return (ranks - wins * (wins + 1.0) / 2.0) / pairs


def calibration(outcome: Floats, predicted: Floats, bins: int = 10) -> list[Bin]:
    """Bins of as many impressions each, by prediction, lowest first."""
    order = np.argsort(predicted, kind="stable")
    parts = np.array_split(order, min(bins, len(order)))
    return [Bin(len(part), float(predicted[part].mean()), float(outcome[part].mean())) for part in parts if len(part)]
