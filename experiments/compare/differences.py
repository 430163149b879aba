"""Paired differences: each side less the first one, seed by seed, with the 95 % interval of the mean over seeds.

Money in units of the currency. Ratios are of sums over seeds; the interval of a difference of two ratios comes from
the delta method, seed by seed, so that what moves both sides together cancels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.compare.sides import Rows, Side
from experiments.romi import bands
from experiments.romi.bands import Band

Samples = NDArray[np.float64]

ALL = "*"
"""The campaigns together."""

NANOS = 1e9

AMOUNTS: dict[str, Callable[[Mapping[str, Any]], float]] = {
    "spend": lambda row: (row["spend_nanos"] + row["data_nanos"]) / NANOS,
    "impressions": lambda row: float(row["impressions"]),
    "clicks": lambda row: float(row["clicks"]),
    "reach": lambda row: float(row["truth_reach"]),
    "credited_conversions": lambda row: float(row["attributed_conversions"]),
    "conversions": lambda row: float(row["truth_conversions"]),
    "credited_value": lambda row: row["attributed_value_nanos"] / NANOS,
    "value": lambda row: row["truth_value_nanos"] / NANOS,
    "profit": lambda row: (row["truth_value_nanos"] * row["margin"] - row["spend_nanos"] - row["data_nanos"]) / NANOS,
}
"""What adds up over campaigns (reach aside: a person may see several)."""

RATIOS = {"cpm": ("spend", "impressions", 1000.0), "romi": ("profit", "spend", 1.0)}
"""Above, below, and the factor they are told with."""

MEASURES = (*AMOUNTS, *RATIOS)


class Difference(NamedTuple):
    """One measure of one campaign on one side, against the first side."""

    side: str
    against: str
    campaign_id: str
    measure: str
    before: float | None
    """Mean over the paired seeds on the first side; None for a ratio without denominator."""
    after: float | None
    difference: Band
    variance_cut: float | None
    """Variance of the difference with independent seeds over that with paired ones; None where it cannot be told."""


def differences(sides: Sequence[Side], seeds: Sequence[int]) -> list[Difference]:
    """Every side but the first against the first, all campaigns together before each one both sides have."""
    first = sides[0]
    found = []
    for side in sides[1:]:
        for campaign in (ALL, *shared(first, side)):
            before, after = _samples(first, campaign, seeds), _samples(side, campaign, seeds)
            found += [
                _difference(first, side, campaign, measure, before, after)
                for measure in MEASURES
                if measure != "reach" or campaign != ALL
            ]
    return found


def shared(first: Side, side: Side) -> list[str]:
    """Campaigns both sides have, in the first one's order."""
    theirs = next(iter(side.by_seed.values()))
    return [name for name in next(iter(first.by_seed.values())) if name in theirs]


def pairs(sides: Sequence[Side], seeds: Sequence[int]) -> list[dict[str, Any]]:
    """The pairs themselves, of measures that add up: a row per side, campaign, measure and seed."""
    first, rows = sides[0], []
    for side in sides[1:]:
        for campaign in (ALL, *shared(first, side)):
            before, after = _samples(first, campaign, seeds), _samples(side, campaign, seeds)
            for measure in AMOUNTS:
                if measure == "reach" and campaign == ALL:
                    continue
                for number, seed in enumerate(seeds):
                    x, y = float(before[measure][number]), float(after[measure][number])
                    told = {"side": side.label, "against": first.label, "campaign_id": campaign, "measure": measure}
                    rows.append({**told, "seed": seed, "before": x, "after": y, "difference": y - x})
    return rows


def rows_of(found: Sequence[Difference], seeds: Sequence[int]) -> list[dict[str, Any]]:
    """Rows of the table `comparison`."""
    return [
        {
            "side": d.side,
            "against": d.against,
            "campaign_id": d.campaign_id,
            "measure": d.measure,
            "seeds": len(seeds),
            "before": d.before,
            "after": d.after,
            "difference": d.difference.mean,
            "difference_low": d.difference.low,
            "difference_high": d.difference.high,
            "variance_cut": d.variance_cut,
        }
        for d in found
    ]


def _samples(side: Side, campaign: str, seeds: Sequence[int]) -> dict[str, Samples]:
    def amount(rows: Rows, of: Callable[[Mapping[str, Any]], float]) -> float:
        return sum(of(row) for name, row in rows.items() if campaign in (ALL, name))

    return {name: np.array([amount(side.by_seed[seed], of) for seed in seeds]) for name, of in AMOUNTS.items()}


def _difference(
    first: Side, side: Side, campaign: str, measure: str, before: dict[str, Samples], after: dict[str, Samples]
) -> Difference:
    if measure in RATIOS:
        above, below, factor = RATIOS[measure]
        parts = (factor * before[above], before[below], factor * after[above], after[below])
        told = [bands.ratio(parts[0], parts[1]).mean, bands.ratio(parts[2], parts[3]).mean]
        return Difference(
            side.label, first.label, campaign, measure, told[0], told[1], bands.ratio_difference(*parts), None
        )
    x, y = before[measure], after[measure]
    means = float(x.mean()), float(y.mean())
    return Difference(side.label, first.label, campaign, measure, *means, bands.mean(y - x), _cut(x, y))


def _cut(x: Samples, y: Samples) -> float | None:
    if len(x) < 2 or float(np.var(y - x)) == 0.0:
        return None
    return float((np.var(x) + np.var(y)) / np.var(y - x))
