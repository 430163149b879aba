"""Segments evaluated over an opened audience: one bool per person and segment, then rows of bits."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from dmp.audience import Audience
from dmp.errors import SegmentError
from dmp.rules import AttributeRule, EventRule, Rule, SegmentFile
from dmp.snapshot import Snapshot, build_snapshot

Flags = NDArray[np.bool_]
DAY_S = 86400.0


@dataclass
class _Rows:
    """Columns of one batch, of the people in the audience, up to now and fresh enough."""

    person_ix: NDArray[np.int64]
    time_s: NDArray[np.int64]
    table: pa.Table


@dataclass
class _Known:
    """The latest value of an attribute per person: a number, or a code into `texts`; NaN where nothing is known."""

    value: NDArray[np.float64]
    time_s: NDArray[np.int64]
    texts: list[str] | None = None


@dataclass
class Evidence:
    """What is known of the people, read once and kept for all rules."""

    audience: Audience
    notes: list[str] = field(default_factory=list)
    """Things a rule asks for that no record holds: not wrong, but worth a look."""

    def __post_init__(self) -> None:
        self.now_s = self.audience.now_s
        self.people = self.audience.graph.persons
        self.sources: dict[str, Flags] = {}
        self._rows: list[_Rows] = []
        self._known: dict[str, _Known] = {}
        declared: dict[str, str] = {}
        for batch in self.audience.catalog.batches:
            source = batch.source
            table, person = self.audience.records(batch, fresh_only=True)
            past = table["time_s"].to_numpy() <= self.now_s
            table, person = table.filter(pa.array(past)), person[past]
            self._rows.append(_Rows(person, table["time_s"].to_numpy(), table))
            flags = self.sources.setdefault(source.source, np.zeros(self.people, np.bool_))
            flags[person] = True
            for attribute in source.attributes:
                kind = "text" if attribute.type == "text" else "number"
                if declared.setdefault(attribute.known_as, kind) != kind:
                    raise SegmentError(
                        f"attribute {attribute.known_as}: one source declares it as text, another as a number; "
                        "give one of them another `name:`"
                    )
        self.attributes = declared

    def events(self, rule: EventRule, oldest_s: float) -> Flags:
        """People for whom it happened as often as the rule says."""
        counts, seen = np.zeros(self.people, np.int64), False
        since = max(oldest_s, -np.inf if rule.within_days is None else self.now_s - rule.within_days * DAY_S)
        for rows in self._rows:
            if "event" not in rows.table.column_names:
                continue
            named = np.asarray(pc.fill_null(pc.equal(pc.cast(rows.table["event"], pa.string()), rule.name), False))
            seen = seen or bool(named.any())
            hit = named & (rows.time_s >= since)
            if rule.value_at_least is not None:
                value = rows.table["value"].to_numpy()
                hit &= value >= rule.value_at_least
            counts += np.bincount(rows.person_ix[hit], minlength=self.people)
        if not seen:
            self._note(f"no event {rule.name!r} was ever recorded")
        at_most = np.iinfo(np.int64).max if rule.at_most is None else rule.at_most
        return np.asarray((counts >= rule.at_least) & (counts <= at_most))

    def tag(self, tag: str, oldest_s: float) -> Flags:
        """People who carry the tag."""
        flags = np.zeros(self.people, np.bool_)
        for rows in self._rows:
            if "tags" in rows.table.column_names:
                column = rows.table["tags"].combine_chunks()
                parent = np.asarray(pc.list_parent_indices(column))
                owner = parent[np.asarray(pc.equal(column.flatten(), tag), np.bool_)]
                flags[rows.person_ix[owner[rows.time_s[owner] >= oldest_s]]] = True
        if not flags.any():
            self._note(f"nobody carries the tag {tag!r}")
        return flags

    def all_tags(self) -> dict[str, int]:
        """Tag → people who carry it, the most frequent first."""
        counts: dict[str, set[int]] = {}
        for rows in self._rows:
            if "tags" in rows.table.column_names:
                column = rows.table["tags"].combine_chunks()
                owners = rows.person_ix[np.asarray(pc.list_parent_indices(column))]
                coded = column.flatten().dictionary_encode()
                code = np.asarray(coded.indices)
                for number, tag in enumerate(coded.dictionary.to_pylist()):
                    counts.setdefault(tag, set()).update(owners[code == number].tolist())
        return dict(
            sorted(((tag, len(owners)) for tag, owners in counts.items()), key=lambda item: (-item[1], item[0]))
        )

    def attribute(self, rule: AttributeRule, oldest_s: float) -> Flags:
        """People whose latest value is as the rule says; raises `SegmentError` for an unknown attribute."""
        if rule.name not in self.attributes:
            known = ", ".join(sorted(self.attributes)) or "none"
            raise SegmentError(f"unknown attribute {rule.name!r}; attributes the sources declare: {known}")
        known_values = self._known.get(rule.name) or self._latest(rule.name)
        self._known[rule.name] = known_values
        value, texts = known_values.value, known_values.texts
        good = ~np.isnan(value) & (known_values.time_s >= oldest_s)
        wanted = [rule.equals] if rule.equals is not None else rule.one_of
        if texts is not None:
            if rule.at_least is not None or rule.below is not None:
                raise SegmentError(f"attribute {rule.name} is text; at_least and below are for numbers")
            codes = [float(texts.index(str(text))) for text in wanted or [] if str(text) in texts]
            return np.asarray(good & np.isin(value, codes))
        if wanted is not None:
            if any(isinstance(each, str) for each in wanted):
                raise SegmentError(f"attribute {rule.name} is a number (or a flag: true, false), not text")
            good &= np.isin(value, [float(each) for each in wanted])
        if rule.at_least is not None:
            good &= value >= rule.at_least
        if rule.below is not None:
            good &= value < rule.below
        return np.asarray(good)

    def _latest(self, name: str) -> _Known:
        """The newest value per person; of two in one second the one imported later."""
        people: list[NDArray[np.int64]] = []
        times: list[NDArray[np.int64]] = []
        values: list[pa.ChunkedArray] = []
        texts: list[pa.ChunkedArray] = []
        for rows in self._rows:
            if f"attr.{name}" not in rows.table.column_names:
                continue
            column = rows.table[f"attr.{name}"]
            there = np.asarray(pc.is_valid(column))
            people.append(rows.person_ix[there])
            times.append(rows.time_s[there])
            (texts if self.attributes[name] == "text" else values).append(column.filter(pa.array(there)))
        known = None
        if self.attributes[name] == "text":
            coded = pa.chunked_array([c for t in texts for c in t.chunks], pa.string()).combine_chunks()
            encoded = coded.dictionary_encode()
            known, value = encoded.dictionary.to_pylist(), np.asarray(encoded.indices, np.float64)
        else:
            value = np.concatenate([*(column.to_numpy() for column in values), np.empty(0)])
        person = np.concatenate([*people, np.empty(0, np.int64)])
        time_s = np.concatenate([*times, np.empty(0, np.int64)])
        order = np.argsort(time_s, kind="stable")
        latest, when = np.full(self.people, np.nan), np.full(self.people, np.iinfo(np.int64).min)
        latest[person[order]], when[person[order]] = value[order], time_s[order]
        return _Known(latest, when, known)

    def source(self, name: str) -> Flags:
        """People known from a source; raises `SegmentError` for an unknown one."""
        if name not in self.sources:
            raise SegmentError(f"unknown source {name!r}; sources here: {', '.join(self.sources)}")
        return self.sources[name]

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)


def evaluate(file: SegmentFile, evidence: Evidence) -> dict[str, Flags]:
    """bool[persons] per segment, in the order of the file; raises `SegmentError`."""
    members: dict[str, Flags] = {}
    for name in file.order():
        segment = file.segments[name]
        oldest_s = -np.inf if segment.ttl_days is None else evidence.now_s - segment.ttl_days * DAY_S
        try:
            members[name] = _members(segment.rule, evidence, members, oldest_s)
        except SegmentError as error:
            raise SegmentError(f"segment {name}: {error}") from None
    return {name: members[name] for name in file.segments}


def _members(rule: Rule, evidence: Evidence, members: dict[str, Flags], oldest_s: float) -> Flags:
    if rule.not_ is not None:
        return ~_members(rule.not_, evidence, members, oldest_s)
    if rule.event is not None:
        return evidence.events(rule.event, oldest_s)
    if rule.attribute is not None:
        return evidence.attribute(rule.attribute, oldest_s)
    if rule.tag is not None:
        return evidence.tag(rule.tag, oldest_s)
    if rule.source is not None:
        return evidence.source(rule.source)
    if rule.segment is not None:
        return members[rule.segment]
    parts = [_members(part, evidence, members, oldest_s) for part in rule.all or rule.any or []]
    return np.asarray(np.logical_and.reduce(parts) if rule.all is not None else np.logical_or.reduce(parts))


def snapshot_of(members: dict[str, Flags], people: int) -> Snapshot:
    """Rows for the bidder: everybody in an opened audience allowed what it was opened for."""
    return build_snapshot(members, np.ones(people, np.bool_))
