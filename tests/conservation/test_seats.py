"""Seats: what a seat may not buy it is never shown in, and every refused bid is counted, in random markets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange_sim.selling.rules import LOST_SEAT
from experiments.accounting.tables import account
from experiments.drivers.batch import run_batch
from experiments.drivers.events import run_events
from experiments.errors import ScenarioError
from experiments.results.conservation import identities
from experiments.results.tables import build_tables
from experiments.scenario.loader import load
from experiments.setting import fresh_truth, make_ready
from tests.oracles.markets import INTERPRETED, random_market, with_header

CASES = Path(__file__).parents[1] / "cases"


def with_seats(data: dict[str, Any], rng: Random) -> dict[str, Any]:
    """The same market, its campaigns in three seats with permissions."""
    names = ["house", "partner", "stranger"]
    for name, campaign in data["campaigns"].items():
        campaign["seat"] = rng.choice([*names, name])
    used = sorted({campaign["seat"] for campaign in data["campaigns"].values()})
    sellers = [*data["publishers"], *data.get("networks", {})]
    data["seats"] = {
        seat: {
            "sellers": rng.choice([None, sorted(rng.sample(sellers, rng.randint(1, len(sellers))))]),
            "formats": rng.choice([None, ["display"], ["video", "mobile"]]),
            "exchanges": rng.choice([None, list(data.get("exchanges", {}))[:1]]),
        }
        for seat in rng.sample(used, rng.randint(0, len(used)))
    }
    data["publishers"]["paper"]["seats"] = rng.choice([None, used[:1]])
    for name, deal in data["deals"].items():  # what is guaranteed to nobody is refused, so one buyer may always buy it
        buyer = next((c for c, body in data["campaigns"].items() if name in body["target"].get("deals", [])), None)
        if deal.get("kind") == "guaranteed" and buyer is not None:
            data["campaigns"][buyer]["seat"] = buyer
            data["seats"] = {seat: body for seat, body in data["seats"].items() if seat != buyer}
            if data["publishers"]["paper"]["seats"] is not None:
                data["publishers"]["paper"]["seats"].append(buyer)
    seats = {campaign["seat"] for campaign in data["campaigns"].values()}
    data["seats"] = {seat: body for seat, body in data["seats"].items() if seat in seats}
    if data["publishers"]["paper"]["seats"] is not None:
        data["publishers"]["paper"]["seats"] = [seat for seat in data["publishers"]["paper"]["seats"] if seat in seats]
    return data


@settings(max_examples=6 if INTERPRETED else 25)
@given(seed=st.integers(0, 2**32 - 1))
def test_a_seat_without_permission_is_never_shown(seed: int, run: Callable[[dict[str, Any]], Any]) -> None:
    """By seller, exchange and format, through networks too; refused bids are counted and money still adds up."""
    rng, data = Random(seed), random_market(seed)
    done = run(with_seats(with_header(data, rng) if rng.random() < 0.4 else data, rng))
    scenario, tables = done.setting.scenario, build_tables(account(done.setting, done.ledger, done.book))
    shown_at = [f"{p}/{s}" for p, body in scenario.publishers.items() for s in body.slots]
    known_as = dict(zip(done.setting.directory.publishers, [*scenario.publishers, *scenario.networks], strict=True))
    rows = zip(tables["exposures"].to_pylist(), done.ledger.exposures["seller_slot_ix"].tolist(), strict=True)
    for row, seller_slot_ix in rows:
        campaign_id = row["campaign_id"]
        name = scenario.campaigns[campaign_id].seat or campaign_id
        seats = scenario.publishers[shown_at[seller_slot_ix].partition("/")[0]].seats
        assert seats is None or name in seats
        seat = scenario.seats.get(name)
        if seat is not None:
            exchange = row["slot_id"].partition("@")[2]
            assert seat.sellers is None or known_as[row["publisher_id"]] in seat.sellers
            assert seat.formats is None or row["format"] in seat.formats
            assert seat.exchanges is None or not exchange or exchange in seat.exchanges
    assert [said for said, holds in identities(tables) if not holds] == []


def test_refused_bids_are_counted_and_drivers_agree() -> None:
    """Loss code 104, in both drivers alike."""
    changes = [
        "days=0.2",
        "deals.order.impressions=30",
        "seats={tyres-wide: {exchanges: [green]}}",
        "publishers.radar.seats=[tyres-wide]",
    ]
    setting = make_ready(load(CASES / "parity-header.yaml", changes))
    batch, _ = run_batch(setting)
    events, _ = run_events(fresh_truth(setting))
    names = [plan.campaign_id for plan in setting.plans]
    refused = dict(zip(names, batch.tallies.lost[:, :, LOST_SEAT].sum(axis=1).tolist(), strict=True))
    assert refused["tyres-wide"] > 50
    assert refused["private-worth"] > 10
    assert (batch.tallies.lost == events.tallies.lost).all()
    assert (batch.exposures["campaign_ix"] == events.exposures["campaign_ix"]).all()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("seats={nobody: {}}", "no campaign has the seat 'nobody'"),
        ("publishers.radar.seats=[member, lookr]", "no campaign has the seat 'lookr'.*looker"),
        ("seats={member: {sellers: [papr]}}", "no publisher or network is called 'papr'.*paper"),
        ("seats={member: {exchanges: [gren]}}", "no exchange is called 'gren'"),
    ],
)
def test_mistakes_are_named(change: str, said: str) -> None:
    with pytest.raises(ScenarioError, match=said):
        load(CASES / "parity-header.yaml", [change])
