"""Calendar arithmetic against datetime."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bidder.core.book import INDEX_SIZE, START_HOUR, START_OF_DAY_S
from bidder.core.clock import day_ix, day_share, hour_of_week, window_start_s

quarters = st.integers(0, 4 * 86400 * 400).map(lambda k: k / 4)


@given(
    start=st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1)).map(lambda t: t.replace(microsecond=0)),
    now_s=quarters,
)
def test_days_and_hours_as_in_the_calendar(start: datetime, now_s: float) -> None:
    index = np.zeros(INDEX_SIZE, np.int64)
    index[START_HOUR] = start.weekday() * 24 + start.hour
    index[START_OF_DAY_S] = start.hour * 3600 + start.minute * 60 + start.second
    now = start + timedelta(seconds=now_s)
    today_ix = day_ix(index, now_s)
    assert today_ix == (now.date() - start.date()).days
    assert hour_of_week(index, now_s) == now.weekday() * 24 + now.hour
    passed = (now - datetime(now.year, now.month, now.day)) / timedelta(days=1)
    assert abs(day_share(index, now_s, today_ix) - passed) < 1e-9


@given(
    window_s=st.sampled_from([600.0, 3600.0, 25_000.0, 86400.0, 604800.0]),
    offset_s=st.integers(0, 86399),
    now_s=quarters,
)
def test_fixed_windows_tile_time_from_midnight(window_s: float, offset_s: int, now_s: float) -> None:
    index = np.zeros(INDEX_SIZE, np.int64)
    index[START_OF_DAY_S] = offset_s
    start_s = window_start_s(index, now_s, window_s)
    assert start_s <= now_s < start_s + window_s
    assert (start_s + offset_s) % window_s == 0
