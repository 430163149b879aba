"""A scenario made ready to run: the world, the buyer's plans and the audience, and what a run of them starts from."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bidder.build import build_book
from bidder.core.book import Book
from bidder.plan import CampaignPlan, Directory
from dmp.recognition import Recognition
from dmp.snapshot import Snapshot
from exchange_sim.identities import cookie_name
from exchange_sim.world import World
from experiments.audience.observe import observe_sources
from experiments.compile.buyer import compile_directory, compile_plans, observe_audience
from experiments.compile.market import compile_world, no_stock, start_offsets
from experiments.compile.pages import fresh_pages
from experiments.compile.reaction import compile_reaction, fresh_reaction
from experiments.compile.selling import fresh_selling
from experiments.ledger import Tallies, new_tallies
from experiments.own_strategies import load_strategies
from experiments.scenario.models import Scenario

if TYPE_CHECKING:
    from bidder.server.people import MappedAudience
    from bidder.server.recorded import Recorded


@dataclass(frozen=True)
class Setting:
    """Everything a driver needs. `world.stock` is fresh: one setting serves one run."""

    scenario: Scenario
    world: World
    plans: tuple[CampaignPlan, ...]
    directory: Directory
    audience: Snapshot | Recognition | MappedAudience | Recorded
    units: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    """int64[cookies]: the bidder's row of each cookie; int64[0] where people go by their own number."""

    def user_id(self, cookie_ix: int) -> str:
        """What requests call a cookie."""
        if isinstance(self.audience, Snapshot):
            return self.audience.user_id(cookie_ix)
        return cookie_name(self.world.seed_key, cookie_ix)

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
            people_count=len(self.audience.rows),
            start_hour=start_hour,
            start_of_day_s=start_of_day_s,
            held=self.audience.rows,
        )

    def new_tallies(self) -> Tallies:
        """Counts at zero, sized for the run."""
        hours = max(1, math.ceil(self.end_s / 3600.0))
        return new_tallies(
            *(hours, len(self.plans), len(self.directory.slots), len(self.directory.publishers)),
            verified=self.world.verification.on == 1,
        )

    def ticks(self) -> Iterator[tuple[float, float]]:
        """Start and end of each control interval."""
        count = math.ceil(self.end_s / self.scenario.tick_s)
        for k in range(count):
            yield k * self.scenario.tick_s, min((k + 1) * self.scenario.tick_s, self.end_s)


def make_ready(scenario: Scenario) -> Setting:
    """Draw the people and compile the plans."""
    plans = tuple(compile_plans(scenario))
    load_strategies(plans)
    world = compile_world(scenario)
    audience: Snapshot | Recognition
    if scenario.audience is None:
        audience, units = observe_audience(scenario, world), np.zeros(0, np.int64)
    else:
        audience, units = observe_sources(scenario, world)
    directory = compile_directory(scenario)
    reaction = compile_reaction(scenario, plans, directory, audience.rows, len(world.homes), world.slots)
    return Setting(
        scenario=scenario,
        world=world._replace(reaction=reaction),
        plans=plans,
        directory=directory,
        audience=audience,
        units=units,
    )


def fresh_truth(setting: Setting) -> Setting:
    """The same setting before anybody has seen an ad: for a second run without drawing the people again."""
    old = setting.world
    verification = old.verification._replace(filtered=np.zeros_like(old.verification.filtered))
    world = old._replace(
        stock=no_stock(*old.stock.shape[:2]),
        selling=fresh_selling(old.selling),
        pages=fresh_pages(old.pages),
        reaction=fresh_reaction(old.reaction),
        verification=verification,
    )
    return replace(setting, world=world)
