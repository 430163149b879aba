"""Consent: no path returns anything of a person without it; withdrawal, return, erasure, compaction."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dmp.audience import Audience, Reader, open_audience
from dmp.consent import ACTIVATION, ALL, STORAGE, mask_of
from dmp.errors import AudienceError, StoreError
from dmp.evidence import Evidence
from dmp.explain import explain
from dmp.rights import allow, compact, erase, export_person, refuse
from dmp.rules import SegmentFile
from dmp.segments import evaluate
from dmp.sources.importer import import_source
from dmp.store import Store
from tests.dmp.people import key, write_source

NOW_S = 1_780_000_000
ME = Reader("tester", "looking")
FILE = SegmentFile.model_validate(
    {"segments": {"taggers": {"rule": {"tag": "x"}}, "others": {"rule": {"not": {"tag": "x"}}}}}
)


def opened(store: Store, purposes: int = ACTIVATION) -> Audience:
    return open_audience(store, purposes, ME, now_s=NOW_S)


def sizes(store: Store) -> tuple[int, int]:
    members = evaluate(FILE, Evidence(opened(store)))
    return int(members["taggers"].sum()), int(members["others"].sum())


def bytes_on_disk(store: Store) -> set[Any]:
    """Every key and value the files hold but the ledger's."""
    found: set[Any] = set()
    for batch in store.catalog().batches:
        for table in ("records", "edges", "identifiers"):
            for row in store.table(batch, table).to_pylist():
                found |= {value for name, value in row.items() if name in ("key", "a", "b", "value")}
    return found


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Ann has a cookie and an e-mail, Bob a cookie; both said yes."""
    rows = [
        {"cookie": "ca", "email": "ann@x.org", "topics": "x", "ok": "yes"},
        {"cookie": "cb", "topics": "x", "ok": "yes"},
    ]
    more: dict[str, Any] = {"tags": {"column": "topics"}, "consent": {"column": "ok"}, "region": "EU"}
    store = Store(tmp_path / "audience")
    import_source(store, write_source(tmp_path, "site", rows, ["cookie", "email"], **more), NOW_S)
    return store


def test_refusing_counts_at_once_for_the_whole_person_and_allowing_again_brings_back(store: Store) -> None:
    assert sizes(store) == (2, 0)
    assert refuse(store, "email:ann@x.org", ALL, "call centre", NOW_S + 10) == 2
    assert sizes(store) == (1, 0)
    for identifier in ("email:ann@x.org", "cookie:ca"):
        with pytest.raises(AudienceError, match="nobody who allows this"):
            explain(opened(store, STORAGE), identifier)
        with pytest.raises(AudienceError, match="nobody who allows this"):
            export_person(opened(store, STORAGE), identifier)
    assert allow(store, "cookie:ca", ALL, "web form", NOW_S + 20) == 2
    assert sizes(store) == (2, 0)
    entries = store.journal("consent.jsonl")
    assert [(entry["source"], entry["time_s"] - NOW_S) for entry in entries] == [("call centre", 10), ("web form", 20)]


def test_one_purpose_refused_leaves_the_others(store: Store) -> None:
    refuse(store, "cookie:ca", mask_of(["personalised_ads"]), "web form", NOW_S + 10)
    assert sizes(store) == (1, 0)
    assert opened(store, STORAGE).graph.persons == 2


def test_compaction_removes_the_person_and_keeps_them_out(store: Store, tmp_path: Path) -> None:
    before = bytes_on_disk(store)
    assert {"ca", "cb"} < before
    refuse(store, "cookie:ca", mask_of(["storage"]), "web form", NOW_S + 10)
    assert bytes_on_disk(store) == before
    assert compact(store, "me", NOW_S + 20) == 2
    left = bytes_on_disk(store)
    assert left == {"cb", key("cookie", "cb")}
    assert len(list((store.folder / "batches").iterdir())) == 1
    again = [{"cookie": "new", "email": "Ann@x.org"}, {"cookie": "cb"}]
    result = import_source(store, write_source(tmp_path, "crm", again, ["cookie", "email"]), NOW_S)
    assert (result.batch.stored, result.batch.held_back) == (1, 1)
    assert compact(store, "me", NOW_S + 30) == 0


def test_a_refusal_that_came_with_a_file_reaches_the_whole_person(store: Store, tmp_path: Path) -> None:
    rows = [{"cookie": "ca", "ok": "no"}]
    import_source(store, write_source(tmp_path, "cmp", rows, ["cookie"], consent={"column": "ok"}, as_of="2026-05-01"))
    assert sizes(store) == (1, 0)
    compact(store, "me", NOW_S)
    assert bytes_on_disk(store) == {"cb", key("cookie", "cb")}
    again = [{"email": "ann@x.org"}]
    result = import_source(store, write_source(tmp_path, "crm", again, ["email"]), NOW_S)
    assert result.batch.held_back == 1


def test_erasure_leaves_hashes_of_the_refusal_alone(store: Store) -> None:
    assert erase(store, "email:ann@x.org", "dpo", NOW_S + 5) == 2
    assert bytes_on_disk(store) == {"cb", key("cookie", "cb")}
    everything = b"".join(path.read_bytes() for path in store.folder.rglob("*") if path.is_file())
    assert b"ann@x.org" not in everything
    assert sizes(store) == (1, 0)
    assert erase(store, "cookie:never-seen", "dpo", NOW_S) == 1


def test_export_holds_what_is_stored(store: Store) -> None:
    told = export_person(opened(store, STORAGE), "cookie:ca")
    assert [row["tags"] for row in told["records"]] == [["x"]]
    assert told["records"][0]["source"] == "site"
    assert len(told["identities"]) == 2
    assert {tuple(decision["refused"]) for decision in told["decisions"]} == {()}
    json.dumps(told)


def test_every_read_and_change_is_logged_and_no_log_no_read(store: Store) -> None:
    opened(store, STORAGE)
    erase(store, "cookie:ca", "dpo", NOW_S)
    entries = store.journal("audit.jsonl")
    assert [(entry["who"], entry["why"].split()[0]) for entry in entries] == [("tester", "looking"), ("dpo", "erase")]
    assert entries[0]["purposes"] == ["storage"]
    assert "ca" not in entries[1]["why"].split()
    (store.folder / "audit.jsonl").unlink()
    (store.folder / "audit.jsonl").mkdir()
    with pytest.raises(StoreError, match=r"audit\.jsonl"):
        opened(store)


IDENTITY = st.integers(0, 4)
SAID = st.sampled_from(["yes", "no", "", "perhaps"])


@settings(max_examples=40)
@given(
    links=st.lists(st.tuples(IDENTITY, IDENTITY, SAID, st.sampled_from(["EU", "US"])), min_size=1, max_size=6),
    later=st.lists(st.tuples(IDENTITY, st.booleans(), st.sampled_from([ALL, STORAGE, 8])), max_size=4),
    compacting=st.booleans(),
)
def test_nobody_is_seen_without_consent(
    links: list[tuple[int, int, str, str]], later: list[tuple[int, bool, int]], compacting: bool
) -> None:
    """Files with yes, no, nothing and rubbish from two regions, then decisions by hand; then every way to read."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store = Store(folder / "audience")
        for number, (a, b, said, region) in enumerate(links):
            row = {"cookie": f"i{a}", "login": f"i{b}", "ok": said or None, "topics": "x"}
            more: dict[str, Any] = {"region": region, "consent": {"column": "ok"}, "tags": {"column": "topics"}}
            path = write_source(
                folder, f"s{number}", [row], ["cookie", "login"], as_of=f"2026-01-{number + 1:02}", **more
            )
            import_source(store, path, NOW_S)
        for number, (who, yes, purposes) in enumerate(later):
            (allow if yes else refuse)(store, f"cookie:i{who}", purposes, "form", NOW_S + number)
        if compacting:
            compact(store, "me", NOW_S + 99)
        decided = store.decisions(store.catalog())
        for purposes in (STORAGE, ACTIVATION):
            audience = opened(store, purposes)
            graph = audience.graph
            for at, identity in enumerate(graph.key.tolist()):
                for bit in (1, 4, 8):
                    if not purposes & bit:
                        continue
                    said_now = [
                        (int(decided.time_s[row]), bool(decided.granted[row] & bit))
                        for row in np.flatnonzero(decided.key == identity)
                        if (decided.granted[row] | decided.refused[row]) & bit
                    ]
                    if said_now:
                        latest = max(time for time, _ in said_now)
                        assert all(yes for time, yes in said_now if time == latest)
                    else:
                        assert graph.default[at] == ALL
            members = evaluate(FILE, Evidence(audience))
            assert all(len(flags) == graph.persons for flags in members.values())
            for batch in audience.catalog.batches:
                table, owner = audience.records(batch)
                assert np.isin(table["key"].to_numpy(), graph.key).all()
                assert (owner >= 0).all()
            for kind in ("cookie", "login"):
                for number in range(5):
                    if key(kind, f"i{number}") not in graph.key:
                        with pytest.raises(AudienceError):
                            explain(audience, f"{kind}:i{number}")
