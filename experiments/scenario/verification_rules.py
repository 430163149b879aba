"""Rules of verification that contradict each other, with the reason and the least change that would do.

The checks read plain data and skip what has the wrong type, like `experiments.scenario.references`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from experiments.scenario.deal_rules import deal_sellers
from experiments.scenario.plain import at, items, number, texts
from experiments.scenario.problems import Problem, suggestion
from experiments.scenario.verification import LEVELS


def verification_problems(data: Mapping[str, Any]) -> Iterator[Problem]:
    """Every contradiction among what is refused, deals and targets, and among kinds of bots."""
    for check in (_deals, _nobody_left, _bots, _viewable_guarantees):
        yield from check(data)


def refusals(data: Mapping[str, Any], seller: str, campaign: Mapping[str, Any]) -> Iterator[str]:
    """Why seller and campaign cannot do business, each as what refuses what and the least change that would do."""
    product, publisher = at(campaign, "product"), at(data, "publishers", seller)
    if isinstance(product, str) and product in texts(publisher, "blocked"):
        yield f"publisher {seller!r} blocks {product!r}: remove {product!r} from its blocked list"
    yield from _blocks(data, seller, campaign)
    for name in texts(campaign, "ad", "declared"):
        if name in texts(publisher, "refuses"):
            yield f"publisher {seller!r} refuses ads with {name!r}: remove {name!r} from its refuses"
        elif name in texts(data, "verification", "refuses"):
            yield f"no publisher shows ads with {name!r}: remove {name!r} from verification.refuses"
    level, declared = at(campaign, "brand_safety", "level"), texts(publisher, "page", "declared")
    for name in declared:
        if name in texts(campaign, "brand_safety", "refuses"):
            yield f"it refuses pages with {name!r}, as all of {seller!r} are: remove {name!r} from its refuses"
        elif isinstance(level, str) and name in LEVELS.get(level, ()):  # type: ignore[call-overload]
            lower = [other for other, refused in LEVELS.items() if name not in refused]
            yield f"brand safety {level!r} refuses {name!r}, as all pages of {seller!r} are: set level to {lower[-1]!r}"


def _blocks(data: Mapping[str, Any], seller: str, campaign: Mapping[str, Any]) -> Iterator[str]:
    """Which category or creative attribute of its ads the seller blocks."""
    publisher = at(data, "publishers", seller)
    category = at(data, "products", str(at(campaign, "product")), "category")
    codes = [category] if isinstance(category, str) else []
    numbers: list[Any] = []
    for _, ad in items(campaign, "creatives"):
        codes += texts(ad, "categories")
        numbers += at(ad, "attributes") or []
    for no in texts(publisher, "blocked_categories"):
        if any(code == no or code.startswith(f"{no}-") for code in codes):
            yield f"publisher {seller!r} refuses ads of category {no!r}: remove {no!r} from its blocked_categories"
    for no in at(publisher, "blocked_attributes") or []:
        if no in numbers:
            yield f"publisher {seller!r} refuses ads with attribute {no}: remove {no} from its blocked_attributes"


def _deals(data: Mapping[str, Any]) -> Iterator[Problem]:
    """A campaign with a deal none of whose sellers it may buy from (blocked advertisers: see `deal_rules`)."""
    for name, campaign in items(data, "campaigns"):
        for ix, deal_name in enumerate(texts(campaign, "target", "deals")):
            deal = at(data, "deals", deal_name)
            told = [list(refusals(data, seller, campaign)) for seller in deal_sellers(deal, data)]
            for why in told[0] if told and all(told) else ():
                if " blocks " not in why:
                    promise = (
                        ", although the deal guarantees it impressions" if at(deal, "kind") == "guaranteed" else ""
                    )
                    reason, mend = why.split(": ", 1)
                    message = f"{reason}{promise}: {mend}, or {deal_name!r} here"
                    yield Problem(("campaigns", name, "target", "deals", ix), message)


def _nobody_left(data: Mapping[str, Any]) -> Iterator[Problem]:
    """A campaign that no seller it wants can sell to; a network resells only what its publishers may show."""
    sellers = [name for name, _ in items(data, "publishers")]
    for name, campaign in items(data, "campaigns"):
        wanted = texts(campaign, "target", "publishers")
        chosen = [seller for seller in wanted if seller in sellers] if wanted else sellers
        if not chosen or texts(campaign, "target", "deals") or len(chosen) < len(wanted):
            continue
        why = [next(refusals(data, seller, campaign), "") for seller in chosen]
        product = at(campaign, "product")
        blocked = [product in texts(at(data, "publishers", seller), "blocked") for seller in chosen]
        if all(why) and not (wanted and all(blocked)):
            path = ("campaigns", name, "target", "publishers") if wanted else ("campaigns", name)
            yield Problem(path, f"nobody may sell to it; {why[0]}")


def _bots(data: Mapping[str, Any]) -> Iterator[Problem]:
    kinds, sellers = list(items(data, "verification", "bots")), [name for name, _ in items(data, "publishers")]
    for name, kind in kinds:
        for ix, seller in enumerate(texts(kind, "publishers")):
            if seller not in sellers:
                message = f"no publisher is called {seller!r} (they are defined under publishers); "
                yield Problem(("verification", "bots", name, "publishers", ix), message + suggestion(seller, sellers))
    if kinds and at(data, "audience") is not None:
        message = "the audience platform's sources know no bots; leave out one of verification.bots and audience"
        yield Problem(("verification", "bots"), message)
    for seller in sellers:
        hour, share = max(((h, bot_share(data, seller, h)) for h in range(168)), key=lambda told: told[1])
        if share >= 1.0:
            message = f"they make {share:g} of the requests of {seller!r} in hour {hour}; nothing is left for people: "
            yield Problem(("verification", "bots"), f"{message}bring their shares there below 1 in all")
            return


def bot_share(data: Mapping[str, Any], seller: str, hour: int, *, filtered: bool = False) -> float:
    """Share of a seller's requests in an hour of the week that bots make; *filtered*: that the filter stops of them."""
    total = 0.0
    for _, kind in items(data, "verification", "bots"):
        hours = at(kind, "hours")
        here = at(kind, "publishers") is None or seller in texts(kind, "publishers")
        if here and (not isinstance(hours, list) or hour in hours):
            share = number(kind, "share") or 0.0
            total += share * (number(kind, "filtered", default=0.0) or 0.0) if filtered else share
    return total


def kept_share(data: Mapping[str, Any], seller: str, hour: int) -> float:
    """Share of a seller's requests in an hour of the week that the filter before the auction lets through."""
    mistaken = number(data, "verification", "mistaken", default=0.0) or 0.0
    people = 1.0 - bot_share(data, seller, hour)
    return 1.0 - bot_share(data, seller, hour, filtered=True) - mistaken * people


def _viewable_guarantees(data: Mapping[str, Any]) -> Iterator[Problem]:
    for name, campaign in items(data, "campaigns"):
        if at(campaign, "pays") != "viewable":
            continue
        for deal_name in texts(campaign, "target", "deals"):
            deal = at(data, "deals", deal_name)
            if at(deal, "kind") == "guaranteed" and at(deal, "prepaid") is not False:
                message = f"deal {deal_name!r} is paid in full in advance, viewed or not; set its prepaid to false, "
                yield Problem(("campaigns", name, "pays"), f"{message}or write impression here")
