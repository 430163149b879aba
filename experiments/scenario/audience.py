"""The audience platform in a scenario: which sources tell of the people, how well, how late and at what price."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from experiments.scenario.parts import Cpm, Name, NonNegative, Part, Positive, Share

Level = Literal["cookie", "person", "household"]


class Report(Part):
    """How well a source knows an interest."""

    recall: Share = 1.0
    """Share of those who hold the interest, among the people it knows, whom it reports."""
    precision: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Share of those it reports who held the interest then."""


class Guesses(Part):
    """Scores of guessed links: one scored s is right with probability s."""

    low: Annotated[float, Field(gt=0, lt=1)] = 0.6
    """Lowest score."""
    high: Annotated[float, Field(gt=0, lt=1)] = 0.99
    """Highest score; scores are spread evenly."""

    @model_validator(mode="after")
    def _ordered(self) -> Guesses:
        if self.low > self.high:
            raise ValueError(f"low ({self.low:g}) must not be above high ({self.high:g})")
        return self


class Source(Part):
    """A file about the people: the truth seen through its noise, imported by the audience platform like any other."""

    party: Literal["first", "second", "third"] = "first"
    """Ours, a partner's or bought."""
    channel: Literal[
        "web_event", "app_event", "crm_file", "loyalty_card", "store_purchase", "call_centre", "bid_log", "vendor_file"
    ] = "web_event"
    """Where its rows come from."""
    identifiers: Annotated[list[Literal["cookie", "email", "address"]], Field(min_length=1, max_length=3)]
    """What its rows carry. With cookie: rows about cookies; without: rows about people, as in an offline file."""
    guesses: Guesses | None = None
    """Cookies only: each row guesses that two cookies are one person."""
    people: Share = 1.0
    """Share of people it knows at all."""
    match_rate: Share = 1.0
    """Share of its rows by which others can know the person; what that means for each kind: docs/audience.md."""
    interests: dict[Name, Report] = Field(default_factory=dict)
    """Interests it reports, as tags SOURCE:INTEREST on one of the person's cookies."""
    event: Name | None = None
    """Each report is an event of this name; none: its rows are no events."""
    repeats: Annotated[float, Field(ge=1, le=100)] = 1.0
    """Mean number of reports of a person's interest (at least one, geometric), six hours apart."""
    delay_h: NonNegative = 0.0
    """Hours until what happened is in the file."""
    staleness_days: NonNegative = 0.0
    """Mean age of its reports beyond that (days, exponential); see people.interest_half_life_days."""
    freshness_days: Positive | None = None
    """Reports older than this no longer count (days)."""
    cost_cpm: Cpm = 0.0
    """Price per thousand impressions bought with a segment that uses it (CPM), on top of the campaign's budget."""

    @model_validator(mode="after")
    def _agrees(self) -> Source:
        if self.guesses is not None and self.identifiers != ["cookie"]:
            raise ValueError("guesses join cookies; write identifiers: [cookie], or leave guesses out")
        if len(set(self.identifiers)) < len(self.identifiers):
            raise ValueError("identifiers: one is named twice; keep one")
        return self


class Platform(Part):
    """The audience platform: it imports the sources, joins identities and hands the bidder segments."""

    level: Level = "person"
    """What the bidder counts by, in caps and look-backs: cookies, persons or households."""
    segments_by: Level | None = None
    """Level at which segments are found; none: the same. At cookie, only what is known of the very cookie counts."""
    threshold: Annotated[float, Field(gt=0, le=1)] = 0.8
    """Lowest score of a link that merges two identities; 1: certain ones only."""
    sources: dict[Name, Source] = Field(min_length=1, max_length=100)
    """Sources by name, in the order of import."""
