"""Pacing in a scenario: how a campaign spreads its money over its time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from experiments.scenario.parts import NonNegative, Part, Positive


class AdaptivePacing(Part):
    """Bids shrink to worth / (1 + mu); mu follows the spend auction by auction (Balseiro and Gur 2019)."""

    kind: Literal["adaptive"]
    form: Literal["additive", "multiplicative"] = "additive"
    """additive: mu - step * (target - spend), as in the paper; multiplicative: mu * exp(-step * (target - spend))."""
    step: Positive
    """How far mu moves per unit of CPM by which spend misses the target; about 1 / (usual price * sqrt(auctions))."""
    auctions: Annotated[float, Field(ge=1, le=1e12)] | None = None
    """Auctions it will take part in: the target is total / auctions; missing: estimated at every tick."""
    start: NonNegative | None = None
    """First mu; missing: 0 (additive) or 0.1 (multiplicative, which cannot leave 0)."""
    highest: Positive = 100.0
    """Highest mu; at least the highest worth divided by the target keeps it out of the way."""
    target_cpa: Positive | None = None
    """Second constraint, with goal cpa: average cost per predicted purchase (currency), at most."""
    target_step: Positive = 0.05
    """Of the shadow price of target_cpa: 1 + it changes by at most the factor exp(target_step) per tick."""


class PidPacing(Part):
    """A multiplier on the bid, moved once per tick by what the spend of the tick lacked of its straight line."""

    kind: Literal["pid"]
    kp: NonNegative = 0.2
    """Gain on the error, 1 - spend / target of the tick."""
    ki: NonNegative = 0.0
    """Gain on the sum of errors."""
    kd: NonNegative = 0.0
    """Gain on the change of the error."""
    start: NonNegative = 1.0
    """First multiplier."""
    highest: Positive = 1.0
    """Highest multiplier."""


class EcpcPacing(Part):
    """A multiplier exp(kp e + ki sum(e) + kd change(e)) on the bid, e = 1 - cost per outcome / target (Zhang 2016)."""

    kind: Literal["ecpc"]
    target: Positive
    """Cost per click wanted; with goal cpa or roas, per credited purchase (currency)."""
    kp: NonNegative = 1.0
    """Gain on the error."""
    ki: NonNegative = 0.1
    """Gain on the sum of errors."""
    kd: NonNegative = 0.0
    """Gain on the change of the error."""
    highest: Positive = 7.4
    """Highest multiplier."""


class ThrottledPacing(Part):
    """Takes part in a share of the auctions, steered so that spend follows the plan (Agarwal et al. 2014)."""

    kind: Literal["throttled"]
    start: Annotated[float, Field(gt=0, le=1)] = 0.1
    """First share."""
    step: Annotated[float, Field(gt=0, lt=1)] = 0.1
    """By how much the share may change per minute, as a part of it."""
    shape: Annotated[list[NonNegative], Field(min_length=168, max_length=168)] | Literal["flat", "diurnal"] = "flat"
    """When the budget should be spent: weights of the 168 hours of a week, Monday 00:00 first, or a named shape."""


class ShapedPacing(Part):
    """Never ahead of a line that follows the traffic, instead of the straight one of `even`."""

    kind: Literal["shaped"]
    shape: Annotated[list[NonNegative], Field(min_length=168, max_length=168)] | Literal["diurnal"] = "diurnal"
    """Weights of the 168 hours of a week, Monday 00:00 first, or a named shape."""


def _pacing_tag(value: Any) -> str | None:
    """Which member of the union is meant: a mapping is told by its kind, everything else is a name."""
    if isinstance(value, Mapping):
        kind = value.get("kind")
        return kind if isinstance(kind, str) else None
    return value.kind if isinstance(value, _KINDS) else "named"


_KINDS = AdaptivePacing | PidPacing | EcpcPacing | ThrottledPacing | ShapedPacing

Pacing = Annotated[
    Annotated[Literal["asap", "even"], Tag("named")]
    | Annotated[AdaptivePacing, Tag("adaptive")]
    | Annotated[PidPacing, Tag("pid")]
    | Annotated[EcpcPacing, Tag("ecpc")]
    | Annotated[ThrottledPacing, Tag("throttled")]
    | Annotated[ShapedPacing, Tag("shaped")],
    Discriminator(_pacing_tag),
    Field(
        json_schema_extra={
            "discriminator": {
                "propertyName": "kind",
                "mapping": {
                    "adaptive": "#/$defs/AdaptivePacing",
                    "pid": "#/$defs/PidPacing",
                    "ecpc": "#/$defs/EcpcPacing",
                    "throttled": "#/$defs/ThrottledPacing",
                    "shaped": "#/$defs/ShapedPacing",
                },
            }
        }
    ),
]
