"""Reading the store in bounded memory: it grows with people and identities, not with what is recorded of them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest

from dmp import evidence as evidence_module
from dmp.audience import Reader, open_audience
from dmp.consent import ACTIVATION
from dmp.evidence import Chunk, Evidence
from dmp.identity import build_graph
from dmp.rules import SegmentFile
from dmp.segments import evaluate
from dmp.sources.importer import import_source
from dmp.store import Store
from tests.patience import HANG_S

ROOT = Path(__file__).parents[2]
NOW_S = 1_780_000_000
PEOPLE = 20_000
SOURCE = """\
source: events
file: events.csv
format: csv
party: first
channel: web_event
identifiers: [{column: cookie, kind: cookie}, {column: mail, kind: email}]
time: {column: ts, form: s}
event: {column: action, value: amount}
tags: {column: tag}
consent: {column: ok}
attributes: [{column: city, type: text}, {column: age, type: number}]
"""
RULES = """
segments:
  hot: {rule: {all: [{event: {name: view, at_least: 3}}, {not: {event: {name: buy}}}]}}
  tagged: {rule: {any: [{tag: t1}, {attribute: {name: city, equals: c2}}, {attribute: {name: age, below: 30}}]}}
  known: {rule: {source: events}}
"""
MEASURE = """
import sys
from pathlib import Path
from dmp.audience import Reader, open_audience
from dmp.consent import ACTIVATION
from dmp.evidence import Evidence
from dmp.rules import load_segments
from dmp.segments import evaluate
from dmp.store import Store

folder = Path(sys.argv[1])
opened = open_audience(Store(folder / "audience"), ACTIVATION, Reader("t", "t"), now_s=1_780_000_000)
members = evaluate(load_segments(folder / "segments.yaml"), Evidence(opened))
print(opened.graph.persons, *(int(flags.sum()) for flags in members.values()))
print(int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) // 1024)
"""


def filled(folder: Path, events: int) -> Store:
    """A store with *events* events of the same 20,000 people."""
    folder.mkdir()
    rng = np.random.default_rng(4)
    who = np.concatenate([np.arange(PEOPLE), rng.integers(0, PEOPLE, events - PEOPLE)]).tolist()
    with (folder / "events.csv").open("w") as file:
        file.write("cookie,mail,ts,action,amount,tag,ok,city,age\n")
        file.writelines(
            f"c{w},p{w}@x.example,{NOW_S - n},{'view' if n % 50 else 'buy'},{n % 9},t{n % 7},yes,c{w % 5},{w % 80}\n"
            for n, w in enumerate(who)
        )
    (folder / "events.yaml").write_text(SOURCE)
    (folder / "segments.yaml").write_text(RULES)
    store = Store(folder / "audience")
    import_source(store, folder / "events.yaml", NOW_S)
    return store


def test_ten_times_the_records_take_no_more_memory(tmp_path: Path) -> None:
    """600,000 events instead of 60,000 of the same people: opened and evaluated with at most 30 MiB more.

    Held as a whole, the 540,000 more would take over 100 MiB: 200 bytes each with identifiers, link and decision.
    """
    if not Path("/proc/self/status").exists():
        pytest.skip("peak memory is read from /proc")
    peaks = []
    for events in (60_000, 600_000):
        filled(tmp_path / str(events), events)
        command = [sys.executable, "-c", MEASURE, str(tmp_path / str(events))]
        env = {"PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT, timeout=HANG_S, env=env)
        counts, peak = done.stdout.splitlines()
        assert counts.split()[0] == counts.split()[-1] == str(PEOPLE)
        assert int(counts.split()[2]) > PEOPLE // 3
        peaks.append(int(peak))
    assert peaks[1] - peaks[0] <= 30, f"{peaks} MiB"


def test_many_passes_answer_as_one_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = filled(tmp_path / "s", 30_000)
    opened = open_audience(store, ACTIVATION, Reader("t", "t"), now_s=NOW_S)
    file = SegmentFile.model_validate(
        {
            "segments": {
                "a": {"rule": {"event": {"name": "view", "at_least": 2}}},
                "b": {"rule": {"tag": "t3"}, "ttl_days": 0.1},
                "c": {"rule": {"attribute": {"name": "age", "at_least": 40}}},
                "d": {"rule": {"all": [{"segment": "a"}, {"not": {"segment": "c"}}, {"source": "events"}]}},
            }
        }
    )
    together = evaluate(file, Evidence(opened))
    passes = []
    monkeypatch.setattr(evidence_module, "MOST_BYTES", 1)
    one_each = Evidence(opened)

    def counted(columns: Iterable[str]) -> Iterator[Chunk]:
        passes.append(columns)
        return Evidence.chunks(one_each, columns)

    monkeypatch.setattr(one_each, "chunks", counted)
    apart = evaluate(file, one_each)
    assert len(passes) == 4
    for name, flags in together.items():
        np.testing.assert_array_equal(flags, apart[name])
        assert 0 < flags.sum() < PEOPLE


def test_repeated_identifiers_and_links_are_kept_once(tmp_path: Path) -> None:
    store = filled(tmp_path / "s", 200_000)
    graph = build_graph(store, store.catalog(), 1.0)
    assert (len(graph.key), graph.persons, len(graph.edges.score)) == (2 * PEOPLE, PEOPLE, PEOPLE)
    rows = sum(part.num_rows for part in store.chunks(store.catalog().batches[0], "identifiers", ["key"]))
    assert rows > 2 * PEOPLE
