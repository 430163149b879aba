"""The files sources hold of the market's people: the truth goes in, and only its noisy records come out.

A source knows a share of the people. Each interest it reports becomes tags on one of the person's cookies, found with
the declared recall and precision; a report is about a moment `delay_h` plus an exponential age before the scenario's
start, and the interest may have changed since. Which rows carry an identifier that others know too is the match rate.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import yaml
from numba import njit
from numpy.typing import NDArray

from exchange_sim.draws import (
    AGE,
    COOKIE,
    DRIFT,
    GUESS,
    KNOWN,
    MATCHED,
    OBSERVATION,
    PERSON_OF,
    REPEATS,
    key_of,
    name_key,
    uniform,
)
from exchange_sim.identities import MOST, cookie_count, cookie_name
from exchange_sim.world import World
from experiments.scenario.audience import Source
from experiments.scenario.models import Scenario

HOUR_S, DAY_S = 3600.0, 86400.0
REPEAT_EVERY_S = 6 * HOUR_S
NONE = -1
_NO_SALT = np.uint64(0)

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]


@njit(cache=True)
def _uniforms(
    seed_key: np.uint64, kind: np.uint64, owner: NDArray[np.int64], salt: np.uint64, purpose: np.uint64
) -> Floats:
    """float64[n]: one draw per owner (a person or a cookie) of one source."""
    drawn = np.empty(len(owner))
    for i in range(len(owner)):
        drawn[i] = uniform(key_of(seed_key, kind, owner[i]) + salt, purpose)
    return drawn


@dataclass(frozen=True)
class People:
    """What the files are drawn from, as arrays per person (P) and per cookie (C)."""

    world: World
    owner: Numbers
    """int64[C]: whose each cookie is."""
    address: Numbers
    """int64[P]: number of the household."""

    @property
    def everybody(self) -> Numbers:
        """0 .. P - 1."""
        return np.arange(self.world.people_count)


@dataclass
class _Rows:
    """Rows of one file on their way; NONE where a cell stays empty."""

    person: Numbers
    cookie: Numbers
    tag: Numbers
    age_s: Floats


class _Producer:
    """One source's file."""

    def __init__(self, scenario: Scenario, people: People, name: str, source: Source) -> None:
        self.people, self.world, self.source, self.name = people, people.world, source, name
        self.salt = name_key(f"source {name}")
        self.scenario = scenario
        self.known = self.by_person(KNOWN) < source.people
        self.start_s = scenario.start.replace(tzinfo=UTC).timestamp()

    def by_person(self, purpose: np.uint64, salt: np.uint64 = _NO_SALT) -> Floats:
        return _uniforms(self.world.seed_key, PERSON_OF, self.people.everybody, self.salt ^ salt, purpose)

    def by_cookie(self, purpose: np.uint64) -> Floats:
        return _uniforms(self.world.seed_key, COOKIE, np.arange(len(self.people.owner)), self.salt, purpose)

    def ages_s(self, u: Floats) -> Floats:
        return self.source.delay_h * HOUR_S - self.source.staleness_days * DAY_S * np.log(u)

    def table(self) -> pa.Table:
        """The file's columns."""
        rows = [self._presence(), *(self._reports(ix, name) for ix, name in enumerate(self.source.interests))]
        person, cookie, tag, age_s = (
            np.concatenate([getattr(part, field) for part in rows]) for field in ("person", "cookie", "tag", "age_s")
        )
        columns: dict[str, Any] = {}
        if "cookie" in self.source.identifiers:
            columns["cookie"] = self._cookies(cookie)
        if self.source.guesses is not None:
            columns["other"], columns["score"] = self._guesses(cookie, tag)
        if "email" in self.source.identifiers:
            columns["email"] = self._emails(person, cookie)
        if "address" in self.source.identifiers:
            columns["address"] = [f"{100 + home} Market Street" for home in self.people.address[person].tolist()]
        columns["at"] = np.floor(self.start_s - age_s).astype(np.int64)
        if self.source.event is not None:
            columns["event"] = np.where(tag == NONE, "visit", self.source.event)
        interests = np.array([*self.source.interests, ""], dtype=object)
        columns["interests"] = interests[tag]
        columns["consent"] = np.where(self.world.homes["consent"][person] == 1, "yes", "no")
        return pa.table(columns)

    def _presence(self) -> _Rows:
        """One row for each cookie, or person, the source has."""
        if "cookie" in self.source.identifiers:
            cookie = np.flatnonzero(self.known[self.people.owner])
            person = self.people.owner[cookie]
        else:
            person = np.flatnonzero(self.known)
            cookie = np.full(len(person), NONE)
        age_s = self.ages_s(self.by_person(AGE))[person]
        return _Rows(person, cookie, np.full(len(person), NONE), age_s)

    def _reports(self, tag: int, interest: str) -> _Rows:
        """Rows about one interest: who is reported, how often and when."""
        report, share = self.source.interests[interest], self.scenario.people.interests[interest]
        salt = name_key(f"interest {interest}")
        age_s = self.ages_s(self.by_person(AGE, salt))
        held = self._held_then(interest, share, age_s, salt)
        mistaken = 0.0
        if share < 1.0:
            mistaken = report.recall * share * (1.0 - report.precision) / report.precision / (1.0 - share)
        found = self.known & (self.by_person(OBSERVATION, salt) < np.where(held, report.recall, mistaken))
        person = np.flatnonzero(found)
        more = (self.source.repeats - 1.0) / self.source.repeats
        times = np.ones(len(person), np.int64)
        if more > 0.0:
            times += np.minimum(MOST, np.log(self.by_person(REPEATS, salt)[person]) / math.log(more)).astype(np.int64)
        cookie = np.full(len(person), NONE)
        if "cookie" in self.source.identifiers:
            first = self.world.cookies[person]
            cookie = first + (self.by_person(COOKIE, salt)[person] * (self.world.cookies[person + 1] - first)).astype(
                np.int64
            )
        repeat = np.arange(times.sum()) - np.repeat(np.cumsum(times) - times, times)
        return _Rows(
            np.repeat(person, times),
            np.repeat(cookie, times),
            np.full(len(repeat), tag),
            np.repeat(age_s[person], times) + repeat * REPEAT_EVERY_S,
        )

    def _held_then(self, interest: str, share: float, age_s: Floats, salt: np.uint64) -> NDArray[np.bool_]:
        """Whether each person held the interest when it was observed: what they hold now, or drawn anew since."""
        bit = np.uint64(list(self.scenario.people.interests).index(interest))
        now = (self.world.interests >> bit) & np.uint64(1) == 1
        half_life_days = self.scenario.people.interest_half_life_days
        if half_life_days is None:
            return np.asarray(now)
        same = 0.5 ** (age_s / (half_life_days * DAY_S))
        u = self.by_person(DRIFT, salt)
        # Above the share that stayed the same, u says what the person held instead.
        return np.where(u < same, now, (u - same) / np.maximum(1.0 - same, 1e-300) < share)

    def _cookies(self, cookie: Numbers) -> list[str]:
        """Names of cookies; of a file of cookies alone, those that are not matched have ceased to exist."""
        alone = self.source.identifiers == ["cookie"] and self.source.guesses is None
        lives = self.by_cookie(MATCHED) < self.source.match_rate if alone else np.ones(len(self.people.owner), np.bool_)
        names = cookie_names(self.world)
        return [
            names[c] if alive else f"gone-{names[c]}" for c, alive in zip(cookie.tolist(), lives[cookie], strict=True)
        ]

    def _emails(self, person: Numbers, cookie: Numbers) -> list[str | None]:
        """With cookies: the e-mail where its owner logged in. Without: the one used everywhere, or another one."""
        names = email_names(self.world)
        if "cookie" in self.source.identifiers:
            logged_in = self.by_cookie(MATCHED)[cookie] < self.source.match_rate
            return [names[p] if yes else None for p, yes in zip(person.tolist(), logged_in, strict=True)]
        same = self.by_person(MATCHED)[person] < self.source.match_rate
        return [names[p] if yes else f"other-{names[p]}" for p, yes in zip(person.tolist(), same, strict=True)]

    def _guesses(self, cookie: Numbers, tag: Numbers) -> tuple[list[str | None], Floats]:
        """The cookie each is guessed to share its person with, and the score: right as often as it says."""
        spec = self.source.guesses
        assert spec is not None
        score = np.round(spec.low + (spec.high - spec.low) * self.by_cookie(AGE), 4)
        right = self.by_cookie(GUESS) < score
        first, count = self.world.cookies[self.people.owner], np.diff(self.world.cookies)[self.people.owner]
        anybody = (self.by_cookie(REPEATS) * len(self.people.owner)).astype(np.int64)
        # Another cookie of the same person: step on by 1 .. count - 1 among theirs.
        step = 1 + (self.by_cookie(REPEATS) * np.maximum(count - 1, 1)).astype(np.int64)
        own = first + (np.arange(len(self.people.owner)) - first + step) % count
        other = np.where(right, own, anybody)
        guessed = self.by_cookie(MATCHED) < self.source.match_rate
        names = cookie_names(self.world)
        told = (tag == NONE) & guessed[cookie] & (other[cookie] != cookie)
        others = [names[o] if yes else None for o, yes in zip(other[cookie].tolist(), told, strict=True)]
        return others, np.where(told, score[cookie], 1.0)


