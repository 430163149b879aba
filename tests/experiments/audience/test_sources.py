"""The files of the sources against what was declared of them, and what the audience platform makes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.csv
import pytest

from dmp.sources.importer import import_source
from dmp.store import Store
from exchange_sim.world import World
from experiments.audience.produce import cookie_names, email_names, write_sources
from experiments.audience.truth import identity_scores
from experiments.compile.market import compile_world
from experiments.scenario.models import Scenario
from tests.experiments.audience.four import SITE, VENDOR, market

START_S = 1_767_571_200
"""2026-01-05 as UTC."""


def rows_of(scenario: Scenario, folder: Path, name: str) -> tuple[World, list[dict[str, Any]]]:
    """The rows of one source's file."""
    world = compile_world(scenario)
    write_sources(scenario, world, folder)
    return world, pyarrow.csv.read_csv(folder / f"{name}.csv").to_pylist()


def owners(world: World) -> dict[str, int]:
    owner = np.repeat(np.arange(world.people_count), np.diff(world.cookies)).tolist()
    return dict(zip(cookie_names(world), owner, strict=True))


def near(found: float, said: float, n: int) -> bool:
    """Within four standard errors of a share."""
    return abs(found - said) <= 4 * (max(said * (1 - said), 0.25 / n) / n) ** 0.5


@pytest.mark.parametrize(("recall", "precision", "people"), [(1.0, 1.0, 1.0), (0.6, 0.7, 0.5), (0.3, 0.4, 0.8)])
def test_recall_precision_and_coverage_are_as_declared(
    tmp_path: Path, recall: float, precision: float, people: float
) -> None:
    site = {**SITE, "people": people, "interests": {"running": {"recall": recall, "precision": precision}}}
    world, rows = rows_of(market({"site": site}), tmp_path, "site")
    owner = owners(world)
    known = {owner[row["cookie"]] for row in rows}
    found = {owner[row["cookie"]] for row in rows if row["interests"] == "running"}
    holds = set(np.flatnonzero(world.interests & np.uint64(1)).tolist())
    assert near(len(known) / 2000, people, 2000)
    assert near(len(found & holds) / len(holds & known), recall, len(holds & known))
    assert near(len(found & holds) / len(found), precision, len(found))
    assert {row["event"] for row in rows} == {"visit", "view"}


def test_match_rate_of_cookies_and_e_mails(tmp_path: Path) -> None:
    sources = {
        "site": {**SITE, "match_rate": 0.6},
        "crm": {"channel": "crm_file", "identifiers": ["email", "address"], "match_rate": 0.7},
        "vendor": {**VENDOR, "match_rate": 0.8},
    }
    world, site = rows_of(market(sources), tmp_path, "site")
    cookies = {row["cookie"]: row["email"] for row in site}
    assert near(sum(bool(mail) for mail in cookies.values()) / len(cookies), 0.6, len(cookies))
    emails, owner = email_names(world), owners(world)
    assert all(emails[owner[cookie]] == mail for cookie, mail in cookies.items() if mail)
    crm = pyarrow.csv.read_csv(tmp_path / "crm.csv").to_pylist()
    assert near(sum(row["email"] in emails for row in crm) / len(crm), 0.7, len(crm))
    assert len({row["email"] for row in crm}) == len(crm) == 2000
    assert len({row["address"] for row in crm}) == len(np.unique(world.heads))
    vendor = {row["cookie"] for row in pyarrow.csv.read_csv(tmp_path / "vendor.csv").to_pylist()}
    assert near(sum(cookie in owner for cookie in vendor) / len(vendor), 0.8, len(vendor))


