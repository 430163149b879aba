"""The file `bidlab exchange serve` reads: rules, bidders, placements. Prices in CPM, times in ms.

Every mistake is told at once, each with its line.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path as FilePath
from typing import Annotated, Any, Literal

import msgspec
from pydantic import Field, ValidationError

from exchange_sim.server.rules import BidderAddress, FloorRule, Rules, Seller
from experiments.errors import RunError
from experiments.scenario.document import Document, NotYaml, parse
from experiments.scenario.parts import Cpm, Name, Part
from experiments.scenario.problems import Path, dotted, suggestion
from experiments.scenario.selling import Hour
from openrtb.codes import AuctionType
from openrtb.decode import decode_request
from openrtb.errors import InvalidMessage
from openrtb.money import cpm_to_nanos

_AT = {"first_price": AuctionType.FIRST_PRICE, "second_price": AuctionType.SECOND_PRICE_PLUS}


class Bidder(Part):
    """Somebody to ask."""

    url: Annotated[str, Field(pattern=r"^https?://[^\s]+$")]
    """Where its bid requests go, for example http://127.0.0.1:8080/openrtb2/bid."""
    gzip: bool = False
    """Send it packed requests."""


class Floor(Part):
    """A floor for some impressions; the first rule that fits decides."""

    floor: Cpm
    """Lowest price (CPM)."""
    publishers: list[str] | None = None
    """Only these publishers, by id."""
    placements: list[str] | None = None
    """Only these placements, by any of the names they go by."""
    formats: list[Literal["banner", "video", "native", "audio"]] | None = None
    """Only impressions that can be sold as nothing else."""
    places: list[str] | None = None
    """Only people in these countries, regions or cities, as `device.geo` has them."""
    hours: list[Hour] | None = None
    """Only in these hours of the week (Monday 00:00 UTC = 0)."""

    def rule(self) -> FloorRule:
        """The same as the service wants it."""
        return FloorRule(
            cpm_to_nanos(self.floor),
            publishers=_some(self.publishers),
            placements=_some(self.placements),
            formats=_some(self.formats),
            places=_some(self.places),
            hours=None if self.hours is None else frozenset(self.hours),
        )


class Publisher(Part):
    """What one publisher does not want to show."""

    blocked_advertisers: list[str] = Field(default_factory=list)
    """Domains added to `badv` of its requests."""
    blocked_categories: list[str] = Field(default_factory=list)
    """Categories added to `bcat` of its requests."""


class ExchangeConfig(Part):
    """An exchange: its rules, whom it asks and what it knows of placements."""

    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "USD"
    """ISO 4217 code of the one currency it sells in."""
    auction: Literal["first_price", "second_price"] = "first_price"
    """What requests mean that have no `at`."""
    increment: Cpm = 0.01
    """What the winner of a second-price auction pays above the second bid (CPM)."""
    floor: Cpm = 0.0
    """Lowest price of any impression (CPM); a request's or placement's own floor counts where it is higher."""
    floor_rules: list[Floor] = Field(default_factory=list)
    """Floors that stand in for `floor` where they fit, first match first."""
    publishers: dict[str, Publisher] = Field(default_factory=dict)
    """What publishers do not want to show, by their id."""
    tmax_ms: Annotated[float, Field(ge=1, le=60_000)] = 300.0
    """Time to answer a page that names no `tmax`, and the longest one may ask for."""
    network_ms: Annotated[float, Field(ge=0, le=60_000)] = 10.0
    """Part of that time kept for the way back to the page."""
    deals: Literal["first", "together"] = "first"
    """first: a valid deal beats every open bid; together: the higher price wins."""
    billing: Literal["answer", "render"] = "answer"
    """When billing notices are sent: as the answer leaves, or when the page says the ad is shown."""
    blocked_advertisers: list[str] = Field(default_factory=list)
    """Domains added to every request's `badv`."""
    blocked_categories: list[str] = Field(default_factory=list)
    """Categories added to every request's `bcat`."""
    bidders: dict[Name, Bidder] = Field(min_length=1)
    """Whom to ask, by the name pages know them under; it becomes the seat of their bids."""
    defaults: dict[str, Any] = Field(default_factory=dict)
    """Parts of a bid request that fill in what a page does not say: site, device, user, regs ..."""
    placements: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """The same for impressions, by `tagid`, `ext.gpid`, ad unit code or id of the impression."""

    def rules(self) -> Rules:
        """The same as the service wants it."""
        return Rules(
            currency=self.currency,
            bidders=tuple(BidderAddress(name, bidder.url, bidder.gzip) for name, bidder in self.bidders.items()),
            at=int(_AT[self.auction]),
            increment_nanos=cpm_to_nanos(self.increment),
            floor_nanos=cpm_to_nanos(self.floor),
            floor_rules=tuple(floor.rule() for floor in self.floor_rules),
            sellers={
                name: Seller(tuple(body.blocked_advertisers), tuple(body.blocked_categories))
                for name, body in self.publishers.items()
            },
            tmax_s=self.tmax_ms / 1000.0,
            network_s=self.network_ms / 1000.0,
            deals_first=self.deals == "first",
            billing=self.billing,
            blocked_advertisers=tuple(self.blocked_advertisers),
            blocked_categories=tuple(self.blocked_categories),
            defaults=self.defaults,
            placements=self.placements,
        )