def email_names(world: World) -> list[str]:
    """The e-mail address each person uses everywhere."""
    return [f"{int(key_of(world.seed_key, KNOWN, p)):016x}@mail.example" for p in range(world.people_count)]


_NAMES: dict[tuple[int, int], list[str]] = {}


def cookie_names(world: World) -> list[str]:
    """Wire names of all cookies, kept for the latest world."""
    key = (int(world.seed_key), cookie_count(world))
    if key not in _NAMES:
        _NAMES.clear()
        _NAMES[key] = [cookie_name(world.seed_key, c) for c in range(key[1])]
    return _NAMES[key]


def write_sources(scenario: Scenario, world: World, folder: Path) -> list[Path]:
    """Write each source's file and declaration into *folder*, and the segment file; returns the declarations.

    The scenario must have an audience platform. Raises OSError when the folder cannot be written.
    """
    assert scenario.audience is not None
    owner = np.repeat(np.arange(world.people_count), np.diff(world.cookies))
    people = People(world, owner, world.heads)
    folder.mkdir(parents=True, exist_ok=True)
    declarations = []
    for name, source in scenario.audience.sources.items():
        pa.csv.write_csv(_Producer(scenario, people, name, source).table(), folder / f"{name}.csv")
        declarations.append(folder / f"{name}.yaml")
        declarations[-1].write_text(yaml.safe_dump(declaration(name, source, scenario.currency), sort_keys=False))
    rules = {
        name: {"rule": segment.rule.model_dump(mode="json"), "ttl_days": segment.ttl_days}
        for name, segment in scenario.segments.items()
        if segment.rule is not None
    }
    (folder / "segments.yaml").write_text(yaml.safe_dump({"segments": rules}, sort_keys=False))
    return declarations


def declaration(name: str, source: Source, currency: str) -> dict[str, Any]:
    """What the audience platform is told of the file."""
    identifiers: list[dict[str, str]] = [{"column": kind, "kind": kind} for kind in source.identifiers]
    told: dict[str, Any] = {
        "source": name,
        "file": f"{name}.csv",
        "format": "csv",
        "party": source.party,
        "channel": source.channel,
        "region": "EU",
        "cost_cpm": source.cost_cpm,
        "currency": currency,
        "time": {"column": "at", "form": "s"},
        "tags": {"column": "interests", "prefix": f"{name}:"},
        "consent": {"column": "consent"},
    }
    if source.guesses is not None:
        identifiers.append({"column": "other", "kind": "cookie"})
        told["score_column"] = "score"
    if source.party == "third":
        told["licence"] = "simulated"
    if source.freshness_days is not None:
        told["freshness_days"] = source.freshness_days
    if source.event is not None:
        told["event"] = {"column": "event"}
    return {**told, "identifiers": identifiers}
