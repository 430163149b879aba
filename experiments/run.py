"""One run, from a scenario to tables: make ready, drive, account."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from bidder.core.book import Book
from experiments.accounting.tables import account
from experiments.drivers.batch import Progress, run_batch
from experiments.drivers.events import run_events
from experiments.drivers.live import DEFAULT_URL, run_live
from experiments.ledger import Ledger
from experiments.results.manifest import Manifest, scenario_hash
from experiments.results.tables import Tables, build_tables
from experiments.scenario.loader import dump_yaml
from experiments.scenario.models import Scenario
from experiments.setting import Setting, make_ready

Driver = Callable[[Setting, Progress | None], tuple[Ledger, Book]]


class Outcome(NamedTuple):
    """A finished run in memory."""

    tables: Tables
    manifest: Manifest
    scenario_yaml: str


DRIVERS: dict[str, Driver] = {"batch": run_batch, "events": run_events, "live": run_live}


def run_scenario(
    scenario: Scenario,
    command: str,
    progress: Progress | None = None,
    bidder_url: str | None = None,
    conversion_key: bytes | None = None,
) -> Outcome:
    """Run *scenario*; *command* is what the manifest says remakes it. Only `live` has a bidder at a URL, and a key with
    which it is told of purchases."""
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    setting = make_ready(scenario)
    driver = DRIVERS[scenario.driver]
    if scenario.driver == "live":
        driver = partial(run_live, url=bidder_url or DEFAULT_URL, conversion_key=conversion_key)
    ledger, book = driver(setting, progress)
    tables = build_tables(account(setting, ledger, book))
    text = dump_yaml(scenario)
    manifest = Manifest(
        name=scenario.name,
        title=scenario.title or scenario.name,
        seed=scenario.seed,
        driver=scenario.driver,
        scenario_hash=scenario_hash(text),
        auctions=ledger.auctions,
        command=command,
        currency=scenario.currency,
        start=scenario.start.isoformat(),
        days=scenario.days,
        wall_s=round(time.perf_counter() - wall_s, 3),
        cpu_s=round(time.process_time() - cpu_s, 3),
    )
    return Outcome(tables, manifest, text)
