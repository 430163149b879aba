"""Pages that contradict their slots, deals or exchanges: refused with the reason and the least change that would do."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from pydantic import ValidationError

from experiments.compile.pages import requests_per_arrival
from experiments.scenario.models import Scenario
from experiments.scenario.references import find_problems
from experiments.scenario.selling_rules import promises
from tests.experiments.scenario.test_selling_mistakes import GOOD as SOLD_SINGLY

PAPER, PAGE = "publishers.paper", "publishers.paper.pages.front"
GOOD = copy.deepcopy(SOLD_SINGLY)
GOOD["publishers"]["paper"]["slots"] |= {"side": {"format": "display"}, "alone": {"format": "video", "share": 3.0}}
GOOD["publishers"]["paper"]["pages"] = {"front": {"slots": ["top", "foot"], "separation": "category"}}

MISTAKES: list[tuple[dict[str, Any], str, list[str]]] = [
    # what to set, where the problem is, words of the message
    ({f"{PAGE}.slots": ["top", "foo"]}, f"{PAGE}.slots.1", ["has no slot 'foo'", "did you mean foot?"]),
    ({f"{PAGE}.slots": ["top", "foot", "top"]}, f"{PAGE}.slots.2", ["'top' is listed twice"]),
    (
        {f"{PAPER}.pages.back": {"slots": ["side", "foot"]}},
        f"{PAPER}.pages.back.slots.1",
        ["'foot' is on page 'front' already", "remove it from one of the two"],
    ),
    (
        {f"{PAPER}.slots.foot.share": 2.0},
        f"{PAPER}.slots.foot.share",
        ["as often as the first slot of page 'front'", "share of the page at 'top'"],
    ),
    (
        {f"{PAPER}.slots.foot.devices": {"mobile": 1.0}},
        f"{PAPER}.slots.foot.devices",
        ["on the same device as the first slot of page 'front'", "devices of the page at 'top'"],
    ),
    (
        {f"{PAPER}.header": ["other"], "exchanges": {"other": {}}},
        PAGE,
        ["none of them knows what the others show", "leave out one of pages and publishers.paper.header"],
    ),
    ({"duplicates": "skip"}, "duplicates", ["would bid once a page", f"set it to answer, or leave out {PAGE}"]),
    (
        {"deals.order.slots": ["top", "foot"], "deals.order.impressions": 10},
        "deals.order.slots",
        ["may have to refuse it in 'foot'", "cover top only, or set the page's separation to none"],
    ),
]


def changed(changes: dict[str, Any]) -> dict[str, Any]:
    """GOOD with other values at dotted paths."""
    data = copy.deepcopy(GOOD)
    for path, value in changes.items():
        *way, last = path.split(".")
        at = data
        for part in way:
            at = at[part]
        at[last] = value
    return data


@pytest.mark.parametrize(("changes", "where", "words"), MISTAKES, ids=[where for _, where, _ in MISTAKES])
def test_contradictions_of_pages_are_refused_with_the_reason(
    changes: dict[str, Any], where: str, words: list[str]
) -> None:
    data = changed(changes)
    found = {".".join(map(str, problem.path)): problem.message for problem in find_problems(data)}
    assert where in found, found
    assert all(word in found[where] for word in words), found[where]
    with pytest.raises(ValidationError):
        Scenario.model_validate(data)


def test_what_is_told_to_be_enough_is() -> None:
    assert find_problems(GOOD) == []
    owed = {"deals.order.slots": ["top", "foot"], "deals.order.impressions": 10}
    assert find_problems(changed(owed | {f"{PAGE}.separation": "none"})) == []
    same = {f"{PAPER}.slots.{slot}.devices": {"mobile": 2.0} for slot in ("top", "foot")}
    assert find_problems(changed(same)) == []


def test_shares_of_categories_are_shares() -> None:
    rivals = GOOD["rivals"]["crowd"] | {"categories": {"cars": 0.7, "food": 0.4}}
    with pytest.raises(ValidationError, match=r"add up to 1\.1; to 1 at most"):
        Scenario.model_validate(changed({"rivals.crowd": rivals}))


def test_a_slot_further_down_is_seen_as_often_as_the_first() -> None:
    """Half of all arrivals are the paper's: a fifth of them views of the page, a fifth of the side, the rest alone."""
    told = changed({f"{PAGE}.separation": "none", "networks": {}, "deals.order.impressions": 10})
    expected = []
    for slot in ("top", "foot", "side", "alone"):
        told["deals"]["order"]["slots"] = [slot]
        (promise,) = promises(told)
        expected.append(promise.left)
    assert expected == pytest.approx([200.0, 200.0, 200.0, 600.0])
    assert requests_per_arrival(Scenario.model_validate(told)) == pytest.approx(1.1)
