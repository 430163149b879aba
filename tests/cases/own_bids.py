"""Strategies of the scenarios here: see parity-strategy.yaml."""

from numba import njit


@njit
def _shaded(worth_cpm, floor_cpm):
    return floor_cpm + 0.7 * (worth_cpm - floor_cpm) if worth_cpm > floor_cpm else 0.0


@njit
def fewer_times(opportunity):
    """Value falls with every exposure."""
    return _shaded(opportunity.worth_cpm, opportunity.floor_cpm) / (1.0 + 0.1 * opportunity.seen)


@njit
def halfway(opportunity):
    """Between the floor and the worth."""
    return 0.5 * (opportunity.worth_cpm + opportunity.floor_cpm)


def by_hour(opportunity):
    """A plain function: nothing at night, and by the budget in the day."""
    if opportunity.hour % 24 < 7:
        return 0
    return opportunity.worth_cpm * (0.8 if opportunity.spent < opportunity.elapsed * opportunity.budget else 0.6)


@njit
def failing(opportunity):
    """Raises on one slot, above the maximum in the evening, else a bid."""
    if opportunity.slot_ix == 1 and opportunity.hour % 2 == 0:
        raise ValueError("not here")
    return 1.0 if opportunity.hour % 24 > 17 else opportunity.worth_cpm * 0.7
