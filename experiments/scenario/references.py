"""Rules that span several parts of a scenario: names that must exist and settings that contradict each other.

The checks read plain data, not models, and ignore whatever has the wrong type: so they can speak about a file whose
other mistakes keep it from becoming a `Scenario`, and every mistake is reported at once. Times are naive local
datetimes, money is in currency units.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from pydantic_core import PydanticCustomError

from experiments.scenario.audience_references import find_audience_problems
from experiments.scenario.deal_rules import covered
from experiments.scenario.pages_rules import pages_problems
from experiments.scenario.plain import at, items, number, read_time, texts
from experiments.scenario.problems import Path, Problem, suggestion
from experiments.scenario.selling_rules import selling_problems
from experiments.scenario.unreachable import target_problems
from experiments.scenario.verification_rules import verification_problems
from openrtb.secure import loads_securely

DEFAULT_NAMES: dict[str, dict[str, None]] = {"places": {"everywhere": None}}
DEFAULT_START = datetime(2026, 1, 5)
FIRST_YEAR, LAST_YEAR = 1900, 9900

NAMES: tuple[tuple[Path, Path, str], ...] = (
    (("segments", "*", "interest"), ("people", "interests"), "interest"),
    (("products", "*", "interest"), ("people", "interests"), "interest"),
    (("publishers", "*", "rivals"), ("rivals",), "rivals"),
    (("publishers", "*", "floor_rules", "*", "places", "*"), ("places",), "place"),
    (("publishers", "*", "blocked", "*"), ("products",), "product"),
    (("networks", "*", "rivals"), ("rivals",), "rivals"),
    (("exchanges", "*", "rivals"), ("rivals",), "rivals"),
    (("publishers", "*", "header", "*"), ("exchanges",), "exchange"),
    (("seats", "*", "exchanges", "*"), ("exchanges",), "exchange"),
    (("deals", "*", "rivals"), ("rivals",), "rivals"),
    (("deals", "*", "publisher"), ("publishers",), "publisher"),
    (("deals", "*", "package"), ("packages",), "package"),
    (("campaigns", "*", "product"), ("products",), "product"),
    (("campaigns", "*", "target", "segments", "any", "*"), ("segments",), "segment"),
    (("campaigns", "*", "target", "segments", "all", "*"), ("segments",), "segment"),
    (("campaigns", "*", "target", "segments", "none", "*"), ("segments",), "segment"),
    (("campaigns", "*", "target", "places", "*"), ("places",), "place"),
    (("campaigns", "*", "target", "deals", "*"), ("deals",), "deal"),
)
"""Where a name is used, where it must be defined, and what it names."""


def check_references(scenario: Any) -> None:
    """Refuse a validated `Scenario` whose parts do not fit together; for its model validator."""
    data = scenario.model_dump()
    problems = find_problems(data)
    if data["traffic"]["hours_file"] is not None:
        message = "is read only when a scenario is loaded from a file; give the 168 weights in hours"
        problems.append(Problem(("traffic", "hours_file"), message))
    for name, campaign in data["campaigns"].items():
        if campaign["strategy"] is not None and campaign["strategy_source"] is None:
            message = "is read only when a scenario is loaded from a file; give its text in strategy_source"
            problems.append(Problem(("campaigns", name, "strategy"), message))
    if problems:
        listed = "; ".join(f"{'.'.join(map(str, path))}: {message}" for path, message in problems)
        context = {"listed": listed.replace("{", "(").replace("}", ")"), "problems": problems}
        raise PydanticCustomError("references", "{listed}", context)


def find_problems(data: Mapping[str, Any]) -> list[Problem]:
    """Every mistake that spans parts, for data as written in a file or as dumped from a `Scenario`."""
    problems = [*_unknown_names(data), *find_audience_problems(data)]
    for check in (_rivals_chosen, _segments, _products, _deals, _traffic, _calendar):
        problems.extend(check(data))
    problems.extend(selling_problems(data))
    problems.extend(pages_problems(data))
    problems.extend(verification_problems(data))
    for name, campaign in items(data, "campaigns"):
        for campaign_check in (
            _budget,
            _flight,
            _goal,
            _strategy,
            _steering,
            _segment_rule,
            _supply,
            _target,
            _creatives,
        ):
            found = campaign_check(campaign, data)
            problems.extend(Problem(("campaigns", name, *path), message) for path, message in found)
    return problems


def _values(data: Any, pattern: Path, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every (path, value) that matches *pattern*, where ``*`` stands for any name or index."""
    if not pattern:
        yield path, data
        return
    key, rest = pattern[0], pattern[1:]
    if key == "*":
        pairs = data.items() if isinstance(data, Mapping) else enumerate(data) if isinstance(data, list) else ()
        for name, entry in pairs:
            yield from _values(entry, rest, (*path, name))
    elif isinstance(data, Mapping) and key in data:
        yield from _values(data[key], rest, (*path, key))


