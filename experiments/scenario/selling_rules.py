"""Sellers' rules that contradict each other or their buyers, with the reason and the least change that would do.

The checks read plain data and skip what has the wrong type, like `experiments.scenario.references`. Prices are CPM.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from experiments.scenario.deal_rules import covered, deal_problems
from experiments.scenario.guarantees import guaranteed_most
from experiments.scenario.pages_rules import first_slot
from experiments.scenario.plain import at, items, number, read_time, texts
from experiments.scenario.problems import Path, Problem, suggestion
from experiments.scenario.verification_rules import kept_share
from experiments.traffic_shape import hour_weights


def selling_problems(data: Mapping[str, Any]) -> Iterator[Problem]:
    """Every contradiction among sellers, deals, networks and the campaigns that want them."""
    checks = (_names, _masked, _reserves, deal_problems, _guarantees, _networks, _headers, _seats)
    for check in checks:
        yield from check(data)


def _names(data: Mapping[str, Any]) -> Iterator[Problem]:
    publishers, networks = at(data, "publishers"), at(data, "networks")
    known = [
        *(publishers if isinstance(publishers, Mapping) else ()),
        *(networks if isinstance(networks, Mapping) else ()),
    ]
    for name, campaign in items(data, "campaigns"):
        for ix, seller in enumerate(texts(campaign, "target", "publishers")):
            if seller not in known:
                message = f"no publisher is called {seller!r} (they are defined under publishers); "
                path: Path = ("campaigns", name, "target", "publishers", ix)
                yield Problem(path, message + suggestion(seller, known))
    if at(data, "campaigns", "rivals") is not None:
        message = "tables call everybody else who buys 'rivals', so a campaign cannot have that name; rename it"
        yield Problem(("campaigns", "rivals"), message)
    for name, _ in items(data, "networks"):
        if at(data, "publishers", name) is not None:
            yield Problem(("networks", name), "a publisher has the same name; rename one of the two")
    for name, network in items(data, "networks"):
        for seller, _ in items(network, "buys"):
            if at(data, "publishers", seller) is None:
                message = f"no publisher is called {seller!r} (they are defined under publishers); "
                told = publishers if isinstance(publishers, Mapping) else {}
                yield Problem(("networks", name, "buys", seller), message + suggestion(seller, told))
    for name, publisher in items(data, "publishers"):
        for k, rule in enumerate(_list(publisher, "floor_rules")):
            for j, slot in enumerate(texts(rule, "slots")):
                if at(publisher, "slots", slot) is None:
                    message = (
                        f"publisher {name!r} has no slot {slot!r}; {suggestion(slot, at(publisher, 'slots') or {})}"
                    )
                    yield Problem(("publishers", name, "floor_rules", k, "slots", j), message)


def _masked(data: Mapping[str, Any]) -> Iterator[Problem]:
    for name, campaign in items(data, "campaigns"):
        for ix, seller in enumerate(texts(campaign, "target", "publishers")):
            if at(data, "publishers", seller, "anonymous") is True:
                message = f"{seller!r} sells anonymously, so no buyer can ask for it; remove it here, or target a deal"
                yield Problem(("campaigns", name, "target", "publishers", ix), message)


def _reserves(data: Mapping[str, Any]) -> Iterator[Problem]:
    if at(data, "auction", "kind") == "second_price":
        return
    for owner in ("publishers", "networks"):
        for name, body in items(data, owner):
            for slot_name, slot in items(body, "slots"):
                path: Path = (owner, name, "slots", slot_name)
                told = "means nothing in a first-price auction, where nobody pays more than they bid for it; "
                mend = "set auction.kind to second_price or leave it out"
                if at(slot, "reserve", "kind") == "adaptive":
                    yield Problem((*path, "reserve"), f"what it would learn {told}{mend}")
                if number(slot, "soft_floor", default=0.0):
                    yield Problem((*path, "soft_floor"), f"{told}{mend}")


class Promise(NamedTuple):
    """A guaranteed deal and what is expected for it."""

    name: str
    owed: float
    days: float
    probability: float
    left: float
    """Impressions expected until it is due, after deals before it."""
    shared: bool
    """Whether there are any before it."""


def promises(data: Mapping[str, Any]) -> Iterator[Promise]:
    """What each guaranteed deal owes against the impressions expected until it is due, after deals before it."""
    taken: dict[tuple[str, str], float] = {}
    for name, deal in items(data, "deals"):
        owed, days = number(deal, "impressions"), number(deal, "days", default=number(data, "days"))
        probability = number(deal, "probability", default=0.99)
        if at(deal, "kind") != "guaranteed" or owed is None or days is None or not probability:
            continue
        if at(deal, "publisher") is None:
            continue
        seller = str(at(deal, "publisher"))
        slots = [(seller, slot) for seller, slot, _ in covered(deal, data)]
        requests = expected_requests(data, seller, min(days, number(data, "days") or days))
        avails = {slot: requests * expected_share(data, *slot) for slot in slots}
        left = sum(max(0.0, avails[slot] - taken.get(slot, 0.0)) for slot in slots)
        yield Promise(name, owed, days, probability, left, any(slot in taken for slot in slots))
        for slot in slots:
            taken[slot] = taken.get(slot, 0.0) + owed * avails[slot] / max(sum(avails.values()), 1e-12)


def _guarantees(data: Mapping[str, Any]) -> Iterator[Problem]:
    for name, owed, days, probability, left, shared in promises(data):
        most = guaranteed_most(left, probability)
        if owed > most:
            message = f"{owed:,.0f} by day {days:g} cannot be promised with probability {probability:g}: {left:,.0f} "
            message += f"impressions are expected there{' after earlier deals' if shared else ''}; "
            mend = f"write at most {most:,}" if most else "drop the deal"
            later = _days_for(owed, probability, left / days if days else 0.0)
            yield Problem(
                ("deals", name, "impressions"), f"{message}{mend}" + (f", or days {later:g}" if later else "")
            )


def _days_for(owed: float, probability: float, per_day: float) -> float:
    """Days, to a tenth, after which so many can be promised; 0: never."""
    if per_day <= 0.0:
        return 0.0
    days = owed / per_day
    while guaranteed_most(per_day * days, probability) < owed:
        days *= 1.01
    return -(-days * 10 // 1) / 10


def expected_requests(data: Mapping[str, Any], seller: str, days: float) -> float:
    """Requests expected within so many days of the start, by the shape of the week, as if all were the seller's.

    Those the filter of invalid traffic stops are taken off.
    """
    kept = [kept_share(data, seller, hour) for hour in range(168)]
    per_day = number(data, "traffic", "requests_per_day") or 0.0
    hours, start = at(data, "traffic", "hours"), read_time(data, "start")
    if hours != "diurnal" and not (isinstance(hours, list) and len(hours) == 168 and sum(hours) > 0):
        hours = "flat"
        if min(kept) == 1.0:
            return per_day * days
    weights = hour_weights(hours)
    begins = 0.0 if start is None else start.weekday() * 24 + start.hour + start.minute / 60 + start.second / 3600
    ends, total = begins + 24.0 * days, 0.0
    for hour in range(int(begins), int(-(-ends // 1))):
        total += float(weights[hour % 168]) * kept[hour % 168] * (min(hour + 1.0, ends) - max(float(hour), begins))
    return per_day / 24.0 * total / float(weights.mean())


def expected_share(data: Mapping[str, Any], seller: str, slot: str) -> float:
    """Share of all arrivals that bring a request for a slot, without those a network takes."""
    shares = {name: number(body, "share", default=1.0) or 0.0 for name, body in items(data, "publishers")}
    slots = dict(items(data, "publishers", seller, "slots"))
    seller_body = at(data, "publishers", seller)
    own = {
        name: number(body, "share", default=1.0) or 0.0
        for name, body in slots.items()
        if first_slot(seller_body, name) == name
    }
    if not sum(shares.values()) or not sum(own.values()):
        return 0.0
    handed = 0.0
    for _, network in items(data, "networks"):
        formats = [at(body, "format") for _, body in items(network, "slots")]
        if at(network, "buys", seller) is not None and at(slots.get(slot), "format") in formats:
            handed = number(network, "buys", seller, "share", default=1.0) or 0.0
            break
    share = (
        shares.get(seller, 0.0) / sum(shares.values()) * own.get(first_slot(seller_body, slot), 0.0) / sum(own.values())
    )
    return share * (1.0 - handed)


def _networks(data: Mapping[str, Any]) -> Iterator[Problem]:
    bought: dict[str, str] = {}
    for name, network in items(data, "networks"):
        for seller, _ in items(network, "buys"):
            if seller in bought:
                message = f"network {bought[seller]!r} buys there already; let one network buy from a publisher"
                yield Problem(("networks", name, "buys", seller), message)
            bought.setdefault(seller, name)
            offered = {at(slot, "format") for _, slot in items(data, "publishers", seller, "slots")}
            formats = {at(slot, "format") for _, slot in items(network, "slots")}
            if offered and not offered & formats:
                wanted = ", ".join(sorted(map(str, offered)))
                message = f"it has no slot of a format {seller!r} sells ({wanted}), so it buys nothing; add one"
                yield Problem(("networks", name, "slots"), message)


def _headers(data: Mapping[str, Any]) -> Iterator[Problem]:
    """An exchange asked twice, and floors that could only be learned from one exchange of several."""
    for name, publisher in items(data, "publishers"):
        asked = texts(publisher, "header")
        for ix, exchange in enumerate(asked):
            if exchange in asked[:ix]:
                yield Problem(("publishers", name, "header", ix), f"{exchange!r} is asked already; list it once")
        for slot_name, slot in items(publisher, "slots") if asked else ():
            if at(slot, "reserve", "kind") == "adaptive":
                message = "would learn from one exchange's bids while others sell too; use kind myerson or leave out "
                yield Problem(("publishers", name, "slots", slot_name, "reserve"), f"{message}publishers.{name}.header")


def _seats(data: Mapping[str, Any]) -> Iterator[Problem]:
    """Seats nobody has, and sellers nobody is."""
    seats = [str(body.get("seat") or name) for name, body in items(data, "campaigns")]
    told: list[tuple[Path, str]] = [(("seats", name), name) for name, _ in items(data, "seats")]
    for name, publisher in items(data, "publishers"):
        told += [(("publishers", name, "seats", ix), seat) for ix, seat in enumerate(texts(publisher, "seats"))]
    for path, seat in told:
        if seat not in seats:
            message = f"no campaign has the seat {seat!r} (campaigns.*.seat, or its own name); "
            yield Problem(path, message + suggestion(seat, seats))
    sellers = [name for owner in ("publishers", "networks") for name, _ in items(data, owner)]
    for name, seat_body in items(data, "seats"):
        for ix, seller in enumerate(texts(seat_body, "sellers")):
            if seller not in sellers:
                message = f"no publisher or network is called {seller!r}; "
                yield Problem(("seats", name, "sellers", ix), message + suggestion(seller, sellers))


def _list(data: Any, key: str) -> list[Any]:
    value = at(data, key)
    return value if isinstance(value, list) else []
