"""Building blocks of the scenario vocabulary: the frozen base, names, durations and distributions.

Money in a scenario is written in currency units (budgets, values) or in currency per thousand impressions
(prices, bids, floors: "CPM"). Inside the program both become int64 nanos, see `openrtb.money`.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

DURATION = re.compile(r"^(\d+(?:\.\d+)?)(s|m|h|d|w)$")
SECONDS_PER = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def duration_s(text: str) -> float:
    """Seconds in a duration such as ``30m``, ``1d`` or ``2w``; raises `ValueError` on anything else."""
    match = DURATION.match(text)
    if match is None or float(match[1]) <= 0:
        raise ValueError(f"{text!r} is not a duration: write a positive number and s, m, h, d or w, for example 1d")
    return float(match[1]) * SECONDS_PER[match[2]]


def _is_duration(text: str) -> str:
    duration_s(text)
    return text


Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Duration = Annotated[str, AfterValidator(_is_duration)]
Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Cpm = Annotated[float, Field(ge=0, le=1_000_000)]
Money = Annotated[float, Field(gt=0, le=1e9)]
Format = Literal["display", "mobile", "video"]
Device = Literal["desktop", "mobile", "tablet", "tv"]


class Part(BaseModel):
    """Base of every scenario object: frozen, no unknown keys, no NaN or infinity, no silent conversions."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True)


class Uniform(Part):
    """Prices or values spread evenly between two bounds."""

    kind: Literal["uniform"]
    low: NonNegative = 0.0
    """Lower bound (CPM)."""
    high: Positive = 1.0
    """Upper bound (CPM)."""

    @model_validator(mode="after")
    def _ordered(self) -> Uniform:
        if self.low >= self.high:
            raise ValueError(f"low ({self.low:g}) must be below high ({self.high:g})")
        return self


class Lognormal(Part):
    """Prices or values whose logarithm is normal, the usual shape of clearing prices."""

    kind: Literal["lognormal"]
    median: Positive
    """Median (CPM): exp(mu)."""
    sigma: Positive
    """Standard deviation of the logarithm."""


class Histogram(Part):
    """Prices counted on a grid: `counts[i]` observations at `i * step`."""

    kind: Literal["histogram"]
    step: Positive
    """Distance between two grid prices (CPM)."""
    counts: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=2, max_length=100_000)]
    """Observations at each grid price, the first at price 0."""

    @model_validator(mode="after")
    def _not_empty(self) -> Histogram:
        if sum(self.counts) == 0:
            raise ValueError("counts must hold at least one observation")
        return self


class Quantiles(Part):
    """Prices known by equally spaced quantiles, straight lines in between: `values[0]` the lowest, the last the highest."""

    kind: Literal["quantiles"]
    values: Annotated[list[NonNegative], Field(min_length=2, max_length=10_001)]
    """Prices (CPM) at probabilities 0, 1/(n-1), ..., 1; must not fall."""

    @model_validator(mode="after")
    def _rising(self) -> Quantiles:
        if any(b < a for a, b in zip(self.values, self.values[1:], strict=False)):
            raise ValueError("values must not fall from one quantile to the next")
        return self


Distribution = Annotated[Uniform | Lognormal | Histogram | Quantiles, Field(discriminator="kind")]
