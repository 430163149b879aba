"""A scenario made ready to run: the world, the buyer's plans and the audience, and what a run of them starts from."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from bidder.build import build_book
from bidder.core.book import Book
from bidder.plan import CampaignPlan, Directory
from dmp.snapshot import Snapshot
from exchange_sim.world import World
from experiments.compile_buyer import compile_directory, compile_plans, observe_audience
from experiments.compile_market import compile_world, no_stock, start_offsets
from experiments.compile_selling import fresh_selling
from experiments.ledger import Tallies, new_tallies
from experiments.scenario.models import Scenario


@dataclass(frozen=True)
class Setting:
    """Everything a driver needs. `world.stock` is fresh: one setting serves one run."""

    scenario: Scenario
    world: World
    plans: tuple[CampaignPlan, ...]
    directory: Directory
    audience: Snapshot

    @property
    def end_s(self) -> float:
        """Length of the scenario (s)."""
        return self.scenario.days * 86400.0

    def new_book(self) -> Book:
        """A fresh book for the plans."""
        start_hour, start_of_day_s = start_offsets(self.scenario)
        return build_book(
            self.plans,
            self.directory,
            people_count=self.world.people_count,
            start_hour=start_hour,
            start_of_day_s=start_of_day_s,
        )

    def new_tallies(self) -> Tallies:
        """Counts at zero, sized for the run."""
        hours = max(1, math.ceil(self.end_s / 3600.0))
        return new_tallies(hours, len(self.plans), len(self.directory.slots), len(self.directory.publishers))

    def ticks(self) -> Iterator[tuple[float, float]]:
        """Start and end of each control interval."""
        count = math.ceil(self.end_s / self.scenario.tick_s)
        for k in range(count):
            yield k * self.scenario.tick_s, min((k + 1) * self.scenario.tick_s, self.end_s)


def make_ready(scenario: Scenario) -> Setting:
    """Draw the people and compile the plans."""
    world = compile_world(scenario)
    return Setting(
        scenario=scenario,
        world=world,
        plans=tuple(compile_plans(scenario)),
        directory=compile_directory(scenario),
        audience=observe_audience(scenario, world),
    )


def fresh_truth(setting: Setting) -> Setting:
    """The same setting before anybody has seen an ad: for a second run without drawing the people again."""
    old = setting.world
    world = old._replace(stock=no_stock(*old.stock.shape[:2]), selling=fresh_selling(old.selling))
    return Setting(setting.scenario, world, setting.plans, setting.directory, setting.audience)
