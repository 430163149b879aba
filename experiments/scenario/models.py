"""The scenario: one YAML file that says everything a run needs, and the rules that span its parts."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, model_validator

from experiments.scenario.audience import Platform
from experiments.scenario.campaigns import Campaign
from experiments.scenario.market import Auction, People, Place, Product, Rivals, Segment, Traffic, Wire
from experiments.scenario.parts import LocalTime, Name, Part
from experiments.scenario.selling import Deal, Fees, HeaderExchange, Network, Package, Publisher, Seat
from experiments.scenario.verification import Verification


class Scenario(Part):
    """A whole market, its people and the campaigns that buy in it."""

    name: Name
    """Short name; the run's folder carries it."""
    title: str = ""
    """One line for the report's heading."""
    seed: Annotated[int, Field(ge=0, le=2**63 - 1)] = 1
    """Every draw is a hash of this number, of what it is for and of whose it is."""
    driver: Literal["batch", "events", "live"] = "batch"
    """batch: compiled, no wire; events: a process per request with latency, time-outs and lost notices; live: real
    time, against a bidder at a URL."""
    start: LocalTime = datetime(2026, 1, 5)
    """Local time at which the scenario begins (no time zone)."""
    days: Annotated[float, Field(gt=0, le=3660)]
    """Length of the scenario (days)."""
    tick_s: Annotated[float, Field(ge=1, le=86400)] = 300.0
    """Control interval (s): pacing and learned rates are updated once per tick."""
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "EUR"
    """ISO 4217 code of the one currency."""
    people: People
    """The people who see the ads."""
    places: dict[Name, Place] = Field(
        default_factory=lambda: {"everywhere": Place(share=1.0)},
        min_length=1,
        json_schema_extra={"default": {"everywhere": {"share": 1.0}}},
    )
    """Where people live, by name."""
    audience: Platform | None = None
    """The audience platform and its sources; none: segments are interests seen through noise."""
    segments: dict[Name, Segment] = Field(default_factory=dict, max_length=4096)
    """Audience segments by name."""
    products: dict[Name, Product] = Field(default_factory=dict)
    """What people buy, by name."""
    publishers: dict[Name, Publisher] = Field(min_length=1)
    """Sellers by name."""
    packages: dict[Name, Package] = Field(default_factory=dict)
    """Inventory put together, by name; deals sell it."""
    deals: dict[Name, Deal] = Field(default_factory=dict)
    """Private agreements by id."""
    networks: dict[Name, Network] = Field(default_factory=dict)
    """Ad networks by name."""
    seats: dict[Name, Seat] = Field(default_factory=dict)
    """What the buyers' seats may buy, by name; one that is not listed may buy everything."""
    exchanges: dict[Name, HeaderExchange] = Field(default_factory=dict, max_length=15)
    """Further exchanges by name; those a publisher lists under `header` are asked for each of its impressions."""
    duplicates: Literal["answer", "skip"] = "answer"
    """What the bidder does when a request offers an impression it has already bid for elsewhere: bid again, or not."""
    fees: Fees = Fees()
    """Who keeps what between advertiser and publisher."""
    verification: Verification = Verification()
    """What is checked for everybody: refused ads, detectors, bots."""
    rivals: dict[Name, Rivals] = Field(min_length=1)
    """Who else bids, by name."""
    traffic: Traffic
    """How requests arrive."""
    auction: Auction = Auction()
    """The rules of the auction."""
    wire: Wire = Wire()
    """Latency, time-outs and lost notices (events driver only)."""
    campaigns: dict[Name, Campaign] = Field(min_length=1, max_length=100_000)
    """The campaigns that buy, by name."""

    @model_validator(mode="after")
    def _references(self) -> Scenario:
        from experiments.scenario.references import check_references

        check_references(self)
        return self
