"""A package of several sellers' slots: sold as one, paid to each seller for its own part."""

from __future__ import annotations

from typing import Any

import pytest

from experiments.accounting.tables import account
from experiments.drivers.batch import run_batch
from experiments.drivers.events import run_events
from experiments.results.conservation import identities
from experiments.results.tables import build_tables
from experiments.scenario.loader import load
from experiments.scenario.models import Scenario
from experiments.setting import fresh_truth, make_ready

SMALL = ["traffic.requests_per_day=3000", "people.count=500", "days=1", "deals={}"]


def market(kind: str, *, together: bool) -> Scenario:
    """A club on two sellers' slots, one of them masked: one deal on a package, or a deal with each."""
    data = load("sell-privately", [*SMALL, "campaigns.shoes-club.target={}"]).model_dump()
    slots = {"recipes": ["banner"], "daily-news": ["top"]}
    terms: dict[str, Any] = {"kind": kind, "floor": 0.7} | ({"rivals": "few"} if kind == "private_auction" else {})
    data["publishers"]["recipes"]["anonymous"] = True
    if together:
        data |= {"packages": {"both": {"slots": slots}}, "deals": {"club": terms | {"package": "both"}}}
    else:
        data["deals"] = {f"club-{p}": terms | {"publisher": p, "slots": chosen} for p, chosen in slots.items()}
    data["campaigns"]["shoes-club"]["target"] = {"deals": list(data["deals"])}
    return Scenario.model_validate(data)


@pytest.mark.parametrize("kind", ["floor", "private_auction", "preferred"])
def test_a_package_sells_what_a_deal_with_each_seller_sells(kind: str) -> None:
    """Impression by impression and seller by seller; the sellers' money adds up in both."""
    found = []
    for together in (True, False):
        setting = make_ready(market(kind, together=together))
        ledger, book = run_batch(setting)
        tables = build_tables(account(setting, ledger, book))
        assert [said for said, holds in identities(tables) if not holds] == []
        found.append((ledger.exposures.tolist(), tables["money"].to_pylist()))
        delivered = sum(tables["deals"]["delivered"].to_pylist())
        inside = [row for row in found[-1][1] if row["buyer_id"] == "shoes-club" and row["way"] != "open"]
        assert {row["seller_id"] for row in inside} == {"recipes", "daily-news"}
        assert kind == "floor" or delivered == sum(row["impressions"] for row in inside) > 0
    assert found[0] == found[1]


def test_drivers_agree_on_packages() -> None:
    setting = make_ready(market("private_auction", together=True))
    batch, _ = run_batch(setting)
    events, _ = run_events(fresh_truth(setting))
    assert batch.exposures.tolist() == events.exposures.tolist()
    assert len(batch.exposures) > 0
