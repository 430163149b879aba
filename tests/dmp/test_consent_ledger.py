"""The consent ledger against a plain replay of the decisions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dmp.consent import (
    ALL,
    NOTHING,
    Decisions,
    Ledger,
    decisions,
    joined,
    last_of_equals,
    mask_of,
    names_of,
    region_default,
)
from dmp.errors import ConsentError

ROW = st.tuples(st.integers(0, 5), st.integers(-2, 4), st.integers(0, 7), st.integers(0, 7))


def ledger(rows: list[tuple[int, int, int, int]]) -> Ledger:
    columns = np.array([(k, t, g, r & ~g) for k, t, g, r in rows], np.int64).reshape(-1, 4).T
    return Ledger(
        Decisions(columns[0].astype(np.uint64), columns[1], columns[2].astype(np.uint16), columns[3].astype(np.uint16))
    )


@given(rows=st.lists(ROW, max_size=30), default=st.sampled_from([NOTHING, ALL, 5]))
def test_the_latest_decision_counts_and_refusal_wins_a_tie(rows: list[tuple[int, int, int, int]], default: int) -> None:
    allowed = ledger(rows).allowed(np.arange(7, dtype=np.uint64), default)
    for key in range(7):
        for bit in (1, 2, 4, 8):
            said = [(t, bool(g & bit)) for k, t, g, r in rows if k == key and (g | r) & bit]
            latest = [yes for t, yes in said if t == max(time for time, _ in said)]
            assert bool(allowed[key] & bit) == (all(latest) if latest else bool(default & bit))


def test_in_out_and_in_again() -> None:
    me = np.array([7], np.uint64)
    steps = [decisions(me, 10, ALL, 0), decisions(me, 20, 0, ALL), decisions(me, 30, ALL, 0)]
    seen = [int(Ledger(joined(steps[:n])).allowed(me)[0]) for n in range(4)]
    assert seen == [NOTHING, ALL, NOTHING, ALL]


def test_regions() -> None:
    assert [region_default(region) for region in ("EU", "eu ", "UK", "", "unknown")] == [NOTHING] * 5
    assert region_default("US") == ALL


def test_purposes_by_name() -> None:
    assert names_of(mask_of(["storage", "ad_measurement"])) == ("storage", "ad_measurement")
    assert mask_of(["all"]) == ALL
    with pytest.raises(ConsentError, match="unknown purpose 'storag'; purposes: all, storage"):
        mask_of(["storag"])
    with pytest.raises(ConsentError, match="grants and refuses"):
        Ledger(decisions(np.array([1], np.uint64), 0, 1, 1))


@given(rows=st.lists(ROW, max_size=30))
def test_the_last_of_equal_decisions_says_all_that_counts(rows: list[tuple[int, int, int, int]]) -> None:
    columns = np.array([(k, t, g, r & ~g) for k, t, g, r in rows], np.int64).reshape(-1, 4).T
    every = Decisions(
        columns[0].astype(np.uint64), columns[1], columns[2].astype(np.uint16), columns[3].astype(np.uint16)
    )
    kept = last_of_equals(every)
    said = {(k, g, r) for k, _, g, r in zip(*(column.tolist() for column in every), strict=True)}
    assert len(kept.key) == len(said)
    keys = np.arange(7, dtype=np.uint64)
    for purpose in (1, 2, 4):
        np.testing.assert_array_equal(Ledger(every).refused_at(keys, purpose), Ledger(kept).refused_at(keys, purpose))
    np.testing.assert_array_equal(Ledger(every).allowed(keys, ALL), Ledger(kept).allowed(keys, ALL))
    np.testing.assert_array_equal(Ledger(every).refused(keys), Ledger(kept).refused(keys))
