"""How the sellers of a scenario sell: floors and reserves, deals, networks that resell, and everybody's fees."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from experiments.scenario.parts import Cpm, Device, Format, Lognormal, Name, NonNegative, Part, Positive, Share, Uniform
from experiments.scenario.verification import Attribute, PageTraits

Hour = Annotated[int, Field(ge=0, le=167)]


class FloorRule(Part):
    """A floor for some requests. The first rule that fits decides; where none does, the slot's own floor holds."""

    floor: Cpm
    """Lowest price accepted (CPM)."""
    slots: list[Name] | None = None
    """Only these slots of the publisher."""
    formats: list[Format] | None = None
    """Only slots of these formats."""
    hours: list[Hour] | None = None
    """Only in these hours of the week (Monday 00:00 = 0)."""
    places: list[Name] | None = None
    """Only for people who live there."""
    buyer: Literal["anyone", "campaigns", "rivals"] = "anyone"
    """Only for the scenario's campaigns, or only for everybody else."""


class MyersonReserve(Part):
    """The reserve that earns most if one buyer's value follows this distribution (Myerson 1981)."""

    kind: Literal["myerson"]
    values: Annotated[Uniform | Lognormal, Field(discriminator="kind")]
    """What one buyer thinks an impression worth (CPM)."""


class AdaptiveReserve(Part):
    """A reserve learned while selling: some requests go without it, and their bids show what would have earned most."""

    kind: Literal["adaptive"]
    explore: Annotated[float, Field(gt=0, lt=1)] = 0.1
    """Share of requests offered at the floor alone, to learn from."""
    half_life_ticks: Positive = 288.0
    """Ticks after which what was seen counts half."""


Reserve = Annotated[MyersonReserve | AdaptiveReserve, Field(discriminator="kind")]


def _desktop() -> dict[Device, Positive]:
    return {"desktop": 1.0}


class Slot(Part):
    """A place on a page or in an app where an ad is shown."""

    format: Format
    """display, mobile, video, native or audio."""
    width: Annotated[int, Field(ge=1, le=10_000)] = 300
    """Width (pixels)."""
    height: Annotated[int, Field(ge=1, le=10_000)] = 250
    """Height (pixels)."""
    share: Positive = 1.0
    """Weight among the publisher's slots (normalised)."""
    floor: Cpm = 0.0
    """Lowest price the publisher accepts (CPM); a bid equal to it is accepted."""
    soft_floor: Cpm = 0.0
    """Below it the winner of a second-price auction pays its own bid (CPM)."""
    reserve: Reserve | None = None
    """An optimised floor on top of the others; the highest holds."""
    devices: dict[Device, Positive] = Field(
        default_factory=_desktop, min_length=1, json_schema_extra={"default": {"desktop": 1.0}}
    )
    """Weight of each device among the slot's requests (normalised)."""
    viewability: Share = 1.0
    """Share of its impressions that can be viewed; the others do nothing."""
    roll: Literal["pre", "mid", "post"] | None = None
    """Of a video slot: before the content, in it or after it; buyers are told (`startdelay`)."""

    @model_validator(mode="after")
    def _plays(self) -> Slot:
        if self.roll is not None and self.format != "video":
            raise ValueError(f"roll: only video has content around it, and this slot is {self.format}; leave out roll")
        return self


Separation = Literal["none", "advertiser", "category"]


class Page(Part):
    """Slots seen together: a view of the page brings a request for each of them, from the first to the last."""

    slots: list[Name] = Field(min_length=2, max_length=16)
    """Slots of the publisher, in the order they are sold; traffic draws the first, the others come with it."""
    separation: Separation = "category"
    """What is kept apart: one ad of each advertiser, or of each category, to a view."""


class Publisher(Part):
    """A site or app that sells impressions."""

    kind: Literal["site", "app"] = "site"
    """A web site or an app."""
    domain: str | None = None
    """Domain or bundle name sent on the wire (missing: the publisher's name)."""
    anonymous: bool = False
    """Sell under a mask: buyers see neither the name nor the domain, on the wire or in any table."""
    discount: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """How much less rivals bid here than their distribution says, for example because the seller is anonymous."""
    blocked: list[Name] = Field(default_factory=list)
    """Products whose ads it does not show; buyers are told and do not bid."""
    blocked_categories: list[str] = Field(default_factory=list)
    """Categories it does not show: of products, or codes of creatives (`bcat`); a campaign with one such ad is out."""
    blocked_attributes: list[Annotated[int, Field(ge=1)]] = Field(default_factory=list)
    """Attributes of creatives it does not show (AdCOM numbers, `battr`); a campaign with one such ad is out."""
    refuses: list[Attribute] = Field(default_factory=list)
    """Attributes of ads it does not show: declared ones do not bid, hidden ones may be stopped while they load."""
    page: PageTraits = PageTraits()
    """What is about its pages."""
    share: Positive = 1.0
    """Weight of its requests among all publishers (normalised)."""
    rivals: Name | None = None
    """Which entry of `rivals` bids here (missing: the only one)."""
    seats: list[Name] | None = None
    """Only these seats may buy here (missing: all); a campaign without `seat` has one of its own name."""
    header: list[Name] = Field(default_factory=list)
    """Exchanges asked for the same impression beside the scenario's own (header bidding), in order of preference."""
    floor_rules: list[FloorRule] = Field(default_factory=list)
    """Floors that depend on the request, first match first."""
    slots: dict[Name, Slot] = Field(min_length=1)
    """Its slots by name."""
    pages: dict[Name, Page] = Field(default_factory=dict)
    """Pages that show several of them at once, by name; video slots alone make a pod."""


