"""Overload, with its bars: run alone on a quiet machine (`make bench-overload` prints the figures)."""

from __future__ import annotations

import pytest

from benchmarks.overload import find


@pytest.mark.slow
def test_what_is_too_much_is_turned_away_and_the_rest_answered_in_time() -> None:
    """At 70 % of the maximum p99 within 10 ms; nothing past `tmax`, ever; at 200 % much is shed and bids go on; calm
    again within a second."""
    found = find()
    assert found.calm.percentile(99) <= 10.0
    assert found.calm.late == found.over.late == found.after.late == 0
    assert found.shed > 0.1 * len(found.over.due_s)
    assert found.over.bid.mean() > 0.3 * found.calm.bid.mean()
    assert found.recovery_s <= 1.0
