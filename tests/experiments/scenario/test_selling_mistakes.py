"""Contradictions among sellers and buyers: refused with the reason and the least change that would do."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest
from pydantic import ValidationError

from experiments.scenario.models import Scenario
from experiments.scenario.references import find_problems

GOOD: dict[str, Any] = {
    "name": "good",
    "days": 2.0,
    "people": {"count": 100},
    "products": {"tyres": {}, "pans": {}},
    "publishers": {
        "paper": {
            "rivals": "crowd",
            "slots": {"top": {"format": "display", "floor": 0.5}, "foot": {"format": "display"}},
        },
        "masked": {"rivals": "crowd", "anonymous": True, "slots": {"s": {"format": "video"}}},
    },
    "deals": {
        "order": {"publisher": "paper", "kind": "guaranteed", "slots": ["top"], "floor": 0.5, "impressions": 100}
    },
    "networks": {
        "net": {
            "buys": {"paper": {"share": 0.2, "price": 0.1}},
            "rivals": "crowd",
            "slots": {"b": {"format": "display"}},
        }
    },
    "rivals": {
        "crowd": {"kind": "independent", "count": 2, "price": {"kind": "uniform", "low": 0.0, "high": 1.0}},
        "club": {"kind": "none"},
    },
    "traffic": {"requests_per_day": 1000.0},
    "auction": {"kind": "second_price"},
    "verification": {},
    "campaigns": {
        "launch": {
            "product": "tyres",
            "budget": {"total": 10.0},
            "goal": {"kind": "cpm", "value": 1.0},
            "bid": {"kind": "constant", "price": 1.0},
            "target": {"deals": ["order"]},
        }
    },
}

ORDER = "deals.order"
PACKAGED: dict[str, Any] = {
    "packages": {"all": {"slots": {"paper": ["top"], "masked": ["s"]}}},
    ORDER: {"package": "all", "kind": "preferred", "floor": 0.5},
}
MISTAKES: list[tuple[dict[str, Any], str, list[str]]] = [
    # what to set, where the problem is, words of the message
    ({f"{ORDER}.floor": 0.4}, f"{ORDER}.floor", ["0.4 is below the floor of slot 'top'", "at least 0.5", "to 0.4"]),
    ({f"{ORDER}.kind": "preferred", f"{ORDER}.floor": 0.4}, f"{ORDER}.floor", ["below the floor"]),
    ({f"{ORDER}.kind": "preferred"}, f"{ORDER}.impressions", ["only a guaranteed deal owes anything"]),
    ({f"{ORDER}.rivals": "club"}, f"{ORDER}.rivals", ["only a private auction"]),
    (
        {"publishers.paper.blocked": ["tyres"]},
        "campaigns.launch.target.deals.0",
        ["blocks 'tyres' although it guarantees"],
    ),
    (
        {"publishers.paper.refuses": ["adult"], "campaigns.launch.ad": {"declared": ["adult"]}},
        "campaigns.launch.target.deals.0",
        ["refuses ads with 'adult', although the deal guarantees", "remove 'adult' from its refuses, or 'order' here"],
    ),
    (
        {"publishers.paper.page": {"declared": ["violence"]}, "campaigns.launch.brand_safety": {"level": "strict"}},
        "campaigns.launch.target.deals.0",
        ["brand safety 'strict' refuses 'violence'", "set level to 'basic', or 'order' here"],
    ),
    (
        {"verification.refuses": ["malware"], "campaigns.launch.ad": {"declared": ["malware"]}}
        | {"campaigns.launch.target": {}},
        "campaigns.launch",
        ["nobody may sell to it", "remove 'malware' from verification.refuses"],
    ),
    (
        {"publishers.paper.blocked": ["tyres"], "publishers.masked.blocked": ["tyres"], "campaigns.launch.target": {}},
        "campaigns.launch",
        ["nobody may sell to it; publisher 'paper' blocks 'tyres': remove 'tyres' from its blocked list"],
    ),
    (
        {"publishers.paper.page": {"declared": ["adult"]}, "campaigns.launch.brand_safety": {"refuses": ["adult"]}}
        | {"campaigns.launch.target": {"publishers": ["paper"]}},
        "campaigns.launch.target.publishers",
        ["it refuses pages with 'adult', as all of 'paper' are: remove 'adult' from its refuses"],
    ),
    ({"campaigns.launch.pays": "viewable"}, "campaigns.launch.pays", ["paid in full in advance", "prepaid to false"]),
    (
        {"verification.bots": {"farm": {"share": 0.1, "publishers": ["papr"]}}},
        "verification.bots.farm.publishers.0",
        ["no publisher is called 'papr'", "did you mean paper?"],
    ),
    (
        {"verification.bots": {"a": {"share": 0.6}, "b": {"share": 0.4, "hours": [7]}}},
        "verification.bots",
        ["make 1 of the requests of 'paper' in hour 7", "below 1 in all"],
    ),
    (
        {"verification.bots": {"a": {"share": 0.9, "filtered": 0.9}}, f"{ORDER}.impressions": 200},
        f"{ORDER}.impressions",
        ["76 impressions are expected", "write at most 56"],
    ),
    ({f"{ORDER}.impressions": 5000}, f"{ORDER}.impressions", ["cannot be promised", "write at most", "or days"]),
    ({f"{ORDER}.impressions": 400, f"{ORDER}.days": 1.0}, f"{ORDER}.impressions", ["by day 1", "write at most"]),
    ({"campaigns.launch.target": {"publishers": ["masked"]}}, "campaigns.launch.target.publishers.0", ["anonymously"]),
    (
        {"campaigns.launch.target": {"publishers": ["pape"]}},
        "campaigns.launch.target.publishers.0",
        ["did you mean paper"],
    ),
    (
        {"campaigns.launch.target": {"publishers": ["paper"]}, "publishers.paper.blocked": ["tyres"]},
        "campaigns.launch.target.publishers",
        ["every publisher listed blocks 'tyres'"],
    ),
    ({"publishers.paper.blocked": ["tires"]}, "publishers.paper.blocked.0", ["did you mean tyres"]),
    (
        {"auction.kind": "first_price", "publishers.paper.slots.foot.soft_floor": 1.0},
        "publishers.paper.slots.foot.soft_floor",
        ["first-price"],
    ),
    (
        {"auction.kind": "first_price", "publishers.paper.slots.foot.reserve": {"kind": "adaptive"}},
        "publishers.paper.slots.foot.reserve",
        ["first-price"],
    ),
    ({"networks.net.slots.b.format": "video"}, "networks.net.slots", ["no slot of a format 'paper' sells (display)"]),
    ({"networks.net.buys": {"pape": {"price": 0.1}}}, "networks.net.buys.pape", ["did you mean paper"]),
    ({"networks.paper": GOOD["networks"]["net"], "networks.net": None}, "networks.paper", ["the same name"]),
    (
        {"publishers.paper.floor_rules": [{"floor": 1.0, "slots": ["tip"]}]},
        "publishers.paper.floor_rules.0.slots.0",
        ["mean top"],
    ),
    (
        {"publishers.paper.floor_rules": [{"floor": 1.0, "places": ["rome"]}]},
        "publishers.paper.floor_rules.0.places.0",
        ["no place"],
    ),
    ({"networks.net.rivals": None}, "networks.net.rivals", ["must say which rivals"]),
    (
        {"publishers.paper.floor_rules": [{"floor": 0.2, "places": ["everywhere"]}, {"floor": 0.8, "slots": ["top"]}]},
        f"{ORDER}.floor",
        ["0.5 is below the floor of slot 'top'", "at least 0.8"],
    ),
    (
        {"publishers.paper.seats": ["other"], "campaigns.other": GOOD["campaigns"]["launch"] | {"target": {}}},
        "campaigns.launch.target.deals.0",
        ["does not sell to seat 'launch'; add 'launch' to publishers.paper.seats, or remove 'order' here"],
    ),
    (
        {"seats": {"launch": {"sellers": ["masked"]}}},
        "campaigns.launch.target.deals.0",
        ["seat 'launch' may not buy from 'paper'; add 'paper' to seats.launch.sellers"],
    ),
    ({"campaigns.rivals": GOOD["campaigns"]["launch"]}, "campaigns.rivals", ["everybody else", "rename it"]),
    ({"packages": {"all": {"slots": {"papr": ["top"]}}}}, "packages.all.slots.papr", ["did you mean paper"]),
    ({"packages": {"all": {"slots": {"paper": ["tip"]}}}}, "packages.all.slots.paper.0", ["did you mean top"]),
    ({**PACKAGED, f"{ORDER}.package": "al"}, f"{ORDER}.package", ["did you mean all"]),
    (
        PACKAGED | {f"{ORDER}.kind": "guaranteed", f"{ORDER}.impressions": 10},
        f"{ORDER}.package",
        ["its own impressions only; write one guaranteed deal for each of paper, masked"],
    ),
    ({**PACKAGED, f"{ORDER}.floor": 0.4}, f"{ORDER}.floor", ["0.4 is below the floor of slot 'top'"]),
    (
        {**PACKAGED, "publishers.paper.blocked": ["tyres"], "publishers.masked.blocked": ["tyres"]},
        "campaigns.launch.target.deals.0",
        ["blocks 'tyres': remove"],
    ),
]


def changed(changes: dict[str, Any]) -> dict[str, Any]:
    """GOOD with other values at dotted paths; None removes."""
    data = copy.deepcopy(GOOD)
    for path, value in changes.items():
        *way, last = path.split(".")
        at = data
        for part in way:
            at = at[part]
        if value is None:
            del at[last]
        else:
            at[last] = copy.deepcopy(value)
    return data


def test_the_good_one_is_good() -> None:
    assert find_problems(GOOD) == []
    assert Scenario.model_validate(GOOD).deals["order"].impressions == 100


@pytest.mark.parametrize(("changes", "where", "words"), MISTAKES, ids=[where for _, where, _ in MISTAKES])
def test_contradictions_are_refused_with_the_reason(changes: dict[str, Any], where: str, words: list[str]) -> None:
    data = changed(changes)
    found = {".".join(map(str, problem.path)): problem.message for problem in find_problems(data)}
    assert where in found, found
    assert all(word in found[where] for word in words), found[where]
    with pytest.raises(ValidationError):
        Scenario.model_validate(data)


@pytest.mark.parametrize("owed", [401, 5000])
def test_the_least_change_told_is_enough_and_the_least(owed: int) -> None:
    """What could be promised instead, or by when; one more, or a little earlier, is refused."""
    (problem,) = find_problems(changed({f"{ORDER}.impressions": owed, f"{ORDER}.days": 1.0}))
    most = int(re.search(r"at most ([\d,]+)", problem.message)[1].replace(",", ""))  # type: ignore[index]
    days = float(re.search(r"or days ([\d.]+)", problem.message)[1])  # type: ignore[index]
    assert find_problems(changed({f"{ORDER}.impressions": most, f"{ORDER}.days": 1.0})) == []
    assert find_problems(changed({f"{ORDER}.impressions": most + 1, f"{ORDER}.days": 1.0})) != []
    longer = {f"{ORDER}.impressions": owed, f"{ORDER}.days": days, "days": 60.0}
    assert find_problems(changed(longer)) == []
    assert find_problems(changed(longer | {f"{ORDER}.days": 0.95 * days})) != []


def test_a_guaranteed_deal_needs_a_number() -> None:
    with pytest.raises(ValidationError, match="owes a number of impressions"):
        Scenario.model_validate(changed({f"{ORDER}.impressions": None}))


def test_a_package_is_good_where_one_of_its_sellers_can_sell() -> None:
    assert find_problems(changed(PACKAGED)) == []
    assert find_problems(changed({**PACKAGED, "publishers.paper.blocked": ["tyres"]})) == []
    for wrong in ({"floor": 0.5}, {"floor": 0.5, "package": "all", "publisher": "paper"}):
        with pytest.raises(ValidationError, match="give one of the two"):
            Scenario.model_validate(changed({**PACKAGED, ORDER: wrong}))
    with pytest.raises(ValidationError, match="leave out slots"):
        Scenario.model_validate(changed({**PACKAGED, f"{ORDER}.slots": ["top"]}))


def test_a_guarantee_needs_one_buyer_who_may_buy() -> None:
    """Two campaigns have the deal; that one of them is barred is no contradiction."""
    second = GOOD["campaigns"]["launch"] | {"seat": "other"}
    assert find_problems(changed({"publishers.paper.seats": ["other"], "campaigns.second": second})) == []


def test_two_guarantees_share_the_same_impressions() -> None:
    """Each alone can be promised, both together cannot."""
    order = GOOD["deals"]["order"] | {"impressions": 300}
    assert find_problems(changed({f"{ORDER}.impressions": 300})) == []
    problems = find_problems(changed({f"{ORDER}.impressions": 300, "deals.second": order}))
    assert ["after earlier deals" in problem.message for problem in problems] == [True]
