"""Segments evaluated over an opened audience: one bool per person and segment, then rows of bits."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dmp.errors import SegmentError
from dmp.evidence import DAY_S, Evidence, Flags, Question
from dmp.lookalike import lookalikes
from dmp.rules import Rule, SegmentFile
from dmp.snapshot import Snapshot, build_snapshot


def evaluate(file: SegmentFile, evidence: Evidence) -> dict[str, Flags]:
    """bool[persons] per segment, in the order of the file; raises `SegmentError`."""
    asked: list[Question] = []
    for name, segment in file.segments.items():
        oldest_s = _oldest_s(file, name, evidence)
        for question in _questions(segment.rule, oldest_s):
            try:
                evidence.check(question)
            except SegmentError as error:
                raise SegmentError(f"segment {name}: {error}") from None
            asked.append(question)
    evidence.gather(asked)
    members: dict[str, Flags] = {}
    for name in file.order():
        rule, oldest_s = file.segments[name].rule, _oldest_s(file, name, evidence)
        try:
            members[name] = _members(rule, evidence, members, oldest_s, file)
        except SegmentError as error:
            raise SegmentError(f"segment {name}: {error}") from None
    return {name: members[name] for name in file.segments}


def _oldest_s(file: SegmentFile, name: str, evidence: Evidence) -> float:
    days = file.segments[name].ttl_days
    return -np.inf if days is None else evidence.now_s - days * DAY_S


def _question(rule: Rule, oldest_s: float) -> Question | None:
    """What the rule itself asks; None for one made of others."""
    if rule.event is not None:
        return Question("event", rule.event, oldest_s)
    if rule.attribute is not None:
        return Question("attribute", rule.attribute, oldest_s)
    if rule.tag is not None:
        return Question("tag", rule.tag, oldest_s)
    return None if rule.source is None else Question("source", rule.source, oldest_s)


def _questions(rule: Rule, oldest_s: float) -> Iterator[Question]:
    for part in rule.parts():
        question = _question(part, oldest_s)
        if question is not None:
            yield question


def _members(rule: Rule, evidence: Evidence, members: dict[str, Flags], oldest_s: float, file: SegmentFile) -> Flags:
    if rule.not_ is not None:
        return ~_members(rule.not_, evidence, members, oldest_s, file)
    if rule.segment is not None:
        return members[rule.segment]
    if rule.lookalike is not None:
        seed = rule.lookalike.seed
        return lookalikes(evidence, members[seed], rule.lookalike.share, own_evidence(file, seed))
    question = _question(rule, oldest_s)
    if question is not None:
        return evidence.flags(question)
    parts = [_members(part, evidence, members, oldest_s, file) for part in rule.all or rule.any or []]
    return np.asarray(np.logical_and.reduce(parts) if rule.all is not None else np.logical_or.reduce(parts))


def own_evidence(file: SegmentFile, segment: str) -> frozenset[str]:
    """What a segment's rule looks at, as features are called: a lookalike must not be judged by what made the seed."""
    found: set[str] = set()
    for part in file.segments[segment].rule.parts():
        if part.event is not None:
            found.add(f"event {part.event.name}")
        if part.attribute is not None:
            found.add(f"attribute {part.attribute.name}")
        found |= {f"tag {part.tag}"} if part.tag is not None else set()
        found |= {f"source {part.source}"} if part.source is not None else set()
        for inner in (part.segment, part.lookalike.seed if part.lookalike else None):
            found |= own_evidence(file, inner) if inner is not None else frozenset()
    return frozenset(found)


def snapshot_of(members: dict[str, Flags], people: int) -> Snapshot:
    """Rows for the bidder: everybody in an opened audience allowed what it was opened for."""
    return build_snapshot(members, np.ones(people, np.bool_))
