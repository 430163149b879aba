"""Identity: components against a plain search, a known truth, explanations, withdrawal, match report."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dmp.audience import Reader, open_audience
from dmp.consent import STORAGE
from dmp.errors import AudienceError, StoreError
from dmp.explain import explain, parse_identifier
from dmp.identifiers import ADDRESS
from dmp.identity import Edges, Graph, build_graph, join
from dmp.match import match_report, pair_scores
from dmp.sources.importer import import_source
from dmp.store import Store
from dmp.union_find import components
from dmp.withdraw import withdraw_source
from tests.dmp.people import key, truth, write_source

ME = Reader("test", "test")


def searched(count: int, pairs: list[tuple[int, int]]) -> list[int]:
    """Components by flooding, numbered by first appearance."""
    label = [-1] * count
    for start in range(count):
        if label[start] < 0:
            number, todo = max(label, default=-1) + 1, [start]
            while todo:
                node = todo.pop()
                if label[node] < 0:
                    label[node] = number
                    todo += [b for a, b in pairs if a == node] + [a for a, b in pairs if b == node]
    return label


@given(count=st.integers(1, 12), data=st.data())
def test_components_are_what_a_search_finds(count: int, data: st.DataObject) -> None:
    node = st.integers(0, count - 1)
    pairs = data.draw(st.lists(st.tuples(node, node), max_size=15))
    a, b = np.array(pairs, np.int64).reshape(-1, 2).T.copy()
    assert components(count, a, b).tolist() == searched(count, pairs)


@given(kinds=st.lists(st.sampled_from([0, 2, ADDRESS]), min_size=1, max_size=10), data=st.data())
def test_addresses_make_households_and_never_persons(kinds: list[int], data: st.DataObject) -> None:
    node = st.integers(0, len(kinds) - 1)
    drawn = data.draw(st.lists(st.tuples(node, node, st.sampled_from([0.4, 0.8, 1.0])), max_size=14))
    a, b, score = (np.array(column) for column in zip(*drawn, strict=True)) if drawn else (np.empty(0, int),) * 3
    edges = Edges(a.astype(np.int64), b.astype(np.int64), score.astype(np.float32), np.zeros(len(a), np.int64))
    person, household = join(np.array(kinds, np.uint8), edges, 0.8)
    used = [(x, y) for x, y, s in drawn if s >= 0.8]
    plain = searched(len(kinds), [(x, y) for x, y in used if ADDRESS not in (kinds[x], kinds[y])])
    home = searched(len(kinds), [(x, y) for x, y in used if (kinds[x], kinds[y]) != (ADDRESS, ADDRESS)])
    for i in range(len(kinds)):
        assert (person[i] == -1) == (kinds[i] == ADDRESS)
        for j in range(len(kinds)):
            if ADDRESS not in (kinds[i], kinds[j]):
                assert (person[i] == person[j]) == (plain[i] == plain[j])
                assert (household[person[i]] == household[person[j]]) == (home[i] == home[j])
    assert sorted(set(person) - {-1}) == list(range(len(household)))


def graph_of(store: Store, threshold: float) -> Graph:
    return build_graph(store, store.catalog(), threshold)


@pytest.mark.parametrize("wrong", [0.0, 1.0])
def test_precision_and_recall_against_the_true_persons(tmp_path: Path, wrong: float) -> None:
    paths, owner = truth(tmp_path, persons=600, seed=5, wrong=wrong)
    store = Store(tmp_path / "audience")
    for path in paths:
        import_source(store, path)
    scores = []
    for threshold in (1.0, 0.95, 0.8, 0.6):
        graph = graph_of(store, threshold)
        true = np.array([owner[int(k)] for k in graph.key])
        scores.append(pair_scores(graph.person_ix, true))
    assert scores[0].precision == 1.0
    recalls = [score.recall for score in scores]
    assert recalls == sorted(recalls)
    assert recalls[0] < 0.5
    assert recalls[-1] > recalls[0] + 0.2
    if wrong:
        precisions = [score.precision for score in scores]
        assert precisions == sorted(precisions, reverse=True)
        assert precisions[-1] < 0.5
    else:
        assert {score.precision for score in scores} == {1.0}


def test_pair_scores_by_hand() -> None:
    estimate, true = np.array([0, 0, 0, 1, 1]), np.array([0, 0, 1, 1, 1])
    assert pair_scores(estimate, true) == (2 / 4, 2 / 4)
    assert pair_scores(np.arange(3), np.arange(3)) == (1.0, 1.0)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Shop, web and a partner: Ann and Bob share a home; the partner guesses that two cookies are one."""
    shop = [
        {"login": "ann", "email": "ann@x.org", "address": "High St. 1"},
        {"login": "bob", "email": "bob@x.org", "address": "high st 1"},
        {"login": "cat", "email": "cat@x.org", "address": "Low Road 2"},
    ]
    web = [{"cookie": "c1", "email": "ann@x.org"}, {"cookie": "c2", "email": "Bob@x.org"}, {"cookie": "c3"}]
    partner = [{"cookie": "c3", "device": "D-1", "score": 0.9}, {"cookie": "c1", "device": "d-1", "score": 0.7}]
    store = Store(tmp_path / "audience")
    import_source(store, write_source(tmp_path, "shop", shop, ["login", "email", "address"]))
    import_source(store, write_source(tmp_path, "web", web, ["cookie", "email"]))
    import_source(store, write_source(tmp_path, "partner", partner, ["cookie", "device"], score_column="score"))
    return store