def test_guesses_are_right_as_often_as_they_say(tmp_path: Path) -> None:
    partner = {"identifiers": ["cookie"], "guesses": {"low": 0.5, "high": 0.9}, "match_rate": 0.9}
    world, rows = rows_of(market({"site": SITE, "partner": partner}), tmp_path, "partner")
    owner = owners(world)
    several = {cookie for cookie, person in owner.items() if np.diff(world.cookies)[person] > 1}
    told = [row for row in rows if row["other"] and row["cookie"] in several]
    right = [owner[row["cookie"]] == owner[row["other"]] for row in told]
    assert len(told) > 2000
    assert near(float(np.mean(right)), float(np.mean([row["score"] for row in told])), len(told))
    assert {row["score"] for row in rows if not row["other"]} == {1.0}


def test_reports_are_late_and_old_as_declared(tmp_path: Path) -> None:
    site = {**SITE, "delay_h": 12, "staleness_days": 5, "repeats": 2.5}
    _, rows = rows_of(market({"site": site}), tmp_path, "site")
    ages_days = np.array([START_S - row["at"] for row in rows if row["interests"] != "running"]) / 86400
    assert ages_days.min() >= 0.5
    people = len(np.unique(ages_days))
    assert abs(np.unique(ages_days).mean() - 5.5) < 4 * 5 / people**0.5
    reports = sum(row["interests"] == "running" for row in rows)
    runners = len({row["at"] for row in rows if row["interests"] == "running"})
    assert 2.0 < reports / (0.2 * 2000) < 3.0
    assert runners > 0.2 * 2000


def test_old_reports_are_about_how_people_were(tmp_path: Path) -> None:
    """After a half-life, half of the reports are no better than chance: (1 + 0.2) / 2 of them still hold."""
    site = {**SITE, "delay_h": 240}
    world, rows = rows_of(market({"site": site}, people={"interest_half_life_days": 10.0}), tmp_path, "site")
    owner = owners(world)
    found = {owner[row["cookie"]] for row in rows if row["interests"] == "running"}
    holds = set(np.flatnonzero(world.interests & np.uint64(1)).tolist())
    assert near(len(found & holds) / len(found), 0.6, len(found))


def test_nothing_of_those_who_refuse_is_stored(tmp_path: Path) -> None:
    scenario = market({"site": SITE}, people={"consent_share": 0.5})
    world, rows = rows_of(scenario, tmp_path, "site")
    owner = owners(world)
    refusers = [row for row in rows if world.homes["consent"][owner[row["cookie"]]] == 0]
    assert {row["consent"] for row in refusers} == {"no"}
    batch = import_source(Store(tmp_path / "audience"), tmp_path / "site.yaml", START_S).batch
    assert batch.held_back == len(refusers) > 1000
    assert batch.stored == len(rows) - len(refusers)
    assert batch.rejected == {}


def test_the_same_scenario_writes_the_same_bytes_and_another_source_changes_nothing(tmp_path: Path) -> None:
    for folder, sources in (("a", {"site": SITE}), ("b", {"vendor": VENDOR, "site": SITE})):
        scenario = market(sources)
        write_sources(scenario, compile_world(scenario), tmp_path / folder)
    assert (tmp_path / "a" / "site.csv").read_bytes() == (tmp_path / "b" / "site.csv").read_bytes()


def test_identity_against_the_truth_by_threshold() -> None:
    sources = {
        "site": {**SITE, "match_rate": 0.6},
        "crm": {"identifiers": ["email", "address"], "match_rate": 0.7},
        "partner": {"identifiers": ["cookie"], "guesses": {"low": 0.5, "high": 0.95}, "match_rate": 0.5},
    }
    certain, *guessed = identity_scores(market(sources), [1.0, 0.9, 0.7, 0.5])
    assert certain["precision"] == 1.0
    assert 0.2 < certain["recall"] < 0.6
    precisions = [row["precision"] for row in guessed]
    assert precisions == sorted(precisions, reverse=True)
    recalls = [row["recall"] for row in [certain, *guessed]]
    assert recalls == sorted(recalls)
    assert precisions[-1] < 0.9
    assert certain["true_persons"] == 2000
    assert certain["persons"] > guessed[-1]["persons"]
