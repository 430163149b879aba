"""Files as they come: other encodings, cut short, the same people twice, clocks that run ahead."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dmp.audience import Reader, open_audience
from dmp.consent import STORAGE
from dmp.errors import AudienceError, SourceError
from dmp.evidence import Evidence
from dmp.identity import build_graph
from dmp.match import match_report
from dmp.rules import SegmentFile
from dmp.segments import evaluate
from dmp.sources.importer import import_source
from dmp.store import Store
from tests.dmp.people import write_source

NOW_S = 1_780_000_000
CSV = "source: s\nfile: s.csv\nformat: csv\nparty: first\nchannel: web_event\nregion: US\nas_of: 2026-01-01\n"
COOKIES = "identifiers: [{column: cookie, kind: cookie}]\n"


def declared(folder: Path, raw: bytes, more: str = "") -> Path:
    (folder / "s.csv").write_bytes(raw)
    (folder / "s.yaml").write_text(CSV + COOKIES + more)
    return folder / "s.yaml"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_a_file_in_another_encoding_is_refused_whole(tmp_path: Path, encoding: str) -> None:
    store = Store(tmp_path / "audience")
    with pytest.raises(SourceError, match=r"s\.csv"):
        import_source(store, declared(tmp_path, "cookie\nabc\nabd\n".encode(encoding)), NOW_S)
    assert store.catalog().batches == []
    assert not (store.folder / "partial").exists()


def test_latin_1_cells_are_rejected_and_the_others_kept(tmp_path: Path) -> None:
    batch = import_source(Store(tmp_path / "a"), declared(tmp_path, b"cookie\nabc\nM\xfcller\n"), NOW_S).batch
    assert (batch.rows, batch.stored, sum(batch.rejected.values())) == (2, 1, 1)


def test_a_parquet_file_cut_short_leaves_nothing(tmp_path: Path) -> None:
    path = write_source(tmp_path, "s", [{"cookie": f"c{n}"} for n in range(500)], ["cookie"])
    raw = (tmp_path / "s.parquet").read_bytes()
    (tmp_path / "s.parquet").write_bytes(raw[: len(raw) // 2])
    store = Store(tmp_path / "audience")
    with pytest.raises(SourceError, match=r"s\.parquet"):
        import_source(store, path, NOW_S)
    assert store.catalog().batches == []


def test_the_same_people_twice_are_the_same_people(tmp_path: Path) -> None:
    """In one file, in two, with other case and blanks: identities are counted once, and events as often as told."""
    rows = [{"cookie": "a", "email": "x@y.org", "t": "1779000000"}] * 3 + [
        {"cookie": " a ", "email": "X@Y.org ", "t": "1779000001"}
    ]
    store = Store(tmp_path / "audience")
    at = {"time": {"column": "t", "form": "s"}, "event": {"name": "view"}}
    import_source(store, write_source(tmp_path, "one", rows, ["cookie", "email"], **at), NOW_S)
    import_source(store, write_source(tmp_path, "two", rows[:1], ["cookie", "email"], **at), NOW_S)
    graph = build_graph(store, store.catalog(), 1.0)
    assert (len(graph.key), graph.persons) == (2, 1)
    opened = open_audience(store, STORAGE, Reader("t", "t"), now_s=NOW_S)
    rules = {f"n{n}": {"rule": {"event": {"name": "view", "at_least": n}}} for n in (5, 6)}
    members = evaluate(SegmentFile.model_validate({"segments": rules}), Evidence(opened))
    assert [int(flags.sum()) for flags in members.values()] == [1, 0]


def test_one_e_mail_of_two_logins_is_told_as_a_conflict(tmp_path: Path) -> None:
    rows = [{"login": "ann", "email": "family@x.org"}, {"login": "bob", "email": "family@x.org"}]
    store = Store(tmp_path / "audience")
    import_source(store, write_source(tmp_path, "shop", rows, ["login", "email"]), NOW_S)
    assert [row.conflicts for row in match_report(build_graph(store, store.catalog(), 1.0), store.catalog())] == [1]


def test_clocks_may_run_ahead_a_little(tmp_path: Path) -> None:
    """Rows up to the declared skew ahead of our clock are kept but do not count yet; later ones are refused."""
    rows = [{"cookie": f"c{ahead}", "t": str(NOW_S + ahead)} for ahead in (-5, 0, 120, 121)]
    store = Store(tmp_path / "audience")
    more = {"time": {"column": "t", "form": "s"}, "clock_skew_s": 120.0, "tags": {"column": "cookie"}}
    batch = import_source(store, write_source(tmp_path, "s", rows, ["cookie"], **more), NOW_S).batch
    assert (batch.stored, batch.rejected) == (3, {"t: in the future": 1})
    opened = open_audience(store, STORAGE, Reader("t", "t"), now_s=NOW_S)
    assert set(Evidence(opened).all_tags()) == {"c-5", "c0"}


@pytest.mark.parametrize("table", ["records", "edges", "identifiers", "consent"])
def test_a_damaged_store_is_named_and_nothing_is_answered(tmp_path: Path, table: str) -> None:
    store = Store(tmp_path / "audience")
    rows = [{"cookie": "a", "email": "x@y.org", "ok": "yes"}]
    path = write_source(tmp_path, "s", rows, ["cookie", "email"], consent={"column": "ok"})
    batch = import_source(store, path, NOW_S).batch
    file = store.folder / "batches" / batch.folder / f"{table}.parquet"
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(AudienceError, match=rf"{table}\.parquet: cannot be read"):
        Evidence(open_audience(store, STORAGE, Reader("t", "t"), now_s=NOW_S)).all_tags()


def test_two_values_under_one_key_are_a_damaged_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """64-bit keys of different identifiers never meet by chance; when they do, nobody is merged in silence."""
    monkeypatch.setattr("dmp.sources.cells.keys_of", lambda kind, values: np.full(len(values), 7, np.uint64))
    store = Store(tmp_path / "audience")
    declared(tmp_path, b"cookie\nabc\nabd\n")
    with pytest.raises(AudienceError, match="two identifiers share one key"):
        import_source(store, tmp_path / "s.yaml", NOW_S)
    for name, raw in (("one", b"cookie\nabc\n"), ("two", b"cookie\nabd\n")):
        (tmp_path / name).mkdir()
        import_source(store, declared(tmp_path / name, raw), NOW_S)
    with pytest.raises(AudienceError, match="two identifiers share one key"):
        build_graph(store, store.catalog(), 1.0)
