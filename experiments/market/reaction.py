"""What over-targeting costs: the same campaigns at one frequency cap after another, aimed as written and at everybody.

Each point is run twice, with people who react as the scenario says and with people who do not mind, on the same luck.
Money in currency units.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from experiments.drivers.batch import run_batch
from experiments.errors import ScenarioError
from experiments.scenario.models import Scenario
from experiments.setting import make_ready
from openrtb.money import NANOS_PER_UNIT

Data = dict[str, Any]
AUDIENCES = ("as written", "everybody")


class Reacted(NamedTuple):
    """One run, or the mean of several seeds."""

    impressions: float
    reached: float
    """People who saw at least one ad."""
    clicks: float
    caused: float
    """Purchases the ads caused."""
    profit: float
    """Caused value times margin, less spend."""
    withdrawn: float
    """People who withdrew consent."""

    @property
    def frequency(self) -> float:
        """Impressions per person reached."""
        return self.impressions / self.reached if self.reached else 0.0

    @property
    def caused_per_1000(self) -> float:
        """Purchases caused by a thousand impressions."""
        return 1000.0 * self.caused / self.impressions if self.impressions else 0.0

    @property
    def withdrawn_per_1000(self) -> float:
        """People who withdrew consent, of a thousand reached."""
        return 1000.0 * self.withdrawn / self.reached if self.reached else 0.0


class Point(NamedTuple):
    """One cap and audience."""

    audience: str
    cap: int
    """Impressions per person and day, for each campaign."""
    reacting: Reacted
    indifferent: Reacted
    """The same when nobody minds."""


def measure(scenario: Scenario) -> Reacted:
    """Run *scenario* with driver batch."""
    setting = make_ready(scenario)
    ledger, _ = run_batch(setting)
    shown, bought = ledger.exposures, ledger.purchases
    caused = bought[bought["caused_by_ix"] >= 0]
    products = setting.scenario.products
    margins = np.array([products[plan.product].margin if plan.product else 0.0 for plan in setting.plans])
    earned = float((caused["value_nanos"] * margins[caused["caused_by_ix"]]).sum())
    return Reacted(
        impressions=float(len(shown)),
        reached=float(len(np.unique(shown["person_ix"]))),
        clicks=float(shown["clicked"].sum()),
        caused=float(len(caused)),
        profit=(earned - float(shown["price_nanos"].sum())) / NANOS_PER_UNIT,
        withdrawn=float(setting.world.reaction.withdrawn.sum()),
    )


def variant(scenario: Scenario, audience: str, cap: int, seed: int, *, reacts: bool) -> Scenario:
    """The scenario with one cap for every campaign, aimed as written or at everybody."""
    data: Data = scenario.model_dump() | {"seed": seed}
    for campaign in data["campaigns"].values():
        campaign["caps"] = [{"limit": cap, "per": "1d"}]
        if audience == "everybody":
            campaign["target"]["segments"] = {}
    if not reacts:
        data["people"]["reaction"] = None
    return Scenario.model_validate(data)


def curve(
    scenario: Scenario, caps: Sequence[int], seeds: int, on_run: Callable[[], None] = lambda: None
) -> Iterator[Point]:
    """Every point, means over the seeds (the scenario's own and those after it); *on_run* is called after each run.

    Raises `ScenarioError` for a scenario in which nobody reacts.
    """
    if scenario.people.reaction is None:
        raise ScenarioError("people.reaction: is missing, so nobody minds any ad; add it, for example reaction: {}")
    for audience in AUDIENCES:
        for cap in caps:
            found = []
            for reacts in (True, False):
                runs = []
                for k in range(seeds):
                    runs.append(measure(variant(scenario, audience, cap, scenario.seed + k, reacts=reacts)))
                    on_run()
                found.append(Reacted(*(float(n) for n in np.mean(np.array(runs), axis=0))))
            yield Point(audience, cap, *found)
