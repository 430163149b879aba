"""From a scenario to the arrays of verification: who may be shown where, what detectors look at, who is a bot."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from exchange_sim.verification.rules import (
    AD_BAD,
    AD_CHECKED,
    AD_REFUSED,
    ATTRIBUTES,
    BOT,
    PAGE_CHECKED,
    PAGE_MAY_BE_BAD,
    PAGE_REFUSED,
    PAYS_VIEWABLE,
    Verification,
    false_alarms,
)
from experiments.compile.selling import offered_slots, seller_names
from experiments.scenario.campaigns import Campaign
from experiments.scenario.models import Scenario
from experiments.scenario.selling import Publisher
from experiments.scenario.verification import LEVELS, Attribute, Detector


def ads_refused(scenario: Scenario, publisher: Publisher) -> set[Attribute]:
    """Attributes of ads this publisher does not show."""
    return {*publisher.refuses, *scenario.verification.refuses}


def pages_refused(campaign: Campaign) -> set[Attribute]:
    """Attributes of pages this campaign does not run on."""
    return {*campaign.brand_safety.refuses, *LEVELS[campaign.brand_safety.level]}


def ad_refused(scenario: Scenario, publisher: Publisher, campaign: Campaign) -> bool:
    """Whether the publisher refuses the campaign's advertiser, or one of its ads for what is said of it."""
    refused = campaign.product in publisher.blocked or bool({*campaign.ad.declared} & ads_refused(scenario, publisher))
    return refused or _blocked(scenario, publisher, campaign)


def _blocked(scenario: Scenario, publisher: Publisher, campaign: Campaign) -> bool:
    """Whether one of the campaign's ads is of a category, or has a creative attribute, that the publisher blocks."""
    product, ads = scenario.products.get(campaign.product or ""), campaign.creatives.values()
    codes = {code for ad in ads for code in ad.categories}
    if product is not None and product.category is not None:
        codes.add(product.category)
    attributes = {number for ad in ads for number in ad.attributes}
    by_category = any(code == no or code.startswith(f"{no}-") for code in codes for no in publisher.blocked_categories)
    return by_category or not attributes.isdisjoint(publisher.blocked_attributes)


def page_refused(publisher: Publisher, campaign: Campaign) -> bool:
    """Whether the campaign refuses the publisher's pages for what they declare."""
    return bool({*publisher.page.declared} & pages_refused(campaign))


def kept_apart(scenario: Scenario, publisher: Publisher, campaign: Campaign) -> bool:
    """Whether either side has refused the other before any auction."""
    return ad_refused(scenario, publisher, campaign) or page_refused(publisher, campaign)


def by_rules(scenario: Scenario) -> bool:
    """Whether anything is checked at the auction or afterwards: slots then leave the plain path."""
    told = scenario.verification
    slots_viewed = [offered.slot.viewability < 1.0 for offered in offered_slots(scenario)]
    sellers = [
        bool(body.refuses or body.page.declared or body.page.undeclared) for body in scenario.publishers.values()
    ]
    buyers = [
        bool(body.brand_safety.refuses) or body.brand_safety.level != "none" or body.ad.undeclared != []
        for body in scenario.campaigns.values()
    ]
    return bool(told.refuses or told.bots or told.mistaken) or any([*slots_viewed, *sellers, *buyers])


def compile_verification(scenario: Scenario, slots: NDArray[np.void]) -> Verification:
    """The arrays; where anything is checked all slots leave the plain path (SLOT.rules in *slots*, SLOT[S])."""
    told, checked = scenario.verification, by_rules(scenario)
    on = checked or any(
        body.blocked or body.blocked_categories or body.blocked_attributes for body in scenario.publishers.values()
    )
    sellers, campaigns = seller_names(scenario), list(scenario.campaigns.values())
    pairs = np.zeros((len(sellers) if on else 0, len(campaigns)), np.uint8)
    pages = np.zeros((len(sellers) if on else 0, len(ATTRIBUTES)))
    if on:
        for p, publisher in enumerate(scenario.publishers.values()):
            for attribute, share in publisher.page.undeclared.items():
                pages[p, ATTRIBUTES.index(attribute)] = share
            pairs[p] = [_pair(scenario, publisher, campaign) for campaign in campaigns]
    offers = offered_slots(scenario)
    if checked:
        slots["rules"] = [int(not offered.resold) for offered in offers]
    detectors = [_rates(told.ads), _rates(told.pages)]
    return Verification(
        on=int(on),
        pairs=pairs,
        refuses=np.array([_mask(pages_refused(campaign)) if on else 0 for campaign in campaigns], np.int64),
        pages=pages,
        detectors=np.array(detectors),
        viewable=np.array([offered.slot.viewability for offered in offers]),
        bots=_bots(scenario),
        bot_shares=_bot_shares(scenario, sellers),
        mistaken=told.mistaken,
        filtered=np.zeros((len(offers), 2), np.int64),
    )


def bot_count(scenario: Scenario) -> int:
    """How many bots there are, of all kinds."""
    return sum(body.count for body in scenario.verification.bots.values())


def _mask(attributes: Iterable[str]) -> int:
    return sum(1 << ATTRIBUTES.index(name) for name in attributes)


def _pair(scenario: Scenario, publisher: Publisher, campaign: Campaign) -> int:
    ads, pages = ads_refused(scenario, publisher), pages_refused(campaign)
    return (
        AD_REFUSED * ad_refused(scenario, publisher, campaign)
        | PAGE_REFUSED * page_refused(publisher, campaign)
        | AD_CHECKED * bool(ads)
        | AD_BAD * bool({*campaign.ad.undeclared} & ads)
        | PAGE_CHECKED * bool(pages)
        | PAGE_MAY_BE_BAD * any(share > 0.0 and name in pages for name, share in publisher.page.undeclared.items())
        | PAYS_VIEWABLE * (campaign.pays == "viewable")
    )


def _rates(detector: Detector | None) -> tuple[float, float]:
    if detector is None:
        return 0.0, 0.0
    return detector.recall, false_alarms(detector.recall, detector.precision, detector.prevalence)


def _bots(scenario: Scenario) -> NDArray[np.void]:
    """BOT[K]: each kind's persons come after the people and the kinds before it."""
    rows, first_ix = np.zeros(len(scenario.verification.bots), BOT), scenario.people.count
    for k, kind in enumerate(scenario.verification.bots.values()):
        rows[k] = (first_ix, kind.count, kind.ctr, kind.filtered, kind.discovered)
        first_ix += kind.count
    return rows


def _bot_shares(scenario: Scenario, sellers: list[str]) -> NDArray[np.float64]:
    """float64[168 or 1, P, K]: cumulative over the kinds."""
    kinds = list(scenario.verification.bots.values())
    shares = np.zeros((168 if any(kind.hours is not None for kind in kinds) else 1, len(sellers), len(kinds)))
    for k, kind in enumerate(kinds):
        hours = range(len(shares)) if kind.hours is None else kind.hours
        haunted = [p for p, name in enumerate(sellers) if kind.publishers is None or name in kind.publishers]
        shares[np.ix_(list(hours), haunted, [k])] = kind.share
    cumulative: NDArray[np.float64] = np.cumsum(shares, axis=2)
    return cumulative