_PARTS: dict[str, type[Part]] = {"bidders": Bidder, "floor_rules": Floor, "publishers": Publisher}


def _some(names: Sequence[str] | None) -> frozenset[str] | None:
    return None if names is None else frozenset(names)


def load_exchange(path: FilePath) -> ExchangeConfig:
    """The configuration in a file; raises `RunError` with every mistake and its line."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise RunError(f"{path}: cannot be read ({reason}); name a YAML file that describes the exchange") from None
    try:
        document = parse(text)
    except NotYaml as error:
        raise RunError(f"{path}:{error.line}: the file is not YAML: {error}") from None
    if not isinstance(document.data, dict):
        raise RunError(f"{path}:1: must be a mapping (key: value lines) at the top; see docs/exchange.md for one")
    lines = [f"{path}:{document.line(place)}: {_told(place, rule)}" for place, rule in document.problems]
    try:
        config = ExchangeConfig.model_validate(document.data)
        lines += [f"{path}:{document.line(place)}: {_told(place, rule)}" for place, rule in _samples(config)]
    except ValidationError as error:
        lines += list(_mistakes(path, document, error))
    if not lines:
        return config
    raise RunError(lines[0] if len(lines) == 1 else f"{len(lines)} mistakes in {path}\n" + "\n".join(lines))


def _mistakes(path: FilePath, document: Document, error: ValidationError) -> Iterator[str]:
    for details in error.errors(include_url=False):
        place = tuple(part for part in details["loc"] if part != "[key]")
        rule = details["msg"][:1].lower() + details["msg"][1:]
        if details["type"] == "extra_forbidden":
            known = (_PARTS.get(str(place[0]), Bidder) if len(place) > 1 else ExchangeConfig).model_fields
            rule = f"unknown key; {suggestion(str(place[-1]), known, 'keys here')}"
        elif details["type"] == "missing":
            rule = "is missing; add it"
        elif details["type"] == "string_pattern_mismatch":
            rule = f"{details['input']!r} is not allowed here; it must match {details.get('ctx', {})['pattern']}"
        yield f"{path}:{document.line(place)}: {_told(place, rule)}"


def _samples(config: ExchangeConfig) -> Iterator[tuple[Path, str]]:
    """What would make every request invalid: defaults and placements that are no parts of a request."""
    whole = {"id": "1", "imp": [{"id": "1", "banner": {}}]}
    tried: list[tuple[Path, dict[str, Any]]] = [(("defaults",), {**whole, **config.defaults})]
    for name, part in config.placements.items():
        tried.append((("placements", name), {**whole, "imp": [{"banner": {}, **part, "id": "1"}]}))
    for place, sample in tried:
        try:
            decode_request(msgspec.json.encode(sample))
        except InvalidMessage as error:
            yield place, f"would make requests invalid: {error}"


def _told(place: Path, rule: str) -> str:
    return f"{dotted(place)}: {rule}" if place else rule