def _unknown_names(data: Mapping[str, Any]) -> Iterator[Problem]:
    for used, defined, what in NAMES:
        home = at(data, *map(str, defined))
        known: Mapping[str, Any] = home if isinstance(home, Mapping) else DEFAULT_NAMES.get(str(defined[0]), {})
        for path, name in _values(data, used):
            if isinstance(name, str) and name not in known:
                where = ".".join(map(str, defined))
                message = f"no {what} is called {name!r} (they are defined under {where}); {suggestion(name, known)}"
                yield Problem(path, message)


def _rivals_chosen(data: Mapping[str, Any]) -> Iterator[Problem]:
    rivals = at(data, "rivals")
    if not isinstance(rivals, Mapping) or len(rivals) < 2:
        return
    for owner, name, body in [(o, *item) for o in ("publishers", "networks") for item in items(data, o)]:
        if body.get("rivals") is None:
            message = f"must say which rivals bid here, because there are several; {suggestion(name, rivals, 'choose')}"
            yield Problem((owner, name, "rivals"), message)


def _segments(data: Mapping[str, Any]) -> Iterator[Problem]:
    for name, segment in items(data, "segments"):
        interest = segment.get("interest")
        share = number(data, "people", "interests", interest) if isinstance(interest, str) else None
        recall = number(segment, "recall", default=1.0)
        precision = number(segment, "precision", default=1.0)
        if share is None or recall is None or precision is None or not 0 < precision <= 1 or not 0 <= share <= 1:
            continue
        found = share * recall
        if found * (1 / precision - 1) > (1 - share) * (1 + 1e-12):
            lowest = found / (found + 1 - share)
            message = (
                f"{precision:g} cannot be reached: {share:.0%} of people hold {interest!r} and too few others are left "
                f"to be mistaken for them; write at least {lowest:.4g}"
            )
            yield Problem(("segments", name, "precision"), message)


def _products(data: Mapping[str, Any]) -> Iterator[Problem]:
    for name, product in items(data, "products"):
        for key, needs in (("off_interest", "interest"), ("off_window", "in_market")):
            if product.get(needs) is None and number(product, "effect", key, default=1.0) != 1.0:
                message = f"has no meaning for a product without {needs}; add {needs} or leave this out"
                yield Problem(("products", name, "effect", key), message)


def _deals(data: Mapping[str, Any]) -> Iterator[Problem]:
    for name, deal in items(data, "deals"):
        publisher = deal.get("publisher")
        slots = at(data, "publishers", publisher, "slots") if isinstance(publisher, str) else None
        if not isinstance(slots, Mapping):
            continue
        if deal.get("slots") == []:
            yield Problem(("deals", name, "slots"), "covers no slot; name some, or leave slots out for all of them")
        for ix, slot in enumerate(deal["slots"] if isinstance(deal.get("slots"), list) else []):
            if isinstance(slot, str) and slot not in slots:
                message = f"publisher {publisher!r} has no slot {slot!r}; {suggestion(slot, slots)}"
                yield Problem(("deals", name, "slots", ix), message)


def _traffic(data: Mapping[str, Any]) -> Iterator[Problem]:
    if at(data, "traffic", "hours_file") is not None and at(data, "traffic", "hours") not in (None, "flat"):
        yield Problem(("traffic", "hours_file"), "says the same as hours; keep one of the two")


def _budget(campaign: Mapping[str, Any], _: Mapping[str, Any]) -> Iterator[Problem]:
    total, daily = number(campaign, "budget", "total"), number(campaign, "budget", "daily")
    if total is not None and daily is not None and daily > total > 0:
        message = f"{daily:g} a day is more than the total of {total:g}; lower daily or raise total"
        yield Problem(("budget", "daily"), message)


