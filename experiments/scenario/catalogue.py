"""What comes with bidlab: the shipped scenarios, each with what its first comment says it is for."""

from __future__ import annotations

import re
from typing import NamedTuple

from experiments.scenario.loader import SHIPPED, load, read, shipped_names


class Shipped(NamedTuple):
    """One scenario that comes with bidlab."""

    name: str
    about: str
    """First sentence of its first comment."""
    days: float
    people: int
    requests: int
    """Requests over its whole length, rounded; the traffic is random."""
    campaigns: int
    currency: str


def catalogue() -> list[Shipped]:
    """Every shipped scenario, by name; `learning` first, for it is where to begin."""
    return [_entry(name) for name in sorted(shipped_names(), key=lambda name: (name != "learning", name))]


def _entry(name: str) -> Shipped:
    scenario = load(name)
    return Shipped(
        name,
        first_sentence(read(SHIPPED / f"{name}.yaml")),
        scenario.days,
        scenario.people.count,
        round(scenario.traffic.requests_per_day * scenario.days),
        len(scenario.campaigns),
        scenario.currency,
    )


def first_sentence(text: str) -> str:
    """First sentence of the comment a scenario file opens with, without its full stop; empty without a comment."""
    comment = []
    for line in text.splitlines():
        if not line.startswith("#") or not line.strip("# "):
            break
        comment.append(line.lstrip("# ").rstrip())
    return re.split(r"\.(?= |$)", " ".join(comment), maxsplit=1)[0]
