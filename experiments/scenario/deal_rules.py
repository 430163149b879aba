"""What deals cover, and deals that contradict floors, blocked advertisers, seats or themselves; prices are CPM.

The checks read plain data and skip what has the wrong type, like `experiments.scenario.references`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from experiments.scenario.plain import at, items, number, texts
from experiments.scenario.problems import Problem, suggestion

Covered = tuple[str, str, Mapping[str, Any]]
"""Publisher, slot, and what is said of the slot."""


def deal_problems(data: Mapping[str, Any]) -> Iterator[Problem]:
    """Every contradiction between a deal and what it covers, and between a deal and whom it is for."""
    for check in (_packages, _below_floor, _fixed_prices, _blocked, _barred):
        yield from check(data)


def covered(deal: Any, data: Mapping[str, Any]) -> list[Covered]:
    """The slots a deal is about: those of its package, or of its publisher."""
    package = at(deal, "package")
    sellers: dict[str, list[str] | None]
    if package is not None:
        listed = at(data, "packages", str(package), "slots")
        sellers = {str(name): texts(listed, str(name)) for name in listed} if isinstance(listed, Mapping) else {}
    else:
        chosen = at(deal, "slots")
        sellers = {str(at(deal, "publisher")): texts(deal, "slots") if isinstance(chosen, list) else None}
    return [
        (seller, name, slot)
        for seller, wanted in sellers.items()
        for name, slot in items(data, "publishers", seller, "slots")
        if wanted is None or name in wanted
    ]


def deal_sellers(deal: Any, data: Mapping[str, Any]) -> list[str]:
    """The publishers a deal is with."""
    package = at(deal, "package")
    if package is None:
        return [str(at(deal, "publisher"))]
    listed = at(data, "packages", str(package), "slots")
    return [str(name) for name in listed] if isinstance(listed, Mapping) else []


def _packages(data: Mapping[str, Any]) -> Iterator[Problem]:
    """Slots nobody has, and promises that no single seller could keep."""
    publishers = at(data, "publishers")
    for name, package in items(data, "packages"):
        listed = at(package, "slots")
        for seller in listed if isinstance(listed, Mapping) else ():
            slots = at(publishers, str(seller), "slots")
            if slots is None and isinstance(publishers, Mapping):
                message = f"no publisher is called {seller!r} (they are defined under publishers); "
                yield Problem(("packages", name, "slots", str(seller)), message + suggestion(str(seller), publishers))
            for ix, slot in enumerate(texts(listed, str(seller)) if isinstance(slots, Mapping) else ()):
                if slot not in slots:
                    message = f"publisher {seller!r} has no slot {slot!r}; {suggestion(slot, slots)}"
                    yield Problem(("packages", name, "slots", str(seller), ix), message)
    for name, deal in items(data, "deals"):
        if at(deal, "kind") == "guaranteed" and at(deal, "package") is not None:
            message = "each seller can promise its own impressions only; write one guaranteed deal for each of "
            yield Problem(("deals", name, "package"), message + ", ".join(deal_sellers(deal, data)))


def _always(seller: Any, slot_name: str, slot: Mapping[str, Any]) -> float:
    """The lowest floor that everybody meets at a slot, whenever and wherever: a rule for all, or the slot's own."""
    rules = at(seller, "floor_rules")
    for rule in rules if isinstance(rules, list) else ():
        named = at(rule, "slots") is None or slot_name in texts(rule, "slots")
        fits = named and (at(rule, "formats") is None or at(slot, "format") in texts(rule, "formats"))
        sometimes = at(rule, "hours") is not None or at(rule, "places") is not None
        if fits and not sometimes and at(rule, "buyer") in (None, "anyone"):
            return number(rule, "floor", default=0.0) or 0.0
    return number(slot, "floor", default=0.0) or 0.0


