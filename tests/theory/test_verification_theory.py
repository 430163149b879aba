"""Detectors, filters, bots and views at their stated rates, within 4 standard errors of a binomial share."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from experiments.accounting.verification import safety, seen, seller_traffic
from experiments.drivers.batch import run_batch
from experiments.ledger import Ledger
from experiments.scenario.models import Scenario
from experiments.setting import Setting, make_ready
from tests.oracles.markets import INTERPRETED

REQUESTS = 4_000 if INTERPRETED else 120_000
MANY = 100 if INTERPRETED else 500
DETECTOR = {"recall": 0.7, "precision": 0.8, "prevalence": 0.2}
FALSE_ALARMS = 0.7 * 0.2 * 0.2 / (0.8 * 0.8)
"""Good cases stopped: recall q (1 - p) / (p (1 - q))."""


def near(count: float, n: float, share: float) -> bool:
    """Whether *count* of *n* is *share* of them."""
    return n > MANY and abs(count - n * share) <= 4 * math.sqrt(n * share * (1 - share))


@pytest.fixture(scope="module")
def played() -> tuple[Setting, Ledger]:
    """Nobody else bids. Ads: one campaign hides what site and blog refuse, the other does not. Pages: a fifth of the
    press's hide violence. Bots come to the blog, half of the time also to the press."""
    campaign: dict[str, Any] = {
        "product": "p",
        "budget": {"total": 10_000.0},
        "goal": {"kind": "cpm", "value": 1.0},
        "bid": {"kind": "constant", "price": 1.0},
    }
    banner = {"slot": {"format": "display", "viewability": 0.6}}
    scenario = Scenario.model_validate(
        {
            "name": "rates",
            "days": 7.0,
            "people": {"count": 1000},
            "products": {"p": {"value": 1.0, "effect": {"ctr": 0.02, "conversion": 0.2, "saturation": 1e9}}},
            "publishers": {
                "site": {"refuses": ["adult"], "slots": banner},
                "blog": {"refuses": ["malware"], "slots": banner},
                "press": {"page": {"undeclared": {"violence": 0.2}}, "slots": banner},
            },
            "rivals": {"nobody": {"kind": "none"}},
            "traffic": {"requests_per_day": REQUESTS / 7},
            "verification": {
                "ads": DETECTOR,
                "pages": DETECTOR,
                "mistaken": 0.05,
                "bots": {
                    "farm": {
                        **{"share": 0.3, "count": 50, "publishers": ["blog"]},
                        **{"filtered": 0.4, "discovered": 0.25, "ctr": 0.5},
                    },
                    "night": {"share": 0.2, "count": 5, "hours": list(range(84)), "publishers": ["blog", "press"]},
                },
            },
            "campaigns": {
                "hiding": campaign | {"ad": {"undeclared": ["adult"]}, "target": {"publishers": ["site"]}},
                "clean": campaign | {"target": {"publishers": ["blog"]}},
                "careful": campaign
                | {"brand_safety": {"level": "standard"}, "target": {"publishers": ["press"]}, "pays": "viewable"},
            },
        }
    )
    setting = make_ready(scenario)
    return setting, run_batch(setting)[0]


def by_campaign(played: tuple[Setting, Ledger]) -> dict[str, dict[str, int]]:
    """Rows of the buyer's table of blocks, one a campaign."""
    columns = safety(*played, masked=True)
    names = columns.pop("campaign_id")
    columns.pop("publisher_id")
    return {
        names.names[int(c)]: {key: int(values[k]) for key, values in columns.items()}
        for k, c in enumerate(names.indices)
    }


def test_detectors_have_the_recall_and_precision_they_state(played: tuple[Setting, Ledger]) -> None:
    """Bad ads get through at 1 - recall, good ones are stopped at the rate of false alarms that precision implies; and
    where a fifth is bad, as where it was measured, four fifths of what is stopped is."""
    rows = by_campaign(played)
    bids = {name: row["impressions"] + row["stopped_ads"] + row["stopped_pages"] for name, row in rows.items()}
    assert near(rows["hiding"]["truth_bad_ads"], bids["hiding"], 1 - 0.7)
    assert rows["hiding"]["truth_bad_ads"] == rows["hiding"]["impressions"]
    assert near(rows["clean"]["truth_mistaken_ads"], bids["clean"], FALSE_ALARMS)
    careful = rows["careful"]
    right = careful["stopped_pages"] - careful["truth_mistaken_pages"]
    assert near(right, careful["stopped_pages"], 0.8)
    assert near(right, right + careful["truth_bad_pages"], 0.7)
    assert near(right + careful["truth_bad_pages"], bids["careful"], 0.2)


def test_views_decide_what_is_paid_and_what_works(played: tuple[Setting, Ledger]) -> None:
    setting, ledger = played
    shown, viewed = ledger.exposures, seen(setting, ledger).viewed
    assert near(viewed.sum(), len(shown), 0.6)
    careful = shown["campaign_ix"] == 2
    assert (shown["price_nanos"] == np.where(careful & ~viewed, 0, 1_000_000)).all()
    assert not shown["clicked"][~viewed].any()
    people = viewed & (shown["person_ix"] < 1000)
    assert near(shown["clicked"][people].sum(), people.sum(), 0.02)
    caused = np.isin(ledger.purchases["auction_ix"], shown["auction_ix"][~people])
    assert len(caused) > 1000 * (not INTERPRETED)
    assert not caused.any()


def test_bots_come_are_filtered_and_are_found_out_at_their_rates(played: tuple[Setting, Ledger]) -> None:
    setting, ledger = played
    shown, told, filtered = ledger.exposures, seen(setting, ledger), setting.world.verification.filtered
    farm = (shown["person_ix"] >= 1000) & (shown["person_ix"] < 1050)
    night = shown["person_ix"] >= 1050
    assert (told.bot == (farm | night)).all()
    assert near(told.found[farm].sum(), farm.sum(), 0.25)
    assert not told.found[night].any()
    assert (shown["time_s"][night] < 84 * 3600).all()
    assert near(shown["clicked"][farm & told.viewed].sum(), (farm & told.viewed).sum(), 0.5)
    table = seller_traffic(setting, ledger)
    site, blog, press = ({key: values[s] for key, values in table.items()} for s in range(3))
    everybody = [row["requests"] + row["filtered"] for row in (site, blog, press)]
    assert site["truth_bot_requests"] == 0
    assert near(site["filtered"], everybody[0], 0.05)
    assert near(filtered[1, 0], everybody[1], 0.3 * 0.4)
    assert near(blog["truth_bot_requests"], everybody[1], 0.3 * 0.6 + 0.2 / 2)
    assert near(press["truth_bot_requests"], everybody[2], 0.2 / 2)
    assert near(press["truth_filtered_people"], everybody[2] * 0.9, 0.05)
    assert blog["refunded"] == told.found.sum()
    assert blog["refunded_nanos"] == 1_000_000 * told.found.sum()