def _flight(campaign: Mapping[str, Any], data: Mapping[str, Any]) -> Iterator[Problem]:
    start, end = read_time(campaign, "start"), read_time(campaign, "end")
    if start and end and end <= start:
        yield Problem(("end",), f"{end} is not after start ({start}); a campaign must end after it starts")
        return
    span = _span(data)
    if span is None:
        return
    begins, ends = span
    if start and start >= ends:
        yield Problem(("start",), f"{start} is after the scenario's end ({ends}), so the campaign never runs; move it")
    elif end and end <= begins:
        yield Problem(("end",), f"{end} is before the scenario's start ({begins}), so the campaign never runs; move it")


def _span(data: Mapping[str, Any]) -> tuple[datetime, datetime] | None:
    """Start and end of the scenario; None where they cannot be told."""
    begins, days = read_time(data, "start") if "start" in data else DEFAULT_START, number(data, "days")
    if begins is None or days is None or not 0 < days <= 3660 or begins.year > LAST_YEAR:
        return None
    return begins, begins + timedelta(days=days)


def _calendar(data: Mapping[str, Any]) -> Iterator[Problem]:
    start = read_time(data, "start")
    if start and not FIRST_YEAR <= start.year <= LAST_YEAR:
        yield Problem(("start",), f"must be in the years {FIRST_YEAR} to {LAST_YEAR}, not {start.year}; change it")


def _goal(campaign: Mapping[str, Any], _: Mapping[str, Any]) -> Iterator[Problem]:
    kind = at(campaign, "goal", "kind")
    if kind in ("cpc", "cpa", "roas") and campaign.get("product") is None:
        outcome = "clicks" if kind == "cpc" else "purchases"
        yield Problem(("goal",), f"{kind} counts {outcome}, but a campaign without a product gets none; add product")


def _strategy(campaign: Mapping[str, Any], _: Mapping[str, Any]) -> Iterator[Problem]:
    if campaign.get("strategy") is None:
        if campaign.get("strategy_source") is not None:
            yield Problem(("strategy_source",), "is the text of no strategy; say which function bids in strategy")
        return
    kind, multiplier = at(campaign, "bid", "kind"), number(campaign, "bid", "multiplier", default=1.0)
    if kind not in (None, "truthful") or multiplier != 1.0:
        message = "says what to bid, and so does strategy; keep one, or of bid only {kind: truthful, max: ...}"
        yield Problem(("bid",), message)


def _steering(campaign: Mapping[str, Any], _: Mapping[str, Any]) -> Iterator[Problem]:
    """Rates, rules and pacing that contradict the goal or each other."""
    goal, bid, method = at(campaign, "goal", "kind"), at(campaign, "bid", "kind"), at(campaign, "rates", "method")
    learned, by_frequency = at(campaign, "rates", "learned") is True, campaign.get("worth_by_frequency")
    if method in ("pooled", "model") and not learned:
        yield Problem(("rates", "method"), f"{method} says how rates are learned; add learned: true, or leave it out")
    elif method in ("pooled", "model") and campaign.get("product") is None:
        yield Problem(("rates", "method"), f"{method} learns per product; name the product, or leave method out")
    if at(campaign, "rates", "explore") is True and method != "model":
        yield Problem(
            ("rates", "explore"), "needs to know how uncertain a rate is; write method: model, or leave it out"
        )
    if goal == "private" and (by_frequency or bid == "random"):
        path = ("worth_by_frequency",) if by_frequency else ("bid", "kind")
        yield Problem(
            path, "has no meaning for a private value, which is given for each impression; choose another goal"
        )
    low, high = number(campaign, "bid", "low", default=0.0), number(campaign, "bid", "high")
    if bid == "random" and low is not None and high is not None and low > high:
        yield Problem(("bid", "low"), f"{low:g} is above high ({high:g}); swap them")
    target, value = number(campaign, "pacing", "target_cpa"), number(campaign, "goal", "value")
    if target is not None and goal != "cpa":
        yield Problem(("pacing", "target_cpa"), "is a cost per purchase; it needs goal cpa (roas has its own target)")
    elif target is not None and by_frequency:
        yield Problem(
            ("pacing", "target_cpa"), "is held by predicted purchases, which worth_by_frequency hides; drop one"
        )
    elif target is not None and value is not None and target >= value > 0:
        message = (
            f"{target:g} never binds: no bid is above the worth of a purchase ({value:g}); lower it or raise value"
        )
        yield Problem(("pacing", "target_cpa"), message)
    shape = at(campaign, "pacing", "shape")
    if isinstance(shape, list) and shape and not any(isinstance(w, int | float) and w > 0 for w in shape):
        yield Problem(
            ("pacing", "shape"), "has no hour above 0, so nothing may ever be spent; give some hours a weight"
        )


