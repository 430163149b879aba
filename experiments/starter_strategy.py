"""A strategy to start from: bid for first-price auctions, more when the budget is behind time.

Name it in a scenario's campaign: `strategy: my_bid.py:bid`. Prices are CPM. What `opportunity` holds: see
docs/strategies.md.
"""

from numba import njit


@njit
def bid(opportunity):  # type: ignore[no-untyped-def]
    """Shade the worth by half between floor and worth, and hurry or wait by the budget."""
    if opportunity.worth_cpm < opportunity.floor_cpm:
        return 0.0  # no bid
    behind = opportunity.elapsed - opportunity.spent / opportunity.budget
    shade = min(max(0.5 + 2.0 * behind, 0.1), 0.9)
    return opportunity.floor_cpm + shade * (opportunity.worth_cpm - opportunity.floor_cpm)
