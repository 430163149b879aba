"""Imports: what is stored, held back and rejected; formats; repeats; crashes; memory."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from dmp.errors import AudienceError, SourceError, StoreError
from dmp.identifiers import key_of
from dmp.sources.importer import ImportResult, import_source
from dmp.store import Store
from tests.dmp.tc_strings import Core, encode

NOW_S = 1_780_000_000.0
ROOT = Path(__file__).parents[2]
HEAD = ["cookie", "email", "ts", "action", "amount", "consent", "topics"]
SITE: dict[str, Any] = {
    "source": "site",
    "file": "site.csv",
    "format": "csv",
    "party": "first",
    "channel": "web_event",
    "region": "EU",
    "identifiers": [{"column": "cookie", "kind": "cookie"}, {"column": "email", "kind": "email"}],
    "time": {"column": "ts", "form": "s"},
    "event": {"column": "action", "value": "amount"},
    "tags": {"column": "topics", "separator": ";", "prefix": "t:"},
    "consent": {"column": "consent"},
}
ROWS = [
    ["c1", "Ann@Example.com ", "1779990000", "view", "", "yes", "a; b"],
    ["c2", "", "1779990001", "buy", "12.5", "yes", ""],
    ["c3", "", "1779990002", "view", "", "no", "a"],
    ["c4", "", "1779990003", "view", "", "", "a"],
    ["", "ann@example.com", "1779990004", "call", "", "y", ""],
]


def write_csv(path: Path, rows: list[list[str]], head: list[str] = HEAD) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([head, *rows])


def declare(folder: Path, **changes: Any) -> Path:
    path = folder / "site.yaml"
    path.write_text(yaml.safe_dump({key: value for key, value in {**SITE, **changes}.items() if value is not None}))
    return path


def imported(folder: Path, rows: list[list[str]] = ROWS, **changes: Any) -> ImportResult:
    write_csv(folder / "site.csv", rows)
    return import_source(Store(folder / "audience"), declare(folder, **changes), NOW_S)


def tables(folder: Path) -> dict[str, list[dict[str, Any]]]:
    store = Store(folder / "audience")
    return {
        name: [row for batch in store.catalog().batches for row in store.table(batch, name).to_pylist()]
        for name in ("records", "edges", "identifiers", "consent")
    }


def rejects(folder: Path, result: ImportResult) -> list[tuple[int, str, str]]:
    with (folder / "audience" / "batches" / result.batch.folder / "rejects.csv").open() as file:
        return sorted((int(row["row"]), row["column"], row["reason"]) for row in csv.DictReader(file))


def test_rows_are_stored_only_with_consent(tmp_path: Path) -> None:
    result = imported(tmp_path)
    assert (result.batch.rows, result.batch.stored, result.batch.held_back, result.batch.rejected) == (5, 3, 2, {})
    found = tables(tmp_path)
    assert [(row["time_s"], row["event"], row["tags"]) for row in found["records"]] == [
        (1779990000, "view", ["t:a", "t:b"]),
        (1779990001, "buy", []),
        (1779990004, "call", []),
    ]
    assert found["records"][1]["value"] == 12.5
    ann = hashlib.sha256(b"ann@example.com").hexdigest()
    values = {row["value"] for row in found["identifiers"]}
    assert values == {"c1", "c2", ann}
    email = next(row for row in found["identifiers"] if row["kind"] == 3)
    assert [(row["a"], row["b"], row["score"]) for row in found["edges"]] == [
        (int(key_of("cookie", "c1")), email["key"], 1.0)
    ]
    assert {row["key"] for row in found["consent"] if row["refused"]} == {int(key_of("cookie", "c3"))}


def test_where_no_consent_is_asked_silence_allows_and_refusal_does_not(tmp_path: Path) -> None:
    result = imported(tmp_path, region="US")
    assert (result.batch.stored, result.batch.held_back) == (4, 1)


def test_an_earlier_refusal_holds_back_a_later_source(tmp_path: Path) -> None:
    imported(tmp_path)
    write_csv(tmp_path / "other.csv", [["c3", "1779000000"], ["c3", "1779999000"], ["c2", "1779999000"]], ["id", "ts"])
    other = declare(
        tmp_path,
        source="other",
        file="other.csv",
        region="US",
        identifiers=[{"column": "id", "kind": "cookie"}],
        event={"name": "seen"},
        tags=None,
        consent=None,
    )
    result = import_source(Store(tmp_path / "audience"), other, NOW_S)
    assert (result.batch.stored, result.batch.held_back) == (1, 2)


def test_consent_strings_decide_and_broken_ones_grant_nothing(tmp_path: Path) -> None:
    whole, limited = encode(Core(purposes={1, 3, 4})), encode(Core(purposes={2}))
    texts = [whole, whole[:-1], whole + "A" * 9, limited, "", "rubbish"]
    rows = [[f"c{n}", "", "1779990000", "view", "", text, ""] for n, text in enumerate(texts)]
    result = imported(tmp_path, rows, region="US", consent={"column": "consent", "form": "string"})
    # In a region that allows silence the empty cell is silence; an unreadable string is not.
    assert {row["value"] for row in tables(tmp_path)["identifiers"]} == {"c0", "c4"}
    assert (result.batch.stored, result.batch.held_back) == (2, 4)


def test_bad_rows_are_told_by_number_and_reason_without_their_content(tmp_path: Path) -> None:
    good = ["c1", "", "1779990000", "view", "", "yes", ""]
    rows = [
        good,
        ["c2", "not-an-address", *good[2:]],
        ["c3", "", "1779999999999", *good[3:]],
        ["c4", "", "12", *good[3:]],
        ["c5", "", "yesterday", *good[3:]],
        ["c6", "", "1779990000", "", "", "yes", ""],
        ["c7", "", "1779990000", "buy", "nan", "yes", ""],
        ["", "", *good[2:]],
        ["null", "", *good[2:]],
        ["short"],
        [*good, "long"],
        ["c8", "", "1780000300", *good[3:]],
        ["c9", "", "1780000301", *good[3:]],
        ["c10", "", "1779990000", "view", "", "perhaps", ""],
        good,
    ]
    result = imported(tmp_path, rows)
    assert rejects(tmp_path, result) == [
        (2, "email", "not an e-mail address"),
        (3, "ts", "in the future"),
        (4, "ts", "before the year 2000"),
        (5, "ts", "not a time"),
        (6, "action", "no event name"),
        (7, "amount", "not a number"),
        (8, "cookie", "no identifier in the row"),
        (9, "cookie", "not a cookie: a placeholder, too long or with control characters"),
        (10, "", "1 cells instead of 7"),
        (11, "", "8 cells instead of 7"),
        (13, "ts", "in the future"),
    ]
    assert sum(result.batch.rejected.values()) == 11
    assert (result.batch.rows, result.batch.stored, result.batch.held_back) == (15, 3, 1)
    listed = (tmp_path / "audience" / "batches" / result.batch.folder / "rejects.csv").read_text()
    assert "not-an-address" not in listed


def test_a_cell_that_is_not_utf8_is_rejected_alone(tmp_path: Path) -> None:
    lines = [b"cookie,email,ts,action,amount,consent,topics"]
    lines += [b"c%d,,1779990000,view,,yes,%s" % (n, b"caf\xe9" if n == 2 else "café".encode()) for n in range(4)]
    (tmp_path / "site.csv").write_bytes(b"\n".join(lines) + b"\n")
    result = import_source(Store(tmp_path / "audience"), declare(tmp_path), NOW_S)
    assert rejects(tmp_path, result) == [(3, "topics", "not UTF-8")]
    assert [row["tags"] for row in tables(tmp_path)["records"]] == [["t:café"]] * 3


@pytest.mark.parametrize("form", ["csv.gz", "jsonl", "jsonl.gz", "parquet"])
def test_every_format_gives_the_same(tmp_path: Path, form: str) -> None:
    imported(tmp_path)
    expected = tables(tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    path = other / "site.data"
    objects = [{k: v or None for k, v in zip(HEAD, row, strict=True)} for row in ROWS]
    if form == "csv.gz":
        path.write_bytes(gzip.compress((tmp_path / "site.csv").read_bytes()))
    elif form == "parquet":
        pq.write_table(pa.Table.from_pylist(objects), path)
    else:
        raw = "".join(json.dumps(row) + "\n" for row in objects).encode()
        path.write_bytes(gzip.compress(raw) if form.endswith("gz") else raw)
    kind = form.partition(".")[0]
    import_source(Store(other / "audience"), declare(other, file="site.data", format=kind), NOW_S)
    assert tables(other) == expected


def test_json_lines_that_are_none(tmp_path: Path) -> None:
    row = dict(zip(HEAD, ROWS[0], strict=True))
    lines = [json.dumps(row), "{", "[1]", '{"cookie": {"a": 1}}', json.dumps({**row, "cookie": "\ud800"}), "", "7"]
    (tmp_path / "site.csv").write_text("\n".join(lines))
    result = import_source(Store(tmp_path / "audience"), declare(tmp_path, format="jsonl"), NOW_S)
    assert [row for row, _, _ in rejects(tmp_path, result)] == [2, 3, 4, 5, 7]
    assert (result.batch.rows, result.batch.stored) == (6, 1)


def test_times_in_every_form(tmp_path: Path) -> None:
    def first_times(column: list[str], form: str) -> list[int]:
        folder = tmp_path / f"{form}{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        rows = [["c1", "", text, "view", "", "yes", ""] for text in column]
        imported(folder, rows, time={"column": "ts", "form": form})
        return [row["time_s"] for row in tables(folder)["records"]]

    assert first_times(["1779990000999"], "ms") == [1779990000]
    assert first_times(["20260528202640", "20260528202640999", "20261340"], "compact") == [1780000000] * 2
    assert first_times(["2026-05-28T20:26:40", "2026-05-28 20:26:40"], "iso") == [1780000000] * 2
    assert first_times(["2026-05-28T20:26:40Z", "2026-05-28T22:26:40+02:00"], "iso") == [1780000000] * 2
    assert first_times(["2026-05-28T20:26:40", "2026-05-28T22:26:40+02:00", "soon"], "iso") == [1780000000] * 2


def test_the_same_file_again_changes_nothing(tmp_path: Path) -> None:
    first = imported(tmp_path)
    before = {path: path.read_bytes() for path in (tmp_path / "audience").rglob("*") if path.is_file()}
    (tmp_path / "site.csv").rename(tmp_path / "copy.csv")
    (tmp_path / "copy.csv").rename(tmp_path / "site.csv")
    again = import_source(Store(tmp_path / "audience"), declare(tmp_path), NOW_S + 999)
    assert again == (first.batch, True)
    assert {path: path.read_bytes() for path in (tmp_path / "audience").rglob("*") if path.is_file()} == before
    with pytest.raises(SourceError, match="under another declaration of site; `bidlab dmp withdraw site` first"):
        import_source(Store(tmp_path / "audience"), declare(tmp_path, region="US"), NOW_S)


def test_every_mistake_of_a_declaration_at_once(tmp_path: Path) -> None:
    path = declare(tmp_path, party="forth", region=None, regoin="EU", identifiers=[], score=2.0, as_of="2026-01-01")
    with pytest.raises(SourceError) as caught:
        import_source(Store(tmp_path / "audience"), path)
    told = str(caught.value)
    assert told.startswith("4 mistakes in ")
    for line in (
        "party: 'forth' is not one of",
        "regoin: unknown key; did you mean region?",
        "identifiers: ",
        "score: ",
    ):
        assert line in told
    assert len(caught.value.problems) == 4
    assert not (tmp_path / "audience").exists()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"party": "third"}, "third-party data need their `licence` terms"),
        ({"time": None, "event": None}, "give either `time`"),
        ({"file": "gone.csv"}, "gone.csv does not exist"),
        ({"consent": {"column": "consent", "purposes": ["all", "spy"]}}, "unknown purpose 'spy'"),
        ({"time": {"column": "when"}}, "has no column 'when'; it has 'cookie'"),
        ({"format": "parquet"}, "is not parquet as declared"),
        ({"delimiter": ";"}, "has no column 'cookie'"),
        ({"identifiers": [{"column": "cookie", "kind": "cookie", "hashed": True}]}, "only e-mail, phone and address"),
        ({"attributes": [{"column": "amount", "type": "number", "name": "value"}]}, "is a name of the store"),
    ],
)
def test_one_mistake_one_message(tmp_path: Path, changes: dict[str, Any], told: str) -> None:
    with pytest.raises(SourceError) as caught:
        imported(tmp_path, **changes)
    assert told in str(caught.value)
    assert Store(tmp_path / "audience").catalog().batches == []


@pytest.mark.parametrize("raw", [b"", b"\xff\xfec\x00o\x00", b"\x1f\x8bgarbage", b"\x00" * 50])
def test_files_that_are_no_csv(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "site.csv").write_bytes(raw)
    with pytest.raises(SourceError, match=r"site\.csv"):
        import_source(Store(tmp_path / "audience"), declare(tmp_path), NOW_S)
    assert Store(tmp_path / "audience").catalog().batches == []


def test_a_gzip_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    rows = [[f"c{rng.integers(1e15)}", "", "1779990000", "view", "", "yes", ""] for _ in range(20_000)]
    write_csv(tmp_path / "plain.csv", rows)
    (tmp_path / "site.csv").write_bytes(gzip.compress((tmp_path / "plain.csv").read_bytes())[:-5000])
    with pytest.raises(SourceError):
        import_source(Store(tmp_path / "audience"), declare(tmp_path), NOW_S)
    assert Store(tmp_path / "audience").catalog().batches == []


@pytest.mark.slow
def test_a_killed_import_leaves_the_audience_as_it_was(tmp_path: Path) -> None:
    """A real process killed at several moments; the audience then equals the one before, or the one after."""
    imported(tmp_path)
    small = tables(tmp_path)
    big = [[f"d{n}", f"p{n}@example.com", "1700000000", "view", "", "yes", "a;b"] for n in range(200_000)]
    write_csv(tmp_path / "big.csv", big)
    path = declare(tmp_path, source="big", file="big.csv")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [
        sys.executable,
        "-m",
        "experiments.cli",
        "dmp",
        "import",
        str(path),
        "--store",
        str(tmp_path / "audience"),
    ]
    audience, before = tmp_path / "audience", tmp_path / "before"
    for records_kib in (1, 400, 800):
        shutil.copytree(audience, before)
        for _ in range(10):  # where this process is held up for too long, the import is whole before the kill
            process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            while process.poll() is None:
                if sum(file.stat().st_size for file in audience.glob("partial/*/records.parquet")) > records_kib * 1024:
                    os.kill(process.pid, signal.SIGKILL)
                    break
                time.sleep(0.002)
            process.communicate()
            if process.returncode == -signal.SIGKILL:
                break
            shutil.rmtree(audience)
            shutil.copytree(before, audience)
        assert process.returncode == -signal.SIGKILL
        assert tables(tmp_path) == small
        shutil.rmtree(before)
    assert list((tmp_path / "audience" / "partial").iterdir())
    result = import_source(Store(tmp_path / "audience"), path, NOW_S)
    assert result.batch.stored == 200_000
    assert not (tmp_path / "audience" / "partial").exists()


def test_a_batch_no_catalogue_names_is_removed(tmp_path: Path) -> None:
    """What a crash leaves between moving the batch into place and writing the catalogue."""
    imported(tmp_path)
    before = tables(tmp_path)
    orphan = tmp_path / "audience" / "batches" / "orphan"
    orphan.mkdir()
    assert tables(tmp_path) == before
    with Store(tmp_path / "audience").writing():
        assert not orphan.exists()
    assert tables(tmp_path) == before


def test_two_writers_do_not_mix(tmp_path: Path) -> None:
    store = Store(tmp_path / "audience")
    with store.writing(), pytest.raises(StoreError, match="another process is writing"), Store(store.folder).writing():
        pass


def test_a_damaged_catalogue_is_named(tmp_path: Path) -> None:
    imported(tmp_path)
    (tmp_path / "audience" / "catalog.json").write_text('{"version": 1')
    with pytest.raises(StoreError, match=r"catalog\.json: is damaged"):
        Store(tmp_path / "audience").catalog()
    assert issubclass(StoreError, AudienceError)


def test_an_unfinished_journal_line_is_cut_off(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.append("consent.jsonl", {"n": 1})
    with (tmp_path / "consent.jsonl").open("ab") as file:
        file.write(b'{"n": 2')
    assert store.journal("consent.jsonl") == [{"n": 1}]
    store.append("consent.jsonl", {"n": 3})
    assert store.journal("consent.jsonl") == [{"n": 1}, {"n": 3}]


@pytest.mark.slow
def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    """Peak memory of an import six times as long is the same but for a few buffers.

    Read from /proc: what `getrusage` tells includes the process that started this one.
    """
    if not Path("/proc/self/status").exists():
        pytest.skip("peak memory is read from /proc")
    script = (
        "import sys; from pathlib import Path; from dmp.sources.importer import import_source;"
        "from dmp.store import Store; import_source(Store(Path(sys.argv[2])), Path(sys.argv[1]));"
        "status = Path('/proc/self/status').read_text();"
        "print(next(line.split()[1] for line in status.splitlines() if line.startswith('VmHWM')))"
    )
    peaks = []
    for rows in (150_000, 900_000):
        cookie = np.random.default_rng(3).integers(0, rows, rows)
        with (tmp_path / "site.csv").open("w") as file:
            file.write(",".join(HEAD) + "\n")
            file.writelines(f"c{n},,1700000000,view,,yes,a;b\n" for n in cookie.tolist())
        command = [sys.executable, "-c", script, str(declare(tmp_path)), str(tmp_path / f"audience{rows}")]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        peaks.append(int(subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout))
    assert peaks[1] - peaks[0] < 70_000, f"{peaks[0]} and {peaks[1]} KiB"