def persons(graph: Graph) -> set[frozenset[int]]:
    return {frozenset(int(k) for k in graph.key[graph.person_ix == person]) for person in range(graph.persons)}


def test_merges_by_threshold_and_withdrawal(store: Store) -> None:
    ann = {key("login", "ann"), key("email", "ann@x.org"), key("cookie", "c1")}
    bob = {key("login", "bob"), key("email", "bob@x.org"), key("cookie", "c2")}
    cat = {key("login", "cat"), key("email", "cat@x.org")}
    c3, device = {key("cookie", "c3")}, {key("device", "d-1")}
    exact = graph_of(store, 1.0)
    assert persons(exact) == {frozenset(group) for group in (ann, bob, cat, c3, device)}
    assert (exact.persons, exact.households) == (5, 4)
    assert persons(graph_of(store, 0.8)) == {frozenset(group) for group in (ann, bob, cat, c3 | device)}
    assert persons(graph_of(store, 0.7)) == {frozenset(group) for group in (ann | c3 | device, bob, cat)}
    assert withdraw_source(store, "partner", "me") == 1
    assert persons(graph_of(store, 0.7)) == {frozenset(group) for group in (ann, bob, cat, c3)}
    withdraw_source(store, "shop", "me")
    graph = graph_of(store, 0.7)
    assert (graph.persons, graph.households) == (3, 3)
    with pytest.raises(StoreError, match="no source 'shop' here; sources: web"):
        withdraw_source(store, "shop", "me")
    assert len(list((store.folder / "batches").iterdir())) == 1


def test_an_explanation_names_records_and_edges(store: Store) -> None:
    told = explain(open_audience(store, STORAGE, ME, 0.8), "email:ANN@x.org")
    assert {row["id"].partition(":")[0]: row["sources"] for row in told["identities"]} == {
        "login": ["shop"],
        "email": ["shop", "web"],
        "cookie": ["web", "partner"],
    }
    unused = [edge for edge in told["edges"] if not edge["merges"]]
    assert unused == [{"from": "cookie:c1", "to": "device:d-1", "score": 0.7, "source": "partner", "merges": False}]
    assert len(told["edges"]) == 4
    assert told["household_persons"] == 2
    assert sum(told["records"].values()) == 3


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("c1", "write kind:value"),
        ("cooky:c1", "kinds: cookie, device"),
        ("email:ann", "not an e-mail address"),
        ("cookie:c9", "nobody who allows this"),
        ("address:High St. 1", "nobody who allows this"),
    ],
)
def test_who_cannot_be_explained(store: Store, typed: str, told: str) -> None:
    with pytest.raises(AudienceError, match=told):
        explain(open_audience(store, STORAGE, ME), typed)


def test_a_hash_may_be_typed_instead_of_the_address() -> None:
    kind, value = parse_identifier("email:ann@x.org")
    assert parse_identifier(f"email:{value.upper()}") == (kind, value)


def test_match_rates_and_conflicts(store: Store, tmp_path: Path) -> None:
    report = {row.source: row for row in match_report(graph_of(store, 1.0), store.catalog())}
    assert report["shop"][1:] == (8, 3, 2, 2 / 3, 0)
    assert report["web"][1:] == (5, 3, 3, 1.0, 0)
    assert report["partner"][1:] == (3, 3, 2, 2 / 3, 0)
    import_source(store, write_source(tmp_path, "kiosk", [{"login": "ann", "cookie": "c2"}], ["login", "cookie"]))
    report = {row.source: row for row in match_report(graph_of(store, 1.0), store.catalog())}
    assert {name: row.conflicts for name, row in report.items()} == {"shop": 1, "web": 1, "partner": 1, "kiosk": 1}


def test_a_withdrawn_source_leaves_its_refusals(tmp_path: Path) -> None:
    store = Store(tmp_path / "audience")
    rows = [{"cookie": "c1", "consent": "no"}, {"cookie": "c2", "consent": "yes"}]
    import_source(store, write_source(tmp_path, "a", rows, ["cookie"], consent={"column": "consent"}))
    import_source(store, write_source(tmp_path, "b", [{"cookie": "c1"}, {"cookie": "c2"}], ["cookie"]))
    withdraw_source(store, "a", "me")
    result = import_source(store, write_source(tmp_path, "c", [{"cookie": "c1"}, {"cookie": "c3"}], ["cookie"]))
    assert (result.batch.stored, result.batch.held_back) == (1, 1)
