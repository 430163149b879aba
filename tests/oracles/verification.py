"""Random markets with verification, and what every exposure must keep to, read from the scenario itself."""

from __future__ import annotations

from random import Random
from typing import Any

from experiments.scenario.models import Scenario
from tests.oracles.markets import random_market

NAMES = ("violence", "adult", "competitor", "malware", "bad_landing_page", "wrong_language", "oversize", "not_secure")
REFUSED_AT = {
    "none": set(),
    "basic": {"malware", "not_secure"},
    "standard": {"malware", "not_secure", "violence", "adult"},
    "strict": set(NAMES),
}


def verified_market(seed: int) -> dict[str, Any]:
    """A random market in which everybody refuses something; campaigns with wishes of their own declare nothing."""
    data, rng = random_market(seed), Random(seed ^ 0x5AFE)
    publishers = data["publishers"]
    publishers["weekly"] = {"rivals": "crowd", "slots": {"head": {"format": "display"}, "app": {"format": "mobile"}}}
    for name, body in publishers.items():
        if name != "weekly":
            body["refuses"] = rng.sample(NAMES[:4], rng.randint(0, 2))
            body["page"] = {"declared": rng.sample(NAMES[:2], rng.randint(0, 1))}
        body.setdefault("page", {})["undeclared"] = {"wrong_language": rng.choice([0.2, 0.7]), "oversize": 0.1}
        for slot in body["slots"].values():
            slot["viewability"] = rng.choice([1.0, 0.6, 0.0])
    for campaign in data["campaigns"].values():
        hidden = {"undeclared": rng.sample(NAMES[2:4], rng.randint(0, 2))}
        campaign["ad"] = hidden
        if not campaign["target"].get("deals") and not campaign["target"].get("publishers"):
            campaign["ad"] = hidden | {"declared": rng.sample(NAMES[:2], rng.randint(0, 2))}
            campaign["brand_safety"] = {"level": rng.choice(["none", "basic", "standard", "strict"])}
            campaign["pays"] = rng.choice(["impression", "viewable"])
    data["networks"] = {
        "blind": {
            "buys": {name: {"share": rng.choice([0.4, 1.0]), "price": 0.2} for name in publishers},
            "rivals": "crowd",
            "slots": {"banner": {"format": "display"}, "small": {"format": "mobile"}},
        }
    }
    for deal in data["deals"].values():
        if deal.get("kind") == "guaranteed":
            deal |= {"impressions": 2, "probability": 1e-9}
    data["verification"] = {
        "refuses": rng.sample(NAMES[3:], rng.randint(0, 1)),
        "ads": rng.choice([None, {"recall": 0.6, "precision": 0.7, "prevalence": 0.3}, {"recall": 1.0}]),
        "pages": rng.choice([None, {"recall": 0.6, "precision": 0.7, "prevalence": 0.3}, {"recall": 1.0}]),
        "mistaken": rng.choice([0.0, 0.1]),
        "bots": rng.choice(
            [
                {},
                {
                    "farm": {"share": 0.3, "count": 7, "filtered": 0.4, "discovered": 0.5, "ctr": 0.5},
                    "night": {"share": 0.4, "count": 3, "discovered": 1.0, "hours": list(range(0, 168, 3))},
                },
            ]
        ),
    }
    return data


def refused(scenario: Scenario, seller: str, campaign_id: str, declared: bool) -> set[str]:
    """What stands between a publisher and a campaign: of what the ad and the page declare, or of what the ad hides."""
    publisher, campaign = scenario.publishers[seller], scenario.campaigns[campaign_id]
    against_ads = {*publisher.refuses, *scenario.verification.refuses}
    if not declared:
        return against_ads & {*campaign.ad.undeclared}
    against_pages = {*campaign.brand_safety.refuses, *REFUSED_AT[campaign.brand_safety.level]}
    found = {str(name) for name in against_ads & {*campaign.ad.declared}}
    found |= {str(name) for name in against_pages & {*publisher.page.declared}}
    return found | ({"blocked"} if campaign.product in publisher.blocked else set())
