"""From a scenario to the arrays of its pages: which slots are seen together, and who competes with whom."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from exchange_sim.selling.rules import PAGE, Pages
from exchange_sim.selling.separation import SEPARATIONS, VIEW_SIZE
from exchange_sim.world import HIGHEST
from experiments.scenario.market import HighestRival, IndependentRivals
from experiments.scenario.models import Scenario
from experiments.scenario.selling import Page, Publisher


class Placed(NamedTuple):
    """Where a slot stands on a page."""

    number: int
    """Of the page among its publisher's, from 1."""
    page: Page
    position: int
    """From 0, the first, which traffic draws."""


def page_of(publisher: Publisher, slot_name: str) -> Placed | None:
    """The page a slot is on; None: it is seen alone."""
    for number, page in enumerate(publisher.pages.values(), 1):
        if slot_name in page.slots:
            return Placed(number, page, page.slots.index(slot_name))
    return None


def is_drawn(publisher: Publisher, slot_name: str) -> bool:
    """Whether traffic draws this slot: those further down a page come with its first."""
    placed = page_of(publisher, slot_name)
    return placed is None or placed.position == 0


def sells_pages(scenario: Scenario) -> bool:
    """Whether any publisher does."""
    return any(publisher.pages for publisher in scenario.publishers.values())


def requests_per_arrival(scenario: Scenario) -> float:
    """Mean number of requests that an arrival, a view of a page or of a single slot, brings."""
    publishers, total = scenario.publishers.values(), 0.0
    for publisher in publishers:
        drawn = {name: slot.share for name, slot in publisher.slots.items() if is_drawn(publisher, name)}
        counts = {name: 1 if (placed := page_of(publisher, name)) is None else len(placed.page.slots) for name in drawn}
        total += publisher.share * sum(counts[name] * share for name, share in drawn.items()) / sum(drawn.values())
    return total / sum(publisher.share for publisher in publishers)


def compile_pages(scenario: Scenario, slots: NDArray[np.void]) -> Pages:
    """The pages; their slots leave the plain path (SLOT.rules in *slots*, SLOT[S])."""
    rows = _slots(scenario, slots) if sells_pages(scenario) else np.zeros(0, PAGE)
    return Pages(rows, compile_marks(scenario), np.zeros(VIEW_SIZE, np.int64))


def fresh_pages(pages: Pages) -> Pages:
    """The same pages before any view."""
    return pages._replace(on_view=np.zeros_like(pages.on_view))


def _slots(scenario: Scenario, slots: NDArray[np.void]) -> NDArray[np.void]:
    """PAGE[S]."""
    rows, s = np.zeros(len(slots), PAGE), 0
    rows["next_slot_ix"] = -1
    for publisher in scenario.publishers.values():  # their own slots come first, in this order
        index = {name: s + k for k, name in enumerate(publisher.slots)}
        s += len(index)
        for page in publisher.pages.values():
            at = [index[name] for name in page.slots]
            apart = SEPARATIONS.index(page.separation)
            for position, slot_ix in enumerate(at):
                further = at[position + 1] if position + 1 < len(at) else -1
                rows[slot_ix] = (len(at), position, further, apart)
            slots["rules"][at] = 1
    return rows


def rival_categories(scenario: Scenario) -> list[str]:
    """Every category anybody's ad is in, in the order of their numbers less 1: rivals' first."""
    told = [name for group in scenario.rivals.values() for name in getattr(group, "categories", {})]
    return list(dict.fromkeys(told))


def advertisers(scenario: Scenario) -> list[str]:
    """Who each campaign is for: what it advertises, or itself where that is nothing."""
    return [campaign.product or f"campaign {name}" for name, campaign in scenario.campaigns.items()]


def compile_marks(scenario: Scenario) -> NDArray[np.int64]:
    """int64[2, C]: numbers of each campaign's advertiser and category, from 1 on; nobody shares those left unsaid."""
    names = advertisers(scenario)
    numbers = {name: k for k, name in enumerate(dict.fromkeys(names), 1)}
    categories: dict[str, int] = {name: k for k, name in enumerate(rival_categories(scenario), 1)}
    marks = np.zeros((2, len(names)), np.int64)
    for c, (name, campaign) in enumerate(zip(names, scenario.campaigns.values(), strict=True)):
        told = scenario.products[campaign.product].category if campaign.product else None
        category = told or f"advertiser {name}"  # a name nobody can write
        marks[0, c] = numbers[name]
        marks[1, c] = categories.setdefault(category, len(categories) + 1)
    return marks


def mark_rivals(scenario: Scenario, rivals: NDArray[np.void], add_row: Callable[[NDArray[np.float64]], int]) -> None:
    """Write into *rivals* (RIVALS[K + 1]) who they are; *add_row* takes cumulative shares and returns their row."""
    names, first = rival_categories(scenario), len(set(advertisers(scenario))) + 1
    for k, group in enumerate(scenario.rivals.values()):
        rivals["first_advertiser"][k] = first
        if rivals["kind"][k] != HIGHEST:
            first += int(rivals["count"][k])
        if isinstance(group, IndependentRivals | HighestRival) and group.categories:
            rivals["categories"][k] = len(names)
            rivals["category_row"][k] = add_row(np.cumsum([group.categories.get(name, 0.0) for name in names]))
