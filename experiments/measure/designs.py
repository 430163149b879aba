"""Experiments as scenarios: who may see the campaign is decided by chance, person by person or place by place.

itt (intent to treat): the control group sees nothing of it; everybody assigned is counted.
psa (public-service ads): the control group is bought the same impressions for an ad without effect, at full price.
ghost (Johnson, Lewis, Nubbemeyer, JMR 2017): the same auctions are predicted for the control group and the impression
is left to others, so nothing is paid. In the simulation both have a twin campaign that wins what the campaign would
have won; its exposures are the log of what would have been seen.
geo: half of the places are held out, so no identity is needed.
"""

from __future__ import annotations

from typing import Any

from experiments.errors import StudyError
from experiments.romi.question import check_campaign
from experiments.scenario.models import Scenario

DESIGNS = ("itt", "psa", "ghost", "geo")
CONTROL = "in-control-group"
"""Name of the interest and segment that stand for the coin each person threw."""
FEWEST_PLACES = 4


def twin_of(campaign_id: str) -> str:
    """Name of the campaign that wins the control group's impressions."""
    return f"{campaign_id[:50]}-control"


def designed(base: Scenario, campaign_id: str, design: str, treated_share: float = 0.5) -> Scenario:
    """*base* as an experiment on one campaign; raises `StudyError` when it cannot be one."""
    check_campaign(base, campaign_id)
    if base.campaigns[campaign_id].product is None:
        raise StudyError(f"--campaign {campaign_id}: it advertises no product, so there is nothing to count")
    if design not in DESIGNS:
        raise StudyError(f"--design {design}: must be one of {', '.join(DESIGNS)}")
    if not 0.0 < treated_share < 1.0:
        raise StudyError(f"--share {treated_share:g}: must be above 0 and below 1")
    data = base.model_dump(mode="json")
    if design == "geo":
        data["campaigns"][campaign_id]["target"]["places"] = treated_places(base)
        return Scenario.model_validate(data)
    data["people"]["interests"][CONTROL] = 1.0 - treated_share
    data["segments"][CONTROL] = {"interest": CONTROL}
    campaign = data["campaigns"][campaign_id]
    if design != "itt":
        data["campaigns"][twin_of(campaign_id)] = _twin(data, campaign, 1.0 - treated_share)
    campaign["target"]["segments"]["none"].append(CONTROL)
    campaign["budget"] = _part(campaign["budget"], treated_share)
    return Scenario.model_validate(data)


def treated_places(base: Scenario) -> list[str]:
    """Every other place by population: with the seed's parity first or second."""
    if len(base.places) < FEWEST_PLACES:
        raise StudyError(f"--design geo: {len(base.places)} places are too few; {FEWEST_PLACES} at least")
    ranked = sorted(base.places, key=lambda name: (-base.places[name].share, name))
    # Of each pair of like size one, by a bit of the seed's own hash.
    chosen = [ranked[k + _bit(base.seed, k)] for k in range(0, len(ranked) - 1, 2)]
    return sorted(chosen)


def _bit(seed: int, k: int) -> int:
    import hashlib

    return hashlib.blake2b(f"{seed} {k}".encode(), digest_size=1).digest()[0] & 1


def _twin(data: dict[str, Any], campaign: dict[str, Any], share: float) -> dict[str, Any]:
    """A copy for the control group: its ads are clicked as the product's are, and cause nothing."""
    product_id = f"{campaign['product'][:50]}-no-effect"
    product = data["products"][campaign["product"]]
    data["products"][product_id] = {
        **product,
        "organic_per_1000_people_per_day": 0.0,
        "effect": {**product["effect"], "conversion": 0.0},
    }
    segments = campaign["target"]["segments"]
    return {
        **campaign,
        "product": product_id,
        "budget": _part(campaign["budget"], share),
        "target": {
            **campaign["target"],
            "segments": {**segments, "none": [*segments["none"]], "all": [*segments["all"], CONTROL]},
        },
    }


def _part(budget: dict[str, Any], share: float) -> dict[str, Any]:
    daily = budget["daily"]
    return {"total": budget["total"] * share, "daily": None if daily is None else daily * share}
