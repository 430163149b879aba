"""The same market with more and more of its verification: what is shown, what is paid, what comes back.

Variants of one seed meet the same people, bots and luck, so that differences are paired. Money in currency units.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from experiments.accounting.selling import money
from experiments.accounting.verification import safety, seen, seller_traffic
from experiments.drivers.batch import run_batch
from experiments.scenario.models import Scenario
from experiments.setting import make_ready
from openrtb.money import NANOS_PER_UNIT

Data = dict[str, Any]


class Safety(NamedTuple):
    """What one variant of one seed showed, of the scenario's campaigns unless said otherwise."""

    impressions: int
    refused: int
    """Bids refused at the auction for what was declared."""
    stopped: int
    """Ads stopped while they loaded."""
    mistaken: int
    """Of them, those nothing was wrong with."""
    bad_ads: int
    """Impressions of ads that hid what the publisher refuses."""
    bad_pages: int
    """Impressions on pages that hid what the campaign refuses."""
    bots: int
    """Impressions bots saw."""
    viewed: int
    """Impressions that people could view."""
    filtered: int
    """Requests of anybody stopped before the auction."""
    paid: float
    """By the campaigns, with all fees, refunds taken off."""
    refunded: float
    """To anybody, for bots."""
    publisher: float
    """Publishers' revenue from everybody."""

    @property
    def price(self) -> float:
        """What the campaigns paid for a thousand impressions people could view."""
        return 1000.0 * self.paid / self.viewed if self.viewed else 0.0


def measure(scenario: Scenario) -> Safety:
    """Run *scenario* with driver batch."""
    setting = make_ready(scenario)
    ledger, _ = run_batch(setting)
    blocks, told = safety(setting, ledger, masked=True), seen(setting, ledger)
    accounts = money(setting, ledger)
    ours = [buyer in scenario.campaigns for buyer in accounts["buyer_id"]]
    paid = int((accounts["advertiser_nanos"] - accounts["refund_nanos"])[ours].sum())
    return Safety(
        impressions=len(ledger.exposures),
        refused=int(blocks["refused_ads"].sum() + blocks["refused_pages"].sum()),
        stopped=int(blocks["stopped_ads"].sum() + blocks["stopped_pages"].sum()),
        mistaken=int(blocks["truth_mistaken_ads"].sum() + blocks["truth_mistaken_pages"].sum()),
        bad_ads=int(blocks["truth_bad_ads"].sum()),
        bad_pages=int(blocks["truth_bad_pages"].sum()),
        bots=int(told.bot.sum()),
        viewed=int((told.viewed & ~told.bot).sum()),
        filtered=int(seller_traffic(setting, ledger)["filtered"].sum()),
        paid=paid / NANOS_PER_UNIT,
        refunded=int(accounts["refund_nanos"].sum()) / NANOS_PER_UNIT,
        publisher=int(accounts["publisher_nanos"].sum()) / NANOS_PER_UNIT,
    )


def what_is_declared(data: Data) -> Data:
    """Only what is declared is refused; everything else loads, bots are nobody's business, every impression is paid."""
    data = bots_filtered(data)
    data["verification"] |= {"ads": None, "pages": None, "mistaken": 0.0}
    for kind in data["verification"]["bots"].values():
        kind |= {"filtered": 0.0, "discovered": 0.0}
    return data


def detectors_on(data: Data) -> Data:
    """Detectors look at ads and pages while they load, too."""
    detectors = {name: data["verification"][name] for name in ("ads", "pages")}
    data = what_is_declared(data)
    data["verification"] |= detectors
    return data


def bots_filtered(data: Data) -> Data:
    """Bots are filtered and found out, too; still every impression is paid."""
    for campaign in data["campaigns"].values():
        campaign["pays"] = "impression"
    return data


def as_written(data: Data) -> Data:
    """Everything: who pays for what can be viewed only, does."""
    return data


SAFETY_COMPARED: dict[str, Callable[[Data], Data]] = {
    "declared": what_is_declared,
    "+ detectors": detectors_on,
    "+ bots": bots_filtered,
    "+ views": as_written,
}