class Package(Part):
    """Inventory put together to be sold as one: slots of one publisher or of several."""

    slots: dict[Name, Annotated[list[Name], Field(min_length=1)]] = Field(min_length=1)
    """Which slots, by publisher."""


class Deal(Part):
    """A private agreement on a publisher's slots or on a package: those requests carry the deal's id.

    A request carries one deal, the highest that is open: guaranteed, preferred, private_auction, floor; among equals
    the first written.
    """

    kind: Literal["floor", "private_auction", "preferred", "guaranteed"] = "floor"
    """floor: its own floor in the open auction; private_auction: held before the open one, for invited buyers;
    preferred: first look at a fixed price; guaranteed: a fixed price and a number of impressions owed."""
    publisher: Name | None = None
    """The selling publisher; or give a package."""
    slots: list[Name] | None = None
    """The slots it covers (missing: all of the publisher's)."""
    package: Name | None = None
    """The package it covers, which may be of several publishers: each of them sells its own part."""
    floor: Cpm
    """Lowest price inside the deal, or its fixed price (CPM)."""
    rivals: Name | None = None
    """Who else is invited to a private auction (missing: nobody)."""
    impressions: Annotated[int, Field(ge=1, le=10**12)] | None = None
    """Impressions owed by a guaranteed deal."""
    days: Positive | None = None
    """When they are due (days from the start; missing: the scenario's end); what is missing is made good afterwards."""
    pace: Literal["asap", "even"] = "asap"
    """Of a guaranteed deal: take every impression, or only what the straight line to its end asks for."""
    probability: Annotated[float, Field(gt=0, lt=1)] = 0.99
    """Probability with which a guaranteed deal must be deliverable, or it is refused."""
    prepaid: bool = True
    """Of a guaranteed deal: paid in full in advance, and refunded for what was not delivered."""

    @model_validator(mode="after")
    def _fits(self) -> Deal:
        if self.kind == "guaranteed" and self.impressions is None:
            raise ValueError("a guaranteed deal owes a number of impressions; add impressions")
        if (self.publisher is None) == (self.package is None):
            raise ValueError("a deal is with a publisher or on a package; give one of the two")
        if self.package is not None and self.slots is not None:
            raise ValueError("its package says which slots it covers; leave out slots")
        return self


class Bulk(Part):
    """What a network takes off a publisher."""

    share: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Share of the publisher's impressions, of the formats the network has slots for."""
    price: Cpm
    """What it pays for each of them, resold or not (CPM)."""


class Network(Part):
    """An ad network: buys impressions in bulk and resells them blind, as its own."""

    buys: dict[Name, Bulk] = Field(min_length=1)
    """From which publishers, by name."""
    discount: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """How much less rivals bid because they do not see what they buy."""
    rivals: Name | None = None
    """Which entry of `rivals` bids here (missing: the only one)."""
    slots: dict[Name, Slot] = Field(min_length=1)
    """What it resells as: the first slot of the impression's format."""


class HeaderExchange(Part):
    """Another exchange, which holds an auction of its own for impressions that publishers offer in several at once."""

    fee: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """What it keeps of the price (share); the publisher compares what is left."""
    auction: Literal["first_price", "second_price"] | None = None
    """What its winner pays (missing: as in `auction.kind`)."""
    rivals: Name | None = None
    """Who else bids there (missing: the publisher's own rivals, who meet the impression there too and bid the same)."""
    floor: Cpm = 0.0
    """Lowest price it accepts, where that is more than the publisher's floor (CPM)."""


class Seat(Part):
    """What a buyer's seat may buy; the exchange refuses its other bids (loss code 104)."""

    sellers: list[Name] | None = None
    """Only from these publishers and networks (missing: from all)."""
    exchanges: list[Name] | None = None
    """Beside the scenario's own exchange, only in these of `exchanges` (missing: in all)."""
    formats: list[Format] | None = None
    """Only slots of these formats (missing: of all)."""


class Fees(Part):
    """Who keeps what between advertiser and publisher. Fees are taken per buyer, seller and way, on the sum."""

    trading_desk: NonNegative = 0.0
    """The agency's trading desk: share of what is paid in auctions and deals, on top of it."""
    dsp: NonNegative = 0.0
    """The buying platform: share of what is paid in auctions and deals, on top of it."""
    exchange: Share = 0.0
    """The exchange: share of what is paid."""
    ssp: Share = 0.0
    """The selling platform: share of what the exchange passes on."""
