"""Accounts add up to the run's own table, dimension by dimension; customer groups add up to all purchases."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

import pytest

from bidder.core.book import Book
from experiments.accounting.tables import campaign_columns
from experiments.audience.exposed import exposed
from experiments.cli.measure import show
from experiments.drivers.batch import run_batch
from experiments.ledger import Ledger
from experiments.measure.accounts import accounts_of, customers_of
from experiments.results.tables import build_table, read_parquet, schema_of
from experiments.scenario.loader import load
from experiments.setting import Setting, make_ready
from experiments.sweep.groups import TIERS
from tests.command_line import bidlab

pytestmark = pytest.mark.slow

SMALL = ["people.count=8000", "traffic.requests_per_day=6000"]
SUMS = ("impressions", "spend_nanos", "clicks", "credited_conversions", "credited_value_nanos", "truth_conversions")


@pytest.fixture(scope="module")
def finished() -> tuple[Setting, Ledger, Book]:
    """A run with several formats, places, and customers of different worth."""
    setting = make_ready(load("retail-launch", [*SMALL, "products.running-watch.organic_per_1000_people_per_day=9"]))
    return (setting, *run_batch(setting))


def test_every_dimension_adds_up_to_the_run(finished: tuple[Setting, Ledger, Book]) -> None:
    setting, ledger, book = finished
    rows = accounts_of(setting, ledger)
    sums: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for row in rows:
        for name in (*SUMS, "truth_value_nanos"):
            sums[row["dimension"]][name] += row[name]
    assert sums["all"]["impressions"] == len(ledger.exposures) > 0
    for dimension in ("campaign", "format", "publisher", "place", "device"):
        assert sums[dimension] == sums["all"], dimension
    assert {row["dimension"] for row in rows} >= {"segment"}
    names = [plan.campaign_id for plan in setting.plans]
    table = build_table(
        "campaigns", campaign_columns(setting, ledger, book, names, exposed(setting, ledger))
    ).to_pylist()
    by_name = {row["name"]: row for row in rows if row["dimension"] == "campaign"}
    for run_row in table:
        if run_row["impressions"] == 0:
            assert run_row["campaign_id"] not in by_name
            continue
        row = by_name[run_row["campaign_id"]]
        assert row["credited_conversions"] == run_row["attributed_conversions"]
        assert row["truth_value_nanos"] == run_row["truth_value_nanos"]
        assert row["truth_reach"] == run_row["truth_reach"]
        assert row["truth_romi"] == pytest.approx(run_row["truth_romi"])


def test_customer_groups_add_up_and_high_ones_are_worth_more(finished: tuple[Setting, Ledger, Book]) -> None:
    setting, ledger, _ = finished
    rows = customers_of(setting, ledger)
    assert len(rows) == 2 * len(TIERS) + 1  # the loyalty card is worth the same to everybody
    for name in setting.scenario.products:
        mine = [row for row in rows if row["product_id"] == name]
        assert sum(row["truth_persons"] for row in mine) == setting.world.people_count
    assert sum(row["purchases"] for row in rows) == len(ledger.purchases)
    assert sum(row["value_nanos"] for row in rows) == int(ledger.purchases["value_nanos"].sum())
    spent = sum(row["spend_nanos"] for row in rows)
    assert spent == sum(row["spend_nanos"] for row in accounts_of(setting, ledger) if row["dimension"] == "all")
    watch = {row["customer_group"]: row for row in rows if row["product_id"] == "running-watch"}
    each = {group: row["value_nanos"] / row["purchases"] for group, row in watch.items() if row["purchases"]}
    assert each["low"] < each["middle"] < each["high"]


def test_the_command(tmp_path: Path) -> None:
    command = ["measure", "accounts", "learning", "--set", "days=1"]
    done = bidlab(tmp_path, *command, "--out", str(tmp_path / "a"), "--json")
    assert done.code == 0, done.stderr
    assert {"accounts", "customers"} == json.loads(done.stdout).keys()
    for name in ("accounts", "customers"):
        assert read_parquet(tmp_path / "a" / f"{name}.parquet").schema.equals(schema_of(name))


def test_returns_are_told_in_per_cent(capsys: pytest.CaptureFixture[str]) -> None:
    show(
        [
            {"measure": "romi", "after": 18.436, "difference_low": -0.05},
            {"measure": "cpm", "after": 2.1, "difference_low": None},
        ],
        "both",
    )
    show([{"campaign": "a", "marginal_romi_after": -0.25, "spend": None}], "one")
    words = capsys.readouterr().out.replace("\u00a0", " ").replace("−", "-")
    assert "+1,844 %" in words
    assert "-5 pp" in words
    assert "2.10" in words
    assert "-25 %" in words
