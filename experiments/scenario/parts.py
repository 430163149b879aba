"""Building blocks of the scenario vocabulary: the frozen base, names, durations and distributions.

Money in a scenario is written in currency units (budgets, values) or in currency per thousand impressions
(prices, bids, floors: "CPM"). Inside the program both become int64 nanos, see `openrtb.money`.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

DURATION = re.compile(r"^([0-9]+(?:\.[0-9]+)?)(s|m|h|d|w)$")
NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
SECONDS_PER = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def duration_s(text: str) -> float:
    """Seconds in a duration such as ``30m``, ``1d`` or ``2w``; raises `ValueError` on anything else."""
    match = DURATION.fullmatch(text)
    if match is None or float(match[1]) <= 0:
        raise ValueError(f"{text!r} is not a duration: write a positive number and s, m, h, d or w, for example 1d")
    return float(match[1]) * SECONDS_PER[match[2]]


def _is_duration(text: str) -> str:
    duration_s(text)
    return text


def _local_time(value: Any) -> datetime:
    """A naive datetime from a datetime, a date or ISO text; raises `ValueError` on anything else."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise ValueError(f"{value!r} is not a date or time: write 2026-01-05 or 2026-01-05 08:30") from None
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day)
    if not isinstance(value, datetime):
        raise ValueError("is not a date or time: write 2026-01-05 or 2026-01-05 08:30")
    if value.tzinfo is not None:
        raise ValueError("has a time zone, but the scenario knows only one local time: leave the zone out")
    return value


def _at_least_one_nano(value: float) -> float:
    if value < 1e-9:
        raise ValueError("is less than a nano, the smallest amount of money there is (0.000000001)")
    return value


Name = Annotated[str, Field(pattern=NAME.pattern)]
Duration = Annotated[str, AfterValidator(_is_duration), Field(json_schema_extra={"pattern": DURATION.pattern})]
LocalTime = Annotated[
    datetime,
    BeforeValidator(_local_time),
    WithJsonSchema({"type": "string", "pattern": r"^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?)?$"}),
]
Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0, le=1e12)]
NonNegative = Annotated[float, Field(ge=0, le=1e12)]
Cpm = Annotated[float, Field(ge=0, le=1_000_000)]
Money = Annotated[float, Field(gt=0, le=1e9), AfterValidator(_at_least_one_nano)]
Format = Literal["display", "mobile", "video", "native", "audio"]
Device = Literal["desktop", "mobile", "tablet", "tv"]


class Part(BaseModel):
    """Base of every scenario object: frozen, no unknown keys, no NaN or infinity, no silent conversions.

    Strict: text is not a number, true is not 1 and 2.0 is not a count; a whole number may stand for a float.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, strict=True, use_attribute_docstrings=True
    )


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
    """Prices known by equally spaced quantiles, from the lowest to the highest, with straight lines in between."""

    kind: Literal["quantiles"]
    values: Annotated[list[NonNegative], Field(min_length=2, max_length=10_001)]
    """Prices (CPM) at probabilities 0, 1/(n-1), ..., 1; must not fall."""

    @model_validator(mode="after")
    def _rising(self) -> Quantiles:
        if any(b < a for a, b in zip(self.values, self.values[1:], strict=False)):
            raise ValueError("values must not fall from one quantile to the next")
        return self


Distribution = Annotated[Uniform | Lognormal | Histogram | Quantiles, Field(discriminator="kind")]
