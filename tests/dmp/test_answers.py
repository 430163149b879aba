"""Answers against counting by hand; the active audience, its look-ups, swaps and withdrawals."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dmp.activation import activate, deactivate
from dmp.active import Active
from dmp.answers import lift, overlap, packed, reach, union_reach
from dmp.audience import Reader, open_audience
from dmp.consent import ACTIVATION, ALL, STORAGE, mask_of
from dmp.errors import StoreError
from dmp.evidence import Evidence
from dmp.places import EMPTY, fill, row_of
from dmp.rights import allow, refuse
from dmp.rules import SegmentFile
from dmp.segments import evaluate
from dmp.sources.importer import import_source
from dmp.store import Store
from tests.dmp.people import key, write_source

NOW_S = 1_780_000_000


@given(people=st.integers(0, 200), segments=st.integers(1, 5), seed=st.integers(0, 99))
def test_overlaps_are_what_counting_gives(people: int, segments: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    members = {f"s{j}": rng.random(people) < 0.4 for j in range(segments)}
    counts = overlap(members)
    for i, left in enumerate(members.values()):
        for j, right in enumerate(members.values()):
            assert counts[i, j] == sum(1 for a, b in zip(left, right, strict=True) if a and b)


@given(flags=st.lists(st.booleans(), max_size=200))
def test_packed_words(flags: list[bool]) -> None:
    words = packed(np.array(flags, np.bool_))
    assert len(words) == -(-len(flags) // 64)
    assert sum(int(word) << (64 * k) for k, word in enumerate(words)) == sum(1 << k for k, f in enumerate(flags) if f)


@given(keys=st.sets(st.integers(0, 2**64 - 1) | st.integers(0, 40).map(lambda n: n * 64), max_size=30))
def test_look_ups_find_every_key_and_no_other(keys: set[int]) -> None:
    listed = sorted(keys)
    slots = 1 << max(3, (2 * len(listed)).bit_length())
    table, places = np.zeros(slots, np.uint64), np.full(slots, EMPTY, np.int32)
    fill(table, places, np.array(listed, np.uint64), np.arange(len(listed), dtype=np.int32))
    for row, each in enumerate(listed):
        assert row_of(table, places, np.uint64(each)) == row
    for other in (0, 1, 64, 2**63, 2**64 - 1, 12345):
        assert (row_of(table, places, np.uint64(other)) >= 0) == (other in keys)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    rows = [
        {"cookie": "a1", "login": "a", "address": "Way Street 1", "topics": "x"},
        {"cookie": "a2", "login": "a", "device": "d1", "topics": "y"},
        {"cookie": "b1", "login": "b", "address": "Way Street 1", "topics": "x"},
        {"cookie": "c1", "topics": "x,y"},
    ]
    store = Store(tmp_path / "audience")
    kinds = ["cookie", "login", "device", "address"]
    import_source(store, write_source(tmp_path, "s", rows, kinds, tags={"column": "topics"}), NOW_S)
    return store


FILE = SegmentFile.model_validate({"segments": {name: {"rule": {"tag": name}} for name in "xy"}})


def opened(store: Store) -> tuple[Any, dict[str, Any]]:
    audience = open_audience(store, ACTIVATION, Reader("t", "t"), now_s=NOW_S)
    return audience, evaluate(FILE, Evidence(audience))


def test_reach_counts_nobody_twice(store: Store) -> None:
    audience, members = opened(store)
    assert reach(members["x"], audience.graph) == {"cookie": 4, "device": 1, "person": 3, "household": 2}
    rows = union_reach(members, audience.graph)
    assert [(row["segment"], row["person"], row["household"]) for row in rows] == [
        ("x", 3, 2),
        ("y", 2, 2),
        ("*", 3, 2),
    ]


def segments_of(active: Active, kind: str, value: str) -> set[str] | None:
    row = active.row_ix(np.uint64(key(kind, value)))
    if row < 0:
        return None
    return {name for j, name in enumerate(active.segments) if int(active.rows[row, j // 64]) >> (j % 64) & 1}


def test_active_rows_by_any_identity(store: Store) -> None:
    with pytest.raises(StoreError, match="no active audience"):
        Active(store)
    activate(*opened(store), ACTIVATION)
    active = Active(store)
    for kind, value in (("cookie", "a1"), ("cookie", "a2"), ("login", "a"), ("device", "d1")):
        assert segments_of(active, kind, value) == {"x", "y"}
    assert segments_of(active, "cookie", "b1") == {"x"}
    assert segments_of(active, "address", "Way Street 1") is None
    assert segments_of(active, "cookie", "zz") is None


def test_a_refusal_reaches_readers_that_have_the_rows_mapped(store: Store) -> None:
    activate(*opened(store), ACTIVATION)
    active = Active(store)
    refuse(store, "cookie:a1", mask_of(["ad_measurement"]), "form", NOW_S)
    assert segments_of(active, "device", "d1") == {"x", "y"}
    row = active.row_ix(np.uint64(key("cookie", "a1")))
    refuse(store, "cookie:a1", mask_of(["personalised_ads"]), "form", NOW_S)
    for kind, value in (("cookie", "a1"), ("cookie", "a2"), ("login", "a"), ("device", "d1")):
        assert segments_of(active, kind, value) is None
    assert not active.rows[row].any()
    assert segments_of(active, "cookie", "b1") == {"x"}
    allow(store, "cookie:a1", ALL, "form", NOW_S + 1)
    assert segments_of(active, "cookie", "a1") is None
    activate(*opened(store), ACTIVATION)
    assert active.refresh()
    assert segments_of(active, "cookie", "a1") == {"x", "y"}
    assert not active.refresh()


def test_a_refusal_in_a_file_reaches_the_active_rows(store: Store, tmp_path: Path) -> None:
    activate(*opened(store), ACTIVATION)
    active = Active(store)
    path = write_source(tmp_path, "cmp", [{"login": "a", "ok": "no"}], ["login"], consent={"column": "ok"})
    import_source(store, path, NOW_S)
    assert segments_of(active, "cookie", "a2") is None
    assert deactivate(store, np.array([key("cookie", "b1")], np.uint64), STORAGE) == 1


def test_an_activation_of_an_older_store_is_refused(store: Store, tmp_path: Path) -> None:
    audience, members = opened(store)
    import_source(store, write_source(tmp_path, "t", [{"cookie": "n"}], ["cookie"]), NOW_S)
    with pytest.raises(StoreError, match="changed while segments were made"):
        activate(audience, members, ACTIVATION)


def test_an_active_audience_of_nobody(store: Store) -> None:
    for cookie in ("a1", "b1", "c1"):
        refuse(store, f"cookie:{cookie}", ALL, "form", NOW_S)
    activate(*opened(store), ACTIVATION)
    assert segments_of(Active(store), "cookie", "a1") is None
    assert deactivate(store, np.array([key("cookie", "a1")], np.uint64), ALL) == 0


def test_readers_swap_while_versions_come(store: Store) -> None:
    """A reader refreshing all the time never meets a version that is not whole."""
    audience, members = opened(store)
    activate(audience, members, ACTIVATION)
    stop, seen, wrong = threading.Event(), set(), []

    def read() -> None:
        active = Active(store)
        while not stop.is_set():
            active.refresh()
            seen.add(active.version)
            if segments_of(active, "cookie", "b1") != {"x"}:
                wrong.append(active.version)

    reader = threading.Thread(target=read)
    reader.start()
    versions = {activate(audience, members, ACTIVATION) for _ in range(20)}
    stop.set()
    reader.join()
    assert not wrong
    assert len(seen & versions) > 1
    assert len([path for path in (store.folder / "active").iterdir() if path.is_dir()]) == 2


def test_a_version_prepared_elsewhere_is_swapped_to_without_opening_anything(store: Store) -> None:
    audience, members = opened(store)
    first = activate(audience, members, ACTIVATION)
    active = Active(store)
    assert not active.swap()
    assert not active.prepare()
    second = activate(audience, members, ACTIVATION)
    assert active.version == first
    thread = threading.Thread(target=active.prepare)
    thread.start()
    thread.join()
    assert active.version == first
    shutil.rmtree(store.folder / "active")  # what was prepared is mapped already
    assert active.swap()
    assert active.version == second
    assert segments_of(active, "cookie", "b1") == {"x"}
    assert not active.swap()


def test_lift_by_hand_and_by_luck() -> None:
    flags = np.array([True] * 40 + [False] * 60)
    happened = np.zeros(100, np.bool_)
    happened[:20] = happened[40:50] = True
    told = lift(flags, happened)
    assert (told["persons"], told["happened"], told["rate"]) == (40, 20, 0.5)
    assert told["rate_outside"] == pytest.approx(1 / 6)
    assert told["lift"] == pytest.approx(3.0)
    spread = 1.96 * (1 / 20 - 1 / 40 + 1 / 10 - 1 / 60) ** 0.5
    assert told["low"] == pytest.approx(3 * np.exp(-spread), rel=1e-4)
    assert told["high"] == pytest.approx(3 * np.exp(spread), rel=1e-4)
    nobody = lift(np.zeros(5, np.bool_), np.ones(5, np.bool_))
    assert (nobody["rate"], nobody["lift"], nobody["low"]) == (None, None, None)
    rng = np.random.default_rng(6)
    covered = 0
    for _ in range(300):
        told = lift(rng.random(2000) < 0.3, rng.random(2000) < 0.1)
        covered += told["low"] <= 1.0 <= told["high"]
    assert 0.92 < covered / 300 < 0.98
