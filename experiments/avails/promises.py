"""What guaranteed deals still take of what is expected: by slot and day, one deal after the other."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.avails.forecast import Expected, chance, expect_total, surely
from experiments.compile.selling import covers, offered_slots
from experiments.scenario.models import Scenario

Numbers = NDArray[np.float64]


class Promise(NamedTuple):
    """A guaranteed deal at the moment of the forecast. Impressions."""

    deal_id: str
    seller_id: str
    owed: int
    delivered: int
    """Until then."""
    due_day: float
    probability: float
    """With which it was promised."""
    chance: float
    """That enough comes until it is due (where it is overdue: until the end), after deals before it."""
    truth_chance: float
    """The same from the rates that are really at work."""
    could: int
    """The most it could owe further with its probability."""
    truth_delivered: int
    """At the end."""


class Outlook(NamedTuple):
    """All promises, and what they take."""

    promises: list[Promise]
    taken: Numbers
    """float64[days to come, S]: impressions expected to go into guaranteed deals."""


def look_out(
    scenario: Scenario,
    past: NDArray[np.int64],
    expected: Expected,
    truth: Callable[[float], Numbers],
    delivered: tuple[NDArray[np.int64], NDArray[np.int64]],
) -> Outlook:
    """*past*: int64[hours, S]; *expected*: [days to come, S]; *truth*: float64[S] by day from the forecast on;
    *delivered*: int64[D] until the forecast, and until the end."""
    from scipy import stats  # slow to import, and few commands forecast

    offers, history = offered_slots(scenario), len(past) / 24.0
    ends = np.minimum(history + 1.0 + np.arange(len(expected.mean)), scenario.days)
    taken, rows = np.zeros_like(expected.mean), []
    for d, (name, deal) in enumerate(scenario.deals.items()):
        if deal.kind != "guaranteed" or deal.impressions is None:
            continue
        slots = [s for s, offered in enumerate(offers) if covers(scenario, deal, offered)]
        had = int(delivered[0][d])
        remaining = max(0, deal.impressions - had)
        due = min(deal.days or scenario.days, scenario.days)
        until = due if due > history else scenario.days
        before = float(taken[: int(np.searchsorted(ends, until)) + 1, slots].sum())
        window = Expected(*(part[slots] for part in expect_total(past, until))).together(0)
        told = Promise(
            *(name, deal.publisher or "", deal.impressions, had, due, deal.probability),
            chance=float(chance(window, np.asarray(remaining + before))) if remaining else 1.0,
            truth_chance=float(stats.poisson.sf(remaining - 1, max(0.0, truth(until)[slots].sum() - before))),
            could=max(0, int(surely(window, deal.probability)) - math.ceil(before) - remaining),
            truth_delivered=int(delivered[1][d]),
        )
        rows.append(told)
        _take(taken, expected.mean, slots, remaining, ends, history, due if deal.pace == "even" else 0.0)
    return Outlook(rows, taken)


def _take(
    taken: Numbers, mean: Numbers, slots: list[int], remaining: float, ends: Numbers, history: float, even_until: float
) -> None:
    """Day by day what a deal takes of what is left; paced evenly it keeps to its line until *even_until* (day)."""
    had = 0.0
    for k, end in enumerate(ends):
        line = 1.0 if end >= even_until else (end - history) / (even_until - history)
        left = np.maximum(0.0, mean[k, slots] - taken[k, slots])
        take = min(float(left.sum()), remaining * line - had)
        if take > 0.0:
            taken[k, slots] += take * left / left.sum()
            had += take
