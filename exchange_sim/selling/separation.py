"""Pages with several slots in a run: one view brings a request for each, and competitors are kept apart.

A *view* is numbered as the request for its first slot; those for the others follow it. What a view shows is kept while
it lasts in an int64[VIEW_SIZE] array: two numbers per slot of the page, who advertises there and in which category (0:
nothing yet, or nobody's competitor). Money in int64 nanos per impression.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from exchange_sim.draws import (
    BEST_RIVAL,
    RIVAL_ADVERTISER,
    RIVAL_BELOW,
    RIVAL_CATEGORY,
    SECOND_RIVAL,
    key_of,
    uniform,
)
from exchange_sim.kernel import kernel, outlined
from exchange_sim.rivals import ranked_nanos
from exchange_sim.selling.rules import LOST_ADVERTISER, LOST_CATEGORY
from exchange_sim.world import HIGHEST, NO_RIVALS

NOT_APART, ADVERTISERS_APART, CATEGORIES_APART = 0, 1, 2
SEPARATIONS = ("none", "advertiser", "category")
"""What a page keeps apart, in the order of the numbers."""

ADVERTISER, CATEGORY = 0, 1
"""Rows of `Pages.marks`, and the numbers kept for each slot of a view."""

MOST_SLOTS = 16
VIEW_NO, SLOTS, APART, RIVAL_MARKS, SHOWN = 0, 1, 2, 3, 5
VIEW_SIZE = SHOWN + 2 * MOST_SLOTS
"""Entries of a view: its number + 1, how many slots its page has (0 unless one is being sold), what is kept apart, who
the best admissible rival is, and what is shown so far."""


@kernel
def view_number(pages: NDArray[np.void], slot_ix: int, auction_ix: int) -> int:
    """Number of the view that a request belongs to; its own where *slot_ix* is on no page."""
    return auction_ix - int(pages["position"][slot_ix]) if pages.shape[0] > 0 else auction_ix


@kernel
def is_shown(view: NDArray[np.int64], kind: int, mark: int) -> bool:
    """Whether the view already shows this advertiser or category (0: of none)."""
    found = False
    for p in range(view[SLOTS]):
        found |= view[SHOWN + 2 * p + kind] == mark
    return found and mark > 0


@outlined
def enter_page(
    pages: NDArray[np.void],
    marks: NDArray[np.int64],
    view: NDArray[np.int64],
    slot_ix: int,
    auction_ix: int,
    campaign_ix: int,
) -> int:
    """Turn to the view of a request about to be sold, if its slot is on a page.

    Returns why the campaign's ad (-1: none) may not stand beside what the view shows already; -1: it may.
    """
    if pages["slots"][slot_ix] == 0:
        return -1
    number = view_number(pages, slot_ix, auction_ix)
    if view[VIEW_NO] != number + 1:
        for k in range(VIEW_SIZE):
            view[k] = 0
        view[VIEW_NO] = number + 1
    view[SLOTS], view[APART] = pages["slots"][slot_ix], pages["apart"][slot_ix]
    if campaign_ix < 0:
        return -1
    if view[APART] == ADVERTISERS_APART and is_shown(view, ADVERTISER, marks[ADVERTISER, campaign_ix]):
        return LOST_ADVERTISER
    if view[APART] == CATEGORIES_APART and is_shown(view, CATEGORY, marks[CATEGORY, campaign_ix]):
        return LOST_CATEGORY
    return -1


@outlined
def leave_page(
    pages: NDArray[np.void],
    marks: NDArray[np.int64],
    view: NDArray[np.int64],
    slot_ix: int,
    campaign_ix: int,
    sold: bool,
) -> bool:
    """Note what the slot shows: the campaign's ad, the rival's (-1), or nothing; returns whether that is a clash.

    A clash stands beside an ad of its own category.
    """
    if view[SLOTS] == 0:
        return False
    at, clash = SHOWN + 2 * int(pages["position"][slot_ix]), False
    if sold:
        for kind in range(2):
            mark = marks[kind, campaign_ix] if campaign_ix >= 0 else view[RIVAL_MARKS + kind]
            if kind == CATEGORY:
                clash = is_shown(view, CATEGORY, mark)
            view[at + kind] = mark
    view[SLOTS] = 0
    return clash


@kernel
def _mark_rival(
    rivals: NDArray[np.void], tables: NDArray[np.float64], k: int, key: np.uint64, rank: int
) -> tuple[int, int]:
    """(advertiser, category) of the rival of group *k* with the bid of this rank, from 0.

    Independent rivals are as many advertisers, each of whom has one bid; what their ad is about they choose anew.
    """
    advertiser, category, count = 0, 0, rivals["count"][k]
    if rivals["kind"][k] != HIGHEST:
        first = int(uniform(key, RIVAL_ADVERTISER) * count)
        advertiser = rivals["first_advertiser"][k] + (first + rank) % count
    if rivals["categories"][k] > 0:
        u, row = uniform(key_of(key, RIVAL_CATEGORY, rank), RIVAL_CATEGORY), rivals["category_row"][k]
        for j in range(rivals["categories"][k]):
            if u < tables[row, j]:
                category = j + 1
                break
    return advertiser, category


@outlined
def two_admissible(
    rivals: NDArray[np.void],
    knots: NDArray[np.float64],
    distributions: NDArray[np.void],
    tables: NDArray[np.float64],
    k: int,
    key: np.uint64,
    view: NDArray[np.int64],
    second_too: bool,
) -> tuple[int, int]:
    """The two highest bids of group *k* among those the view does not keep out; 0 where there are none.

    Bids come from the highest down, each given the one before it: the (r + 1)-th largest of n uniforms is the r-th
    times a uniform to the power 1 / (n - r). The best one's marks are left in *view*.
    """
    view[RIVAL_MARKS], view[RIVAL_MARKS + 1] = 0, 0
    kind, best = rivals["kind"][k], 0
    if kind == NO_RIVALS:
        return 0, 0
    count = 1 if kind == HIGHEST else int(rivals["count"][k])
    w, found = uniform(key, BEST_RIVAL), False
    for rank in range(count):
        if rank == 1:
            w *= uniform(key, SECOND_RIVAL) ** (count / (count - 1.0))
        elif rank > 1:
            w *= uniform(key_of(key, RIVAL_BELOW, rank), RIVAL_BELOW) ** (count / (count - rank))
        advertiser, category = _mark_rival(rivals, tables, k, key, rank)
        if view[APART] == ADVERTISERS_APART and is_shown(view, ADVERTISER, advertiser):
            continue
        if view[APART] == CATEGORIES_APART and is_shown(view, CATEGORY, category):
            continue
        nanos = ranked_nanos(rivals, knots, distributions, tables, k, w)
        if found:
            return best, nanos
        best, found = nanos, True
        view[RIVAL_MARKS], view[RIVAL_MARKS + 1] = advertiser, category
        if not second_too:
            break
    return best, 0
