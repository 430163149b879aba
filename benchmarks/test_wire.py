"""The wire beside a bare echo, with its bars: run alone on a quiet machine (`make bench-wire`)."""

from __future__ import annotations

import pytest

from benchmarks.wire import compare


@pytest.mark.slow
def test_the_bidder_keeps_up_with_a_bare_echo() -> None:
    """Every request answered, most with a bid; requests per CPU-second, time inside and growth within their bars."""
    done = compare()
    assert done.echo.refused == done.bidder.refused == 0
    assert done.bidder.bids > 0.6 * done.bidder.requests > 1000
    assert done.ratio >= 0.8
    assert done.median_ns <= 60_000
    assert done.growth < 1.3