def _segment_rule(campaign: Mapping[str, Any], _: Mapping[str, Any]) -> Iterator[Problem]:
    never = set(texts(campaign, "target", "segments", "none"))
    for name in texts(campaign, "target", "segments", "all"):
        if name in never:
            message = f"{name!r} is also listed under all, so nobody fits; remove one of the two"
            yield Problem(("target", "segments", "none"), message)
    any_of = texts(campaign, "target", "segments", "any")
    if any_of and never.issuperset(any_of):
        yield Problem(("target", "segments", "any"), "only names segments that none excludes, so nobody fits")


def _supply(campaign: Mapping[str, Any], data: Mapping[str, Any]) -> Iterator[Problem]:
    """A campaign must match at least one slot, going by publisher, format, device and deal."""
    target = campaign.get("target")
    wanted = {key: set(texts(target, key)) for key in ("publishers", "formats", "devices", "deals")}
    if not any(wanted.values()):
        return
    sellers = [entry for owner in ("publishers", "networks") for entry in items(data, owner)]
    known = wanted["publishers"] <= {seller for seller, _ in sellers}
    known = known and all(at(data, "deals", name) is not None for name in wanted["deals"])
    slots = [(seller, name, slot) for seller, entry in sellers for name, slot in items(entry, "slots")]
    if known and slots and not any(_fits(seller, name, slot, wanted, data) for seller, name, slot in slots):
        used = ", ".join(key for key, names in wanted.items() if names)
        yield Problem(("target",), f"no slot of any publisher fits ({used}), so the campaign can never bid; widen it")


def _target(campaign: Mapping[str, Any], data: Mapping[str, Any]) -> Iterator[Problem]:
    """A target that no bid can meet."""
    yield from target_problems(campaign, data, _fits)


def _creatives(campaign: Mapping[str, Any], data: Mapping[str, Any]) -> Iterator[Problem]:
    """A campaign that brings creatives needs one for each slot it may buy: `batch` decides without looking at them."""
    creatives = [entry for _, entry in items(campaign, "creatives")]
    target = campaign.get("target")
    wanted = {key: set(texts(target, key)) for key in ("publishers", "formats", "devices", "deals")}
    for seller, entry in items(data, "publishers") if creatives else ():
        for name, slot in items(entry, "slots"):
            if _fits(seller, name, slot, wanted, data) and not any(_shows(creative, slot) for creative in creatives):
                size = f"{slot.get('width', 300)}x{slot.get('height', 250)}"
                yield Problem(
                    ("creatives",),
                    f"none fits {seller}/{name} ({slot.get('format')}, {size}), which the campaign may buy; add one, "
                    "leave out width and height, load over https, or narrow the target",
                )
                return


def _shows(creative: Mapping[str, Any], slot: Mapping[str, Any]) -> bool:
    """Whether the ad can be shown in the slot: its kind, its size, and over https, as every slot wants it."""
    kind = creative.get("kind")
    if kind != {"display": "banner", "mobile": "banner"}.get(str(slot.get("format")), slot.get("format")):
        return False
    if not all(loads_securely(str(creative.get(key) or "https:")) for key in ("image", "media")):
        return False
    width, height = creative.get("width"), creative.get("height")
    size = (slot.get("width", 300), slot.get("height", 250))
    return kind != "banner" or (width is None and height is None) or (width, height) == size


def _fits(
    seller: str, name: str, slot: Mapping[str, Any], wanted: dict[str, set[str]], data: Mapping[str, Any]
) -> bool:
    devices = slot.get("devices")
    sold = set(devices) if isinstance(devices, Mapping) else {"desktop"}
    if wanted["publishers"] and seller not in wanted["publishers"]:
        return False
    if wanted["formats"] and slot.get("format") not in wanted["formats"]:
        return False
    if wanted["devices"] and not sold & wanted["devices"]:
        return False
    if not wanted["deals"]:
        return True
    deals = [at(data, "deals", deal) for deal in wanted["deals"]]
    return any((seller, name) == place[:2] for deal in deals for place in covered(deal, data))
