"""Other plans for a book that is in use: what campaigns have spent, hold and know goes on, positions stay as they are.

A campaign keeps its position for as long as the process lives, because bids in flight and people's memory refer to it.
New campaigns come after all others; one that is no longer planned stays, but buys nothing more. Money in nanos.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bidder.build import build_book
from bidder.core.book import (
    CELL_RIPE,
    CELL_WINS,
    FREE_BLOCKS,
    LARGEST_BLOCK,
    MEMORY_USED,
    ROW_ACTIVE,
    SEGMENT_QUADS,
    START_HOUR,
    START_OF_DAY_S,
    WEIGHT_ROWS,
    Book,
)
from bidder.core.pricing import list_prices
from bidder.plan import CampaignPlan, Directory

_HAPPENED = (
    *("spent_nanos", "reserved_nanos", "day_ix", "spent_day_nanos", "reserved_day_nanos", "wins", "clicks"),
    *("conversions", "conversion_nanos", "entered", "tick_entered", "tick_spent_nanos", "tick_s"),
    *("ripened_log", "bought_worth", "tick_bought_worth"),
)
_CURVE = (
    *("bid_a", "bid_b", "curve_slope_push", "curve_offset_push", "curve_slopes", "curve_both", "curve_offsets"),
    *("curve_seen", "curve_sum", "curve_squares", "curve_heard"),
)
_PACED = ("mu", "multiplier", "pace_target_nanos", "pid_integral", "pid_error", "pass_share", "target_mu")


def merge_plans(old: Sequence[CampaignPlan], new: Sequence[CampaignPlan]) -> tuple[CampaignPlan, ...]:
    """The *new* plans at the positions of the *old* ones of the same id; those that are gone stay where they were."""
    by_id = {plan.campaign_id: plan for plan in new}
    kept = {plan.campaign_id for plan in old}
    return (
        *(by_id.get(plan.campaign_id, plan) for plan in old),
        *(plan for plan in new if plan.campaign_id not in kept),
    )


def draft_book(plans: Sequence[CampaignPlan], directory: Directory, old: Book) -> Book:
    """A book for *plans* on the calendar of *old*, without people; raises `PlanError`. May take its time."""
    start_hour, start_of_day_s = int(old.index[START_HOUR]), int(old.index[START_OF_DAY_S])
    return build_book(
        plans,
        directory,
        people_count=1,
        start_hour=start_hour,
        start_of_day_s=start_of_day_s,
        held=old.held if len(old.held) else None,
    )


def carry_over(draft: Book, plans: Sequence[CampaignPlan], old: Book, old_plans: Sequence[CampaignPlan]) -> Book:
    """*draft*, made for `merge_plans(old_plans, ...)`, with all that has happened in *old*, whose people it shares."""
    rows, before = draft.campaigns, old.campaigns
    count = len(old_plans)
    for name in _HAPPENED:
        rows[name][:count] = before[name]
    rows["changed"][:count] = 1
    for c, (plan, earlier) in enumerate(zip(plans[:count], old_plans, strict=True)):
        if plan.pacing == earlier.pacing:
            for name in _PACED:
                rows[name][c] = before[name][c]
        draft.cells[c, :, CELL_WINS : CELL_RIPE + 1] = old.cells[c, :, CELL_WINS : CELL_RIPE + 1]
        if plan.bid == earlier.bid and plan.bid.learned:
            for name in _CURVE:
                rows[name][c] = before[name][c]
        if _rates(plan) == _rates(earlier):
            draft.cells[c] = old.cells[c]
        list_prices(draft, c)
    if draft.weights.shape == old.weights.shape and draft.learners.shape == old.learners.shape:
        draft.learners[:], draft.weights[:] = old.learners, old.weights
    else:  # features moved: learned anew
        rows["ripened_log"] = 0.0
    index = old.index.copy()
    for part in (slice(MEMORY_USED), [WEIGHT_ROWS, SEGMENT_QUADS]):
        index[part] = draft.index[part]
    assert MEMORY_USED < LARGEST_BLOCK < FREE_BLOCKS  # the rest of the index is about slots and people's memory
    old.persons["near"] |= old.persons["seen"]  # a cap may be lower now: look at the lists again
    return draft._replace(index=index, persons=old.persons, memory=old.memory)


def set_active(book: Book, campaign_ix: int, active: bool) -> None:
    """Let a campaign buy, or not."""
    bit = np.uint64(1) << np.uint64(campaign_ix & 63)
    row = book.targets[book.index[ROW_ACTIVE]]
    row[campaign_ix >> 6] = row[campaign_ix >> 6] | bit if active else row[campaign_ix >> 6] & ~bit


def _rates(plan: CampaignPlan) -> tuple[float, float, bool, float, str]:
    return plan.ctr, plan.cvr, plan.learned, plan.prior_impressions, plan.method
