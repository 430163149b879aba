"""Delays and accidents of the wire: their distributions, and that they belong to the auction alone."""

from __future__ import annotations

import numpy as np
import pytest

from exchange_sim.cable import (
    NOTICE,
    REQUEST,
    RESPONSE,
    ConstantDelay,
    Delay,
    EmpiricalDelay,
    LognormalDelay,
    Wire,
    draw_wire,
)
from exchange_sim.draws import key_of

KEYS = [np.uint64(key_of(np.uint64(7), np.uint64(24), k)) for k in range(4000)]


@pytest.mark.parametrize(
    ("delay", "median", "share_below_20"),
    [
        (ConstantDelay(12.5), 12.5, 1.0),
        (LognormalDelay(20.0, 0.7), 20.0, 0.5),
        (EmpiricalDelay((5.0, 10.0, 10.0, 40.0)), 10.0, 0.75),
    ],
)
def test_delays_follow_their_distribution(delay: Delay, median: float, share_below_20: float) -> None:
    """Median and one quantile, within 4 standard errors."""
    wire = Wire(request=delay)
    drawn = np.array([wire.delay_ms(delay, key, REQUEST) for key in KEYS])
    assert drawn.min() >= 0.0
    assert np.median(drawn) == pytest.approx(median, rel=0.06)
    assert np.mean(drawn < 20.0) == pytest.approx(share_below_20, abs=4 * 0.5 / np.sqrt(len(KEYS)))


def test_draws_belong_to_auction_and_kind() -> None:
    """Same key and kind, same draw; another kind is independent of it."""
    requests = np.array([draw_wire(key, REQUEST) for key in KEYS])
    responses = np.array([draw_wire(key, RESPONSE) for key in KEYS])
    np.testing.assert_array_equal(requests, [draw_wire(key, REQUEST) for key in KEYS])
    assert abs(np.corrcoef(requests, responses)[0, 1]) < 4 / np.sqrt(len(KEYS))


def test_notices_are_lost_and_doubled_in_their_shares() -> None:
    """Lost ones never arrive, doubled ones arrive again later; asking for more accidents keeps the old ones."""
    wire = Wire(notice=LognormalDelay(50.0, 1.0), lost_share=0.2, duplicated_share=0.25)
    copies = [wire.notice_delays_ms(key) for key in KEYS]
    error = 4 * 0.5 / np.sqrt(len(KEYS))
    assert np.mean([len(delays) == 0 for delays in copies]) == pytest.approx(0.2, abs=error)
    assert np.mean([len(delays) == 2 for delays in copies if delays]) == pytest.approx(0.25, abs=error)
    assert all(
        delays[0] == wire.delay_ms(wire.notice, key, NOTICE) for delays, key in zip(copies, KEYS, strict=True) if delays
    )
    assert all(delays[1] > delays[0] for delays in copies if len(delays) == 2)
    worse = Wire(notice=wire.notice, lost_share=0.4, duplicated_share=0.25)
    assert all(not worse.notice_delays_ms(key) for key, delays in zip(KEYS, copies, strict=True) if not delays)
