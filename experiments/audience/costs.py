"""What bought data costs: each impression pays every source whose data chose its viewer, once.

A source is used by a segment whose rule, or the rule of a segment it is made of, names the source, one of its tags or
its events; a lookalike uses them all. A campaign uses a segment it names under any or all when the viewer's row is in
it, and one it names under none always: without the data nobody could be left out.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dmp.rules import Rule
from experiments.scenario.models import Scenario
from openrtb.money import cpm_to_nanos


class Charge(NamedTuple):
    """One source that one campaign may owe."""

    campaign_ix: int
    source: str
    nanos: int
    """Per impression."""
    always: bool
    mask: NDArray[np.uint64]
    """uint64[words]: segments that use the source; a row that is in one of them pays."""

    def owed(self, rows: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """bool[n]: whether impressions shown to *rows* (uint64[n, words]) pay the source."""
        if self.always:
            return np.ones(len(rows), np.bool_)
        return np.asarray(((rows & self.mask) != 0).any(axis=1))


def sources_used(scenario: Scenario, segment: str) -> set[str]:
    """Names of the sources a segment is made from."""
    assert scenario.audience is not None
    rule = scenario.segments[segment].rule
    assert rule is not None
    used: set[str] = set()
    for part in rule.parts():
        if part.segment is not None:
            used |= sources_used(scenario, part.segment)
        if part.lookalike is not None:
            used |= set(scenario.audience.sources)  # people are compared by everything that is known of them
        used |= {name for name in scenario.audience.sources if _names(part, name, scenario)}
    return used


def _names(part: Rule, name: str, scenario: Scenario) -> bool:
    assert scenario.audience is not None
    event = scenario.audience.sources[name].event
    return (
        part.source == name
        or (part.tag or "").startswith(f"{name}:")
        or (part.event is not None and event is not None and part.event.name in (event, "visit"))
    )


def charges(scenario: Scenario, words: int) -> list[Charge]:
    """Every (campaign, source) that may owe something; *words* is the width of the bidder's rows."""
    if scenario.audience is None:
        return []
    names = list(scenario.segments)
    used = {name: sources_used(scenario, name) for name in names}
    found = []
    for c, campaign in enumerate(scenario.campaigns.values()):
        rules = campaign.target.segments
        for source, spec in scenario.audience.sources.items():
            wanted = [name for name in (*rules.any, *rules.all) if source in used[name]]
            always = any(source in used[name] for name in rules.none)
            if spec.cost_cpm > 0.0 and (wanted or always):
                mask = np.zeros(words, np.uint64)
                for name in wanted:
                    word, bit = divmod(names.index(name), 64)
                    mask[word] |= np.uint64(1) << np.uint64(bit)
                found.append(Charge(c, source, cpm_to_nanos(spec.cost_cpm), always, mask))
    return found