def _below_floor(data: Mapping[str, Any]) -> Iterator[Problem]:
    """Inside a fixed price or a private auction nobody else's bid can lift the price to the floor everybody has."""
    for name, deal in items(data, "deals"):
        floors = [
            (_always(at(data, "publishers", seller), slot, body), slot) for seller, slot, body in covered(deal, data)
        ]
        floor, price = max(floors, default=None), number(deal, "floor")
        if at(deal, "kind") in (None, "floor") or floor is None or price is None or price >= floor[0]:
            continue
        message = f"{price:g} is below the floor of slot {floor[1]!r}, which anybody would pay; write at least "
        yield Problem(("deals", name, "floor"), f"{message}{floor[0]:g}, or lower that floor to {price:g}")


def _fixed_prices(data: Mapping[str, Any]) -> Iterator[Problem]:
    for name, deal in items(data, "deals"):
        kind = at(deal, "kind") or "floor"
        for key in ("impressions", "days"):
            if kind != "guaranteed" and at(deal, key) is not None:
                message = f"only a guaranteed deal owes anything, and this one is {kind}; set kind to guaranteed or "
                yield Problem(("deals", name, key), message + "leave it out")
        if kind != "private_auction" and at(deal, "rivals") is not None:
            message = f"only a private auction has invited rivals, and this deal is {kind}; leave it out"
            yield Problem(("deals", name, "rivals"), message)


def _blocked(data: Mapping[str, Any]) -> Iterator[Problem]:
    """An advertiser whom all sellers of its deal block, and a campaign all of whose sellers block it."""
    for name, campaign in items(data, "campaigns"):
        product = at(campaign, "product")
        for ix, deal_name in enumerate(texts(campaign, "target", "deals")):
            deal = at(data, "deals", deal_name)
            sellers = deal_sellers(deal, data)
            if sellers and all(product in texts(at(data, "publishers", seller), "blocked") for seller in sellers):
                promise = " although it guarantees it impressions" if at(deal, "kind") == "guaranteed" else ""
                message = (
                    f"publisher {sellers[0]!r} blocks {product!r}{promise}: remove {product!r} from its blocked list, "
                )
                yield Problem(("campaigns", name, "target", "deals", ix), f"{message}or {deal_name!r} here")
        wanted = texts(campaign, "target", "publishers")
        if wanted and all(product in texts(at(data, "publishers", seller), "blocked") for seller in wanted):
            message = f"every publisher listed blocks {product!r}; list another one, or unblock it"
            yield Problem(("campaigns", name, "target", "publishers"), message)


def _barred(data: Mapping[str, Any]) -> Iterator[Problem]:
    """A guaranteed deal none of whose buyers has a seat that may buy it: it could only ever be missed."""
    for name, deal in items(data, "deals"):
        if at(deal, "kind") != "guaranteed":
            continue
        seller = str(at(deal, "publisher"))
        buyers = [
            (campaign_id, str(at(body, "seat") or campaign_id), texts(body, "target", "deals").index(name))
            for campaign_id, body in items(data, "campaigns")
            if name in texts(body, "target", "deals")
        ]
        why = [(_bar(data, seller, seat), campaign_id, ix) for campaign_id, seat, ix in buyers]
        if why and all(bar for bar, _, _ in why):
            bar, campaign_id, ix = why[0]
            path = ("campaigns", campaign_id, "target", "deals", ix)
            yield Problem(path, f"{bar}, or remove {name!r} here: the deal guarantees impressions to nobody else")


def _bar(data: Mapping[str, Any], seller: str, seat: str) -> str:
    """Why a seat may not buy from a seller, with the least change; empty: it may."""
    asked, may = at(data, "publishers", seller, "seats"), at(data, "seats", seat, "sellers")
    if isinstance(asked, list) and seat not in asked:
        return f"publisher {seller!r} does not sell to seat {seat!r}; add {seat!r} to publishers.{seller}.seats"
    if isinstance(may, list) and seller not in may:
        return f"seat {seat!r} may not buy from {seller!r}; add {seller!r} to seats.{seat}.sellers"
    return ""
