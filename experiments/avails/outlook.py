"""The forecast of a scenario's publishers, as rows: by slot and day, by slot, by deal; with what came and the truth."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.avails.forecast import Expected, expect, expect_total, interval, surely
from experiments.avails.history import Requests, count_requests, delivered_by
from experiments.avails.promises import Outlook, look_out
from experiments.channels import slot_channels
from experiments.compile.market import compile_world
from experiments.compile.selling import offered_slots
from experiments.scenario.models import Scenario
from experiments.scenario.selling_rules import expected_requests, expected_share
from experiments.setting import make_ready

Row = dict[str, Any]
Numbers = NDArray[np.float64]


class Forecast(NamedTuple):
    """One seed's. S slots of publishers, as they offer them themselves; the first of `offered_slots`."""

    scenario: Scenario
    history: int
    """Days the publishers have seen."""
    past: NDArray[np.int64]
    """int64[hours, S]."""
    handed: NDArray[np.int64]
    """int64[hours, S]: of the past, requests a network took."""
    expected: Expected
    """[days to come, S]."""
    outlook: Outlook
    came: NDArray[np.int64]
    """int64[days to come, S]."""
    truth: Numbers
    """float64[days to come, S]: what the declared rates expect."""


def own_slots(scenario: Scenario) -> int:
    """How many of `offered_slots` are publishers' own, in the scenario's own exchange."""
    return sum(not offered.resold and not offered.exchange for offered in offered_slots(scenario))


def forecast(scenario: Scenario, history: int, *, promised: bool = True) -> Forecast:
    """Forecast the days after the first *history*. *promised*: look at guaranteed deals too (runs the market)."""
    guarantees = promised and any(deal.kind == "guaranteed" for deal in scenario.deals.values())
    setting = make_ready(scenario) if guarantees else None
    world = compile_world(scenario) if setting is None else setting.world
    count, hours = own_slots(scenario), 24 * history
    seen = Requests(*(rows[:, :count] for rows in count_requests(world, scenario.days * 86400.0)))
    delivered = (np.zeros(len(scenario.deals), np.int64),) * 2
    if setting is not None:
        delivered = delivered_by(setting, hours * 3600.0)
    expected = expect(seen.own[:hours], scenario.days)
    ends = [min(history + 1.0 + k, scenario.days) for k in range(len(expected.mean))]
    until_now = true_requests(scenario, float(history))

    def truth(day: float) -> Numbers:
        return true_requests(scenario, day) - until_now

    outlook = Outlook([], np.zeros_like(expected.mean))
    if guarantees:
        outlook = look_out(scenario, seen.own[:hours], expected, truth, delivered)
    came = [seen.own[hours + 24 * k : hours + 24 * k + 24].sum(axis=0) for k in range(len(ends))]
    return Forecast(
        *(scenario, history, seen.own[:hours], seen.handed[:hours], expected, outlook, np.array(came)),
        np.diff([truth(day) for day in (float(history), *ends)], axis=0),
    )


def true_requests(scenario: Scenario, day: float) -> Numbers:
    """float64[S]: requests a slot's seller can expect for itself until *day*, by the rates the scenario declares."""
    data = scenario.model_dump()
    slots = [(publisher, slot) for publisher, body in scenario.publishers.items() for slot in body.slots]
    return np.array([expected_requests(data, slot[0], day) * expected_share(data, *slot) for slot in slots])


def held(told: Forecast, probability: float) -> tuple[int, int]:
    """(how many of the days and slots came within their interval, how many there are)."""
    low, high = interval(told.expected, probability)
    inside = (low <= told.came) & (told.came <= high)
    return int(inside.sum()), inside.size


def day_rows(told: Forecast, probability: float) -> Iterator[Row]:
    """A slot on a day to come."""
    low, high = interval(told.expected, probability)
    for k in range(len(told.came)):
        for s, named in enumerate(_names(told.scenario)):
            yield named | {"day": told.history + k} | _numbers(told, (k, s), told.expected, low, high)


def slot_rows(told: Forecast, probability: float) -> Iterator[Row]:
    """A slot over all days to come, with what can be sold of it for sure."""
    total = expect_total(told.past, told.scenario.days)
    (low, high), sure = interval(total, probability), surely(total, probability)
    summed = told._replace(truth=told.truth.sum(0), came=told.came.sum(0))
    summed = summed._replace(outlook=told.outlook._replace(taken=told.outlook.taken.sum(0)))
    for s, named in enumerate(_names(told.scenario)):
        counts = {"seen": int(told.past[:, s].sum()), "handed": int(told.handed[:, s].sum())}
        row = named | counts | _numbers(summed, s, total, low, high)
        yield row | {"left_surely": max(0, int(np.floor(sure[s] - row["promised"])))}


def _names(scenario: Scenario) -> Iterator[Row]:
    channels = slot_channels(scenario)
    for s, offered in enumerate(offered_slots(scenario)[: own_slots(scenario)]):
        yield {
            "seller_id": offered.owner,
            "slot_id": f"{offered.owner}/{offered.name}",
            "channel": channels[s],
            "format": offered.slot.format,
        }


def _numbers(told: Forecast, at: Any, expected: Expected, low: NDArray[np.int64], high: NDArray[np.int64]) -> Row:
    promised = float(told.outlook.taken[at])
    return {
        "expected": float(expected.mean[at]),
        "low": int(low[at]),
        "high": int(high[at]),
        "promised": promised,
        "left": max(0.0, float(expected.mean[at]) - promised),
        "truth_expected": float(told.truth[at]),
        "truth_came": int(told.came[at]),
    }
