"""Every contestant in every market on the same seeds: the people, rivals and luck they meet are the very same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa

from experiments.compile.buyer import compile_plans
from experiments.compile.market import TELLS
from experiments.contest.contestants import CONTESTANTS, MARKETS, PLAYER, TOLD, plays
from experiments.drivers.batch import run_batch
from experiments.scenario.campaigns import Campaign
from experiments.scenario.loader import load
from experiments.scenario.models import Scenario
from experiments.setting import Setting, fresh_truth, make_ready
from openrtb.money import NANOS_PER_UNIT


def play_all(
    seeds: Sequence[int], markets: Sequence[str] = MARKETS, progress: Callable[[str], None] | None = None
) -> tuple[pa.Table, pa.Table]:
    """(results, spend curves): a row per market, contestant and seed; and per hour too. Money in currency units.

    Value is what was got: clicks times the value of a click, or the sum of private values bought.
    """
    results: list[dict[str, object]] = []
    curves: list[dict[str, object]] = []
    for market in markets:
        scenario = load(market)
        entered = {name: _with(scenario, name) for name in CONTESTANTS if plays(name, market)}
        for seed in seeds:
            if progress is not None:
                progress(f"{market}, seed {seed}")
            ready = make_ready(scenario.model_copy(update={"seed": seed}))
            for name, changed in entered.items():
                setting = replace(fresh_truth(ready), scenario=changed, plans=tuple(compile_plans(changed)))
                tells = TELLS["everybody"] if name in TOLD else setting.world.tells
                row, spend = _play(replace(setting, world=setting.world._replace(tells=tells)))
                key = {"market": market, "contestant": name, "seed": seed}
                results.append(key | row)
                curves += [key | {"hour": hour, "spend_share": float(share)} for hour, share in enumerate(spend)]
    return pa.Table.from_pylist(results), pa.Table.from_pylist(curves)


def _with(scenario: Scenario, contestant: str) -> Scenario:
    """The scenario with its player's settings replaced."""
    base = scenario.campaigns[PLAYER].model_dump() | CONTESTANTS[contestant]
    return scenario.model_copy(update={"campaigns": {PLAYER: Campaign.model_validate(base)}})


def _play(setting: Setting) -> tuple[dict[str, float], np.ndarray[tuple[int], np.dtype[np.float64]]]:
    ledger, book = run_batch(setting)
    goal, shown = setting.scenario.campaigns[PLAYER].goal, ledger.exposures
    spend = int(shown["price_nanos"].sum()) / NANOS_PER_UNIT
    if goal.kind == "private":
        value = int(shown["worth_nanos"].sum()) / NANOS_PER_UNIT
    else:
        assert goal.kind == "cpc"  # what the other shipped markets pay for
        value = int(shown["clicked"].astype(np.int64).sum()) * goal.value
    budget = setting.plans[0].total_nanos / NANOS_PER_UNIT
    assert int(book.campaigns["spent_nanos"][0]) <= setting.plans[0].total_nanos
    hours = np.floor_divide(shown["time_s"], 3600.0).astype(np.int64)
    by_hour = np.bincount(hours, shown["price_nanos"], minlength=len(ledger.tallies.fates)).cumsum()
    row = {"budget": budget, "spend": spend, "value": value, "impressions": float(len(shown))}
    return row, by_hour / NANOS_PER_UNIT / budget
