"""Verification in a scenario: what ads and pages have about them, who refuses what, detectors, bots."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from exchange_sim.verification.rules import false_alarms
from experiments.scenario.parts import Name, Part, Share

Attribute = Literal[
    "violence", "adult", "competitor", "malware", "bad_landing_page", "wrong_language", "oversize", "not_secure"
]
Level = Literal["none", "basic", "standard", "strict"]
LEVELS: dict[Level, tuple[Attribute, ...]] = {
    "none": (),
    "basic": ("malware", "not_secure"),
    "standard": ("malware", "not_secure", "violence", "adult"),
    "strict": (
        *("malware", "not_secure", "violence", "adult"),
        *("competitor", "bad_landing_page", "wrong_language", "oversize"),
    ),
}
"""What each level of brand safety refuses."""


class AdTraits(Part):
    """What is about a campaign's ads that somebody may not want."""

    declared: list[Attribute] = Field(default_factory=list)
    """Said openly: sellers who refuse it never show them."""
    undeclared: list[Attribute] = Field(default_factory=list)
    """Hidden: only a detector can stop them, while they load."""

    @model_validator(mode="after")
    def _once(self) -> AdTraits:
        both = [name for name in self.undeclared if name in self.declared]
        if both:
            raise ValueError(f"{both[0]} is both declared and undeclared; remove it from one of the two")
        return self


class PageTraits(Part):
    """What is about a publisher's pages that advertisers may not want."""

    declared: list[Attribute] = Field(default_factory=list)
    """Said openly of all its pages: campaigns that refuse it never run there."""
    undeclared: dict[Attribute, Share] = Field(default_factory=dict)
    """Share of its pages that have an attribute without saying so."""

    @model_validator(mode="after")
    def _once(self) -> PageTraits:
        both = [name for name in self.undeclared if name in self.declared]
        if both:
            raise ValueError(f"{both[0]} is both declared and undeclared; remove it from one of the two")
        return self


class BrandSafety(Part):
    """Which pages a campaign refuses."""

    level: Level = "none"
    """basic: malware and not_secure; standard: violence and adult as well; strict: every attribute."""
    refuses: list[Attribute] = Field(default_factory=list)
    """Attributes refused besides."""


class Detector(Part):
    """What looks at an ad or page while it loads and may stop it. Precision depends on how many bad ones there are."""

    recall: Share
    """Share of the bad ones it stops."""
    precision: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Share of bad ones among those it stops, where it was measured."""
    prevalence: Annotated[float, Field(gt=0, lt=1)] = 0.05
    """Share of bad ones where it was measured; with the two above it says how often it stops a good one."""

    @model_validator(mode="after")
    def _possible(self) -> Detector:
        try:
            false_alarms(self.recall, self.precision, self.prevalence)
        except ValueError as error:
            raise ValueError(f"{error}; raise precision to at least {self.least_precision():.3g}") from None
        return self

    def least_precision(self) -> float:
        """The precision at which every good one would be stopped."""
        caught = self.recall * self.prevalence
        return caught / (caught + 1.0 - self.prevalence)


class Bots(Part):
    """Visitors who are not people, of one kind."""

    share: Annotated[float, Field(gt=0, lt=1)]
    """Share of the requests they make, of the publishers and in the hours below."""
    count: Annotated[int, Field(ge=1, le=1_000_000)] = 100
    """How many there are; each comes back under its own name."""
    publishers: list[Name] | None = None
    """Only these publishers (missing: all)."""
    hours: list[Annotated[int, Field(ge=0, le=167)]] | None = None
    """Only in these hours of the week (Monday 00:00 = 0)."""
    ctr: Share = 0.0
    """Share of the ads shown to them that they click; they never buy."""
    filtered: Share = 0.0
    """Share of their requests that the filter before the auction stops (its recall)."""
    discovered: Share = 0.0
    """Share of the impressions let through that are found out afterwards and refunded."""


class Verification(Part):
    """What is checked for everybody; sellers' and campaigns' own rules stand with them."""

    refuses: list[Attribute] = Field(default_factory=list)
    """Attributes of ads that no publisher shows."""
    ads: Detector | None = None
    """Looks at ads while they load, for sellers who refuse anything."""
    pages: Detector | None = None
    """Looks at pages while an ad loads, for campaigns that refuse anything."""
    bots: dict[Name, Bots] = Field(default_factory=dict, max_length=16)
    """Visitors who are not people, by name of their kind."""
    mistaken: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of people's requests that the filter before the auction takes for bots'."""
