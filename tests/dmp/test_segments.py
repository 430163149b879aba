"""Segments against a plain reading of the records; mistakes in segment files; the taxonomy."""

from __future__ import annotations

import functools
import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from dmp.audience import Audience, Reader, open_audience
from dmp.consent import ACTIVATION
from dmp.errors import SegmentError
from dmp.evidence import DAY_S, Evidence
from dmp.rules import Rule, SegmentFile, load_segments
from dmp.segments import evaluate, snapshot_of
from dmp.sources.importer import import_source
from dmp.store import Store
from dmp.taxonomy import read_taxonomy, save_taxonomy, stored_taxonomy
from tests.dmp.people import key, write_source

NOW_S = 1_780_000_000
ME = Reader("test", "test")
PEOPLE = 40


@functools.cache
def made_up(seed: int = 2) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Events and profiles of people known by one cookie each."""
    rng = np.random.default_rng(seed)
    events, profiles = [], []
    for person in range(PEOPLE):
        events += [
            {
                "cookie": f"c{person}",
                "t": str(NOW_S - int(rng.integers(0, 40 * 86400))),
                "what": str(rng.choice(["view", "buy"])),
                "amount": None if rng.random() < 0.5 else str(int(rng.integers(0, 50))),
                "tags": ",".join(rng.choice(["x", "y", "z"], int(rng.integers(0, 3)))),
            }
            for _ in range(int(rng.integers(0, 7)))
        ]
        if rng.random() < 0.7:
            for _ in range(2):
                age, city = str(int(rng.integers(15, 70))), str(rng.choice(["Bern", "Rome"]))
                day = str(NOW_S - int(rng.integers(0, 100)) * 86400)
                profiles.append({"cookie": f"c{person}", "t": day, "age": age, "city": city, "vip": "yes"})
    return events, profiles


@pytest.fixture(scope="module")
def audience(tmp_path_factory: pytest.TempPathFactory) -> Audience:
    folder = tmp_path_factory.mktemp("segments")
    store = Store(folder / "audience")
    events, profiles = made_up()
    at = {"column": "t", "form": "s"}
    more: dict[str, Any] = {"event": {"column": "what", "value": "amount"}, "tags": {"column": "tags"}, "time": at}
    import_source(store, write_source(folder, "site", events, ["cookie"], **more), NOW_S)
    attributes = [{"column": "age", "type": "number"}, {"column": "city", "type": "text"}]
    attributes.append({"column": "vip", "type": "flag"})
    path = write_source(folder, "crm", profiles, ["cookie"], attributes=attributes, time=at, freshness_days=60)
    import_source(store, path, NOW_S)
    return open_audience(store, ACTIVATION, ME, now_s=NOW_S)


def rules(depth: int = 3) -> st.SearchStrategy[dict[str, Any]]:
    days = st.one_of(st.none(), st.integers(1, 40))
    event = st.fixed_dictionaries(
        {"name": st.sampled_from(["view", "buy"]), "at_least": st.integers(1, 3), "within_days": days},
        optional={"value_at_least": st.integers(0, 50), "at_most": st.integers(1, 4)},
    )
    attribute = st.one_of(
        st.fixed_dictionaries({"name": st.just("age"), "at_least": st.integers(15, 70)}),
        st.fixed_dictionaries({"name": st.just("age"), "below": st.integers(15, 70)}),
        st.fixed_dictionaries(
            {"name": st.just("city"), "one_of": st.lists(st.sampled_from(["Bern", "Oslo"]), min_size=1)}
        ),
        st.just({"name": "vip", "equals": True}),
    )
    leaf = st.one_of(
        st.builds(lambda e: {"event": e}, event),
        st.builds(lambda a: {"attribute": a}, attribute),
        st.builds(lambda t: {"tag": t}, st.sampled_from(["x", "y"])),
        st.builds(lambda s: {"source": s}, st.sampled_from(["site", "crm"])),
    )
    return st.recursive(
        leaf,
        lambda inner: st.one_of(
            st.builds(lambda parts: {"all": parts}, st.lists(inner, min_size=1, max_size=3)),
            st.builds(lambda parts: {"any": parts}, st.lists(inner, min_size=1, max_size=3)),
            st.builds(lambda part: {"not": part}, inner),
        ),
        max_leaves=5,
    )


def holds(rule: dict[str, Any], cookie: str, ttl_days: float | None) -> bool:
    """The rule read off the made-up rows, one person at a time."""
    events, profiles = made_up()
    mine = [row for row in events if row["cookie"] == cookie]
    known = [row for row in profiles if row["cookie"] == cookie and int(row["t"]) >= NOW_S - 60 * DAY_S]
    oldest = -1e18 if ttl_days is None else NOW_S - ttl_days * DAY_S
    ((kind, what),) = rule.items()
    if kind == "all":
        return all(holds(part, cookie, ttl_days) for part in what)
    if kind == "any":
        return any(holds(part, cookie, ttl_days) for part in what)
    if kind == "not":
        return not holds(what, cookie, ttl_days)
    if kind == "source":
        return bool(mine if what == "site" else known)
    if kind == "tag":
        return any(what in row["tags"].split(",") and int(row["t"]) >= oldest for row in mine)
    if kind == "event":
        since = max(oldest, NOW_S - (what["within_days"] or 1e9) * DAY_S)
        hits = [row for row in mine if row["what"] == what["name"] and int(row["t"]) >= since]
        if "value_at_least" in what:
            hits = [row for row in hits if row["amount"] is not None and float(row["amount"]) >= what["value_at_least"]]
        return what["at_least"] <= len(hits) <= what.get("at_most", 1e9)
    if not known:
        return False
    latest = sorted(known, key=lambda row: int(row["t"]))[-1]
    if int(latest["t"]) < oldest:
        return False
    if what["name"] == "vip":
        return True
    if what["name"] == "city":
        return latest["city"] in what["one_of"]
    return what.get("at_least", -1) <= int(latest["age"]) < what.get("below", 999)


@settings(max_examples=60)
@given(rule=rules(), ttl=st.sampled_from([None, 5.0, 20.0]))
def test_members_are_those_the_rule_describes(audience: Audience, rule: dict[str, Any], ttl: float | None) -> None:
    file = SegmentFile.model_validate({"segments": {"s": {"rule": rule, "ttl_days": ttl}}})
    members = evaluate(file, Evidence(audience))["s"]
    for person in range(PEOPLE):
        at = int(audience.graph.find(np.array([key("cookie", f"c{person}")], np.uint64))[0])
        if at >= 0:
            assert members[audience.graph.person_ix[at]] == holds(rule, f"c{person}", ttl), (rule, person)


def test_segments_of_segments_and_their_rows(audience: Audience) -> None:
    file = SegmentFile.model_validate(
        {
            "segments": {
                "both": {"rule": {"all": [{"segment": "buyers"}, {"not": {"segment": "young"}}]}},
                "buyers": {"rule": {"event": {"name": "buy"}}},
                "young": {"rule": {"attribute": {"name": "age", "below": 30}}},
            }
        }
    )
    members = evaluate(file, Evidence(audience))
    assert list(members) == ["both", "buyers", "young"]
    assert np.array_equal(members["both"], members["buyers"] & ~members["young"])
    assert 0 < members["both"].sum() < members["buyers"].sum()
    rows = snapshot_of(members, audience.graph.persons)
    assert {name: rows.size(name) for name in members} == {name: flags.sum() for name, flags in members.items()}


def test_what_nobody_ever_did_is_noted(audience: Audience) -> None:
    file = SegmentFile.model_validate(
        {"segments": {"s": {"rule": {"any": [{"event": {"name": "byu"}}, {"tag": "q"}]}}}}
    )
    evidence = Evidence(audience)
    assert not evaluate(file, evidence)["s"].any()
    assert evidence.notes == ["no event 'byu' was ever recorded", "nobody carries the tag 'q'"]


def test_tags_and_how_many_carry_them(audience: Audience) -> None:
    tags = Evidence(audience).all_tags()
    assert set(tags) == {"x", "y", "z"}
    assert list(tags.values()) == sorted(tags.values(), reverse=True)
    rule = SegmentFile.model_validate({"segments": {"s": {"rule": {"tag": "x"}}}})
    assert tags["x"] == evaluate(rule, Evidence(audience))["s"].sum()


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        (
            {"attribute": {"name": "agee", "below": 3}},
            "segment s: unknown attribute 'agee'; attributes the sources declare: age",
        ),
        ({"attribute": {"name": "city", "below": 3}}, "city is text; at_least and below are for numbers"),
        ({"attribute": {"name": "age", "equals": "old"}}, "age is a number"),
        ({"source": "shop"}, "unknown source 'shop'; sources here: site, crm"),
    ],
)
def test_rules_that_ask_for_what_is_not_there(audience: Audience, rule: dict[str, Any], told: str) -> None:
    file = SegmentFile.model_validate({"segments": {"s": {"rule": rule}}})
    with pytest.raises(SegmentError) as caught:
        evaluate(file, Evidence(audience))
    assert told in str(caught.value)


def written(folder: Path, segments: Any, **more: Any) -> Path:
    path = folder / "segments.yaml"
    path.write_text(yaml.safe_dump({"segments": segments, **more}))
    return path


def test_a_circle_is_told_with_its_path(tmp_path: Path) -> None:
    ring = {name: {"rule": {"not": {"segment": after}}} for name, after in ("ab", "bc", "cb")}
    with pytest.raises(SegmentError, match="circle: b → c → b"):
        load_segments(written(tmp_path, ring))
    with pytest.raises(SegmentError, match="circle: a → a"):
        load_segments(written(tmp_path, {"a": {"rule": {"segment": "a"}}}))


@pytest.mark.parametrize(
    ("segments", "told"),
    [
        ({}, "segments: "),
        ({"a": {"rule": {}}}, "give exactly one of all, any, not"),
        ({"a": {"rule": {"tag": "x", "source": "y"}}}, "here are tag, source"),
        ({"a": {"rule": {"segment": "b"}}}, "made of 'b', which is not defined; segments: a"),
        ({"a": {"rule": {"attribute": {"name": "age"}}}}, "say what it must be"),
        ({"a": {"rule": {"tag": "x"}, "tll_days": 3}}, "segments.a.tll_days: unknown key"),
        ({"a": {"rule": {"event": {"name": "x", "at_least": 0}}}}, "at_least"),
        ({"a b": {"rule": {"tag": "x"}}}, "segments.a b"),
    ],
)
def test_mistakes_in_segment_files(tmp_path: Path, segments: Any, told: str) -> None:
    with pytest.raises(SegmentError) as caught:
        load_segments(written(tmp_path, segments))
    assert told in str(caught.value)
    assert "segments.yaml" in str(caught.value)


def test_all_mistakes_of_a_segment_file_at_once(tmp_path: Path) -> None:
    path = tmp_path / "segments.yaml"
    path.write_text("purposes: [storag]\nsegments:\n  a: {rule: {tag: 3, tag: 4}}\n  b: {ruel: {tag: x}}\n")
    with pytest.raises(SegmentError) as caught:
        load_segments(path)
    assert len(caught.value.problems) >= 4
    for told in ("unknown purpose 'storag'", ":3: segments.a.rule.tag: given twice", ":4: segments.b.rule: is missing"):
        assert told in str(caught.value)


def test_purposes_without_storage_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SegmentError, match="needs the purpose storage"):
        load_segments(written(tmp_path, {"a": {"rule": {"tag": "x"}}}, purposes=["personalised_ads"]))


HEAD = "Unique ID\tParent ID\tCondensed Name (1st, 2nd, Last Tier)\tTier 1\tTier 2\n"


def test_taxonomy_as_a_tree(tmp_path: Path) -> None:
    path = tmp_path / "t.tsv.gz"
    path.write_bytes(gzip.compress(f"{HEAD}1\t\tA\tA\t\n2\t1\tA | B\tA\tB\n3\t1\tA | C\tA\tC\n".encode()))
    taxonomy = read_taxonomy(path)
    assert (taxonomy.children(0), taxonomy.children(1)) == ([1], [2, 3])
    assert (taxonomy.find("a | b"), taxonomy.find("3")) == (2, 3)
    with pytest.raises(SegmentError, match=r"did you mean 'A \| B'"):
        taxonomy.find("b")
    store = Store(tmp_path / "audience")
    assert stored_taxonomy(store) is None
    save_taxonomy(store, taxonomy)
    assert stored_taxonomy(store) == taxonomy


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ("1\t2\tA\tA\t\n", "hangs below 2, which is not there"),
        ("1\t1\tA\tA\t\n", "below itself"),
        ("1\t\tA\tA\t\n1\t\tB\tB\t\n", "there twice"),
        ("x\t\tA\tA\t\n", "whole numbers"),
    ],
)
def test_tables_that_are_no_tree(tmp_path: Path, rows: str, told: str) -> None:
    path = tmp_path / "t.tsv"
    path.write_text(HEAD + rows)
    with pytest.raises(SegmentError, match=told):
        read_taxonomy(path)


def test_the_iab_taxonomy(shared_data: Path) -> None:
    taxonomy = read_taxonomy(shared_data / "taxonomy" / "iab_audience_1.1.tsv.gz")
    assert len(taxonomy.tiers) == 1558
    assert taxonomy.tiers[taxonomy.children(0)[0]] == ("Demographic",)
    assert taxonomy.tiers[taxonomy.find("Demographic | Age Range | 18-20")][-1] == "18-20"
    tops = {taxonomy.tiers[top][0]: top for top in taxonomy.children(0)}
    assert list(tops) == ["Demographic", "Interest", "Purchase Intent*"]
    # Everybody's names begin with their parent's, but for ten slips in the table itself (meats below meals, and
    # three insurances below car insurance): the numbers count.
    slips = {
        number
        for number, parent in taxonomy.parent.items()
        if parent and taxonomy.tiers[number][: len(taxonomy.tiers[parent])] != taxonomy.tiers[parent]
    }
    assert slips == {*range(1172, 1179), 1391, 1392, 1393}
    sizes, todo = dict.fromkeys(tops, 0), list(tops.values())
    while todo:
        number = todo.pop()
        sizes[taxonomy.tiers[number][0]] += 1
        todo += taxonomy.children(number)
    assert sum(sizes.values()) == 1558
    assert min(sizes.values()) > 100


def test_schema_has_every_kind_of_rule() -> None:
    assert set(Rule.model_json_schema(by_alias=True)["$defs"]["Rule"]["properties"]) == {
        "all",
        "any",
        "not",
        "event",
        "attribute",
        "tag",
        "source",
        "segment",
        "lookalike",
    }
