"""Sketches: exact while they fit, within their stated error beyond, and careful with files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dmp.errors import StoreError
from dmp.sketch import Sketch, both, load_sketches, save_sketches, sketch_of, union, without

SIZE = 1024
KEYS = st.lists(st.integers(0, 60), max_size=60)


def keys(low: int, high: int, luck: int = 0) -> np.ndarray:
    """Different identities for each luck."""
    return (np.arange(low, high, dtype=np.uint64) + np.uint64(luck * 10_000_000)) * np.uint64(0x9E3779B97F4A7C15)


@given(a=KEYS, b=KEYS)
def test_sets_that_fit_are_counted_exactly(a: list[int], b: list[int]) -> None:
    left, right = (sketch_of(np.array(each, np.uint64), 64) for each in (a, b))
    for made, true in (
        (left, set(a)),
        (union([left, right]), set(a) | set(b)),
        (both(left, right), set(a) & set(b)),
        (without(left, right), set(a) - set(b)),
    ):
        assert (made.estimate(), made.standard_error()) == (len(true), 0.0)


def test_estimates_keep_their_stated_error() -> None:
    """Over 150 pairs of sets: unbiased, spread as stated, for reach, union, overlap and difference."""
    true = {"reach": 30_000, "union": 50_000, "overlap": 10_000, "difference": 20_000}
    off: dict[str, list[float]] = {name: [] for name in true}
    stated: dict[str, list[float]] = {name: [] for name in true}
    for luck in range(150):
        a, b = sketch_of(keys(0, 30_000, luck), SIZE), sketch_of(keys(20_000, 50_000, luck), SIZE)
        made: dict[str, Sketch] = {
            "reach": a,
            "union": union([a, b]),
            "overlap": both(a, b),
            "difference": without(a, b),
        }
        for name, sketch in made.items():
            off[name].append(sketch.estimate() - true[name])
            stated[name].append(sketch.standard_error())
    for name in true:
        rms, said = np.sqrt(np.mean(np.square(off[name]))), np.mean(stated[name])
        assert abs(np.mean(off[name])) < 4 * said / np.sqrt(150), name
        assert 0.8 < rms / said < 1.2, (name, rms, said)
    assert np.mean(stated["reach"]) / 30_000 == pytest.approx(1 / SIZE**0.5, rel=0.05)


def test_repeats_count_once_and_order_does_not_matter() -> None:
    some = keys(0, 5000)
    a, b = sketch_of(some, SIZE), sketch_of(np.concatenate([some[::-1], some]), SIZE)
    np.testing.assert_array_equal(a.hashes, b.hashes)
    assert a.theta == b.theta < 1


def test_a_union_of_parts_is_the_sketch_of_the_whole() -> None:
    parts = union([sketch_of(keys(0, 4000), SIZE), sketch_of(keys(4000, 9000), SIZE)])
    whole = sketch_of(keys(0, 9000), SIZE)
    np.testing.assert_array_equal(parts.hashes[:900], whole.hashes[:900])
    assert parts.estimate() == pytest.approx(whole.estimate(), rel=0.02)


def test_files_of_sketches(tmp_path: Path) -> None:
    made = {"*": sketch_of(keys(0, 9000), SIZE), "few": sketch_of(keys(0, 5), SIZE)}
    save_sketches(tmp_path / "a.npz", "email", made)
    save_sketches(tmp_path / "b.npz", "email", made)
    save_sketches(tmp_path / "c.npz", "cookie", made)
    assert list(load_sketches([tmp_path / "a.npz"])) == ["*", "few"]
    found = load_sketches([tmp_path / "a.npz", tmp_path / "b.npz"])
    assert list(found) == ["a/*", "a/few", "b/*", "b/few"]
    assert found["a/few"].estimate() == 5
    with pytest.raises(StoreError, match="count different identifiers"):
        load_sketches([tmp_path / "a.npz", tmp_path / "c.npz"])


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04broken", b"text"])
def test_what_is_no_file_of_sketches(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.npz").write_bytes(content)
    with pytest.raises(StoreError, match="is no file of sketches"):
        load_sketches([tmp_path / "x.npz"])


def test_a_damaged_file_of_sketches(tmp_path: Path) -> None:
    save_sketches(tmp_path / "a.npz", "email", {"s": Sketch(np.array([5, 3], np.uint64), 1.0)})
    with pytest.raises(StoreError, match="no hashes"):
        load_sketches([tmp_path / "a.npz"])
    whole = (tmp_path / "a.npz").read_bytes()
    (tmp_path / "a.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(StoreError, match="is no file of sketches"):
        load_sketches([tmp_path / "a.npz"])
    with pytest.raises(StoreError, match="cannot be written"):
        save_sketches(tmp_path / "no" / "a.npz", "email", {})
