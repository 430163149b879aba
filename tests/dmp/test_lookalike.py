"""Lookalikes: scores against a plain sum, quality on hidden seeds, and the rule in a segment file."""

from __future__ import annotations

import functools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dmp.audience import Reader, open_audience
from dmp.consent import ACTIVATION
from dmp.errors import SegmentError
from dmp.evidence import Evidence
from dmp.lookalike import features_of, fit, quality, scores, strongest
from dmp.rules import SegmentFile
from dmp.segments import evaluate, own_evidence
from dmp.sources.importer import import_source
from dmp.store import Store
from tests.dmp.people import write_source

NOW_S = 1_780_000_000
PEOPLE = 1500
TRAITS = (("hills", 0.7, 0.1), ("noise", 0.5, 0.5))


@functools.cache
def people() -> list[dict[str, Any]]:
    """A fifth are keen: they buy more often, like hills, and are younger. The tag `noise` says nothing."""
    rng = np.random.default_rng(1)
    rows = []
    for person in range(PEOPLE):
        keen = rng.random() < 0.2
        tags = [tag for tag, yes, no in TRAITS if rng.random() < (yes if keen else no)]
        tags += ["bought"] if rng.random() < (0.6 if keen else 0.05) else []
        age = int(rng.integers(20, 45) if keen else rng.integers(20, 80))
        rows.append(
            {"cookie": f"c{person}", "tags": ",".join(tags), "age": str(age), "town": "AB"[int(rng.integers(2))]}
        )
    return rows


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    folder = tmp_path_factory.mktemp("lookalike")
    attributes = [{"column": "age", "type": "number"}, {"column": "town", "type": "text"}]
    store = Store(folder / "audience")
    path = write_source(folder, "site", people(), ["cookie"], tags={"column": "tags"}, attributes=attributes)
    import_source(store, path, NOW_S)
    return Evidence(open_audience(store, ACTIVATION, Reader("t", "t"), now_s=NOW_S))


def file_of(**rules: Any) -> SegmentFile:
    return SegmentFile.model_validate({"segments": {name: {"rule": rule} for name, rule in rules.items()}})


FILE = file_of(
    buyers={"tag": "bought"},
    like={"lookalike": {"seed": "buyers", "share": 0.1}},
    hills={"tag": "hills"},
    young={"attribute": {"name": "age", "below": 45}},
)


def test_features_are_what_is_known_without_what_made_the_seed(evidence: Evidence) -> None:
    known = features_of(evidence, own_evidence(FILE, "buyers"))
    assert "tag bought" not in known.names
    assert {"tag hills", "tag noise", "source site", "town is A", "town is B"} <= set(known.names)
    assert sum(name.startswith("age ") for name in known.names) == 5
    hills = evaluate(FILE, evidence)["hills"]
    code = known.names.index("tag hills")
    has = [code in known.feature[known.first[p] : known.first[p + 1]] for p in range(evidence.people)]
    assert has == hills.tolist()
    # Everybody has a source, a town, a fifth of the ages; nobody has anything twice.
    assert (np.diff(known.first) >= 3).all()


def test_scores_are_the_plain_sum_of_log_odds(evidence: Evidence) -> None:
    known = features_of(evidence, own_evidence(FILE, "buyers"))
    seed = evaluate(FILE, evidence)["buyers"]
    found = scores(known, fit(known, seed))
    held = [set(known.feature[known.first[p] : known.first[p + 1]].tolist()) for p in range(evidence.people)]
    for person in (0, 7, 99):
        total = 0.0
        for code in range(len(known.names)):
            rates = []
            for group in (seed, ~seed):
                have = sum(code in held[p] for p in np.flatnonzero(group))
                rates.append((have + 1) / (group.sum() + 2))
            inside, outside = rates if code in held[person] else (1 - rates[0], 1 - rates[1])
            total += math.log(inside / outside)
        assert found[person] == pytest.approx(total)


def test_quality_falls_with_size_and_ends_at_everybody(evidence: Evidence) -> None:
    known = features_of(evidence, own_evidence(FILE, "buyers"))
    seed = evaluate(FILE, evidence)["buyers"]
    rows = quality(known, seed)
    assert rows[-1]["found_share"] == rows[-1]["lift"] == 1.0
    assert [row["found"] for row in rows] == sorted(row["found"] for row in rows)
    assert next(row for row in rows if row["share"] == 0.1)["lift"] > 2.0
    at_random = quality(known, np.random.default_rng(3).permutation(seed))
    assert next(row for row in at_random if row["share"] == 0.3)["lift"] < 1.5
    assert strongest(known, seed)[0]["feature"] == "tag hills"


def test_a_lookalike_is_a_segment_like_any_other(evidence: Evidence) -> None:
    members = evaluate(FILE, evidence)
    like, seed = members["like"], members["buyers"]
    assert not (like & seed).any()
    assert like.sum() == round(0.1 * (~seed).sum())
    for trait in ("hills", "young"):
        assert members[trait][like].mean() > 1.3 * members[trait][~like & ~seed].mean()


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        ({"a": {"lookalike": {"seed": "b", "share": 0.1}}}, "made of 'b', which is not defined"),
        ({"a": {"lookalike": {"seed": "a", "share": 0.1}}}, "go in a circle: a → a"),
        ({"a": {"tag": "hills"}, "b": {"lookalike": {"seed": "a", "share": 0}}}, "greater than 0"),
    ],
)
def test_mistakes_in_lookalike_rules(rules: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        file_of(**rules)


def test_a_seed_of_few_is_refused(evidence: Evidence) -> None:
    file = file_of(few={"tag": "nobody-has-it"}, like={"lookalike": {"seed": "few", "share": 0.1}})
    with pytest.raises(SegmentError, match="segment like: a lookalike needs at least 10 persons in its seed"):
        evaluate(file, evidence)


def test_the_picture_and_the_table(tmp_path: Path, evidence: Evidence) -> None:
    from experiments.audience_plot import plot_quality

    known = features_of(evidence, own_evidence(FILE, "buyers"))
    plot_quality("buyers", quality(known, evaluate(FILE, evidence)["buyers"]), tmp_path / "q.png")
    assert (tmp_path / "q.png").read_bytes()[:4] == b"\x89PNG"
