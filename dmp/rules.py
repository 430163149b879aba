"""Segment files: rules with and, or and not over attributes, events, tags, sources and other segments."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from dmp.consent import mask_of
from dmp.errors import ConsentError, SegmentError
from dmp.yaml_file import load_model

SegmentName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
Days = Annotated[float, Field(gt=0, le=36500)]


class _Part(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, populate_by_name=True, use_attribute_docstrings=True
    )

    @model_serializer(mode="wrap")
    def _as_written(self, rest: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """As a file would say it: without what was not given."""
        return {name.rstrip("_"): value for name, value in rest(self).items() if value is not None}


class EventRule(_Part):
    """How often something happened, and when."""

    name: str
    """Name of the event."""
    at_least: Annotated[int, Field(ge=1)] = 1
    """Fewest times."""
    at_most: Annotated[int, Field(ge=1)] | None = None
    """Most times; missing: no limit."""
    within_days: Days | None = None
    """Counted are events of the last so many days; missing: all."""
    value_at_least: float | None = None
    """Counted are events with at least this value."""


class AttributeRule(_Part):
    """What the latest known value of an attribute must be."""

    name: str
    """Name of the attribute."""
    equals: str | float | bool | None = None
    """Its value: text, a number, true or false."""
    one_of: list[str | float] | None = None
    """Its possible values."""
    at_least: float | None = None
    """Its lowest value."""
    below: float | None = None
    """What it must stay below."""

    @model_validator(mode="after")
    def _some(self) -> AttributeRule:
        given = [value for value in (self.equals, self.one_of, self.at_least, self.below) if value is not None]
        if not given:
            raise ValueError("say what it must be: equals, one_of, at_least or below")
        return self


class LookalikeRule(_Part):
    """People who resemble the members of a segment, without them."""

    seed: str
    """The segment they resemble."""
    share: Annotated[float, Field(gt=0, le=1)]
    """Share of everybody outside the seed who are taken, the most alike first."""


class Rule(_Part):
    """Exactly one of these keys."""

    all: list[Rule] | None = Field(None, min_length=1)
    """In all of these."""
    any: list[Rule] | None = Field(None, min_length=1)
    """In one of these at least."""
    not_: Rule | None = Field(None, alias="not")
    """Not in this."""
    event: EventRule | None = None
    """It happened so often."""
    attribute: AttributeRule | None = None
    """The latest known value is such."""
    tag: str | None = None
    """Carries this tag."""
    source: str | None = None
    """Known from this source."""
    segment: str | None = None
    """Member of another segment."""
    lookalike: LookalikeRule | None = None
    """Resembles the members of another segment."""

    @model_validator(mode="after")
    def _one(self) -> Rule:
        given = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if len(given) != 1:
            keys = "all, any, not, event, attribute, tag, source, segment, lookalike"
            raise ValueError(
                f"give exactly one of {keys}; here {'is none' if not given else 'are ' + ', '.join(given)}"
            )
        return self

    def parts(self) -> Iterator[Rule]:
        """This rule and everything in it."""
        yield self
        for part in [*(self.all or []), *(self.any or []), *([self.not_] if self.not_ else [])]:
            yield from part.parts()


class Segment(_Part):
    """A set of people."""

    rule: Rule
    ttl_days: Days | None = None
    """Evidence older than this no longer counts: a member leaves when the last of it is older. Missing: no limit."""
    taxonomy: str | None = None
    """Name or number in the IAB Audience Taxonomy."""
    about: str | None = None


class SegmentFile(_Part):
    """All segments, and the purposes the people in them must allow."""

    purposes: tuple[str, ...] = ("storage", "ads_profile", "personalised_ads")
    segments: dict[SegmentName, Segment] = Field(min_length=1)

    @field_validator("purposes")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        try:
            mask = mask_of(value)
        except ConsentError as error:
            raise ValueError(str(error)) from None
        if not mask & mask_of(["storage"]):
            raise ValueError("reading what is stored needs the purpose storage; add it")
        return value

    @model_validator(mode="after")
    def _order(self) -> SegmentFile:
        self.order()
        return self

    def order(self) -> list[str]:
        """Names so that each segment comes after those it is made of; raises `ValueError` with the path of a cycle."""
        done: list[str] = []
        for name in self.segments:
            self._visit(name, [], done)
        return done

    def _visit(self, name: str, path: list[str], done: list[str]) -> None:
        if name in done:
            return
        if name in path:
            raise ValueError(
                f"segments go in a circle: {' → '.join([*path[path.index(name) :], name])}; cut it somewhere"
            )
        for part in self.segments[name].rule.parts():
            inner = part.lookalike.seed if part.lookalike is not None else part.segment
            if inner is None:
                continue
            if inner not in self.segments:
                known = ", ".join(self.segments)
                raise ValueError(f"segment {name} is made of {inner!r}, which is not defined; segments: {known}")
            self._visit(inner, [*path, name], done)
        done.append(name)


def load_segments(path: Path) -> SegmentFile:
    """The segment file; raises `SegmentError` with every mistake."""
    return load_model(path, SegmentFile, SegmentError)
