"""What must fit between the audience platform, its sources, the people and the rules of segments.

Like `experiments.scenario.references`, which calls it: plain data in, mistakes out, wrong types ignored.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from experiments.scenario.problems import Path, Problem, suggestion


def find_audience_problems(data: Mapping[str, Any]) -> Iterator[Problem]:
    """Every mistake about the audience platform that spans parts of the scenario."""
    people, platform = _mapping(data.get("people")), data.get("audience")
    segments = {name: entry for name, entry in _mapping(data.get("segments")).items() if isinstance(entry, Mapping)}
    if platform is None:
        for key in ("cookies", "household"):
            if people.get(key, 1) not in (1, 1.0):
                yield Problem(("people", key), "has no meaning without an audience platform; add `audience`")
        for name, entry in segments.items():
            if entry.get("rule") is not None:
                yield Problem(("segments", name, "rule"), "needs sources to look at; add `audience` with its `sources`")
        return
    sources = _mapping(_mapping(platform).get("sources"))
    yield from _reports(sources, _mapping(people.get("interests")))
    for name, entry in segments.items():
        if entry.get("interest") is not None:
            message = "is seen through sources here; write a rule, such as {tag: SOURCE:INTEREST}"
            yield Problem(("segments", name, "interest"), message)
        yield from _rule(entry.get("rule"), ("segments", name, "rule"), sources, segments)
    yield from _circles(segments)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _share(value: Any) -> float | None:
    good = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1
    return float(value) if good else None


def _reports(sources: Mapping[str, Any], interests: Mapping[str, Any]) -> Iterator[Problem]:
    for name, source in sources.items():
        for interest, report in _mapping(_mapping(source).get("interests")).items():
            path = ("audience", "sources", name, "interests", interest)
            if interest not in interests:
                known = suggestion(interest, interests)
                yield Problem(path, f"no interest is called {interest!r} (they are under people.interests); {known}")
                continue
            share = _share(interests[interest])
            recall, precision = (_share(_mapping(report).get(key, 1.0)) for key in ("recall", "precision"))
            if share is None or recall is None or not precision:
                continue
            found = share * recall
            if found * (1 / precision - 1) > (1 - share) * (1 + 1e-12):
                lowest = found / (found + 1 - share)
                message = f"{precision:g} cannot be reached: too few others are left to be mistaken for the {share:.0%}"
                yield Problem((*path, "precision"), f"{message} who hold {interest!r}; write at least {lowest:.4g}")


def _rule(rule: Any, path: Path, sources: Mapping[str, Any], segments: Mapping[str, Any]) -> Iterator[Problem]:
    """Names a rule uses that nothing defines."""
    rule = _mapping(rule)
    for key in ("all", "any"):
        for ix, part in enumerate(rule[key] if isinstance(rule.get(key), list) else []):
            yield from _rule(part, (*path, key, ix), sources, segments)
    if "not" in rule:
        yield from _rule(rule["not"], (*path, "not"), sources, segments)
    events = {str(event): None for source in sources.values() if (event := _mapping(source).get("event"))}
    tags = {
        f"{name}:{i}": None for name, source in sources.items() for i in _mapping(_mapping(source).get("interests"))
    }
    event = _mapping(rule.get("event")).get("name")
    for key, name, known in (
        ("tag", rule.get("tag"), tags),
        ("source", rule.get("source"), sources),
        ("segment", rule.get("segment"), segments),
        ("lookalike", _mapping(rule.get("lookalike")).get("seed"), segments),
        ("event", event, events),
    ):
        if isinstance(name, str) and name not in known:
            what = "segment" if key == "lookalike" else key
            yield Problem((*path, key), f"there is no {what} {name!r}; {suggestion(name, known)}")
    if rule.get("attribute") is not None:
        yield Problem((*path, "attribute"), "the sources of a scenario tell tags and events, no attributes; use a tag")


def _parts(rule: Any) -> Iterator[Mapping[str, Any]]:
    rule = _mapping(rule)
    yield rule
    for key in ("all", "any"):
        for part in rule[key] if isinstance(rule.get(key), list) else []:
            yield from _parts(part)
    if "not" in rule:
        yield from _parts(rule["not"])


def _circles(segments: Mapping[str, Any]) -> Iterator[Problem]:
    made_of = {
        name: [
            inner
            for part in _parts(entry.get("rule"))
            for inner in (part.get("segment"), _mapping(part.get("lookalike")).get("seed"))
            if isinstance(inner, str)
        ]
        for name, entry in segments.items()
    }
    for name in segments:
        path, todo = [name], [iter(made_of[name])]
        while todo:
            part = next(todo[-1], None)
            if part is None:
                todo.pop()
                path.pop()
            elif part == name:
                told = " → ".join([*path, name])
                yield Problem(("segments", name, "rule"), f"goes in a circle: {told}; cut it somewhere")
                return
            elif part in made_of and part not in path:
                path.append(part)
                todo.append(iter(made_of[part]))
