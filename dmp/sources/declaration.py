"""What a source file holds: identifiers, attributes, events, tags, consent, and the terms it comes under."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from dmp.consent import mask_of
from dmp.errors import ConsentError, SourceError
from dmp.yaml_file import load_model

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
Column = Annotated[str, Field(min_length=1, max_length=200)]
RESERVED = frozenset({"key", "time_s", "event", "value", "tags"})


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, strict=True)


class IdentifierColumn(_Part):
    """A column that holds identifiers of one kind."""

    column: Column
    kind: Literal["cookie", "device", "login", "email", "phone", "address"]
    hashed: bool = False
    """The column already holds SHA-256 of the normalised value (e-mail, phone, address)."""
    country_code: Annotated[str, Field(pattern=r"^[1-9][0-9]{0,2}$")] | None = None
    """Country calling code of phone numbers written without one."""

    @model_validator(mode="after")
    def _hashes(self) -> IdentifierColumn:
        if self.hashed and self.kind not in ("email", "phone", "address"):
            raise ValueError(f"hashed: only e-mail, phone and address come hashed, not {self.kind}; remove it")
        return self


class AttributeColumn(_Part):
    """A column that holds a property of the person."""

    column: Column
    type: Literal["number", "text", "flag"]
    name: Name | None = None
    """Its name in segments; missing: the column's."""

    @property
    def known_as(self) -> str:
        """Name in segments."""
        return self.name or self.column

    @model_validator(mode="after")
    def _free(self) -> AttributeColumn:
        if self.known_as in RESERVED:
            raise ValueError(f"{self.known_as!r} is a name of the store; add another `name:`")
        return self


class TimeColumn(_Part):
    """When the row happened or was true."""

    column: Column
    form: Literal["iso", "s", "ms", "compact"] = "iso"
    """ISO 8601 (UTC where it says nothing else), seconds or milliseconds since 1970, or 20260331235959 (UTC)."""


class EventColumns(_Part):
    """Each row is something that happened."""

    column: Column | None = None
    """Column with the event's name."""
    name: Name | None = None
    """The name itself, where all rows are of one kind."""
    value: Column | None = None
    """Column with a number, such as the amount paid."""

    @model_validator(mode="after")
    def _one(self) -> EventColumns:
        if (self.column is None) == (self.name is None):
            raise ValueError("give either `column` (names in the file) or `name` (one for all rows)")
        return self


class TagColumn(_Part):
    """A column with a list of tags."""

    column: Column
    separator: Annotated[str, Field(min_length=1, max_length=4)] = ","
    prefix: Annotated[str, Field(max_length=32)] = ""


class ConsentColumn(_Part):
    """A column with what the person decided."""

    column: Column
    form: Literal["flag", "string"] = "flag"
    """yes/no, or a TCF or GPP string."""
    purposes: tuple[str, ...] = ("all",)
    """What yes and no are about."""
    vendor: Annotated[int, Field(ge=1, le=65535)] | None = None
    """Our number in the vendor list; with it, a string must name us."""

    @field_validator("purposes", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return tuple(value) if isinstance(value, list) else value

    @field_validator("purposes")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        try:
            mask_of(value)
        except ConsentError as error:
            raise ValueError(str(error)) from None
        return value


class Source(_Part):
    """One source: a file, its columns and its terms."""

    source: Name
    file: Annotated[str, Field(min_length=1)]
    """The file, relative to the declaration; gzip is recognised by its content."""
    format: Literal["csv", "jsonl", "parquet"]
    header: list[Column] | None = None
    """Column names of a CSV file that has no header line."""
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    party: Literal["first", "second", "third"]
    channel: Literal[
        "web_event", "app_event", "crm_file", "loyalty_card", "store_purchase", "call_centre", "bid_log", "vendor_file"
    ]
    region: str = ""
    """Where the people live; decides what is allowed before anybody consented. Missing: as in Europe, nothing."""
    freshness_days: Annotated[float, Field(gt=0)] | None = None
    """Rows older than this no longer count in segments; missing: they always do."""
    licence: Annotated[str, Field(max_length=500)] | None = None
    cost_cpm: Annotated[float, Field(ge=0)] = 0.0
    """Price of using its data, per thousand impressions."""
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "EUR"
    identifiers: Annotated[list[IdentifierColumn], Field(min_length=1, max_length=16)]
    score: Annotated[float, Field(gt=0, le=1)] = 1.0
    """How sure the identifiers of one row belong together; 1: certain (deterministic)."""
    score_column: Column | None = None
    time: TimeColumn | None = None
    as_of: str | None = None
    """Date the file was true, where rows carry no time."""
    attributes: list[AttributeColumn] = []
    event: EventColumns | None = None
    tags: TagColumn | None = None
    consent: ConsentColumn | None = None
    clock_skew_s: Annotated[float, Field(ge=0, le=86400)] = 300.0
    """How far ahead of our clock a row may be."""

    @field_validator("as_of")
    @classmethod
    def _date(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                date.fromisoformat(value)
            except ValueError:
                raise ValueError(f"{value!r} is not a date; write it as 2026-03-31") from None
        return value

    @model_validator(mode="after")
    def _agrees(self) -> Source:
        if (self.time is None) == (self.as_of is None):
            raise ValueError("give either `time` (a column) or `as_of` (one date for the whole file)")
        if self.event is not None and self.time is None:
            raise ValueError("events need a `time` column")
        if self.header is not None and self.format != "csv":
            raise ValueError("header: only CSV files need one; remove it")
        if self.party == "third" and not self.licence:
            raise ValueError("third-party data need their `licence` terms")
        names = [attribute.known_as for attribute in self.attributes]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"attributes named twice: {', '.join(twice)}; add a `name:` to one")
        columns = [identifier.column for identifier in self.identifiers]
        if len(set(columns)) < len(columns):
            raise ValueError("a column is declared as an identifier twice; keep one")
        return self

    def columns(self) -> list[str]:
        """Every column of the file that is read, once each."""
        found = [identifier.column for identifier in self.identifiers]
        found += [attribute.column for attribute in self.attributes]
        found += [part.column for part in (self.time, self.tags, self.consent) if part is not None]
        if self.event is not None:
            found += [column for column in (self.event.column, self.event.value) if column is not None]
        return list(dict.fromkeys(found + ([self.score_column] if self.score_column else [])))


def load_source(path: Path) -> tuple[Source, Path]:
    """The declaration in *path* and the data file it names; raises `SourceError` with every mistake."""
    if path.is_dir():
        raise SourceError(f"{path}: is a folder; name the declaration (a YAML file) in it")
    source = load_model(path, Source, SourceError)
    data = path.parent / source.file
    if not data.is_file():
        raise SourceError(f"{path}: file: {data} does not exist; correct the name (it is relative to the declaration)")
    return source, data
