"""The audience snapshot: rows of bits gated by consent, and identifiers as they come off the wire."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dmp.errors import AudienceError
from dmp.snapshot import Snapshot, build_snapshot


@given(people=st.integers(0, 20), segments=st.integers(0, 140), seed=st.integers(0, 99))
def test_rows_hold_what_consent_allows(people: int, segments: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    members = {f"s{j}": rng.random(people) < 0.5 for j in range(segments)}
    consent = rng.random(people) < 0.6
    snapshot = build_snapshot(members, consent)
    assert snapshot.rows.shape == (people, max(1, -(-segments // 64)))
    for p in range(people):
        held = sum(int(word) << (64 * k) for k, word in enumerate(snapshot.rows[p]))
        expected = sum(1 << j for j, flags in enumerate(members.values()) if flags[p] and consent[p])
        assert held == expected
        assert snapshot.row_ix(snapshot.user_id(p)) == (p if consent[p] else -1)
    for name, flags in members.items():
        assert snapshot.size(name) == (flags & consent).sum()


@pytest.fixture
def everyone() -> Snapshot:
    return build_snapshot({"a": np.ones(12, bool)}, np.ones(12, bool))


@pytest.mark.parametrize(
    "user_id", [None, "", "p", "q3", "3", "p-1", "p+1", "p1.0", "p 1", "p12", "p²", "p٣", "p" + "9" * 400, "p0x1"]
)
def test_identifiers_nobody_has(everyone: Snapshot, user_id: str | None) -> None:
    assert everyone.row_ix(user_id) == -1


@given(text=st.text(max_size=8))
def test_any_text_is_somebody_or_nobody(text: str) -> None:
    snapshot = build_snapshot({}, np.ones(12, bool))
    assert -1 <= snapshot.row_ix("p" + text) < 12


def test_mistakes_are_named(everyone: Snapshot) -> None:
    with pytest.raises(AudienceError, match="unknown segment 'b'; known: a"):
        everyone.size("b")
    with pytest.raises(AudienceError, match="segment a: 3 people, but consent is known for 2"):
        build_snapshot({"a": np.ones(3, bool)}, np.ones(2, bool))
